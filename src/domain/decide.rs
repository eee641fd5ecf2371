//! The one decision function: live decisions, dry runs and simulations all use it.
//!
//! Invariant: no I/O, no clock, no randomness. The same snapshot gives the same decision.

use super::{
    Cadence, Decision, EpisodeChange, NeedKind, Next, OrderStep, Policy, Snapshot, Span, State,
    SubscriptionStatus, Timestamp,
    amount::{AmountError, amount_needed},
    doubt,
    episodes::{episode_changes, first_read, next_firing},
    gates::cooldown_until,
    milestone,
    order::{PRICES, order_step, rule_of},
    payer::{patience_ends, prices_awaited},
    paying::{for_period, paying_rule},
    renewal, speak,
};

/// Decides about one line.
pub fn decide(snapshot: &Snapshot, policy: &Policy, now: Timestamp) -> Decision {
    let active = snapshot.subscription.status == SubscriptionStatus::Active;
    let (episodes, stale, milestone) = if active {
        let milestone = milestone::due(snapshot, now);
        (episode_changes(snapshot, now), staleness(snapshot, policy, now), milestone)
    } else {
        (Vec::new(), None, None)
    };
    let (order, gates) = order_step(snapshot, policy, now);
    let mut decision = Decision {
        poll_at: wanted_reading(snapshot, policy, &order, now),
        episodes,
        order,
        gates,
        notices: Vec::new(),
        decide_at: None,
        stale,
        doubt: doubt::change(snapshot, policy),
        milestone: milestone.map(|m| (m.day, m.end)),
        period_end: moved_period(snapshot),
        prices: Vec::new(),
        next: Next { at: None, what: "wait", why: String::new() },
    };
    if decision.order == (OrderStep::Wait { reason: PRICES })
        && let Some((rule, _)) = paying_rule(snapshot, now)
    {
        decision.prices = prices_awaited(snapshot, policy, rule, now).0;
    }
    decision.decide_at = wake_up(snapshot, policy, &decision, now);
    decision.next = speak::next(snapshot, &decision, now);
    decision.notices = speak::notices(snapshot, policy, &decision, milestone, now);
    decision
}

/// The service end as read now, where it differs from the open need's but means the same period: a
/// date that jitters must not make a second need.
fn moved_period(snapshot: &Snapshot) -> Option<Timestamp> {
    let need = snapshot.need.as_ref().filter(|need| need.kind != NeedKind::Manual)?;
    let (old, new) = need.period_end_at.zip(snapshot.service_end_at())?;
    (old != new && snapshot.same_period(old, new)).then_some(new)
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
    let reader = &snapshot.subscription.reader;
    let many = snapshot.money.readers_out.iter().any(|(name, _)| name == reader);
    let urgent = snapshot.nearest_deadline(newest).is_some_and(|at| at.since(now) <= Span::days(7));
    if many && !urgent && snapshot.stale_since.is_none() {
        // The provider's own trouble is told once, not once for each of its lines.
        return None;
    }
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
    let doubted = doubt::since(snapshot, policy).map(|since| since.plus(policy.implausible_after));
    let waits = match order {
        OrderStep::Propose { .. } => true,
        OrderStep::Wait { reason } => {
            matches!(*reason, "preflight_fresh_read" | "implausible_reading")
        }
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
    Some(second.max(doubted).unwrap_or(now).max(now))
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
    let lapses = snapshot.reading.as_ref().and_then(|r| r.values.next_lapse(now));
    let by_time = [goes_stale, milestone::next(snapshot, now), next_firing(snapshot, now), lapses];
    let quiet = decision.order == OrderStep::Nothing && snapshot.topup.is_none();
    let by_order = if quiet { [None; 5] } else { order_wakes(snapshot, policy, decision, now) };
    by_time.into_iter().chain(by_order).flatten().filter(|at| *at > now).min()
}

/// When an order that waits may go on.
fn order_wakes(
    snapshot: &Snapshot,
    policy: &Policy,
    decision: &Decision,
    now: Timestamp,
) -> [Option<Timestamp>; 5] {
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
    let payer = snapshot.topup.as_ref().map(|topup| &topup.payer);
    let payer = payer.or_else(|| snapshot.subscription.payers.first());
    let in_time = payer
        .filter(|_| rule.is_some_and(|rule| for_period(snapshot, rule, now)))
        .and_then(|payer| renewal::earliest(snapshot, policy, payer, now));
    let expires = snapshot
        .topup
        .as_ref()
        .filter(|topup| topup.state == State::AwaitingApproval)
        .and_then(|topup| topup.next_action_at);
    // Switches and caps open without a reading; look again at a modest pace.
    let modest = Cadence::of(policy, snapshot, now).every.min(Span::minutes(5));
    let by_itself = [
        "approval_needed",
        "renewal_timing",
        "cooldown",
        "charge_window",
        "payment_suspended",
        "number_lost",
        "order_max",
        PRICES,
    ];
    let retry = waits_for.filter(|why| !by_itself.contains(why)).map(|_| now.plus(modest));
    let retry =
        retry.or(waits_for.filter(|why| *why == PRICES).map(|_| patience_ends(snapshot, now)));
    [
        waits_for.and_then(|_| cooldown_until(snapshot, rule)),
        waits_for.and(in_time),
        waits_for.and_then(|_| renewal::window_ends_at(snapshot, now)),
        expires,
        retry,
    ]
}

/// True when there is nothing to write down but when to look again.
pub fn is_calm(snapshot: &Snapshot, decision: &Decision) -> bool {
    decision.episodes.is_empty()
        && decision.notices.is_empty()
        && decision.stale.is_none()
        && decision.doubt.is_none()
        && decision.milestone.is_none()
        && decision.poll_at.is_none()
        && decision.order == OrderStep::Nothing
        && snapshot.need.is_none()
        && snapshot.topup.is_none()
}

/// What `rule` would buy, in words; for explanations.
pub(super) fn wanted_words(
    snapshot: &Snapshot,
    policy: &Policy,
    rule: &super::Rule,
    payer: &str,
) -> Result<String, String> {
    match amount_needed(snapshot, policy, rule, payer) {
        Ok(size) => Ok(format!("{} is needed", size.amount)),
        Err(AmountError::Nothing) => Err("nothing is missing".into()),
        Err(AmountError::Unknown(why)) => Err(why),
        Err(AmountError::AboveMax { needed, most }) => {
            Err(format!("{needed} is needed and {most} may be ordered at once"))
        }
    }
}

/// True when `decision` opens an episode of `rule`.
pub(super) fn opens(decision: &Decision, rule: &super::RuleId) -> bool {
    decision
        .episodes
        .iter()
        .any(|change| matches!(change, EpisodeChange::Open { rule: opened, .. } if opened == rule))
}
