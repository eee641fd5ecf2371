//! The gates as `explain` shows them: also where nothing is ordered, and with the need in front.

use super::{
    Amount, Gate, Money, Policy, Rule, Snapshot, Timestamp,
    amount::{AmountError, amount_needed},
    decide::paying_rule,
    episodes::firing,
    gates::{Candidate, gates},
};

/// All gates of `decided`, or, where no order is in question, those an order would meet now. The
/// first says whether money is needed at all.
pub fn explain_gates(
    snapshot: &Snapshot,
    policy: &Policy,
    decided: Vec<Gate>,
    now: Timestamp,
) -> Vec<Gate> {
    let mut all = vec![need(snapshot, now)];
    if decided.is_empty() {
        all.extend(hypothetical(snapshot, policy, now));
    } else {
        all.extend(decided);
    }
    all
}

fn need(snapshot: &Snapshot, now: Timestamp) -> Gate {
    let gate = |passed, why: String| Gate { name: "need", passed, why };
    if let Some(topup) = &snapshot.topup {
        let rule = topup.rule.as_ref().map_or("a person".to_owned(), |rule| format!("rule {rule}"));
        return gate(true, format!("{rule} asked for {}", topup.amount));
    }
    if let Some((rule, _)) = paying_rule(snapshot, now) {
        let trigger = firing(snapshot, rule, now).map(|(_, words)| words).unwrap_or_default();
        return match amount_needed(snapshot, rule, now) {
            Ok(amount) => gate(true, format!("{trigger}: {amount} is needed")),
            Err(AmountError::Nothing) => gate(false, format!("{trigger}, but nothing is missing")),
            Err(AmountError::Unknown(why)) => gate(false, format!("{trigger}, but {why}")),
        };
    }
    if let Some(rule) = snapshot.rules.iter().find(|rule| firing(snapshot, rule, now).is_some()) {
        let mode = rule.mode.as_str();
        return gate(false, format!("rule {} is in breach, but its mode is {mode}", rule.id));
    }
    if snapshot.rules.is_empty() {
        return gate(false, "no rule covers this line".into());
    }
    gate(false, "no rule is in breach".into())
}

/// The gates for an order by the line's first paying rule, as if it were needed.
fn hypothetical(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Vec<Gate> {
    let paying = snapshot.rules.iter().filter(|rule| rule.mode.pays()).max_by_key(|r| r.priority);
    let Some(rule) = paying else { return Vec::new() };
    let Some(payer) = snapshot.subscription.payers.first() else { return Vec::new() };
    let Some(amount) = amount_needed(snapshot, rule, now).ok().or_else(|| usual(snapshot, rule))
    else {
        return Vec::new();
    };
    let candidate = Candidate { rule: Some(rule), amount, payer, first_read_at: None };
    gates(snapshot, policy, candidate, now)
}

/// What the rule would order at least, where nothing is missing now.
fn usual(snapshot: &Snapshot, rule: &Rule) -> Option<Money> {
    match rule.amount? {
        Amount::Fixed(money) | Amount::ToTarget(money) => Some(money),
        Amount::CoverNextRenewal { .. } => snapshot.subscription.plan.as_ref()?.price,
        Amount::CoverDays(_) => None,
    }
}
