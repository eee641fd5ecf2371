//! A line, a rule, a reading, as the sample fleet has them; for unit tests.

use super::{
    Amount, CapLimits, CapUsage, Condition, Metric, Mode, Money, MoneySwitch, Msisdn, Op, Plan,
    Policy, Quality, Quantity, Reading, Renewal, Rule, RuleId, Scope, Snapshot, Span,
    SpendHistory, SubscriberId, Subscription, SubscriptionId, SubscriptionStatus, Timestamp, Values,
};

/// `text` as an amount.
pub(crate) fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// A T-Mobile line of subscriber `li`, read and paid through `carrier`.
pub(crate) fn line(id: &str) -> Subscription {
    Subscription {
        id: SubscriptionId::parse(id).unwrap(),
        subscriber: SubscriberId::parse("li").unwrap(),
        label: "Bank number".into(),
        msisdn: Some(Msisdn::parse("+12025550123").unwrap()),
        iccid: None,
        operator: Some("T-Mobile US".into()),
        time_zone: chrono_tz::America::New_York,
        reader: "carrier".into(),
        payers: vec!["carrier".into()],
        tags: vec!["us".into()],
        plan: Some(Plan {
            price: Some(money("15.00 USD")),
            cycle_days: Some(30),
            renewal: Renewal::FundBalance,
            number_loss_days: Some(60),
        }),
        products: std::collections::BTreeMap::new(),
        status: SubscriptionStatus::Active,
    }
}

/// `balance` at most 5.00 USD, or 7 days to service end: 10.00 USD, auto.
pub(crate) fn keep_alive() -> Rule {
    let balance = Quantity::Money(money("5.00 USD"));
    let days = Quantity::Days(Span::days(7));
    let condition = |metric, threshold: Quantity| Condition {
        metric,
        op: Op::AtMost,
        threshold,
        clear_at: threshold.beyond(true),
    };
    Rule {
        id: RuleId::parse("keep-alive").unwrap(),
        scope: Scope::All,
        priority: 0,
        mode: Mode::Auto,
        any: vec![condition(Metric::Balance, balance), condition(Metric::DaysToServiceEnd, days)],
        all: Vec::new(),
        amount: Some(Amount::Fixed(money("10.00 USD"))),
        caps: CapLimits { order: Some(money("30.00 USD")), ..CapLimits::default() },
        approve_first: false,
        approve_above: None,
        cooldown_attempt: Span::hours(1),
        cooldown_success: Span::hours(6),
    }
}

/// An `ok` reading of `balance` at minute `minute`, service end 20 days after the epoch of tests.
pub(crate) fn reading(balance: &str, minute: i64) -> Reading {
    Reading {
        subscription: SubscriptionId::parse("li-tmobile").unwrap(),
        provider: "carrier".into(),
        at: at(minute),
        quality: Quality::Ok,
        values: Values {
            balance: Some(money(balance)),
            service_end_at: Some(at(0).plus(Span::days(20))),
            ..Values::default()
        },
        detail: None,
    }
}

/// `minute` minutes after 2026-11-21T00:00Z.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap().plus(Span::minutes(minute))
}

/// Poll every 6 hours, confirm after 2 minutes, 200.00 USD a day in all.
pub(crate) fn policy() -> Policy {
    Policy {
        poll_every: Span::hours(6),
        confirm_after: Span::minutes(2),
        stale_after: None,
        approval_expires: Span::days(1),
        caps: CapLimits { global_24h: vec![money("200.00 USD")], ..CapLimits::default() },
    }
}

/// The sample line under [`keep_alive`], just read.
pub(crate) fn snapshot(reading: Reading) -> Snapshot {
    Snapshot {
        subscription: line("li-tmobile"),
        rules: vec![keep_alive()],
        reading: Some(reading),
        trouble: None,
        watched_since: at(0),
        stale_since: None,
        episodes: Vec::new(),
        need: None,
        topup: None,
        history: SpendHistory::default(),
        usage: CapUsage::default(),
        money: MoneySwitch::default(),
        next_poll_at: None,
    }
}
