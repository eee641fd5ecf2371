//! What a decision says: the sentence about what happens next, and the notices.

use super::{
    Cadence, Decision, EpisodeChange, Facts, Mode, Next, NoticeDraft, NoticeKind, OrderStep,
    Policy, Rule, RuleId, Severity, Snapshot, Span, State, Timestamp,
    decide::opens,
    doubt,
    episodes::flaps,
    milestone::{Milestone, severity, tells_dates},
    quantity::bytes_text,
};

/// What happens next, in words.
pub(super) fn next(snapshot: &Snapshot, decision: &Decision, now: Timestamp) -> Next {
    if let Some(topup) =
        snapshot.topup.as_ref().filter(|t| t.state.is_in_flight() || t.state == State::Reserved)
    {
        let (what, why) = match topup.state {
            State::Reserved => {
                ("order", format!("{} will be sent to {}", topup.amount, topup.payer))
            }
            State::Submitting => {
                ("reconcile", format!("{} is being sent to {}", topup.amount, topup.payer))
            }
            State::Pending | State::Unknown => (
                "reconcile",
                format!(
                    "the outcome of {} at {} is looked up, never sent again blindly",
                    topup.amount, topup.payer
                ),
            ),
            State::Paid => {
                ("verify", format!("{} is paid; waiting to see it on the line", topup.amount))
            }
            State::Held
            | State::Proposed
            | State::AwaitingApproval
            | State::Verified
            | State::Failed
            | State::Cancelled
            | State::Reversed => {
                ("resolve", format!("a person must decide: topupd topups show {}", topup.id))
            }
        };
        return Next { at: topup.next_action_at, what, why };
    }
    let shut = decision.gates.iter().find(|gate| !gate.passed);
    match &decision.order {
        OrderStep::Ask { why, .. } => {
            Next { at: None, what: "approve", why: format!("approval will be asked for: {why}") }
        }
        OrderStep::Wait { reason: "approval_needed" } => {
            let id = snapshot.topup.as_ref().map(|t| t.id.to_string()).unwrap_or_default();
            Next {
                at: None,
                what: "approve",
                why: format!("waiting for: topupd topups approve {id}"),
            }
        }
        OrderStep::Reserve { amount } => Next {
            at: Some(now),
            what: "order",
            why: format!("every gate is open: {amount} is ordered now"),
        },
        OrderStep::Propose { .. }
        | OrderStep::Wait { .. }
        | OrderStep::Nothing
        | OrderStep::Cancel { .. }
            if decision.poll_at.is_some() =>
        {
            let amount = if let OrderStep::Propose { amount, .. } = &decision.order {
                Some(*amount)
            } else {
                snapshot.topup.as_ref().map(|t| t.amount)
            };
            let order = amount.map(|a| format!("before {a} is ordered")).unwrap_or_default();
            Next {
                at: decision.poll_at,
                what: "confirm",
                why: format!("a second reading must agree {order}"),
            }
        }
        OrderStep::Wait { .. } => Next {
            at: decision.decide_at,
            what: "wait",
            why: shut.map(|gate| gate.why.clone()).unwrap_or_default(),
        },
        OrderStep::Propose { .. } | OrderStep::Nothing | OrderStep::Cancel { .. } => Next {
            at: snapshot.next_poll_at,
            what: "poll",
            why: match (&snapshot.reading, snapshot.episodes.first()) {
                (None, _) => "no usable reading yet".into(),
                (Some(_), None) => "nothing is needed now; the line is read again".into(),
                (Some(_), Some((episode, _))) => format!(
                    "rule {} is in breach and orders nothing now; the line is read again",
                    episode.rule
                ),
            },
        },
    }
}

/// The facts about a line that every notice shows.
pub fn line_facts(snapshot: &Snapshot) -> Facts {
    let values = snapshot.reading.as_ref().map(|r| &r.values);
    Facts {
        label: snapshot.subscription.label.clone(),
        last4: snapshot
            .subscription
            .msisdn
            .as_ref()
            .map(|n| n.last4().to_owned())
            .unwrap_or_default(),
        balance: values.and_then(|v| v.balance).map(|m| m.to_string()),
        data_left: values.and_then(|v| v.data_left).map(bytes_text),
        read_at: snapshot.reading.as_ref().map(|r| r.at.ms()),
        service_end_at: snapshot.service_end_at().map(Timestamp::ms),
        number_loss_at: snapshot.number_loss_at().map(Timestamp::ms),
        ..Facts::default()
    }
}

