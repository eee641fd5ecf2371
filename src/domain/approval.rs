//! What needs a person's yes, and why.

use super::{
    Amount, FailureClass, Mode, OnEnable, Policy, Renewal, Rule, Snapshot, Timestamp,
    episodes::flaps,
    gates::{Candidate, Gate, gate},
    payer::known,
    paying::{price_rise, was_in_breach},
    renewal,
};
use std::cmp::Ordering;

/// The last two gates: both open when a person approved exactly this order.
pub(super) fn gates(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> [Gate; 2] {
    let approved = snapshot.topup.as_ref().and_then(|t| t.approved.as_ref()).map(|(_, who)| who);
    let check = |name, why: Option<String>, open: &str| match (approved, why) {
        (Some(who), _) => gate(name, true, format!("approved by {who}")),
        (None, None) => gate(name, true, open),
        (None, Some(why)) => gate(name, false, why),
    };
    [
        check(
            "price_guard",
            risen(snapshot, candidate).or_else(|| dear(snapshot, policy, candidate, now)),
            "the price has not risen",
        ),
        check("approval_needed", wanted(snapshot, candidate), "no approval is needed"),
    ]
}

/// A renewal that became dearer than the rule lets pass.
fn risen(snapshot: &Snapshot, candidate: Candidate<'_>) -> Option<String> {
    let rule = candidate.rule?;
    let priced =
        candidate.for_period || matches!(rule.amount, Some(Amount::CoverNextRenewal { .. }));
    let limit = rule.approve_if_price_up;
    let (last, now) = price_rise(snapshot, limit).filter(|_| priced)?;
    Some(format!(
        "the price of a renewal rose from {last} to {now}, by more than approve_if_price_up = {limit}%"
    ))
}

/// A payer that wants far more than the face value.
fn dear(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> Option<String> {
    let amount = candidate.size.amount;
    let cost = known(snapshot, candidate.payer, amount, now)?.cost?;
    let limit = amount.percent_ceiling(policy.cost_over.saturating_add(100))?;
    let over = policy.cost_over;
    cost.partial_cmp_same(limit).is_some_and(Ordering::is_gt).then(|| {
        format!(
            "{} wants {cost} for {amount}, more than cost_over = {over}% above it",
            candidate.payer
        )
    })
}

/// Why this order needs a person; `None` when it does not.
fn wanted(snapshot: &Snapshot, candidate: Candidate<'_>) -> Option<String> {
    let rule = candidate.rule?;
    let amount = candidate.size.amount;
    let above = |limit| amount.partial_cmp_same(limit).is_none_or(Ordering::is_gt);
    if rule.mode == Mode::Approve {
        return Some("the rule's mode is approve".into());
    }
    if rule.approve_first && !snapshot.history.ever_paid {
        return Some("it is the first charge of this line (approve_first)".into());
    }
    if rule.on_enable == OnEnable::Approve && was_in_breach(snapshot, rule) {
        return Some("the line was in breach before the rule could pay (on_enable)".into());
    }
    if let Some((payer, said)) = snapshot.misplaced.iter().find(|(p, _)| p == candidate.payer) {
        let ours = snapshot.subscription.operator.as_deref().unwrap_or("another");
        return Some(format!("{payer} says that the number is with {said}, the fleet says {ours}"));
    }
    if let Some(why) = strange(snapshot, rule, candidate) {
        return Some(why);
    }
    let limit = rule.approve_above.filter(|limit| above(*limit))?;
    Some(format!("{amount} is above approve_above = {limit}"))
}

/// What is unusual about this order.
fn strange(snapshot: &Snapshot, rule: &Rule, candidate: Candidate<'_>) -> Option<String> {
    let amount = candidate.size.amount;
    if flaps(snapshot, &rule.id, false) {
        return Some("the rule opens and closes over and over: its levels are too close".into());
    }
    if candidate.for_period
        && renewal::semantics(snapshot) == Renewal::Unknown
        && snapshot.served.is_none()
    {
        return Some("what a payment does to this plan's dates is not known (renewal)".into());
    }
    if candidate.for_period && snapshot.trouble.is_some() {
        return Some("there is no fresh reading (on_stale)".into());
    }
    if candidate.size.is_over_buy() {
        let needed = candidate.size.needed;
        return Some(format!("{needed} is missing, the least that is sold is {amount}"));
    }
    if let Some(class) = snapshot.history.last_failure.filter(|class| asks(*class)) {
        return Some(format!("the last order failed: {}", class.as_str()));
    }
    let usual = snapshot.history.usual.filter(|_| rule.approve_if_unusual)?;
    let twice = usual.checked_mul(2)?;
    amount
        .partial_cmp_same(twice)?
        .is_gt()
        .then(|| format!("{amount} is more than twice the usual {usual} (approve_if_unusual)"))
}

/// Failures after which a person looks at the next order.
const fn asks(class: FailureClass) -> bool {
    match class {
        FailureClass::PriceChanged | FailureClass::DenominationGone | FailureClass::OutOfStock => {
            true
        }
        FailureClass::DeclinedSoft
        | FailureClass::DeclinedHard
        | FailureClass::AuthRequired
        | FailureClass::InvalidTarget
        | FailureClass::ProviderDown
        | FailureClass::Internal => false,
    }
}
