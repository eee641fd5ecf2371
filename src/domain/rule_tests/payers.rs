//! Several payers: who is asked, who is chosen, and when price no longer matters.

use super::*;
use crate::domain::{Policy, Price, Snapshot};

/// A line in breach with two payers that say prices.
fn two() -> (Snapshot, Policy) {
    let mut s = ready();
    s.topup = None;
    s.need = None;
    s.subscription.payers = vec!["alpha".into(), "beta".into()];
    let quoting = vec!["alpha".into(), "beta".into()];
    (s, Policy { quoting, ..policy() })
}

fn ordered(s: &Snapshot, policy: &Policy, now: Timestamp) -> (String, String) {
    let order = decide(s, policy, now).order;
    let OrderStep::Propose { payer, why, .. } = order else { panic!("{order:?}") };
    (payer, why)
}

fn price(payer: &str, cost: Option<&str>, asked: Timestamp) -> Price {
    Price {
        payer: payer.to_owned(),
        product: None,
        amount: usd("10.00 USD"),
        wanted_at: asked,
        answered_at: Some(asked),
        cost: cost.map(usd),
        bonus: None,
        why: None,
    }
}

fn usd(text: &str) -> Money {
    Money::parse(text).unwrap()
}

#[test]
fn payers_are_asked_before_anything_is_proposed_and_waited_for_two_minutes() {
    let (mut s, policy) = two();
    let now = at(30);
    let first = decide(&s, &policy, now);
    assert_eq!(first.order, OrderStep::Wait { reason: "prices_awaited" });
    let asked: Vec<&str> = first.prices.iter().map(|p| p.payer.as_str()).collect();
    assert_eq!(asked, ["alpha", "beta"]);
    let open = |payer: &str| Price { answered_at: None, cost: None, ..price(payer, None, now) };
    s.prices = vec![open("alpha"), open("beta")];
    let waits = decide(&s, &policy, now);
    assert_eq!(waits.order, OrderStep::Wait { reason: "prices_awaited" });
    assert!(waits.prices.is_empty(), "asked once");
    assert_eq!(waits.decide_at, Some(now.plus(Span::minutes(2))));
    let (payer, _) = ordered(&s, &policy, now.plus(Span::minutes(2)));
    assert_eq!(payer, "alpha", "nobody answered: the first of the fleet's order");
}

#[test]
fn the_cheapest_wins_while_there_is_time() {
    let (mut s, policy) = two();
    let now = at(30);
    s.prices = vec![price("alpha", Some("10.40 USD"), now), price("beta", Some("10.20 USD"), now)];
    let (payer, why) = ordered(&s, &policy, now);
    assert_eq!(payer, "beta");
    assert!(why.contains("cheapest") && why.contains("alpha 10.40 USD"), "{why}");
    s.prices[1].cost = Some(usd("10.40 USD"));
    assert_eq!(ordered(&s, &policy, now).0, "alpha", "a tie goes to the first named");
    s.prices[1].cost = None;
    assert_eq!(ordered(&s, &policy, now).0, "alpha", "one price alone is no comparison");
    s.prices[1].cost = Some(Money::parse("1.00 EUR").unwrap());
    assert_eq!(ordered(&s, &policy, now).0, "alpha", "currencies are not compared");
    let old = now.minus(Span::hours(6));
    s.prices = vec![price("alpha", Some("10.40 USD"), old), price("beta", Some("9.00 USD"), old)];
    let again = decide(&s, &policy, now);
    assert_eq!(again.prices.len(), 2, "what is too old is asked anew");
}

#[test]
fn the_quickest_wins_near_the_deadline() {
    let (mut s, mut policy) = two();
    let now = at(30);
    s.prices = vec![price("alpha", Some("9.00 USD"), now), price("beta", Some("10.20 USD"), now)];
    policy.settle_p99 =
        [("alpha".to_owned(), Span::hours(3)), ("beta".to_owned(), Span::minutes(4))].into();
    assert_eq!(ordered(&s, &policy, now).0, "alpha");
    let reading = s.reading.as_mut().unwrap();
    reading.values.service_end_at = Some(now.plus(Span::hours(24)));
    let (payer, why) = ordered(&s, &policy, now);
    assert_eq!(payer, "beta");
    assert!(why.contains("quickest"), "{why}");
    s.prices.clear();
    assert_eq!(ordered(&s, &policy, now).0, "beta", "nobody is asked for prices in a hurry");
}

#[test]
fn a_payer_whose_outcomes_are_unknown_is_not_compared() {
    let (mut s, policy) = two();
    let now = at(30);
    s.prices = vec![price("alpha", Some("10.40 USD"), now), price("beta", Some("10.20 USD"), now)];
    s.money.payers_out = vec![("beta".to_owned(), "unknown".to_owned())];
    assert_eq!(ordered(&s, &policy, now).0, "alpha");
}

#[test]
fn a_quote_far_above_the_face_value_asks_a_person() {
    let (mut s, policy) = two();
    let now = at(30);
    let gate = |s: &Snapshot| {
        let gates = decide(s, &policy, now).gates;
        gates.into_iter().find(|gate| gate.name == "price_guard").unwrap()
    };
    let both = |cost| vec![price("alpha", Some(cost), now), price("beta", Some(cost), now)];
    s.prices = both("12.50 USD");
    assert!(gate(&s).passed, "25 % above is the limit itself");
    s.prices = both("12.51 USD");
    let shut = gate(&s);
    assert!(!shut.passed && shut.why.contains("12.51 USD"), "{shut:?}");
}
