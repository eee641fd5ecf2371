//! What an answer makes of a top-up. Pure: the answer, the top-up and `now` decide.

use super::{Engine, EngineError};
use crate::domain::{Currency, FailureClass, Money, Span, State, Timestamp, Topup};
use crate::providers::{Answer, Declares, Evidence, Refusal};
use crate::store::{Change, Outcome, StoreError};

/// The paces of one payer: how soon to look, and how soon to believe "not found".
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub(super) reconcile: Vec<Span>,
    pub(super) verify: Vec<Span>,
    /// A "not found" counts only this long after the last possible send.
    pub(super) settle_min: Span,
    pub(super) declares: Declares,
}

impl Pace {
    /// The distance to the look after `looks` looks: the list, then its last entry for two days'
    /// worth, then six times that.
    pub(super) fn look_after(&self, looks: i64) -> Span {
        let n = usize::try_from(looks).unwrap_or(usize::MAX);
        let last = self.reconcile.last().copied().unwrap_or(Span::hours(1));
        match self.reconcile.get(n) {
            Some(span) => *span,
            None if n < self.reconcile.len().saturating_add(48) => last,
            None => last.times(6),
        }
    }
}

impl Engine {
    pub(super) fn pace(&self, payer: &str) -> Pace {
        let settings = self.settings();
        let declares = self.provider(payer).map(|p| p.declares().clone()).unwrap_or_default();
        let least = declares.max_processing.max(declares.timeout).times(2);
        Pace {
            reconcile: settings.flow.reconcile_after.clone(),
            verify: settings.flow.verify_after.clone(),
            settle_min: settings.safety.settle_min.max(least),
            declares,
        }
    }

