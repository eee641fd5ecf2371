//! The gates between a need and money, in their fixed order. The first that is shut gives the
//! reason; `explain` shows them all. What each name means: [`super::reasons`].

use super::{
    CapBreach, FailureClass, MoneySwitch, NeedKind, OnStale, Policy, Rule, Snapshot, Span,
    SubscriptionStatus, Timestamp, amount::OrderSize, approval, check_caps, doubt, renewal,
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
    pub size: OrderSize,
    /// The provider that would pay.
    pub payer: &'a str,
    /// When the breach was first read.
    pub first_read_at: Option<Timestamp>,
    /// True when it is for the period that ends.
    pub for_period: bool,
}

/// A person's no holds this long, unless the line is resumed by hand.
const REJECTION_HOLDS: Span = Span::days(1);

/// An outage of the provider is tried again this soon: it is nobody's decline.
const OUTAGE: Span = Span::minutes(5);

/// The gates that a person opens by approving.
pub(super) const ASKED: [&str; 2] = ["price_guard", "approval_needed"];

/// All gates for `candidate`, in order.
pub(super) fn gates(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> Vec<Gate> {
    let mut gates = vec![line_active(snapshot), number_kept(snapshot, now)];
    gates.extend(switches(&snapshot.money, candidate.payer));
    gates.push(in_flight(snapshot));
    gates.push(unserved(snapshot, candidate, now));
    gates.push(cooldown(snapshot, candidate.rule, now));
    gates.push(timing(snapshot, policy, candidate, now));
    gates.push(charge_window(snapshot, now));
    gates.push(suspended(snapshot, candidate.rule));
    gates.push(identity(snapshot));
    gates.push(plausible(snapshot, policy, candidate));
    gates.push(fresh_readings(snapshot, policy, candidate, now));
    gates.push(caps(snapshot, policy, candidate));
    gates.extend(approval::gates(snapshot, policy, candidate, now));
    gates
}

pub(super) fn gate(name: &'static str, passed: bool, why: impl Into<String>) -> Gate {
    Gate { name, passed, why: why.into() }
}

fn line_active(snapshot: &Snapshot) -> Gate {
    const NAME: &str = "subscription_active";
    match snapshot.subscription.status {
        SubscriptionStatus::Active => gate(NAME, true, "the subscription is active"),
        SubscriptionStatus::Paused => gate(NAME, false, "the subscription is paused by hand"),
        SubscriptionStatus::Closed => {
            gate(NAME, false, "the subscription is no longer in the fleet")
        }
    }
}

fn number_kept(snapshot: &Snapshot, now: Timestamp) -> Gate {
    const NAME: &str = "number_lost";
    match snapshot.number_loss_at().filter(|loss| *loss <= now) {
        Some(loss) => gate(
            NAME,
            false,
            format!("the number was lost at {loss}: money would not bring it back"),
        ),
        None => gate(NAME, true, "the number is not lost"),
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
        switch("recovery", money.recovery.as_ref(), "the rows know everything that was sent"),
        switch("disk_space", money.disk.as_ref(), "the disk takes what must be written down"),
        switch("books_disagree", money.books.as_ref(), "no charge contradicts what was said of it"),
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

fn unserved(snapshot: &Snapshot, candidate: Candidate<'_>, now: Timestamp) -> Gate {
    const NAME: &str = "need_already_served";
    if candidate.rule.is_some() && candidate.for_period && renewal::is_served(snapshot, now) {
        gate(NAME, false, "a verified top-up pays for this period already")
    } else {
        gate(NAME, true, "this need is not paid for yet")
    }
}

/// When paying may go on after the last top-up; `None` when at once.
pub(super) fn cooldown_until(snapshot: &Snapshot, rule: Option<&Rule>) -> Option<Timestamp> {
    let rule = rule?;
    let history = &snapshot.history;
    let after_success = history.last_success_at.map(|at| at.plus(rule.cooldown_success));
    let doublings =
        u32::try_from(history.failures_in_a_row.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    let longest = Span::days(1).max(rule.cooldown_attempt);
    let wait = match history.last_failure {
        Some(FailureClass::ProviderDown) => OUTAGE.min(rule.cooldown_attempt),
        _ => rule.cooldown_attempt.times(2_i64.saturating_pow(doublings)).min(longest),
    };
    let after_failure = history.last_failure_at.map(|at| at.plus(wait));
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

fn timing(snapshot: &Snapshot, policy: &Policy, candidate: Candidate<'_>, now: Timestamp) -> Gate {
    const NAME: &str = "renewal_timing";
    let asked = candidate.rule.is_some() && candidate.for_period;
    let earliest = renewal::earliest(snapshot, policy, candidate.payer, now).filter(|_| asked);
    match earliest.filter(|at| *at > now) {
        Some(at) => gate(
            NAME,
            false,
            format!("paying before {at} would lose days: this plan restarts at the payment"),
        ),
        None => gate(NAME, true, "paying now loses no days"),
    }
}

fn charge_window(snapshot: &Snapshot, now: Timestamp) -> Gate {
    const NAME: &str = "charge_window";
    match renewal::window_ends_at(snapshot, now) {
        Some(until) => {
            gate(NAME, false, format!("the operator renews the line itself until {until}"))
        }
        None => gate(NAME, true, "the operator is not renewing right now"),
    }
}

fn suspended(snapshot: &Snapshot, rule: Option<&Rule>) -> Gate {
    const NAME: &str = "payment_suspended";
    const LIFT: &str = "`topupd subscription resume` lifts this";
    let history = &snapshot.history;
    if snapshot.need.as_ref().is_some_and(|need| need.kind == NeedKind::Manual) {
        return gate(NAME, true, "a person ordered this");
    }
    if let Some(at) = history.reversed_at {
        let why = format!("the money of a verified top-up came back at {at}; {LIFT}");
        return gate(NAME, false, why);
    }
    let why = match history.last_failure {
        Some(FailureClass::DeclinedHard) => "the means of payment was refused for good",
        Some(FailureClass::AuthRequired) => "the cardholder must confirm at the payer",
        Some(FailureClass::InvalidTarget) => "the payer says that this number cannot be topped up",
        Some(FailureClass::Internal) => "the last order failed by a fault of our own",
        _ => {
            let n = history.failures_in_a_row;
            return if rule.is_some_and(|rule| n >= rule.max_declines) {
                gate(NAME, false, format!("{n} top-ups were declined in a row; {LIFT}"))
            } else {
                gate(NAME, true, "not suspended after failures")
            };
        }
    };
    gate(NAME, false, format!("{why}; {LIFT}"))
}

fn identity(snapshot: &Snapshot) -> Gate {
    const NAME: &str = "preflight_identity";
    let line = &snapshot.subscription;
    if snapshot.identity_in_doubt() {
        gate(NAME, false, "the newest answer was about another line")
    } else if line.msisdn.is_none() && line.iccid.is_none() {
        gate(NAME, false, "the subscription has neither a phone number nor an ICCID")
    } else {
        gate(NAME, true, "the number is well formed and the reader answers for it")
    }
}

fn plausible(snapshot: &Snapshot, policy: &Policy, candidate: Candidate<'_>) -> Gate {
    const NAME: &str = "implausible_reading";
    match doubt::since(snapshot, policy).filter(|_| candidate.rule.is_some()) {
        Some(since) => {
            let apart = policy.implausible_after;
            gate(
                NAME,
                false,
                format!(
                    "the values fell too far too fast at {since}; a reading {apart} later must agree"
                ),
            )
        }
        None => gate(NAME, true, "the newest reading is believable"),
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
    if blind_before_deadline(snapshot, candidate, now) {
        return gate(NAME, true, "no reading comes and the deadline does (on_stale)");
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

/// True when a rule with `on_stale = "auto_if_deadline"` may go on without a fresh reading: the
/// service ends within a day, the reader is in trouble. A person approves such an order.
pub(super) fn blind_before_deadline(
    snapshot: &Snapshot,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> bool {
    let allowed = candidate.rule.is_some_and(|rule| rule.on_stale == OnStale::AutoIfDeadline);
    let near = snapshot.nearest_deadline(now).is_some_and(|at| at.since(now) <= Span::days(1));
    let blind = snapshot.trouble.is_some() && !snapshot.identity_in_doubt();
    allowed && candidate.for_period && near && blind
}

fn caps(snapshot: &Snapshot, policy: &Policy, candidate: Candidate<'_>) -> Gate {
    let limits = match candidate.rule {
        Some(rule) => rule.caps.tighter(&policy.caps),
        None => policy.caps.clone(),
    };
    // What this top-up itself has reserved is not counted against it.
    let amount = candidate.size.amount;
    match check_caps(&limits, &snapshot.usage, amount) {
        Ok(()) => gate("caps", true, format!("{amount} fits every cap")),
        Err(CapBreach { code, why }) => gate(code, false, why),
    }
}
