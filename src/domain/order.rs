//! What becomes of the order a line needs, as long as nobody sent it.

use super::{
    Gate, NeedKind, OrderStep, Policy, Rule, Snapshot, State, SubscriptionStatus, Timestamp, Topup,
    amount::{AmountError, OrderSize, amount_needed},
    episodes::first_read,
    gates::{ASKED, Candidate, gate, gates},
    payer::{Chosen, choose, prices_awaited},
    paying::{for_period, payable_breach, paying_rule, period_end, renewed_by_others},
};

/// Waiting until several payers have said what an order would cost.
pub(super) const PRICES: &str = "prices_awaited";

/// The step, and every gate where an order is in question.
pub(super) fn order_step(
    snapshot: &Snapshot,
    policy: &Policy,
    now: Timestamp,
) -> (OrderStep, Vec<Gate>) {
    match &snapshot.topup {
        // What is or may be under way is settled by what the payer says, not by the need.
        Some(topup) if topup.state.is_in_flight() || topup.maybe_sent > 0 => {
            let rule = rule_of(snapshot, topup);
            let candidate = candidate(snapshot, topup, rule, OrderSize::exactly(topup.amount), now);
            (OrderStep::Nothing, gates(snapshot, policy, candidate, now))
        }
        Some(topup) => unsent(snapshot, policy, topup, now),
        None => propose(snapshot, policy, now),
    }
}

/// An order that nobody has sent yet: withdraw it, let it pass, or say what stands in its way.
fn unsent(
    snapshot: &Snapshot,
    policy: &Policy,
    topup: &Topup,
    now: Timestamp,
) -> (OrderStep, Vec<Gate>) {
    let rule = rule_of(snapshot, topup);
    let cancel = |reason, need_gone| (OrderStep::Cancel { reason, need_gone }, Vec::new());
    if let Some(reason) = void(snapshot, rule, now) {
        return cancel(reason, true);
    }
    let frozen = topup.approved.is_some()
        || matches!(topup.state, State::AwaitingApproval | State::Reserved);
    let size = match rule {
        Some(rule) if !frozen => match amount_needed(snapshot, policy, rule, &topup.payer) {
            Ok(size) => size,
            Err(AmountError::Nothing) => return cancel("need_gone", true),
            Err(AmountError::AboveMax { needed, most }) => {
                return (OrderStep::Wait { reason: "order_max" }, vec![above_max(needed, most)]);
            }
            Err(AmountError::Unknown(_)) => OrderSize::exactly(topup.amount),
        },
        _ => OrderSize::exactly(topup.amount),
    };
    let amount = size.amount;
    let gates = gates(snapshot, policy, candidate(snapshot, topup, rule, size, now), now);
    let shut = gates.iter().find(|gate| !gate.passed);
    let step = match (topup.state, shut) {
        (State::AwaitingApproval, _) if topup.approved.is_none() => {
            if topup.next_action_at.is_some_and(|expires| expires <= now) {
                OrderStep::Cancel { reason: "approval_expired", need_gone: false }
            } else {
                OrderStep::Wait { reason: "approval_needed" }
            }
        }
        (State::Proposed | State::AwaitingApproval, None) => OrderStep::Reserve { amount },
        (State::Proposed, Some(gate)) if ASKED.contains(&gate.name) => {
            OrderStep::Ask { amount, why: gate.why.clone() }
        }
        (_, Some(gate)) => OrderStep::Wait { reason: gate.name },
        (_, None) => OrderStep::Nothing,
    };
    (step, gates)
}

/// Why an order that was not sent is no longer wanted.
fn void(snapshot: &Snapshot, rule: Option<&Rule>, now: Timestamp) -> Option<&'static str> {
    let kind = snapshot.need.as_ref().map(|need| need.kind);
    if kind == Some(NeedKind::Manual) {
        return None;
    }
    if snapshot.subscription.status != SubscriptionStatus::Active {
        Some("subscription_inactive")
    } else if rule.is_none_or(|rule| !rule.mode.pays()) {
        Some("rule_gone")
    } else if kind == Some(NeedKind::Period) && renewed_by_others(snapshot) {
        Some("externally_renewed")
    } else if snapshot
        .rules
        .iter()
        .all(|rule| !rule.mode.pays() || payable_breach(snapshot, rule, now).is_none())
    {
        Some("need_gone")
    } else {
        None
    }
}

fn propose(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> (OrderStep, Vec<Gate>) {
    let nothing = (OrderStep::Nothing, Vec::new());
    if snapshot.subscription.status != SubscriptionStatus::Active {
        return nothing;
    }
    let Some((rule, fired)) = paying_rule(snapshot, now) else { return nothing };
    let Some(Chosen { payer, why }) = choose(snapshot, policy, rule, now) else { return nothing };
    let size = match amount_needed(snapshot, policy, rule, payer) {
        Ok(size) => size,
        Err(AmountError::AboveMax { needed, most }) => {
            return (OrderStep::Wait { reason: "order_max" }, vec![above_max(needed, most)]);
        }
        Err(AmountError::Nothing | AmountError::Unknown(_)) => return nothing,
    };
    let for_period = for_period(snapshot, rule, now);
    let first_read_at = first_read(snapshot, rule);
    let candidate = Candidate { rule: Some(rule), size, payer, first_read_at, for_period };
    let gates = gates(snapshot, policy, candidate, now);
    // Nothing is written down for what only time can open, and for a number that is gone.
    let early = ["number_lost", "cooldown", "renewal_timing"];
    if let Some(gate) = gates.iter().find(|gate| !gate.passed && early.contains(&gate.name)) {
        return (OrderStep::Wait { reason: gate.name }, gates);
    }
    if prices_awaited(snapshot, policy, rule, now).1 {
        let why = "its payers are asked what this order would cost";
        return (OrderStep::Wait { reason: PRICES }, vec![gate(PRICES, false, why)]);
    }
    let fired = fired.words();
    let step = OrderStep::Propose {
        why: why.map_or(fired.clone(), |why| format!("{fired}; {why}")),
        kind: if for_period { NeedKind::Period } else { NeedKind::Episode },
        period_end: period_end(snapshot, rule, now),
        rule: rule.id.clone(),
        amount: size.amount,
        payer: payer.clone(),
    };
    (step, gates)
}

fn above_max(needed: super::Money, most: super::Money) -> Gate {
    let why = format!("{needed} is needed, and at most {most} may be ordered at once (order_max)");
    gate("order_max", false, why)
}

pub(super) fn rule_of<'a>(snapshot: &'a Snapshot, topup: &Topup) -> Option<&'a Rule> {
    let id = topup.rule.as_ref()?;
    snapshot.rules.iter().find(|rule| rule.id == *id)
}

fn candidate<'a>(
    snapshot: &Snapshot,
    topup: &'a Topup,
    rule: Option<&'a Rule>,
    size: OrderSize,
    now: Timestamp,
) -> Candidate<'a> {
    let first_read_at = rule.and_then(|rule| first_read(snapshot, rule));
    let for_period = rule.is_some_and(|rule| for_period(snapshot, rule, now));
    Candidate { rule, size, payer: &topup.payer, first_read_at, for_period }
}
