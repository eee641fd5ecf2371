//! What several tests share.

pub(crate) mod cluster;
pub(crate) mod daemon;
pub(crate) mod fake;
pub(crate) mod oracle;
pub(crate) mod postgres;
pub(crate) mod letterbox;
pub(crate) mod place;
pub(crate) mod programs;
pub(crate) mod python;
pub(crate) mod scene;
pub(crate) mod world;

use std::collections::BTreeMap;
use topupd::domain::{
    Amount, CapLimits, Condition, Decision, Metric, Mode, Money, Msisdn, Next, OnEnable, OnStale,
    Op, OrderStep, Plan, Policy, Quality, Quantity, Reading, Renewal, Rule, RuleId, Scope, Span,
    Subscriber, SubscriberId, Subscription, SubscriptionId, SubscriptionStatus, Timestamp, Values,
};

pub(crate) fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// `minute` minutes after a fixed instant.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap().plus(Span::minutes(minute))
}

pub(crate) fn subscriber(id: &str) -> Subscriber {
    Subscriber {
        id: SubscriberId::parse(id).unwrap(),
        name: "Li Wei".into(),
        email: Some("li@example.com".into()),
        phone: None,
        locale: "en".into(),
        time_zone: chrono_tz::Asia::Shanghai,
        quiet_hours: None,
        channels: vec!["mail".into()],
        addresses: BTreeMap::new(),
    }
}

pub(crate) fn line(id: &str, n: usize) -> Subscription {
    Subscription {
        id: SubscriptionId::parse(id).unwrap(),
        subscriber: SubscriberId::parse("li").unwrap(),
        label: "Bank number".into(),
        msisdn: Some(Msisdn::parse(&format!("+1202556{n:04}")).unwrap()),
        iccid: None,
        operator: None,
        time_zone: chrono_tz::America::New_York,
        reader: "carrier".into(),
        payers: vec!["carrier".into()],
        tags: vec!["us".into()],
        plan: Some(Plan {
            price: Some(money("15.00 USD")),
            cycle_days: Some(30),
            renewal: Renewal::FundBalance,
            number_loss_days: Some(60),
            charge_window: None,
        }),
        products: [("carrier".to_owned(), "TOPUP".to_owned())].into(),
        status: SubscriptionStatus::Active,
    }
}

/// A decision to do nothing before `until`.
pub(crate) fn calm_decision(until: Timestamp) -> Decision {
    Decision {
        prices: Vec::new(),
        episodes: vec![],
        order: OrderStep::Nothing,
        gates: vec![],
        notices: vec![],
        poll_at: None,
        decide_at: Some(until),
        stale: None,
        doubt: None,
        milestone: None,
        period_end: None,
        next: Next { at: None, what: "poll", why: "calm".into() },
    }
}

pub(crate) fn rule() -> Rule {
    let threshold = Quantity::Money(money("5.00 USD"));
    Rule {
        id: RuleId::parse("keep-alive").unwrap(),
        scope: Scope::All,
        priority: 0,
        mode: Mode::Auto,
        any: vec![Condition {
            metric: Metric::Balance,
            op: Op::AtMost,
            threshold,
            clear_at: threshold.beyond(true),
        }],
        all: Vec::new(),
        amount: Some(Amount::Fixed(money("10.00 USD"))),
        caps: CapLimits::default(),
        approve_first: false,
        approve_above: None,
        cooldown_attempt: Span::hours(1),
        cooldown_success: Span::hours(6),
        unless: Vec::new(),
        fire_after: 1,
        clear_after: 1,
        milestones: Rule::MILESTONES.to_vec(),
        order_min: None,
        order_max: None,
        approve_if_price_up: 5,
        approve_if_unusual: false,
        max_declines: 4,
        on_enable: OnEnable::Approve,
        on_stale: OnStale::Notify,
        valid_from: None,
        valid_until: None,
        enabled_at: None,
    }
}

pub(crate) fn reading(id: &str, balance: &str, minute: i64) -> Reading {
    Reading {
        subscription: SubscriptionId::parse(id).unwrap(),
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

pub(crate) fn policy() -> Policy {
    Policy {
        quoting: Vec::new(),
        cost_over: 25,
        poll_every: Span::hours(6),
        confirm_after: Span::minutes(2),
        stale_after: None,
        approval_expires: Span::days(1),
        assisted: Vec::new(),
        implausible_after: Span::minutes(10),
        offers: BTreeMap::new(),
        settle_p99: BTreeMap::new(),
        caps: CapLimits { global_24h: vec![money("100.00 USD")], ..CapLimits::default() },
    }
}
