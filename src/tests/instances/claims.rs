//! What is due goes to one instance at a time, and a late first owner changes nothing.

use super::super::support::{at, line, money, postgres, reading, subscriber};
use sqlx::Connection as _;
use std::{collections::HashSet, time::Duration};
use topupd::{
    domain::{Facts, NoticeDraft, NoticeKind, Severity, Span, State, SubscriberId, SubscriptionId},
    store::{Change, FleetChanges, HandOrder, Polled, Store, Tried},
};

/// Two instances over one database with many lines.
async fn two(name: &str, lines: usize) -> Option<(Store, Store, String)> {
    let url = postgres::server()?.database(name).await;
    let (one, other) = tokio::join!(
        async {
            let store = Store::open(&url).await.unwrap();
            store.migrate().await.unwrap();
            store
        },
        async {
            let store = Store::open(&url).await.unwrap();
            store.migrate().await.unwrap();
            store
        }
    );
    let subscriptions =
        (0..lines).map(|n| (line(&format!("l{n:03}"), n), "{}".to_owned())).collect();
    let subscribers = vec![(subscriber("li"), "{}".to_owned())];
    let fleet = FleetChanges { subscribers, subscriptions, ..FleetChanges::default() };
    one.save_fleet(&fleet, at(0)).await.unwrap();
    Some((one, other, url))
}

fn told(n: usize) -> NoticeDraft {
    NoticeDraft {
        subscriber: SubscriberId::parse("li").unwrap(),
        subscription: None,
        topup: None,
        kind: NoticeKind::Test,
        severity: Severity::High,
        dedupe: format!("told|{n}"),
        at: at(0),
        facts: Facts::default(),
    }
}

