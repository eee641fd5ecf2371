//! The notices that every start tries: one that knows everything, one that knows nothing.

use super::NoticeText;
use crate::domain::{Facts, Item, NoticeKind, Severity, Timestamp};

/// 2026-11-20T10:04:00Z.
const AT: i64 = 1_795_169_040_000;
const DAY: i64 = 86_400_000;

/// Every fact there is.
pub(super) fn full() -> Facts {
    let some = |text: &str| Some(text.to_owned());
    Facts {
        label: "Bank number".to_owned(),
        last4: "0123".to_owned(),
        trigger: some("balance 3.20 USD is at most 5.00 USD"),
        balance: some("3.20 USD"),
        data_left: some("1.5 GB"),
        read_at: Some(AT - 120_000),
        service_end_at: Some(AT + 10 * DAY + 1),
        number_loss_at: Some(AT + 70 * DAY),
        amount: some("10.00 USD"),
        payer: some("carrier"),
        balance_before: some("3.20 USD"),
        transaction_id: some("8F3A21"),
        reference: some("k3j2h1g4f5d6s7a8q9w0e1r2"),
        topup: some("t-7"),
        order_hash: some("9f86d081"),
        reason: some("cap_order"),
        detail: some("10.00 USD is needed, the order cap is 5.00 USD"),
        next: some("topupd asks again"),
        next_at: Some(AT + 600_000),
        reminder: Some(2),
        spent: some("35.00 USD"),
        topups: Some(3),
        period: some("2026-10"),
        journal_head: some("1042 9f86d081884c7d65"),
        items: vec![
            Item {
                kind: NoticeKind::ExpiryNear.as_str().to_owned(),
                label: "Mother's phone".to_owned(),
                last4: "0103".to_owned(),
                balance: some("1.10 USD"),
                service_end_at: Some(AT + 3 * DAY),
                spent: some("20.00 USD"),
            },
            Item { kind: NoticeKind::Stale.as_str().to_owned(), ..Item::default() },
        ],
    }
}

/// What a notice of `kind` is about when it is sent, for people who look at samples.
pub(super) fn typical(kind: NoticeKind) -> Facts {
    let all = full();
    let Facts { reason, detail, transaction_id, next, next_at, .. } = all.clone();
    let Facts { spent, topups, period, journal_head, items, .. } = all.clone();
    let order = Facts {
        reason: None,
        detail: None,
        transaction_id: None,
        reminder: None,
        spent: None,
        topups: None,
        period: None,
        journal_head: None,
        items: Vec::new(),
        ..all
    };
    match kind {
        NoticeKind::TopupStarted | NoticeKind::TopupTask | NoticeKind::PinReady => order,
        NoticeKind::TopupPaid | NoticeKind::TopupVerified | NoticeKind::TopupReversed => {
            Facts { transaction_id, ..order }
        }
        NoticeKind::TopupFailed
        | NoticeKind::TopupUnknown
        | NoticeKind::TopupHeld
        | NoticeKind::TopupRefused
        | NoticeKind::ApprovalWanted => Facts { reason, detail, ..order },
        NoticeKind::LowBalance
        | NoticeKind::ExpiryNear
        | NoticeKind::Stale
        | NoticeKind::Recovered
        | NoticeKind::Flapping
        | NoticeKind::ExternalTopup => Facts {
            amount: None,
            payer: None,
            balance_before: None,
            reference: None,
            topup: None,
            order_hash: None,
            ..order
        },
        NoticeKind::Digest => Facts { items, next, next_at, ..minimal() },
        NoticeKind::Statement => Facts { spent, topups, period, items, ..minimal() },
        NoticeKind::Report => Facts { spent, topups, period, journal_head, ..minimal() },
        NoticeKind::ProviderIncident
        | NoticeKind::ChannelTrouble
        | NoticeKind::PayingStopped
        | NoticeKind::BooksDisagree
        | NoticeKind::Undelivered
        | NoticeKind::Test => Facts { payer: order.payer, next, next_at, ..minimal() },
    }
}

/// No fact at all.
pub(super) fn minimal() -> Facts {
    Facts::default()
}

/// A notice of `kind` with these facts.
pub(super) fn notice<'a>(kind: NoticeKind, locale: &'a str, facts: &'a Facts) -> NoticeText<'a> {
    NoticeText {
        id: "n-42",
        kind,
        severity: Severity::High,
        facts,
        locale,
        time_zone: chrono_tz::Asia::Shanghai,
        at: Timestamp::from_ms(AT),
        subscription: Some("li-tmobile"),
        link: None,
    }
}
