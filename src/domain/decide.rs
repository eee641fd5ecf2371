//! The one decision function: live decisions, dry runs and simulations all use it.
//!
//! Invariant: no I/O, no clock, no randomness. The same snapshot gives the same decision.

use super::{
    Cadence, Decision, Gate, Money, NeedKind, Next, OrderStep, Policy, Rule, Snapshot, State,
    SubscriptionStatus, Timestamp, Topup,
    amount::{AmountError, amount_needed},
    episodes::{episode_changes, firing, next_deadline_firing},
    gates::{Candidate, approval_reason, cooldown_until, gates},
    speak,
};

/// Decides about one line.
pub fn decide(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Decision {
    let (episodes, stale) = if snapshot.subscription.status == SubscriptionStatus::Active {
        (episode_changes(snapshot, now), staleness(snapshot, policy, now))
    } else {
        (Vec::new(), None)
    };
    let (order, gates) = order_step(snapshot, policy, now);
    let poll_at = wanted_reading(snapshot, policy, &order, now);
    let mut decision = Decision {
        episodes,
        order,
        gates,
        notices: Vec::new(),
        poll_at,
        decide_at: None,
        stale,
        next: Next { at: None, what: "wait", why: String::new() },
    };
    decision.decide_at = wake_up(snapshot, policy, &decision, now);
    decision.next = speak::next(snapshot, &decision, now);
    decision.notices = speak::notices(snapshot, policy, &decision, now);
    decision
}

/// Among the paying rules that fire, the one that may order: highest priority, then the freer
/// mode, then the id; so two rules never pay for one need.
pub(super) fn paying_rule(snapshot: &Snapshot, now: Timestamp) -> Option<(&Rule, bool)> {
    snapshot
        .rules
        .iter()
        .filter(|rule| rule.mode.pays())
        .filter_map(|rule| firing(snapshot, rule, now).map(|(c, _)| (rule, c.metric.is_deadline())))
        .max_by(|(a, _), (b, _)| {
            (a.priority, a.mode).cmp(&(b.priority, b.mode)).then_with(|| b.id.cmp(&a.id))
        })
}

fn order_step(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> (OrderStep, Vec<Gate>) {
    match &snapshot.topup {
        Some(topup) if topup.state.is_in_flight() => {
            let rule = rule_of(snapshot, topup);
            (OrderStep::Nothing, check(snapshot, policy, topup, rule, topup.amount, now))
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
    let manual = snapshot.need.as_ref().is_some_and(|need| need.kind == NeedKind::Manual);
    let rule = rule_of(snapshot, topup);
    let cancel = |reason, need_gone| (OrderStep::Cancel { reason, need_gone }, Vec::new());
    if topup.maybe_sent > 0 {
        // It may have reached the payer once: it is settled by what the payer says, not by the need.
        return (OrderStep::Nothing, check(snapshot, policy, topup, rule, topup.amount, now));
    }
    if !manual {
        if snapshot.subscription.status != SubscriptionStatus::Active {
            return cancel("subscription_inactive", true);
        }
        if rule.is_none_or(|rule| !rule.mode.pays()) {
            return cancel("rule_gone", true);
        }
        if paying_rule(snapshot, now).is_none() {
            return cancel("need_gone", true);
        }
    }
    let frozen = topup.approved.is_some()
        || matches!(topup.state, State::AwaitingApproval | State::Reserved);
    let amount = match rule {
        Some(rule) if !frozen => match amount_needed(snapshot, rule, now) {
            Ok(amount) => amount,
            Err(AmountError::Nothing) => return cancel("need_gone", true),
            Err(AmountError::Unknown(_)) => topup.amount,
        },
        _ => topup.amount,
    };
    let gates = check(snapshot, policy, topup, rule, amount, now);
    let shut = gates.iter().find(|gate| !gate.passed).map(|gate| gate.name);
    let step = match (topup.state, shut) {
        (State::AwaitingApproval, _) if topup.approved.is_none() => {
            if topup.next_action_at.is_some_and(|expires| expires <= now) {
                OrderStep::Cancel { reason: "approval_expired", need_gone: false }
            } else {
                OrderStep::Wait { reason: "approval_needed" }
            }
        }
        (State::Proposed | State::AwaitingApproval, None) => OrderStep::Reserve { amount },
        (State::Proposed, Some("approval_needed")) => {
            let why = rule.and_then(|rule| {
                approval_reason(snapshot, candidate(snapshot, topup, Some(rule), amount))
            });
            OrderStep::Ask { amount, why: why.unwrap_or_default() }
        }
        (_, Some(reason)) => OrderStep::Wait { reason },
        (_, None) => OrderStep::Nothing,
    };
    (step, gates)
}

fn propose(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> (OrderStep, Vec<Gate>) {
    let nothing = (OrderStep::Nothing, Vec::new());
    if snapshot.subscription.status != SubscriptionStatus::Active {
        return nothing;
    }
    let Some((rule, is_deadline)) = paying_rule(snapshot, now) else { return nothing };
    let Ok(amount) = amount_needed(snapshot, rule, now) else { return nothing };
    let Some(payer) = usable_payer(snapshot) else { return nothing };
    let first_read_at = first_read(snapshot, rule);
    let candidate = Candidate { rule: Some(rule), amount, payer, first_read_at };
    let gates = gates(snapshot, policy, candidate, now);
    if cooldown_until(snapshot, Some(rule)).is_some_and(|until| until > now) {
        return (OrderStep::Wait { reason: "cooldown" }, gates);
    }
    let why = firing(snapshot, rule, now).map(|(_, words)| words).unwrap_or_default();
    let kind = if is_deadline { NeedKind::Period } else { NeedKind::Episode };
    let (rule, payer) = (rule.id.clone(), payer.clone());
    (OrderStep::Propose { rule, kind, amount, payer, why }, gates)
}

/// The first payer whose outcomes are known; the first of all where none is.
fn usable_payer(snapshot: &Snapshot) -> Option<&String> {
    let payers = &snapshot.subscription.payers;
    let out = |name: &&String| snapshot.money.payers_out.iter().any(|(payer, _)| payer == *name);
    payers.iter().find(|name| !out(name)).or_else(|| payers.first())
}

fn rule_of<'a>(snapshot: &'a Snapshot, topup: &Topup) -> Option<&'a Rule> {
    let id = topup.rule.as_ref()?;
    snapshot.rules.iter().find(|rule| rule.id == *id)
}

fn first_read(snapshot: &Snapshot, rule: &Rule) -> Option<Timestamp> {
    let open = snapshot.episodes.iter().find(|(episode, _)| episode.rule == rule.id);
    open.map(|(_, read_at)| *read_at).or_else(|| snapshot.reading.as_ref().map(|r| r.at))
}

fn candidate<'a>(
    snapshot: &Snapshot,
    topup: &'a Topup,
    rule: Option<&'a Rule>,
    amount: Money,
) -> Candidate<'a> {
    let first_read_at = rule.and_then(|rule| first_read(snapshot, rule));
    Candidate { rule, amount, payer: &topup.payer, first_read_at }
}

fn check(
    snapshot: &Snapshot,
    policy: &Policy,
    topup: &Topup,
    rule: Option<&Rule>,
    amount: Money,
    now: Timestamp,
) -> Vec<Gate> {
    gates(snapshot, policy, candidate(snapshot, topup, rule, amount), now)
}

fn staleness(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Option<bool> {
    let newest = snapshot.reading.as_ref().map_or(snapshot.watched_since, |r| r.at);
    let age = now.since(newest);
    let patience = match snapshot.nearest_deadline(newest) {
        // Near a deadline silence is told sooner, but never before three polls could have failed.
        Some(deadline) => {
            policy.stale_age().min(deadline.since(newest).divided_by(4).max(policy.fresh_for()))
        }
        None => policy.stale_age(),
    };
    let old = age >= patience && (snapshot.trouble.is_some() || age >= policy.stale_age());
    match (old, snapshot.stale_since) {
        (true, None) => Some(true),
        (false, Some(_)) => Some(false),
        (true, Some(_)) | (false, None) => None,
    }
}

/// The reading that an order waits for: the second one, or a fresh one.
fn wanted_reading(
    snapshot: &Snapshot,
    policy: &Policy,
    order: &OrderStep,
    now: Timestamp,
) -> Option<Timestamp> {
    let waits = match order {
        OrderStep::Propose { .. } => true,
        OrderStep::Wait { reason } => *reason == "preflight_fresh_read",
        OrderStep::Nothing
        | OrderStep::Ask { .. }
        | OrderStep::Reserve { .. }
        | OrderStep::Cancel { .. } => false,
    };
    if !waits || snapshot.trouble.is_some() {
        return None;
    }
    let rule = snapshot.topup.as_ref().and_then(|topup| rule_of(snapshot, topup));
    let rule = rule.or_else(|| paying_rule(snapshot, now).map(|(rule, _)| rule));
    let second = rule
        .and_then(|rule| first_read(snapshot, rule))
        .map(|first| first.plus(policy.confirm_after));
    Some(second.unwrap_or(now).max(now))
}

/// When time alone may change the decision.
fn wake_up(
    snapshot: &Snapshot,
    policy: &Policy,
    decision: &Decision,
    now: Timestamp,
) -> Option<Timestamp> {
    let newest = snapshot.reading.as_ref().map_or(snapshot.watched_since, |r| r.at);
    let goes_stale = snapshot.stale_since.is_none().then(|| newest.plus(policy.stale_age()));
    let waits_for = match &decision.order {
        OrderStep::Wait { reason } => Some(*reason),
        OrderStep::Nothing
        | OrderStep::Propose { .. }
        | OrderStep::Ask { .. }
        | OrderStep::Reserve { .. }
        | OrderStep::Cancel { .. } => None,
    };
    let rule = match &snapshot.topup {
        Some(topup) => rule_of(snapshot, topup),
        None => paying_rule(snapshot, now).map(|(rule, _)| rule),
    };
    let cooled = waits_for.and_then(|_| cooldown_until(snapshot, rule));
    let expires = snapshot
        .topup
        .as_ref()
        .filter(|topup| topup.state == State::AwaitingApproval)
        .and_then(|topup| topup.next_action_at);
    // Switches and caps open without a reading; look again at a modest pace.
    let modest = Cadence::of(policy, snapshot, now).every.min(super::Span::minutes(5));
    let retry = waits_for.filter(|why| *why != "approval_needed").map(|_| now.plus(modest));
    [goes_stale, cooled, expires, retry, next_deadline_firing(snapshot, now)]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min()
}
