//! Late news: look-ups in a provider's list where there is none by reference, and a few more looks at
//! what was settled already: a refusal that was charged after all, a payment that was taken back.

use super::{
    Engine, EngineError, answer,
    answer::Pace,
    books::{self, BOOKS},
    decide::order_of,
    traced,
};
use crate::domain::{Span, State, Timestamp, Topup};
use crate::providers::{Answer, Booked, Evidence, Found, Listed, Lookup, Provider};
use crate::store::{Change, Discrepancy, SnapshotRow};
use std::sync::Arc;

/// When what is settled is looked at once more, after it was settled: a refusal that was charged
/// late, a payment that was taken back.
const LATE_LOOKS: [Span; 3] = [Span::minutes(30), Span::hours(6), Span::hours(30)];

/// When a settled top-up is looked at once more, after `looks` looks.
fn late_look(looks: i64, settled_at: Timestamp) -> Option<Timestamp> {
    let span = LATE_LOOKS.get(usize::try_from(looks).ok()?)?;
    Some(settled_at.plus(*span))
}

impl Engine {
    /// `after` with its first late look, where what was settled can be looked up by reference.
    pub(super) fn looked_at_late(&self, after: Topup, now: Timestamp) -> Topup {
        let by_ref =
            |p: &Arc<dyn Provider>| p.declares().lookup == Lookup::ByRef && !p.declares().assisted;
        let wanted = matches!(after.state, State::Failed | State::Verified)
            && after.maybe_sent > 0
            && self.provider(&after.payer).is_some_and(by_ref);
        if !wanted {
            return after;
        }
        Topup { looks: 0, next_action_at: late_look(0, now), ..after }
    }

    /// Class C: the provider's list instead of a look-up. Exactly one transaction that fits and is
    /// nobody else's is adopted; none, or several, wait and are then a person's.
    pub(super) async fn look_in_list(
        &self,
        topup: &Topup,
        payer: &Arc<dyn Provider>,
        row: &SnapshotRow,
        pace: &Pace,
    ) -> Result<bool, EngineError> {
        let sent = topup.last_sent_at.unwrap_or(topup.updated_at);
        let margin =
            Span::minutes(10).plus(payer.declares().timeout.max(payer.declares().max_processing));
        let (from, to) = (sent.minus(margin), self.now().plus(Span::minutes(10)));
        let listed = payer.list(from, to).await;
        let now = self.now();
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                return self
                    .keep(topup, pace, &format!("the list cannot be read: {error}"), now)
                    .await;
            }
        };
        let order = order_of(&row.snapshot.subscription, topup);
        let mut fitting = Vec::new();
        for one in &listed {
            let in_time = one.at.is_none_or(|at| at >= from && at <= to);
            if !in_time || one.booked == Booked::Refused || !one.is_like(&order) {
                continue;
            }
            let owner = match &one.transaction_id {
                Some(id) => self.store().owner_of(&topup.payer, id).await?,
                None => None,
            };
            if owner.is_none_or(|owner| owner == topup.id) {
                fitting.push(one);
            }
        }
        if let [one] = fitting.as_slice() {
            let answer = as_answer(one);
            return self.found_one(topup, pace, &answer, now).await;
        }
        let waited = now.since(sent);
        let patience = pace.settle_min.plus(self.settings().safety.not_found_over);
        let why = format!("{} transactions of {} fit this order", fitting.len(), topup.payer);
        if waited < patience {
            return self.keep(topup, pace, &why, now).await;
        }
        let reason = if fitting.is_empty() { "not_listed" } else { "several_listed" };
        let raw = fitting.first().map(|one| one.raw.clone()).unwrap_or_default();
        self.hold(topup, reason, &why, &raw, now).await
    }

    /// Late news about what was settled: looked up by its reference. True when it moved anything.
    pub(super) async fn look_late(
        &self,
        topup: &Topup,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let looks = topup.looks.saturating_add(1);
        let next = late_look(looks, topup.updated_at);
        let later = Topup { looks, next_action_at: next, ..topup.clone() };
        self.store().keep_topup(topup, later, None, now).await?;
        let by_ref = |p: &&Arc<dyn Provider>| p.declares().lookup == Lookup::ByRef;
        let Some(payer) = self.provider(&topup.payer).filter(by_ref).map(Arc::clone) else {
            return Ok(false);
        };
        let snapshot = self.store().snapshot(&topup.subscription).await?.snapshot;
        let Found::One(answer) = traced::find(&payer, &snapshot, topup).await else {
            return Ok(false);
        };
        let now = self.now();
        match (topup.state, answer) {
            (
                State::Failed,
                answer @ (Answer::Paid(_) | Answer::Pending(_) | Answer::Mismatch { .. }),
            ) => {
                let (why, raw) = answer::words(&answer);
                let found = self.charged_after_failed(topup, &why, &raw, now).await?;
                if let Some(found) = found {
                    self.store().find_discrepancy(&found).await?;
                }
                Ok(true)
            }
            (State::Verified, Answer::Reversed(evidence)) => {
                self.reversed(topup, evidence, now).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// `CHARGED_AFTER_FAILED`: money left for what was called not charged. The row stays as it is,
    /// final; all paying stops until a person has looked.
    pub(super) async fn charged_after_failed(
        &self,
        topup: &Topup,
        why: &str,
        raw: &str,
        now: Timestamp,
    ) -> Result<Option<Discrepancy>, EngineError> {
        let what = format!(
            "{} of {} on {} was called {} ({}), but {} says otherwise: {why}",
            topup.id,
            topup.amount,
            topup.subscription,
            topup.state.as_str(),
            topup.reason,
            topup.payer
        );
        let found = books::about(topup, "charged_after_failed", what.clone(), now);
        let known = self.store().discrepancies(false).await?;
        if known.iter().any(|d| d.id == found.id) {
            return Ok(None);
        }
        let change = Change::by("reconcile", format!("CHARGED_AFTER_FAILED: {why}")).with(raw);
        self.store().note_topup(topup, &change, now).await?;
        let stop = format!(
            "CHARGED_AFTER_FAILED: {what}; paying stopped until a person runs `topupd money on`"
        );
        self.trip(BOOKS, &stop, now).await?;
        Ok(Some(found))
    }

    /// The provider took a payment back.
    pub(super) async fn reversed(
        &self,
        topup: &Topup,
        evidence: Evidence,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let after = Topup {
            state: State::Reversed,
            reason: "reversed".into(),
            next_action_at: None,
            ..topup.clone()
        };
        let answer = Answer::Reversed(evidence);
        self.settle(topup, after, answer::change("reconcile", &answer), now).await
    }
}

/// A record of a list as the answer to a look-up.
fn as_answer(one: &Listed) -> Answer {
    let evidence = Evidence {
        transaction_id: one.transaction_id.clone(),
        charged: one.charged,
        raw: one.raw.clone(),
        ..Evidence::default()
    };
    match one.booked {
        Booked::Paid => Answer::Paid(evidence),
        Booked::Pending => Answer::Pending(evidence),
        Booked::Reversed => Answer::Reversed(evidence),
        Booked::Refused | Booked::Unclear => {
            Answer::Unclear { why: "its status word is not known".into(), raw: one.raw.clone() }
        }
    }
}
