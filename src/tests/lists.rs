//! Lists and single rows within a scope: the part of the store's story that pages through them.

use super::support::{at, line};
use topupd::domain::{SubscriptionId, Timestamp};
use topupd::store::{
    Keyed, LineOrder, LinesAsked, NoticesAsked, Scope, Store, StoreError, TopupsAsked,
};

fn always() -> TopupsAsked {
    TopupsAsked {
        subscription: None,
        state: None,
        payer: None,
        from: Timestamp::from_ms(0),
        to: Timestamp::from_ms(i64::MAX),
    }
}

/// Whatever the story left behind is there for its owner and for its tag, and for nobody else.
pub(crate) async fn within_a_scope(store: &Store) {
    let everything = NoticesAsked::default();
    let to = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
    let count = async |scope: &Scope| {
        let lines = LinesAsked::default();
        let start = Default::default();
        [
            store.lines_page(scope, &lines, &start, 99).await.unwrap().len(),
            store.topups_page(scope, &always(), None, 99).await.unwrap().len(),
            store.notices_page(scope, &everything, None, 99).await.unwrap().len(),
            store.ledger_page(scope, to, None, 99).await.unwrap().len(),
            store.subscribers_within(scope).await.unwrap().len(),
        ]
    };
    let all = count(&Scope::All).await;
    assert!(all.iter().all(|n| *n > 0), "{all:?}");
    assert_eq!(count(&Scope::Subscriber("zhang".into())).await, [0; 5]);
    assert_eq!(count(&Scope::Tag("none".into())).await, [0; 5]);
    let tagged = count(&Scope::Tag("us".into())).await;
    assert_eq!(tagged[0], all[0]);
    assert!(tagged.iter().all(|n| *n > 0), "{tagged:?}");
    let topup = store.topups_page(&Scope::All, &always(), None, 1).await.unwrap().remove(0);
    let (id, us) = (topup.id.as_str(), Scope::Tag("us".into()));
    assert_eq!(store.topup_within(&us, id).await.unwrap().id, topup.id);
    assert_eq!(store.topup_within(&us, &topup.reference).await.unwrap().id, topup.id);
    let foreign = Scope::Tag("none".into());
    let missing = store.topup_within(&foreign, id).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
    let notice = store.notices_page(&Scope::All, &everything, None, 1).await.unwrap().remove(0);
    assert!(store.notice_within(&Scope::All, &notice.id).await.is_ok());
    assert!(store.notice_within(&foreign, &notice.id).await.is_err());
    let a = line("a", 1).id;
    assert!(store.line_within(&us, &a).await.is_ok());
    assert!(store.line_within(&foreign, &a).await.is_err());
}

/// Page by page is the same as at once, in every order.
pub(crate) async fn page_by_page(store: &Store) {
    for (_, order) in LineOrder::WORDS {
        let asked = LinesAsked { order, text: Some("BANK".into()), ..LinesAsked::default() };
        let start = (String::new(), String::new());
        let at_once = store.lines_page(&Scope::All, &asked, &start, 99).await.unwrap();
        let ids = |page: &[(String, topupd::store::SubscriptionView)]| {
            page.iter().map(|(_, view)| view.subscription.id.clone()).collect::<Vec<_>>()
        };
        let (mut place, mut found): (_, Vec<SubscriptionId>) = (start, Vec::new());
        loop {
            let page = store.lines_page(&Scope::All, &asked, &place, 1).await.unwrap();
            let Some((key, view)) = page.first() else { break };
            place = (key.clone(), view.subscription.id.to_string());
            found.extend(ids(&page));
        }
        assert!(found.len() > 1);
        assert_eq!(found, ids(&at_once), "{order:?}");
    }
}

/// A key is taken once, and forgotten after a day.
pub(crate) async fn keys(store: &Store) {
    assert_eq!(store.take_key("api:k", "x", "one", at(0)).await.unwrap(), Keyed::New);
    let known = |answer| Keyed::Known { request: "one".into(), answer, at: at(0) };
    assert_eq!(store.take_key("api:k", "x", "two", at(1)).await.unwrap(), known(None));
    store.answer_key("api:k", "x", (202, "{}")).await.unwrap();
    store.drop_key("api:k", "x").await.unwrap();
    let answered = known(Some((202, "{}".into())));
    assert_eq!(store.take_key("api:k", "x", "one", at(2)).await.unwrap(), answered);
    assert_eq!(store.take_key("api:k", "x", "two", at(25 * 60)).await.unwrap(), Keyed::New);
    assert_eq!(store.moved_by("a", "nobody", true, at(-99)).await.unwrap(), None);
}