/// What this decision makes worth saying.
pub(super) fn notices(
    snapshot: &Snapshot,
    policy: &Policy,
    decision: &Decision,
    milestone: Option<Milestone>,
    now: Timestamp,
) -> Vec<NoticeDraft> {
    let mut notices = Vec::new();
    for change in &decision.episodes {
        match change {
            EpisodeChange::Open { rule, trigger, is_deadline, read_at } => {
                let rule = snapshot.rules.iter().find(|r| r.id == *rule).filter(|r| tells(r));
                let Some(rule) = rule else { continue };
                if flaps(snapshot, &rule.id, true) {
                    notices.push(flapping(snapshot, &rule.id, now));
                    continue;
                }
                let unconfirmed = doubt::since(snapshot, policy).is_some();
                let mut notice =
                    breach(snapshot, decision, rule, trigger, *is_deadline, *read_at, now);
                notice.facts.detail = unconfirmed
                    .then(|| "not confirmed: it fell too far too fast and is read again".into());
                notices.push(notice);
            }
            EpisodeChange::Close { id, rule } => {
                let told = snapshot.rules.iter().any(|r| r.id == *rule && tells(r));
                if told && !flaps(snapshot, rule, false) {
                    let facts = Facts {
                        next: next_words(decision),
                        next_at: next_at(decision),
                        ..line_facts(snapshot)
                    };
                    notices.push(draft(
                        snapshot,
                        NoticeKind::Recovered,
                        Severity::Info,
                        format!("recovered|{id}"),
                        facts,
                        now,
                    ));
                }
            }
        }
    }
    if let Some(notice) = milestone.and_then(|m| reminder(snapshot, decision, m, now)) {
        notices.push(notice);
    }
    if let Some(notice) = staleness(snapshot, policy, decision, now) {
        notices.push(notice);
    }
    if let Some(notice) = refusal(snapshot, decision, now) {
        notices.push(notice);
    }
    notices
}

fn draft(
    snapshot: &Snapshot,
    kind: NoticeKind,
    severity: Severity,
    dedupe: String,
    facts: Facts,
    at: Timestamp,
) -> NoticeDraft {
    NoticeDraft {
        subscriber: snapshot.subscription.subscriber.clone(),
        subscription: Some(snapshot.subscription.id.clone()),
        topup: snapshot.topup.as_ref().map(|t| t.id.clone()),
        kind,
        severity,
        dedupe,
        at,
        facts,
    }
}

fn next_words(decision: &Decision) -> Option<String> {
    (decision.next.what != "poll").then(|| decision.next.why.clone())
}

fn next_at(decision: &Decision) -> Option<i64> {
    decision.next.at.filter(|_| decision.next.what != "poll").map(Timestamp::ms)
}

fn breach(
    snapshot: &Snapshot,
    decision: &Decision,
    rule: &Rule,
    trigger: &str,
    is_deadline: bool,
    read_at: Timestamp,
    now: Timestamp,
) -> NoticeDraft {
    let severity = severity(snapshot, now);
    let kind = if is_deadline { NoticeKind::ExpiryNear } else { NoticeKind::LowBalance };
    let facts = Facts {
        trigger: Some(trigger.to_owned()),
        next: next_words(decision).filter(|_| rule.mode.pays()),
        next_at: next_at(decision).filter(|_| rule.mode.pays()),
        ..line_facts(snapshot)
    };
    // The reading that opened the episode names it until the row has an id.
    let dedupe = format!("{}|{}|{}", kind.as_str(), rule.id, read_at.ms());
    draft(snapshot, kind, severity, dedupe, facts, now)
}

/// A reminder that a deadline is nearer. A breach of a rule about dates says the same.
fn reminder(
    snapshot: &Snapshot,
    decision: &Decision,
    milestone: Milestone,
    now: Timestamp,
) -> Option<NoticeDraft> {
    if snapshot.rules.iter().any(|rule| tells_dates(rule) && opens(decision, &rule.id)) {
        return None;
    }
    let facts = Facts {
        detail: Some(milestone.words(snapshot, now)),
        next: next_words(decision),
        next_at: next_at(decision),
        ..line_facts(snapshot)
    };
    let (day, end) = (milestone.day, milestone.end.ms());
    let key = format!("milestone|{}|{day}|{end}", snapshot.subscription.id);
    Some(draft(snapshot, NoticeKind::ExpiryNear, severity(snapshot, now), key, facts, now))
}

