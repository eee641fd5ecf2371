//! The outbox with channels that end in programs of others, and with a process that dies.

mod callbacks;
mod gammu;
mod kannel;
#[cfg(any(debug_assertions, feature = "failpoints"))]
mod kills;
mod outage;
mod sink;

use super::support::place::Place;
use topupd::{
    domain::{Facts, NoticeDraft, NoticeKind, Severity, SubscriberId, Timestamp},
    store::StoredNotice,
};

/// Nothing is paid for.
fn calm(fleet: &str) -> String {
    fleet.replace("mode = \"auto\"", "mode = \"observe\"")
}

/// A notice for `who`; one for each severity.
fn draft(who: &str, severity: Severity, at: Timestamp) -> NoticeDraft {
    NoticeDraft {
        subscriber: SubscriberId::parse(who).unwrap(),
        subscription: None,
        topup: None,
        kind: NoticeKind::TopupFailed,
        severity,
        dedupe: format!("told|{}", severity.as_str()),
        at,
        facts: Facts { label: "Bank".into(), last4: "0123".into(), ..Facts::default() },
    }
}

async fn say(place: &Place, who: &str, severity: Severity) {
    place.engine.store().say(&[draft(who, severity, place.clock.now())]).await.unwrap();
}

/// The row of the only notice that [`say`] wrote for `who`.
async fn told(place: &Place, who: &str) -> StoredNotice {
    let mut rows = place.engine.store().notices(Some(who), 99).await.unwrap();
    rows.retain(|notice| notice.kind == NoticeKind::TopupFailed);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}
