//! Fleet files as people write them, right and wrong.

mod csv;
mod documents;
mod faults;
mod plans;
mod references;

use super::*;
use crate::domain::{
    Amount, CapLimits, Condition, Metric, Mode, Money, OnEnable, OnStale, Op, Quantity, Renewal,
    Scope, Span,
};
use std::fs;
use tempfile::TempDir;

/// The sample of the product description, word for word.
const SAMPLE: &str = r#"
[[subscribers]]
id = "li"
name = "Li Wei"
email = "li@example.com"
phone = "+12025550199"
locale = "zh-CN"                       # en, zh-CN
time_zone = "Asia/Shanghai"
quiet_hours = "22:00-07:00"
channels = ["mail"]                    # in order; the rest are fallbacks

[[subscriptions]]
id = "li-tmobile"
subscriber = "li"
label = "Bank number"
msisdn = "+12025550123"                # and/or iccid
operator = "T-Mobile US"
time_zone = "America/New_York"         # the operator's
reader = "carrier"
payers = ["carrier"]
tags = ["us"]
plan = { price = "15.00 USD", cycle_days = 30, renewal = "fund_balance", number_loss_days = 60 }
products = { carrier = "TOPUP" }       # optional: which product at which payer

[[rules]]
id = "keep-alive"
applies_to = { subscription = "li-tmobile" }   # or { subscriber = … }, { tag = … }, { all = true }
mode = "auto"
any = [ { metric = "balance", at_most = "5.00 USD" }, { metric = "days_to_service_end", at_most = 7 } ]
amount = { fixed = "10.00 USD" }       # or { to_target = "25.00 USD" }, { cover_next_renewal = true }, { cover_days = 30 }
caps = { order = "30.00 USD", subscription_30d = "40.00 USD" }
approve_first = false
"#;

/// `carrier` does everything, `meter` reads, `shop` sells products; one channel of each kind.
fn context() -> FleetContext {
    let can = |reads, tops_up, wants_product| Declares {
        reads,
        tops_up,
        wants_product,
        ..Declares::default()
    };
    FleetContext {
        providers: BTreeMap::from([
            ("carrier".to_owned(), can(true, true, false)),
            ("meter".to_owned(), can(true, false, false)),
            ("shop".to_owned(), can(false, true, true)),
        ]),
        channels: BTreeMap::from([
            ("mail".to_owned(), Needs::Email),
            ("pager".to_owned(), Needs::Nothing),
            ("sms".to_owned(), Needs::Phone),
        ]),
        has_operators: false,
        stored: StoredFleet::default(),
    }
}

/// Reads `files` (name and text); directory names are cut from the faults.
fn read_in(files: &[(&str, &str)], context: &FleetContext) -> Result<Fleet, Vec<String>> {
    let dir = TempDir::new().unwrap();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let prefix = format!("{}/", dir.path().display());
    Fleet::read(&paths, context)
        .map_err(|faults| faults.iter().map(|f| f.to_string().replace(&prefix, "")).collect())
}

fn read(text: &str) -> Result<Fleet, Vec<String>> {
    read_in(&[("fleet.toml", text)], &context())
}

fn faults(text: &str) -> Vec<String> {
    read(text).expect_err("this fleet is wrong")
}

fn usd(text: &str) -> Money {
    Money::parse(&format!("{text} USD")).unwrap()
}