/// Each of `a` and `b` once, and none in both.
fn all_once(a: &[String], b: &[String], many: usize) {
    let seen: HashSet<String> = a.iter().chain(b).cloned().collect();
    assert_eq!((a.len() + b.len(), seen.len()), (many, many));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_due_row_is_claimed_by_one() {
    let Some((one, other, _)) = two("claims", 60).await else { return };
    for n in 0..60 {
        one.say(&[told(n)]).await.unwrap();
        let id = SubscriptionId::parse(&format!("l{n:03}")).unwrap();
        let row = one.snapshot(&id).await.unwrap().snapshot;
        let amount = money("10.00 USD");
        let order = HandOrder { payer: "carrier", amount, product: None, actor: "test" };
        one.propose_by_hand(&row, &order, "install", at(0)).await.unwrap();
    }
    let polls = async |store: &Store| -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let due = store.claim_polls("carrier", 7, at(5), at(1)).await.unwrap();
            if due.is_empty() {
                return all;
            }
            all.extend(due.into_iter().map(|poll| poll.subscription.id.to_string()));
        }
    };
    let (a, b) = tokio::join!(polls(&one), polls(&other));
    all_once(&a, &b, 60);
    let decisions = async |store: &Store| -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let due = store.claim_decisions(7, at(5), at(1)).await.unwrap();
            if due.is_empty() {
                return all;
            }
            all.extend(due);
        }
    };
    let (a, b) = tokio::join!(decisions(&one), decisions(&other));
    all_once(&a, &b, 60);
    let notices = async |store: &Store| -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let due = store.claim_notices(7, Span::minutes(4), at(1)).await.unwrap();
            if due.is_empty() {
                return all;
            }
            all.extend(due.into_iter().map(|due| due.notice.id));
        }
    };
    let (a, b) = tokio::join!(notices(&one), notices(&other));
    all_once(&a, &b, 60);
    // Looks: proposals stand for any state here, once each of them is due.
    for topup in one.topups(None, at(-1), at(9), 100).await.unwrap() {
        let due = topupd::domain::Topup { next_action_at: Some(at(0)), ..topup.clone() };
        one.keep_topup(&topup, due, None, at(0)).await.unwrap();
    }
    let looks = async |store: &Store| -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let due = store.claim_topups(&[State::Proposed], 7, at(5), at(1)).await.unwrap();
            if due.is_empty() {
                return all;
            }
            all.extend(due.into_iter().map(|topup| topup.id.to_string()));
        }
    };
    let (a, b) = tokio::join!(looks(&one), looks(&other));
    all_once(&a, &b, 60);
    // What nobody finished is due again when its lease is over.
    assert_eq!(other.claim_polls("carrier", 100, at(9), at(5)).await.unwrap().len(), 60);
    assert_eq!(other.claim_decisions(100, at(9), at(5)).await.unwrap().len(), 60);
    assert_eq!(other.claim_notices(100, Span::minutes(4), at(5)).await.unwrap().len(), 60);
    assert_eq!(other.claim_topups(&[State::Proposed], 100, at(9), at(5)).await.unwrap().len(), 60);
    let taken = [
        one.claim_comparison("carrier", None, at(0)).await.unwrap(),
        other.claim_comparison("carrier", None, at(0)).await.unwrap(),
        other.claim_comparison("carrier", Some(at(0)), at(60)).await.unwrap(),
        one.claim_comparison("carrier", Some(at(0)), at(60)).await.unwrap(),
    ];
    assert_eq!(taken, [true, false, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_first_owner_changes_nothing() {
    let Some((one, other, _)) = two("fences", 1).await else { return };
    let id = SubscriptionId::parse("l000").unwrap();
    let polled = |balance: &str, minute| Polled {
        reading: reading("l000", balance, minute),
        next_poll_at: at(minute + 360),
    };
    // A poll: claimed, overslept, taken over, done by the other; then the first one wakes up.
    assert_eq!(one.claim_polls("carrier", 9, at(2), at(1)).await.unwrap().len(), 1);
    assert_eq!(other.claim_polls("carrier", 9, at(5), at(3)).await.unwrap().len(), 1);
    let late =
        one.apply_claimed(vec![(polled("1.00 USD", 4), at(2))], vec![], at(4)).await.unwrap();
    let fresh =
        other.apply_claimed(vec![(polled("9.00 USD", 5), at(5))], vec![], at(5)).await.unwrap();
    assert_eq!((late, fresh), (1, 0));
    let late =
        one.apply_claimed(vec![(polled("1.00 USD", 6), at(2))], vec![], at(6)).await.unwrap();
    assert_eq!(late, 1, "after the other is through as well");
    assert_eq!(one.readings(&id, 9).await.unwrap(), [reading("l000", "9.00 USD", 5)]);
    // A reading that somebody asked for meanwhile takes nothing away from whoever has the line.
    assert_eq!(one.claim_polls("carrier", 9, at(402), at(400)).await.unwrap().len(), 1);
    one.poll_now(std::slice::from_ref(&id), at(401)).await.unwrap();
    let kept =
        one.apply_claimed(vec![(polled("8.00 USD", 401), at(402))], vec![], at(401)).await.unwrap();
    assert_eq!(kept, 0);
    // A notice.
    one.say(&[told(0)]).await.unwrap();
    let first = one.claim_notices(9, Span::minutes(2), at(1)).await.unwrap();
    let second = other.claim_notices(9, Span::minutes(2), at(3)).await.unwrap();
    assert!(second[0].was_cut_off);
    let sent = Tried::Sent { vendor_id: None, ask_at: None, remind_at: None };
    one.tried(&first[0], "bad_recipient", None, &Tried::Dead, at(4)).await.unwrap();
    assert_eq!(one.notice(&first[0].notice.id).await.unwrap().state, "sending");
    other.tried(&second[0], "accepted", None, &sent, at(4)).await.unwrap();
    assert_eq!(one.notice(&first[0].notice.id).await.unwrap().state, "sent");
    // A look at a top-up, and a move of it.
    let row = one.snapshot(&id).await.unwrap().snapshot;
    let amount = money("10.00 USD");
    let order = HandOrder { payer: "carrier", amount, product: None, actor: "test" };
    let topup = one.propose_by_hand(&row, &order, "install", at(10)).await.unwrap();
    let due = topupd::domain::Topup { next_action_at: Some(at(10)), ..topup.clone() };
    one.keep_topup(&topup, due, None, at(10)).await.unwrap();
    let first = one.claim_topups(&[State::Proposed], 9, at(12), at(11)).await.unwrap().remove(0);
    let second = other.claim_topups(&[State::Proposed], 9, at(15), at(13)).await.unwrap().remove(0);
    let looked = |before: &topupd::domain::Topup, minute| topupd::domain::Topup {
        looks: minute,
        next_action_at: Some(at(minute)),
        ..before.clone()
    };
    one.keep_topup(&first, looked(&first, 14), None, at(13)).await.unwrap();
    assert_eq!(one.topup(topup.id.as_str()).await.unwrap().looks, 0);
    other.keep_topup(&second, looked(&second, 20), None, at(13)).await.unwrap();
    assert_eq!(one.topup(topup.id.as_str()).await.unwrap().looks, 20);
    let cancel = |of: &topupd::domain::Topup| topupd::domain::Topup {
        state: State::Cancelled,
        next_action_at: None,
        ..of.clone()
    };
    let change = Change::by("test", "twice");
    let (a, b) = tokio::join!(
        one.move_topup(&first, cancel(&first), &change, &[], at(14)),
        other.move_topup(&second, cancel(&second), &change, &[], at(14))
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_heard_and_a_lost_connection_is_made_anew() {
    let Some((one, other, url)) = two("words", 1).await else { return };
    let mut ear = other.listen().await.unwrap().unwrap();
    let patience = Duration::from_secs(60);
    one.say_aloud("i_1 decide").await.unwrap();
    let heard = tokio::time::timeout(patience, ear.hear()).await.unwrap().unwrap();
    assert_eq!(heard.as_deref(), Some("i_1 decide"));
    let mut database = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let lost = tokio::time::timeout(patience, ear.hear()).await.unwrap();
    assert!(!matches!(lost, Ok(Some(_))), "{lost:?}");
    // Said until it is heard: what is said while nobody listens is lost, and may be.
    let again = async {
        loop {
            one.say_aloud("i_1 notify").await.unwrap();
            let heard = tokio::time::timeout(Duration::from_millis(200), ear.hear()).await;
            if let Ok(Ok(Some(words))) = heard {
                return words;
            }
        }
    };
    assert_eq!(tokio::time::timeout(patience, again).await.unwrap(), "i_1 notify");
}