    /// Moves `before` to `after`, and tells. A transaction id that another top-up already has means
    /// that one payment was matched twice: a person must look.
    pub(super) async fn settle(
        &self,
        before: &Topup,
        after: Topup,
        change: Change,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let after = self.looked_at_late(after, now);
        let notices = self.notices_of(&after, &change.why, now).await?;
        log_move(before, &after, &change.why);
        match self.store().move_topup(before, after.clone(), &change, &notices, now).await {
            Ok(_) => {
                self.meters().moved(before, &after, now);
                Ok(())
            }
            Err(error) if error.is_duplicate() => {
                let held = Topup {
                    transaction_id: before.transaction_id.clone(),
                    ..held(&after, "transaction_claimed")
                };
                let why = "the provider's transaction id already belongs to another top-up";
                let notices = self.notices_of(&held, why, now).await?;
                self.store()
                    .move_topup(
                        before,
                        held.clone(),
                        &Change::by(&change.actor, why),
                        &notices,
                        now,
                    )
                    .await?;
                self.meters().moved(before, &held, now);
                Ok(())
            }
            Err(StoreError::Conflict { what }) => {
                tracing::warn!(topup.id = %before.id, "overtaken: {what}");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) fn log_move(before: &Topup, after: &Topup, why: &str) {
    let (from, to) = (before.state.as_str(), after.state.as_str());
    let (id, subscription) = (&after.id, &after.subscription);
    if matches!(after.state, State::Unknown | State::Held | State::Failed) {
        tracing::warn!(topup.id = %id, subscription.id = %subscription, "top-up {from} → {to}: {why}");
    } else {
        tracing::info!(topup.id = %id, subscription.id = %subscription, "top-up {from} → {to}: {why}");
    }
}

/// An answer as a line of history.
pub(super) fn change(actor: &str, answer: &Answer) -> Change {
    let (why, raw) = words(answer);
    if raw.is_empty() { Change::by(actor, why) } else { Change::by(actor, why).with(raw) }
}

/// An answer in words, and the raw exchange.
pub(super) fn words(answer: &Answer) -> (String, String) {
    match answer {
        Answer::Paid(e) => (format!("the provider says paid{}", id(e)), e.raw.clone()),
        Answer::Pending(e) => {
            (format!("the provider accepted it, not final{}", id(e)), e.raw.clone())
        }
        Answer::Refused(r) => (
            format!("the provider refused it, not charged ({}, {})", r.code, r.class.as_str()),
            r.raw.clone(),
        ),
        Answer::Reversed(e) => {
            (format!("the provider says the money came back{}", id(e)), e.raw.clone())
        }
        Answer::Mismatch { evidence, why } => {
            (format!("the answer does not match the order: {why}"), evidence.raw.clone())
        }
        Answer::NotSent { why } => (format!("nothing was sent: {why}"), String::new()),
        Answer::Unclear { why, raw } => (format!("the outcome is not known: {why}"), raw.clone()),
    }
}

/// An answer as the flight recorder keeps it.
pub(super) fn outcome(answer: &Answer) -> Outcome {
    match answer {
        Answer::Paid(evidence) => Outcome::Paid {
            transaction_id: evidence.transaction_id.clone(),
            charged: evidence.charged.map(|m| (m.minor(), m.currency().code().to_owned())),
        },
        Answer::Refused(refusal) => Outcome::Refused {
            code: refusal.code.clone(),
            class: refusal.class.as_str().to_owned(),
        },
        Answer::NotSent { .. } => Outcome::NotSent,
        Answer::Pending(_)
        | Answer::Reversed(_)
        | Answer::Mismatch { .. }
        | Answer::Unclear { .. } => Outcome::Open,
    }
}

/// The answer that a recorded outcome stands for; `None` where it has to be looked up.
pub(super) fn recorded(outcome: &Outcome) -> Option<Answer> {
    let raw = "kept by the flight recorder; the answer itself was lost in a crash".to_owned();
    match outcome {
        Outcome::Paid { transaction_id, charged } => {
            let charged = charged
                .as_ref()
                .and_then(|(minor, code)| Some(Money::new(*minor, Currency::parse(code).ok()?)));
            let transaction_id = transaction_id.clone();
            Some(Answer::Paid(Evidence { transaction_id, charged, raw, ..Evidence::default() }))
        }
        Outcome::Refused { code, class } => {
            let class = FailureClass::parse(class)?;
            Some(Answer::Refused(Refusal { code: code.clone(), class, raw }))
        }
        Outcome::NotSent => Some(Answer::NotSent { why: raw }),
        Outcome::Open => None,
    }
}

fn id(evidence: &Evidence) -> String {
    evidence.transaction_id.as_ref().map(|id| format!(", transaction {id}")).unwrap_or_default()
}

fn with_evidence(topup: &Topup, evidence: &Evidence) -> Topup {
    Topup {
        transaction_id: evidence.transaction_id.clone().or_else(|| topup.transaction_id.clone()),
        charged: evidence.charged.or(topup.charged),
        delivered: evidence.delivered.or(topup.delivered),
        looks: 0,
        ..topup.clone()
    }
}

pub(super) fn held(topup: &Topup, reason: &str) -> Topup {
    Topup {
        state: State::Held,
        reason: reason.to_owned(),
        next_action_at: None,
        looks: 0,
        ..topup.clone()
    }
}

pub(super) fn paid(pace: &Pace, topup: &Topup, evidence: &Evidence, now: Timestamp) -> Topup {
    let first =
        pace.verify.first().copied().unwrap_or(Span::minutes(1)).max(pace.declares.balance_lag);
    Topup {
        state: State::Paid,
        reason: "paid".into(),
        next_action_at: Some(now.plus(first)),
        ..with_evidence(topup, evidence)
    }
}

fn failed(topup: &Topup, refusal: &Refusal) -> Topup {
    Topup {
        state: State::Failed,
        reason: format!("refused:{}", refusal.code),
        failure: Some(refusal.class),
        next_action_at: None,
        ..topup.clone()
    }
}

fn looked_for(topup: &Topup, state: State, reason: &str, pace: &Pace, now: Timestamp) -> Topup {
    Topup {
        state,
        reason: reason.to_owned(),
        looks: 0,
        not_found: 0,
        not_found_since: None,
        next_action_at: Some(now.plus(pace.look_after(0))),
        ..topup.clone()
    }
}

/// After a send. Provably unsent orders go back to `reserved` a few times, then count as failed;
/// but not where an earlier submission of the same order may have arrived.
pub(super) fn after_send(pace: &Pace, topup: &Topup, answer: &Answer, now: Timestamp) -> Topup {
    if let Answer::NotSent { .. } = answer {
        return not_sent(pace, topup, now);
    }
    let sent = Topup { maybe_sent: topup.maybe_sent.saturating_add(1), ..topup.clone() };
    match answer {
        Answer::Paid(evidence) => paid(pace, &sent, evidence, now),
        Answer::Pending(evidence) => {
            looked_for(&with_evidence(&sent, evidence), State::Pending, "pending", pace, now)
        }
        Answer::Refused(refusal) if topup.maybe_sent == 0 => failed(&sent, refusal),
        Answer::Mismatch { evidence, .. } => {
            held(&with_evidence(&sent, evidence), "answer_mismatch")
        }
        // A reversal of something just sent makes no sense, and a refusal of a second submission
        // says nothing about the first: both are looked up like any doubt.
        Answer::Refused(_)
        | Answer::Reversed(_)
        | Answer::Unclear { .. }
        | Answer::NotSent { .. } => looked_for(&sent, State::Unknown, "unclear", pace, now),
    }
}

fn not_sent(pace: &Pace, topup: &Topup, now: Timestamp) -> Topup {
    if topup.maybe_sent > 0 {
        return looked_for(topup, State::Unknown, "unclear", pace, now);
    }
    let again = topup.submit_no < MAX_UNSENT;
    let (state, next_action_at) = if again {
        (State::Reserved, Some(now.plus(pace.look_after(topup.submit_no.saturating_sub(1)))))
    } else {
        (State::Failed, None)
    };
    let failure = (!again).then_some(FailureClass::ProviderDown);
    Topup { state, reason: NOT_SENT.into(), failure, next_action_at, ..topup.clone() }
}

/// Claims that may end with "nothing was sent" before this order is given up as not charged. An
/// outage is not a decline: it does not count towards suspending the line.
const MAX_UNSENT: i64 = 5;

/// The reason of an order that provably never left.
const NOT_SENT: &str = "not_sent";

/// After a look-up that found exactly one record. The same state again means: nothing new.
pub(super) fn after_look(pace: &Pace, topup: &Topup, answer: &Answer, now: Timestamp) -> Topup {
    let looks = topup.looks.saturating_add(1);
    let again =
        Topup { looks, next_action_at: Some(now.plus(pace.look_after(looks))), ..topup.clone() };
    match answer {
        Answer::Paid(evidence) => paid(pace, topup, evidence, now),
        Answer::Refused(refusal) => failed(topup, refusal),
        Answer::Mismatch { evidence, .. } => {
            held(&with_evidence(topup, evidence), "answer_mismatch")
        }
        Answer::Pending(evidence) if topup.state == State::Unknown => {
            looked_for(&with_evidence(topup, evidence), State::Pending, "pending", pace, now)
        }
        // Money that came and went before we saw it: never charged in the end, but a person should know.
        Answer::Reversed(evidence) => held(&with_evidence(topup, evidence), "reversed_before_paid"),
        Answer::Pending(_) | Answer::Unclear { .. } | Answer::NotSent { .. } => again,
    }
}
