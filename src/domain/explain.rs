//! The gates as `explain` shows them: also where nothing is ordered, and with the need in front.

use super::{
    Amount, Gate, Money, Policy, Rule, Snapshot, Timestamp,
    amount::{OrderSize, amount_needed},
    decide::wanted_words,
    episodes::breach,
    gates::{Candidate, gates},
    paying::{for_period, paying_rule},
};

/// All gates of `decided`, or, where no order is in question, those an order would meet now. The
/// first says whether money is needed at all.
pub fn explain_gates(
    snapshot: &Snapshot,
    policy: &Policy,
    decided: Vec<Gate>,
    now: Timestamp,
) -> Vec<Gate> {
    let mut all = vec![need(snapshot, policy, now)];
    if decided.is_empty() {
        all.extend(hypothetical(snapshot, policy, now));
    } else {
        all.extend(decided);
    }
    all
}

fn need(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Gate {
    let gate = |passed, why: String| Gate { name: "need", passed, why };
    if let Some(topup) = &snapshot.topup {
        let rule = topup.rule.as_ref().map_or("a person".to_owned(), |rule| format!("rule {rule}"));
        return gate(true, format!("{rule} asked for {}", topup.amount));
    }
    let payer = snapshot.subscription.payers.first().map_or("", String::as_str);
    if let Some((rule, fired)) = paying_rule(snapshot, now) {
        let trigger = fired.words();
        return match wanted_words(snapshot, policy, rule, payer) {
            Ok(what) => gate(true, format!("{trigger}: {what}")),
            Err(why) => gate(false, format!("{trigger}, but {why}")),
        };
    }
    let in_breach =
        snapshot.rules.iter().find(|rule| breach(snapshot, rule, now, |_| true).is_some());
    match in_breach {
        Some(rule) if rule.mode.pays() => {
            gate(false, format!("rule {} is in breach, and paid for already", rule.id))
        }
        Some(rule) => {
            let mode = rule.mode.as_str();
            gate(false, format!("rule {} is in breach, but its mode is {mode}", rule.id))
        }
        None if snapshot.rules.is_empty() => gate(false, "no rule covers this line".into()),
        None => gate(false, "no rule is in breach".into()),
    }
}

/// The gates for an order by the line's first paying rule, as if it were needed.
fn hypothetical(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Vec<Gate> {
    let paying = snapshot.rules.iter().filter(|rule| rule.mode.pays()).max_by_key(|r| r.priority);
    let Some(rule) = paying else { return Vec::new() };
    let Some(payer) = snapshot.subscription.payers.first() else { return Vec::new() };
    let size = amount_needed(snapshot, policy, rule, payer).ok();
    let Some(size) = size.or_else(|| usual(snapshot, rule).map(OrderSize::exactly)) else {
        return Vec::new();
    };
    let for_period = for_period(snapshot, rule, now);
    let candidate = Candidate { rule: Some(rule), size, payer, first_read_at: None, for_period };
    gates(snapshot, policy, candidate, now)
}

/// What the rule would order at least, where nothing is missing now.
fn usual(snapshot: &Snapshot, rule: &Rule) -> Option<Money> {
    match rule.amount? {
        Amount::Fixed(money) | Amount::ToTarget(money) => Some(money),
        Amount::CoverNextRenewal { .. } => snapshot.renewal_price(),
        Amount::CoverDays(_) => rule.order_min.or(snapshot.history.usual),
    }
}
