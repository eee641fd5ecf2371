//! Documents: canonical, complete, and read again as they were.

use super::*;
use crate::domain::{Currency, OnEnable, OnStale, RuleId, SubscriberId, SubscriptionId, Unit};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn documents_have_the_words_of_the_fleet_file_and_every_default() {
    let fleet = read(SAMPLE).unwrap();
    assert_eq!(
        fleet.rules[0].to_document(),
        json!({
            "id": "keep-alive",
            "applies_to": { "subscription": "li-tmobile" },
            "priority": 0,
            "mode": "auto",
            "any": [
                { "metric": "balance", "at_most": "5.00 USD", "clear_at": "6.00 USD" },
                { "metric": "days_to_service_end", "at_most": 7, "clear_at": "8d9h36m" },
            ],
            "amount": { "fixed": "10.00 USD" },
            "caps": { "order": "30.00 USD", "subscription_30d": "40.00 USD" },
            "approve_first": false,
            "cooldown_attempt": "1h",
            "cooldown_success": "6h",
            "fire_after": 1,
            "clear_after": 2,
            "milestones": [30, 7, 3, 1, 0],
            "approve_if_price_up": "5%",
            "approve_if_unusual": true,
            "max_declines": 4,
            "on_enable": "approve",
            "on_stale": "notify",
        })
    );
    assert_eq!(
        fleet.subscribers[0].to_document(),
        json!({
            "id": "li", "name": "Li Wei", "email": "li@example.com", "phone": "+12025550199",
            "locale": "zh-CN", "time_zone": "Asia/Shanghai", "quiet_hours": "22:00-07:00",
            "channels": ["mail"],
        })
    );
    assert_eq!(
        fleet.subscriptions[0].to_document(),
        json!({
            "id": "li-tmobile", "subscriber": "li", "label": "Bank number",
            "msisdn": "+12025550123", "operator": "T-Mobile US", "time_zone": "America/New_York",
            "reader": "carrier", "payers": ["carrier"], "tags": ["us"],
            "plan": { "price": "15.00 USD", "cycle_days": 30, "renewal": "fund_balance", "number_loss_days": 60 },
            "products": { "carrier": "TOPUP" },
        })
    );
}

#[test]
fn a_document_that_is_no_rule_says_why() {
    let bad =
        json!({ "id": "r", "applies_to": { "all": true }, "any": [], "mode": "on", "x": null });
    assert_eq!(
        rule_from_document(&bad),
        Err(
            "the stored rule: rule \"r\".mode: found \"on\"; allowed: observe, notify, approve, auto"
                .to_owned()
        )
    );
    let named = json!({ "id": "r", "applies_to": { "all": true }, "any": [] });
    assert_eq!(
        rule_from_document(&named),
        Err("the stored rule: rule \"r\".any: found a list of 0; allowed is at least one condition in `any` or `all`".to_owned())
    );
    assert_eq!(rule_from_document(&json!(3)), Err("the stored rule is no JSON object".to_owned()));
}

fn amounts() -> impl Strategy<Value = Money> {
    let currencies = prop::sample::select(vec!["USD", "JPY", "KWD"]);
    (1..=i64::MAX / 4000, currencies)
        .prop_map(|(minor, code)| Money::new(minor, Currency::parse(code).unwrap()))
}

fn scopes() -> impl Strategy<Value = Scope> {
    let word = "[a-z0-9][a-zA-Z0-9._-]{0,20}";
    prop_oneof![
        word.prop_map(|id| Scope::Subscription(SubscriptionId::parse(&id).unwrap())),
        word.prop_map(|id| Scope::Subscriber(SubscriberId::parse(&id).unwrap())),
        word.prop_map(Scope::Tag),
        word.prop_map(Scope::Provider),
        Just(Scope::All),
    ]
}