#[test]
fn the_sample_is_read_as_it_is_meant() {
    let fleet = read(SAMPLE).unwrap();
    let [li] = fleet.subscribers.as_slice() else { panic!("{fleet:?}") };
    assert_eq!((li.name.as_str(), li.locale.as_str()), ("Li Wei", "zh-CN"));
    assert_eq!(li.email.as_deref(), Some("li@example.com"));
    assert_eq!(li.phone.as_ref().unwrap().as_str(), "+12025550199");
    assert_eq!(li.time_zone, chrono_tz::Asia::Shanghai);
    assert_eq!(li.quiet_hours.unwrap().to_string(), "22:00-07:00");
    assert_eq!(li.channels, ["mail"]);
    let [line] = fleet.subscriptions.as_slice() else { panic!("{fleet:?}") };
    assert_eq!((line.id.as_str(), line.subscriber.as_str()), ("li-tmobile", "li"));
    assert_eq!(line.msisdn.as_ref().unwrap().as_str(), "+12025550123");
    assert_eq!(
        (line.label.as_str(), line.operator.as_deref()),
        ("Bank number", Some("T-Mobile US"))
    );
    assert_eq!(
        (line.reader.as_str(), line.payers.as_slice()),
        ("carrier", &["carrier".to_owned()][..])
    );
    assert_eq!(
        (&line.tags[..], line.products["carrier"].as_str()),
        (&["us".to_owned()][..], "TOPUP")
    );
    let plan = line.plan.as_ref().unwrap();
    assert_eq!((plan.price, plan.cycle_days), (Some(usd("15.00")), Some(30)));
    assert_eq!((plan.renewal, plan.number_loss_days), (Renewal::FundBalance, Some(60)));
    let [rule] = fleet.rules.as_slice() else { panic!("{fleet:?}") };
    let seven = Quantity::Days(Span::days(7));
    let expected = Rule {
        id: crate::domain::RuleId::parse("keep-alive").unwrap(),
        scope: Scope::Subscription(line.id.clone()),
        priority: 0,
        mode: Mode::Auto,
        any: vec![
            Condition {
                metric: Metric::Balance,
                op: Op::AtMost,
                threshold: Quantity::Money(usd("5.00")),
                clear_at: Quantity::Money(usd("6.00")),
            },
            Condition {
                metric: Metric::DaysToServiceEnd,
                op: Op::AtMost,
                threshold: seven,
                clear_at: seven.beyond(true),
            },
        ],
        all: Vec::new(),
        amount: Some(Amount::Fixed(usd("10.00"))),
        caps: CapLimits {
            order: Some(usd("30.00")),
            subscription_30d: Some(usd("40.00")),
            ..CapLimits::default()
        },
        approve_first: false,
        approve_above: None,
        cooldown_attempt: Span::hours(1),
        cooldown_success: Span::hours(6),
        unless: Vec::new(),
        fire_after: 1,
        clear_after: 2,
        milestones: Rule::MILESTONES.to_vec(),
        order_min: None,
        order_max: None,
        approve_if_price_up: 5,
        approve_if_unusual: true,
        max_declines: 4,
        on_enable: OnEnable::Approve,
        on_stale: OnStale::Notify,
        valid_from: None,
        valid_until: None,
        enabled_at: None,
    };
    assert_eq!(*rule, expected);
}

#[test]
fn what_is_left_out_is_careful() {
    let fleet = read(
        "[[subscribers]]\nid = \"a\"\n[[subscribers]]\nid = \"b\"\nemail = \"b@example.com\"\n\
         [[subscriptions]]\nid = \"w\"\nsubscriber = \"a\"\nreader = \"meter\"\n\
         [[rules]]\nid = \"r\"\napplies_to = { all = true }\nall = [{ metric = \"reading_age\", at_least = \"12h\" }]",
    )
    .unwrap();
    let [a, b] = fleet.subscribers.as_slice() else { panic!("{fleet:?}") };
    assert_eq!((a.name.as_str(), a.locale.as_str(), a.time_zone), ("a", "en", chrono_tz::UTC));
    // Nobody is left untold by an omission, nor sent what cannot reach him.
    assert_eq!(
        (&a.channels[..], &b.channels[..]),
        (&["pager".to_owned()][..], &["mail".to_owned(), "pager".to_owned()][..])
    );
    assert_eq!(fleet.subscriptions[0].label, "w");
    assert_eq!(fleet.subscriptions[0].time_zone, chrono_tz::America::New_York);
    let rule = &fleet.rules[0];
    assert_eq!(
        (rule.mode, rule.approve_first, rule.caps.clone()),
        (Mode::Notify, true, CapLimits::default())
    );
    let clear = Quantity::Age(Span::parse("9h36m").unwrap());
    assert_eq!((rule.all[0].op, rule.all[0].clear_at), (Op::AtLeast, clear));
}

#[test]
fn clear_levels_come_from_the_condition_then_the_rule_then_the_threshold() {
    let fleet = read(
        "[[rules]]\nid = \"r\"\napplies_to = { all = true }\nclear_at = \"9 USD\"\nany = [\n\
         { metric = \"balance\", at_most = \"5 USD\" },\n\
         { metric = \"balance\", at_most = \"5 USD\", clear_at = \"7 USD\" },\n\
         { metric = \"data_left\", at_most = \"500 MB\" },\n\
         { metric = \"days_to_number_loss\", at_most = 10, clear_at = \"36d12h\" } ]",
    )
    .unwrap();
    let levels: Vec<Quantity> = fleet.rules[0].any.iter().map(|c| c.clear_at).collect();
    let expected = [
        Quantity::Money(usd("9.00")),
        Quantity::Money(usd("7.00")),
        Quantity::Bytes(600_000_000),
        Quantity::Days(Span::hours(36 * 24 + 12)),
    ];
    assert_eq!(levels, expected);
}
