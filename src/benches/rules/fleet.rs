//! A thousand lines that burn and are renewed, read every hour.

use std::collections::BTreeMap;
use topupd::config::fleet::rule_from_document;
use topupd::domain::{
    CapLimits, CapUsage, Currency, Money, MoneySwitch, Msisdn, Plan, Policy, Quality, Reading,
    Renewal, Rule, Snapshot, Span, SpendHistory, SubscriberId, Subscription, SubscriptionId,
    SubscriptionStatus, Timestamp, Values,
};
use topupd::sim::replay::{LineHistory, Setup};

pub(super) const LINES: usize = 1000;
pub(super) const HOURS: i64 = 365 * 24;

pub(super) fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap()
}

pub(super) fn policy() -> Policy {
    Policy {
        quoting: Vec::new(),
        cost_over: 25,
        poll_every: Span::hours(1),
        confirm_after: Span::minutes(2),
        stale_after: None,
        approval_expires: Span::days(1),
        assisted: Vec::new(),
        implausible_after: Span::minutes(10),
        offers: BTreeMap::new(),
        settle_p99: BTreeMap::new(),
        caps: CapLimits::default(),
    }
}

/// Five rules as people write them; the first pays.
pub(super) fn rules() -> Vec<Rule> {
    let documents = [
        r#"{"id":"a","applies_to":{"all":true},"mode":"auto","approve_first":false,"any":[{"metric":"balance","at_most":"5.00 USD"},{"metric":"days_to_service_end","at_most":3}],"amount":{"fixed":"20.00 USD"},"caps":{"order":"40.00 USD","subscription_30d":"100.00 USD"}}"#,
        r#"{"id":"b","applies_to":{"all":true},"mode":"notify","any":[{"metric":"balance","at_most":"3.00 USD"}]}"#,
        r#"{"id":"c","applies_to":{"all":true},"mode":"notify","any":[{"metric":"data_left","at_most":"50 MB"}]}"#,
        r#"{"id":"d","applies_to":{"all":true},"mode":"observe","any":[{"metric":"days_to_runout","at_most":3}]}"#,
        r#"{"id":"e","applies_to":{"all":true},"mode":"notify","any":[{"metric":"reading_age","at_least":"2d"}]}"#,
    ];
    documents.map(|text| rule_from_document(&serde_json::from_str(text).unwrap()).unwrap()).into()
}

fn line(n: usize) -> Subscription {
    Subscription {
        id: SubscriptionId::parse(&format!("line-{n:04}")).unwrap(),
        subscriber: SubscriberId::parse(&format!("owner-{}", n / 4)).unwrap(),
        label: "A line".into(),
        msisdn: Some(Msisdn::parse(&format!("+1202555{n:04}")).unwrap()),
        iccid: None,
        operator: None,
        time_zone: chrono_tz::America::New_York,
        reader: "carrier".into(),
        payers: vec!["carrier".into()],
        tags: Vec::new(),
        plan: Some(Plan {
            price: Some(Money::new(1500, usd())),
            cycle_days: Some(30),
            renewal: Renewal::FundBalance,
            number_loss_days: Some(60),
            charge_window: None,
        }),
        products: BTreeMap::new(),
        status: SubscriptionStatus::Active,
    }
}

fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

/// The readings of one day: 30 cents a day, 15.00 USD a month, topped up by somebody in time; each
/// line with its own day of the month.
pub(super) fn day_of_readings(day: i64) -> Vec<(usize, Reading)> {
    let usd = usd();
    let mut readings = Vec::with_capacity(LINES * 24);
    for hour in 0..24 {
        for n in 0..LINES {
            let of_month = (day + i64::try_from(n).unwrap()) % 30;
            let cents = 3000 - of_month * 30 - hour - if of_month > 26 { 1700 } else { 0 };
            let end = start().plus(Span::days(day + 30 - of_month));
            readings.push((
                n,
                Reading {
                    subscription: SubscriptionId::parse(&format!("line-{n:04}")).unwrap(),
                    provider: "carrier".into(),
                    at: start().plus(Span::hours(day * 24 + hour)),
                    quality: Quality::Ok,
                    values: Values {
                        balance: Some(Money::new(cents, usd)),
                        data_left: Some(cents * 1_000_000),
                        service_end_at: Some(end),
                        ..Values::default()
                    },
                    detail: None,
                },
            ));
        }
    }
    readings
}

pub(super) fn setup() -> Setup {
    let history = |n| LineHistory {
        subscription: line(n),
        rules: rules(),
        watched_since: start(),
        reset_at: Timestamp::from_ms(0),
        earlier: Vec::new(),
        trouble: None,
        episodes: Vec::new(),
        recent: Vec::new(),
        need: None,
        need_seq: 0,
        topups: Vec::new(),
        burn: None,
    };
    Setup {
        policy: policy(),
        from: start(),
        to: start().plus(Span::hours(HOURS)),
        lines: (0..LINES).map(history).collect(),
        acts: Vec::new(),
        others: Vec::new(),
        paces: BTreeMap::new(),
        money: MoneySwitch::default(),
        story: false,
    }
}

/// A calm line.
pub(super) fn snapshot(rules: &[Rule]) -> Snapshot {
    let (_, reading) = day_of_readings(0).into_iter().next().unwrap();
    Snapshot {
        prices: Vec::new(),
        misplaced: Vec::new(),
        subscription: line(0),
        rules: rules.to_vec(),
        earlier: vec![reading.clone()],
        reading: Some(reading),
        doubt_since: None,
        trouble: None,
        watched_since: start(),
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
