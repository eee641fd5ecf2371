//! A line, a rule, a reading, as the sample fleet has them; for unit tests.

use super::{
    Amount, Before, CapLimits, CapUsage, Condition, Episode, EpisodeId, Metric, Mode, Money,
    MoneySwitch, Msisdn, Need, NeedId, NeedKind, OnEnable, OnStale, Op, Plan, Policy, Quality,
    Quantity, Reading, Renewal, Rule, RuleId, Scope, Snapshot, Span, SpendHistory, State,
    SubscriberId, Subscription, SubscriptionId, SubscriptionStatus, Timestamp, Topup, TopupId,
    Values,
};
use std::collections::BTreeMap;

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
            charge_window: None,
        }),
        products: BTreeMap::new(),
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
        caps: CapLimits { global_24h: vec![money("200.00 USD")], ..CapLimits::default() },
    }
}

/// The sample line under [`keep_alive`], just read.
pub(crate) fn snapshot(reading: Reading) -> Snapshot {
    Snapshot {
        prices: Vec::new(),
        misplaced: Vec::new(),
        subscription: line("li-tmobile"),
        rules: vec![keep_alive()],
        reading: Some(reading),
        earlier: Vec::new(),
        doubt_since: None,
        trouble: None,
        watched_since: at(0),
        stale_since: None,
        episodes: Vec::new(),
        recent_episodes: Vec::new(),
        milestone: None,
        need: None,
        served: None,
        forecast: None,
        topup: None,
        history: SpendHistory::default(),
        usage: CapUsage::default(),
        money: MoneySwitch::default(),
        next_poll_at: None,
    }
}

/// An open episode of `rule` on the sample line, first read at `read_at`.
pub(crate) fn episode_of(rule: &Rule, read_at: Timestamp) -> (Episode, Timestamp) {
    let episode = Episode {
        id: EpisodeId::trusted("e_1"),
        rule: rule.id.clone(),
        subscription: SubscriptionId::trusted("li-tmobile"),
        opened_at: read_at,
        trigger: "balance 3.20 USD is at most 5.00 USD".into(),
        is_deadline: false,
        closed_at: None,
    };
    (episode, read_at)
}

/// The `seq`-th need of `line`.
pub(crate) fn need_of(line: &str, seq: i64) -> Need {
    Need {
        id: NeedId::trusted(format!("n_{seq}")),
        subscription: SubscriptionId::trusted(line),
        rule: Some(keep_alive().id),
        kind: NeedKind::Episode,
        seq,
        opened_at: at(0),
        period_end_at: None,
    }
}

/// A top-up of the sample line in `state`, with 3.10 USD before it.
pub(crate) fn order(state: State, amount: Money) -> Topup {
    Topup {
        id: TopupId::trusted("t_1"),
        subscription: SubscriptionId::trusted("li-tmobile"),
        subscriber: SubscriberId::trusted("li"),
        rule: Some(keep_alive().id),
        need: NeedId::trusted("n_1"),
        payer: "carrier".into(),
        product: None,
        amount,
        reference: "a".repeat(24),
        order_hash: "hash".into(),
        state,
        reason: String::new(),
        request: None,
        submit_no: 0,
        maybe_sent: 0,
        sent_by: None,
        last_sent_at: None,
        transaction_id: None,
        charged: None,
        delivered: None,
        price: None,
        failure: None,
        before: Before { balance: Some(money_of(310)), ..Before::default() },
        not_found: 0,
        not_found_since: None,
        looks: 0,
        next_action_at: None,
        paid_at: None,
        approved: None,
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    }
}

fn money_of(minor: i64) -> Money {
    Money::new(minor, money("1.00 USD").currency())
}
