//! What a person can type now. The same in every language, and safe to paste into a shell: ids
//! hold no character that a shell minds.

use super::NoticeText;
use crate::domain::{NoticeKind, SubscriptionId, TopupId};

/// The commands that belong to a notice, one a line.
pub(super) fn commands(notice: &NoticeText<'_>) -> Vec<String> {
    let topup = notice.facts.topup.as_deref().and_then(|id| TopupId::parse(id.trim()).ok());
    let topups = |verbs: &[&str]| match &topup {
        Some(id) => verbs
            .iter()
            .map(|verb| format!("topupd topups {}", verb.replace('T', id.as_str())))
            .collect(),
        None => vec!["topupd topups list".to_owned()],
    };
    let subscription = notice.subscription.and_then(|id| SubscriptionId::parse(id).ok());
    let line = |verbs: &[&str]| match &subscription {
        Some(id) => verbs.iter().map(|verb| format!("topupd {verb} {id}")).collect(),
        None => Vec::new(),
    };
    match notice.kind {
        NoticeKind::ApprovalWanted => topups(&["show T", "approve T", "reject T"]),
        NoticeKind::TopupHeld => topups(&[
            "show T",
            "resolve T --as paid --note \"...\"",
            "resolve T --as failed --note \"...\"",
        ]),
        NoticeKind::TopupUnknown | NoticeKind::TopupFailed | NoticeKind::TopupReversed => {
            topups(&["show T"])
        }
        NoticeKind::TopupRefused => line(&["subscription explain"]),
        NoticeKind::Flapping => line(&["subscription explain"]),
        NoticeKind::Stale => line(&["subscription explain", "poll"]),
        NoticeKind::PayingStopped => {
            vec!["topupd money status".to_owned(), "topupd money on".to_owned()]
        }
        NoticeKind::LowBalance
        | NoticeKind::ExpiryNear
        | NoticeKind::TopupStarted
        | NoticeKind::TopupPaid
        | NoticeKind::TopupVerified
        | NoticeKind::TopupTask
        | NoticeKind::Recovered
        | NoticeKind::ExternalTopup
        | NoticeKind::Test => Vec::new(),
        NoticeKind::PinReady => {
            vec!["topupd pins list".to_owned(), "topupd pins show CODE".to_owned()]
        }
        NoticeKind::BooksDisagree => vec!["topupd discrepancies list".to_owned()],
        NoticeKind::ProviderIncident => vec!["topupd provider list".to_owned()],
        NoticeKind::ChannelTrouble => vec!["topupd channel list".to_owned()],
        NoticeKind::Undelivered => vec!["topupd notices list --dead".to_owned()],
        NoticeKind::Statement => vec!["topupd receipts".to_owned()],
        NoticeKind::Report => vec!["topupd verify".to_owned()],
        NoticeKind::Digest => vec!["topupd subscription list".to_owned()],
    }
}