/// A rule that opens and closes over and over is told once a day, not each time.
fn flapping(snapshot: &Snapshot, rule: &RuleId, now: Timestamp) -> NoticeDraft {
    let day = now.ms().div_euclid(Span::days(1).ms());
    let detail = format!(
        "rule {rule} was breached and over again three times within a week; a wider distance \
         between its threshold and clear_at would help"
    );
    let facts = Facts { detail: Some(detail), ..line_facts(snapshot) };
    let key = format!("flapping|{}|{rule}|{day}", snapshot.subscription.id);
    draft(snapshot, NoticeKind::Flapping, Severity::Warning, key, facts, now)
}

fn staleness(
    snapshot: &Snapshot,
    policy: &Policy,
    decision: &Decision,
    now: Timestamp,
) -> Option<NoticeDraft> {
    let newest = snapshot.reading.as_ref().map_or(snapshot.watched_since, |r| r.at);
    let every = Cadence::of(policy, snapshot, now).every;
    match decision.stale? {
        true => {
            let near =
                snapshot.nearest_deadline(newest).is_some_and(|at| at.since(now) <= Span::days(2));
            let severity = if near { Severity::High } else { Severity::Warning };
            let detail = snapshot.trouble.as_ref().map(|r| match &r.detail {
                Some(detail) => format!("{}: {detail}", r.quality),
                None => r.quality.to_string(),
            });
            let reason = snapshot.trouble.as_ref().map(|r| r.quality.to_string());
            let next = Some(format!(
                "it is tried again at least every {every}; nothing is bought meanwhile"
            ));
            let facts = Facts {
                detail,
                reason,
                next,
                next_at: snapshot.next_poll_at.map(Timestamp::ms),
                ..line_facts(snapshot)
            };
            Some(draft(
                snapshot,
                NoticeKind::Stale,
                severity,
                format!("stale|{}", newest.ms()),
                facts,
                now,
            ))
        }
        false => {
            let since = snapshot.stale_since.map_or(0, Timestamp::ms);
            let facts = Facts { reason: Some("stale".into()), ..line_facts(snapshot) };
            Some(draft(
                snapshot,
                NoticeKind::Recovered,
                Severity::Info,
                format!("recovered|stale|{since}"),
                facts,
                now,
            ))
        }
    }
}

/// A need that a limit or a suspension forbids to serve is said aloud, once per need and limit.
fn refusal(snapshot: &Snapshot, decision: &Decision, now: Timestamp) -> Option<NoticeDraft> {
    let OrderStep::Wait { reason } = &decision.order else { return None };
    let loud = reason.starts_with("cap_")
        || reason.starts_with("count_")
        || matches!(*reason, "payment_suspended" | "order_max" | "number_lost");
    if !loud {
        return None;
    }
    let topup = snapshot.topup.as_ref();
    let why = decision.gates.iter().find(|gate| gate.name == *reason).map(|gate| gate.why.clone());
    let facts = Facts {
        amount: topup.map(|topup| topup.amount.to_string()),
        payer: topup.map(|topup| topup.payer.clone()),
        topup: topup.map(|topup| topup.id.to_string()),
        reason: Some((*reason).to_owned()),
        detail: why,
        ..line_facts(snapshot)
    };
    let key = format!("topup_refused|{}|{reason}", need_key(snapshot));
    Some(draft(snapshot, NoticeKind::TopupRefused, Severity::High, key, facts, now))
}

/// The need that `topup` or the next proposal serves, for words and keys.
fn need_key(snapshot: &Snapshot) -> String {
    let line = &snapshot.subscription.id;
    match (&snapshot.need, snapshot.episodes.first()) {
        (Some(need), _) => need.id.to_string(),
        // Refused before a need was written down: the breach names it.
        (None, Some((_, read_at))) => format!("{line}|{}", read_at.ms()),
        (None, None) => {
            format!("{line}|{}", snapshot.reading.as_ref().map_or(0, |reading| reading.at.ms()))
        }
    }
}

/// True for modes that tell.
fn tells(rule: &Rule) -> bool {
    rule.mode >= Mode::Notify
}
