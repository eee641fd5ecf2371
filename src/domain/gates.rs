//! The gates between a need and money, in their fixed order. The first that is shut gives the
//! reason; `explain` shows them all.

use super::{
    CapBreach, Money, MoneySwitch, NeedKind, Policy, Rule, Snapshot, Span, SubscriptionStatus,
    Timestamp, check_caps,
};

/// One gate, passed or shut.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gate {
    /// The stable, machine-readable name; as a reason it means "shut here".
    pub name: &'static str,
    /// Whether money may pass.
    pub passed: bool,
    /// Why, in a sentence a person understands.
    pub why: String,
}

/// An order that asks to pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// The rule behind it; `None` for an order by hand.
    pub rule: Option<&'a Rule>,
    /// How much.
    pub amount: Money,
    /// The provider that would pay.
    pub payer: &'a str,
    /// When the breach was first read.
    pub first_read_at: Option<Timestamp>,
}

/// After so many failures in a row, paying stops until a person resumes the line.
pub(super) const FAILURES_ALLOWED: i64 = 4;

/// A person's no holds this long, unless the line is resumed by hand.
const REJECTION_HOLDS: Span = Span::days(1);

/// All gates for `candidate`, in order.
pub(super) fn gates(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> Vec<Gate> {
    let mut gates = switches(&snapshot.money, candidate.payer);
    gates.insert(0, line_active(snapshot));
    gates.push(in_flight(snapshot));
    gates.push(cooldown(snapshot, candidate.rule, now));
    gates.push(suspended(snapshot));
    gates.push(identity(snapshot));
    gates.push(fresh_readings(snapshot, policy, candidate, now));
    gates.push(caps(snapshot, policy, candidate));
    gates.push(approval(snapshot, candidate));
    gates
}

fn gate(name: &'static str, passed: bool, why: impl Into<String>) -> Gate {
    Gate { name, passed, why: why.into() }
}

fn line_active(snapshot: &Snapshot) -> Gate {
    match snapshot.subscription.status {
        SubscriptionStatus::Active => {
            gate("subscription_active", true, "the subscription is active")
        }
        SubscriptionStatus::Paused => {
            gate("subscription_active", false, "the subscription is paused by hand")
        }
        SubscriptionStatus::Closed => {
            gate("subscription_active", false, "the subscription is no longer in the fleet")
        }
    }
}

fn switches(money: &MoneySwitch, payer: &str) -> Vec<Gate> {
    let switch = |name, shut: Option<&String>, open: &str| match shut {
        Some(why) => gate(name, false, why.clone()),
        None => gate(name, true, open),
    };
    let out = money.payers_out.iter().find(|(name, _)| name == payer).map(|(_, why)| why);
    vec![
        switch("kill_switch", money.off.as_ref(), "paying is on"),
        switch("fleet_anomaly", money.storm.as_ref(), "no storm of simultaneous needs"),
        switch("clock_suspect", money.clock.as_ref(), "the clock can be trusted"),
        switch("provider_incident", out, "the payer's last outcomes are known"),
    ]
}

fn in_flight(snapshot: &Snapshot) -> Gate {
    match snapshot.topup.as_ref().filter(|t| t.state.is_in_flight()) {
        Some(topup) => {
            let (id, state) = (&topup.id, topup.state.as_str());
            gate("line_in_flight", false, format!("top-up {id} is {state}; one at a time"))
        }
        None => gate("line_in_flight", true, "no other top-up of this line is open"),
    }
}

/// When paying may go on after the last top-up; `None` when at once.
pub(super) fn cooldown_until(snapshot: &Snapshot, rule: Option<&Rule>) -> Option<Timestamp> {
    let rule = rule?;
    let history = &snapshot.history;
    let after_success = history.last_success_at.map(|at| at.plus(rule.cooldown_success));
    let doublings =
        u32::try_from(history.failures_in_a_row.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    let wait = rule.cooldown_attempt.times(2_i64.saturating_pow(doublings));
    let longest = Span::days(1).max(rule.cooldown_attempt);
    let after_failure = history.last_failure_at.map(|at| at.plus(wait.min(longest)));
    let after_rejection = history.last_rejection_at.map(|at| at.plus(REJECTION_HOLDS));
    after_success.max(after_failure).max(after_rejection)
}

fn cooldown(snapshot: &Snapshot, rule: Option<&Rule>, now: Timestamp) -> Gate {
    match cooldown_until(snapshot, rule).filter(|until| *until > now) {
        Some(until) => gate(
            "cooldown",
            false,
            format!(
                "paying for this line rests until {until}, after its last top-up or a person's no"
            ),
        ),
        None => gate("cooldown", true, "the last top-up, failure or rejection is long enough ago"),
    }
}

fn suspended(snapshot: &Snapshot) -> Gate {
    let n = snapshot.history.failures_in_a_row;
    if n >= FAILURES_ALLOWED
        && snapshot.need.as_ref().is_none_or(|need| need.kind != NeedKind::Manual)
    {
        gate(
            "payment_suspended",
            false,
            format!("{n} top-ups failed in a row; `topupd subscription resume` lifts this"),
        )
    } else {
        gate("payment_suspended", true, "not suspended after failures")
    }
}

fn identity(snapshot: &Snapshot) -> Gate {
    let line = &snapshot.subscription;
    if snapshot.identity_in_doubt() {
        gate("preflight_identity", false, "the newest answer was about another line")
    } else if line.msisdn.is_none() && line.iccid.is_none() {
        gate(
            "preflight_identity",
            false,
            "the subscription has neither a phone number nor an ICCID",
        )
    } else {
        gate("preflight_identity", true, "the number is well formed and the reader answers for it")
    }
}

fn fresh_readings(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> Gate {
    const NAME: &str = "preflight_fresh_read";
    let Some(reading) = &snapshot.reading else {
        return gate(NAME, false, "no usable reading yet");
    };
    let age = now.since(reading.at);
    if policy.assisted.iter().any(|name| name == candidate.payer) {
        // A person looks before paying, and may be the one who entered the reading.
        let passed = age <= policy.stale_age();
        return gate(NAME, passed, format!("read {age} ago; a person pays"));
    }
    if age > policy.fresh_for() {
        return gate(
            NAME,
            false,
            format!("the newest reading is {age} old; a fresh one is asked for"),
        );
    }
    if snapshot.trouble.is_some() {
        return gate(NAME, false, "the newest answer could not be used; waiting for a good one");
    }
    let Some(first) = candidate.first_read_at.filter(|_| candidate.rule.is_some()) else {
        return gate(NAME, true, format!("read {age} ago"));
    };
    let apart = reading.at.since(first);
    if apart >= policy.confirm_after && apart > Span::ZERO {
        return gate(NAME, true, format!("two readings {apart} apart agree, the last {age} old"));
    }
    let close =
        snapshot.service_end_at().is_some_and(|end| end.since(now) < Span::hours(2) && end > now);
    if close {
        return gate(NAME, true, "the service ends within 2 hours: one fresh reading is enough");
    }
    let wanted = policy.confirm_after;
    gate(NAME, false, format!("a second reading at least {wanted} after the first must agree"))
}

fn caps(snapshot: &Snapshot, policy: &Policy, candidate: Candidate<'_>) -> Gate {
    let limits = match candidate.rule {
        Some(rule) => rule.caps.tighter(&policy.caps),
        None => policy.caps.clone(),
    };
    // What this top-up itself has reserved is not counted against it.
    match check_caps(&limits, &snapshot.usage, candidate.amount) {
        Ok(()) => gate("caps", true, format!("{} fits every cap", candidate.amount)),
        Err(CapBreach { code, why }) => gate(code, false, why),
    }
}

/// Why this order needs a person; `None` when it does not.
pub(super) fn approval_reason(snapshot: &Snapshot, candidate: Candidate<'_>) -> Option<String> {
    let rule = candidate.rule?;
    if rule.mode == super::Mode::Approve {
        return Some("the rule's mode is approve".into());
    }
    if rule.approve_first && !snapshot.history.ever_paid {
        return Some("it is the first charge of this line (approve_first)".into());
    }
    rule.approve_above
        .filter(|limit| {
            candidate.amount.partial_cmp_same(*limit).is_none_or(std::cmp::Ordering::is_gt)
        })
        .map(|limit| format!("{} is above approve_above = {limit}", candidate.amount))
}

fn approval(snapshot: &Snapshot, candidate: Candidate<'_>) -> Gate {
    const NAME: &str = "approval_needed";
    let approved = snapshot.topup.as_ref().and_then(|t| t.approved.as_ref());
    match (approved, approval_reason(snapshot, candidate)) {
        (Some((_, who)), _) => gate(NAME, true, format!("approved by {who}")),
        (None, None) => gate(NAME, true, "no approval is needed"),
        (None, Some(why)) => gate(NAME, false, why),
    }
}
