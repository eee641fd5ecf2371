//! A mail server that is gone for six hours.

use super::calm;
use crate::support::{place::Place, programs::free_port};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};
use topupd::{
    domain::{Facts, NoticeDraft, NoticeKind, Severity, Span, SubscriberId},
    sim::mailbox::{Mailbox, Script},
    store::StoredNotice,
};

/// Two people with nothing but mail, and one with a chat as well.
const PEOPLE: &str = "[[subscribers]]\nid = \"ann\"\nname = \"Ann\"\nemail = \"ann@example.com\"\n\
    time_zone = \"UTC\"\nchannels = [\"post\"]\n\
    [[subscribers]]\nid = \"bob\"\nname = \"Bob\"\nemail = \"bob@example.com\"\n\
    time_zone = \"UTC\"\nchannels = [\"post\"]\n\
    [[subscribers]]\nid = \"cy\"\nname = \"Cy\"\nemail = \"cy@example.com\"\n\
    time_zone = \"UTC\"\nchannels = [\"post\", \"zchat\"]\n";

/// As many as are handed over at once: among them there is no order.
const AT_ONCE: usize = 16;

async fn say(place: &Place, n: usize, who: &str) {
    let severities = [Severity::Info, Severity::High, Severity::Critical, Severity::Warning];
    let draft = NoticeDraft {
        subscriber: SubscriberId::parse(who).unwrap(),
        subscription: None,
        topup: None,
        kind: NoticeKind::TopupFailed,
        severity: severities[n % severities.len()],
        dedupe: format!("some|{n}"),
        at: place.clock.now(),
        facts: Facts { label: "Bank".into(), ..Facts::default() },
    };
    place.engine.store().say(&[draft]).await.unwrap();
}

/// Every notice that was said, by its id.
async fn said(place: &Place) -> BTreeMap<String, StoredNotice> {
    let rows = place.engine.store().notices(None, 999).await.unwrap();
    let said = rows.into_iter().filter(|row| row.kind == NoticeKind::TopupFailed);
    said.map(|row| (row.id.clone(), row)).collect()
}

/// The ids of the letters that arrived, in their order.
fn arrived(mailbox: &Mailbox) -> Vec<String> {
    let ids = mailbox.mails().into_iter().map(|mail| mail.header("Message-ID").unwrap());
    ids.map(|id| id.trim_start_matches('<').split('.').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_six_hours_without_a_mail_server_all_arrives_once_what_matters_most_first() {
    let port = free_port();
    let channels = format!(
        "[channels.post.email]\nurl = \"smtp://127.0.0.1:{port}\"\nfrom = \"topupd@example.com\"\n"
    );
    let place = Place::with_notices(|fleet| PEOPLE.to_owned() + &calm(fleet), &channels).await;
    for n in 0..72 {
        if n % 3 == 0 {
            for who in ["ann", "bob", "cy"] {
                say(&place, n / 3, who).await;
            }
        }
        place.engine.tick().await.unwrap();
        place.clock.advance(Span::minutes(5));
    }
    let before = said(&place).await;
    assert_eq!(before.len(), 3 * 24);
    assert!(before.values().all(|row| row.state != "dead"), "nobody gave up");
    // Whoever has another channel was told by it, also that the first one is in trouble.
    let chat = place.chat.took();
    let of = |kind| chat.iter().filter(move |message| message.kind == kind);
    let by_chat: BTreeSet<String> =
        of(NoticeKind::TopupFailed).map(|message| message.id.clone()).collect();
    assert_eq!(by_chat.len(), of(NoticeKind::TopupFailed).count(), "nothing twice");
    assert!(by_chat.iter().all(|id| before[id].subscriber == "cy") && !by_chat.is_empty());
    assert_eq!(of(NoticeKind::ChannelTrouble).count(), 1, "once a day");

    // The server is back, and by then all of them are due.
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let mailbox = Mailbox::start_at(address, Script::default()).await.unwrap();
    place.clock.advance(Span::minutes(75));
    place.engine.tick().await.unwrap();
    let after = said(&place).await;
    assert!(after.values().all(|row| row.state == "sent" && row.ambiguous == 0), "{after:?}");

    let arrived = arrived(&mailbox);
    let waited = after.keys().filter(|id| !by_chat.contains(*id)).map(String::as_str);
    let waited: BTreeSet<&str> = waited.collect();
    assert_eq!(arrived.len(), waited.len(), "each once, by one of the channels");
    assert_eq!(waited, arrived.iter().map(String::as_str).collect());
    // What matters more was begun before: only those still under way can be overtaken.
    let came: Vec<Severity> = arrived.iter().map(|id| after[id].severity).collect();
    for (place, severity) in came.iter().enumerate() {
        let overtaken = came[place..].iter().filter(|later| *later > severity).count();
        assert!(overtaken < AT_ONCE, "{overtaken} more important than letter {place}: {came:?}");
    }
}