/// Conditions whose clear level is one step or a fifth beyond the threshold.
fn conditions() -> impl Strategy<Value = Condition> {
    let metrics = prop::sample::select(vec![
        Metric::DataLeft,
        Metric::MinutesLeft,
        Metric::DaysToServiceEnd,
        Metric::RenewalsAffordable,
        Metric::ReadingAge,
        Metric::Balance,
    ]);
    (metrics, any::<bool>(), 86_400_000..i64::MAX / 4, amounts(), any::<bool>()).prop_map(
        |(metric, low, n, money, whole)| {
            let days = if whole { Span::days(n % 4000 + 2) } else { Span::from_ms(n) };
            let threshold = match metric.unit() {
                Unit::Money => Quantity::Money(money),
                Unit::Bytes => Quantity::Bytes(if whole { n / 1000 * 1000 } else { n }),
                Unit::Count => Quantity::Count(n),
                Unit::Days => Quantity::Days(days),
                Unit::Age => Quantity::Age(days),
            };
            let op = if low { Op::AtMost } else { Op::AtLeast };
            Condition { metric, op, threshold, clear_at: threshold.beyond(low) }
        },
    )
}

fn rules() -> impl Strategy<Value = Rule> {
    let list = prop::collection::vec(conditions(), 1..4);
    let amount = prop_oneof![
        amounts().prop_map(Amount::Fixed),
        (0..=1000_i64).prop_map(|margin_percent| Amount::CoverNextRenewal { margin_percent }),
    ];
    let limits = (
        prop::option::of(1..=3_i64),
        prop::option::of(1..=1000_i64),
        prop::option::of(1..=10_000_i64),
    );
    let modes = prop::sample::select(Mode::WORDS.to_vec());
    let spans = (1..10_000_000_000_i64, 1..10_000_000_000_i64);
    let head = (scopes(), -1_000_000..=1_000_000_i64, modes, any::<bool>(), any::<bool>());
    (head, list, amount, limits, spans).prop_map(
        |((scope, priority, mode, is_any, first), list, amount, (times, day, month), spans)| {
            let (any, all) = if is_any { (list, Vec::new()) } else { (Vec::new(), list) };
            let order = match amount {
                Amount::Fixed(money) => times.and_then(|n| money.checked_mul(n)),
                Amount::ToTarget(_) | Amount::CoverNextRenewal { .. } | Amount::CoverDays(_) => {
                    None
                }
            };
            Rule {
                id: RuleId::parse("r-1").unwrap(),
                scope,
                priority,
                mode: mode.1,
                any,
                all,
                amount: Some(amount),
                caps: CapLimits {
                    order,
                    subscriber_30d: order,
                    orders_24h: day,
                    orders_30d: month,
                    ..CapLimits::default()
                },
                approve_first: first,
                approve_above: order,
                cooldown_attempt: Span::from_ms(spans.0),
                cooldown_success: Span::from_ms(spans.1),
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
            }
        },
    )
}

proptest! {
    #[test]
    fn a_rule_comes_back_from_its_document(rule in rules()) {
        let text = rule.to_document().to_string();
        let document = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(rule_from_document(&document), Ok(rule));
    }

    #[test]
    fn no_text_panics(text in "(\\[\\[(subscribers|subscriptions|rules)\\]\\]\n|(id|any|amount|plan|payers) = [\\[\\]{}\"a-z0-9=, ]{0,12}\n){0,8}") {
        read(&text).ok();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// The sample with lines put wrong, and anything at all.
    #[test]
    fn any_fleet_file_is_read_or_refused(
        harms in proptest::collection::vec((0..60_usize, "[a-z0-9_=\"\\[\\]{}.,%: -]{0,40}"), 0..4),
        other in proptest::option::of(any::<String>()),
    ) {
        let mut lines: Vec<String> = SAMPLE.lines().map(str::to_owned).collect();
        let n = lines.len();
        for (at, text) in harms {
            lines[at % n] = text;
        }
        let text = other.unwrap_or_else(|| lines.join("\n"));
        if let Err(faults) = read(&text) {
            prop_assert!(!faults.is_empty());
        }
    }
}
