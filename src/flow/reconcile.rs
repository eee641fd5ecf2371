//! Reconcile: unknown and pending outcomes → looked up by reference. Never sends anything.
//!
//! Silence stays `unknown`. "Not found" is weak evidence: it counts only long after the last
//! possible send, only while look-ups are proven to work, and only three times spread over a
//! while; then a strict provider may get the same reference again, any other case is `held`.

use super::{
    Engine, EngineError, Stage, StageReport, answer, answer::Pace, instance::Work, traced,
};
use crate::config::Resubmit;
use crate::domain::{Movement, Span, State, Timestamp, Topup, movement};
use crate::providers::{Answer, Found, Lookup, Provider, RefUnique};
use crate::store::{Change, SnapshotRow};
use futures_util::StreamExt;
use std::sync::Arc;

/// Counted "not found" answers that end the waiting.
const NOT_FOUND_LIMIT: i64 = 3;
/// A provider that has not made up its mind after this long needs a person.
const PENDING_AT_MOST: Span = Span::days(1);
/// Submissions of one reference, at most.
const MAX_SUBMISSIONS: i64 = 2;

impl Engine {
    /// Looks up everything that is due: outcomes in doubt, and claims whose process died.
    pub(super) async fn reconcile_due(&self) -> Result<StageReport, EngineError> {
        let states = [
            State::Submitting,
            State::Unknown,
            State::Pending,
            State::Held,
            // What is settled is looked at a few times more: news may come late.
            State::Failed,
            State::Verified,
        ];
        let mut report = StageReport::default();
        let now = self.now();
        self.watch_clock(now).await?;
        if self.is_idle() {
            return Ok(report);
        }
        let due = self.claim_looks(&states, 200, now).await?;
        let mut held = self.holds(Work::Looks, due.len());
        let mut looks = futures_util::stream::iter(due)
            .map(|topup| self.look_into(topup, now))
            .buffer_unordered(self.settings().flow.concurrency);
        while let Some(moved) = looks.next().await {
            report.seen += 1;
            held.done();
            if moved? {
                report.done += 1
            } else {
                report.failed += 1
            }
            self.beats().beat(Stage::Reconcile.as_str(), self.now(), None);
        }
        if report.seen > 0 {
            for stage in [Stage::Act, Stage::Verify, Stage::Notify, Stage::Decide] {
                self.wake(stage);
            }
        }
        self.compare_due(self.now()).await?;
        self.watch_recovery(self.now()).await?;
        report.next_at = self.store().next_topup_due(&states).await?;
        Ok(report)
    }

    /// Top-ups that are due for a look and nobody else's until all of them may have been asked
    /// about. Where others may take some, so many are taken as are soon done.
    pub(super) async fn claim_looks(
        &self,
        states: &[State],
        most: i64,
        now: Timestamp,
    ) -> Result<Vec<Topup>, EngineError> {
        let at_once = self.settings().flow.concurrency;
        let shared = !self.is_sole_payer();
        let soon = i64::try_from(at_once.saturating_mul(2)).unwrap_or(most);
        let timeouts = self.providers().values().map(|p| p.declares().timeout);
        // Each look may ask twice: what became of it, and whether look-ups work.
        let calls = timeouts.max().unwrap_or(Span::ZERO).times(4);
        let until = now.plus(calls).plus(self.lease());
        let limit = if shared { soon.min(most) } else { most };
        Ok(self.store().claim_topups(states, limit, until, now).await?)
    }

    async fn look_into(&self, topup: Topup, now: Timestamp) -> Result<bool, EngineError> {
        match topup.state {
            State::Submitting => {
                self.give_up_claim(&topup, "no outcome was written in time", now).await
            }
            State::Failed | State::Verified => self.look_late(&topup, now).await,
            State::Proposed
            | State::AwaitingApproval
            | State::Reserved
            | State::Pending
            | State::Unknown
            | State::Paid
            | State::Held
            | State::Cancelled
            | State::Reversed => self.look(&topup, now).await,
        }
    }

    /// One look. True when the top-up moved.
    async fn look(&self, topup: &Topup, now: Timestamp) -> Result<bool, EngineError> {
        let row = self.store().snapshot(&topup.subscription).await?;
        let pace = self.pace(&topup.payer);
        if topup.state == State::Held
            && let Some(how) = self.late_movement(topup, &row)
        {
            return self.verified(topup, &how, now).await;
        }
        let Some(payer) = self.provider(&topup.payer).map(Arc::clone) else {
            return self
                .keep(topup, &pace, "there is no provider of this name in the configuration", now)
                .await;
        };
        if payer.declares().lookup == Lookup::None || payer.declares().assisted {
            return self.look_at_line(topup, &row, &pace, now).await;
        }
        if payer.declares().lookup == Lookup::ListOnly && payer.declares().lists {
            return self.look_in_list(topup, &payer, &row, &pace).await;
        }
        let found = traced::find(&payer, &row.snapshot, topup).await;
        let now = self.now();
        match found {
            Found::One(answer) => self.found_one(topup, &pace, &answer, now).await,
            Found::Several { count, raw } => {
                let why =
                    format!("{count} top-ups have this reference: a double charge is suspected");
                self.hold(topup, "several_found", &why, &raw, now).await
            }
            Found::Blind { why } => {
                self.keep(topup, &pace, &format!("the look-up failed: {why}"), now).await
            }
            Found::Nothing => self.not_found(topup, &payer, &pace, now).await,
        }
    }

    pub(super) async fn found_one(
        &self,
        topup: &Topup,
        pace: &Pace,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        self.keep_pin(topup, answer, now).await?;
        let after = answer::after_look(pace, topup, answer, now);
        let sent = topup.last_sent_at.unwrap_or(topup.updated_at);
        let is_overdue =
            now.since(sent) >= PENDING_AT_MOST.max(pace.declares.max_processing.times(4));
        if topup.state == State::Pending
            && after.state == State::Pending
            && is_overdue
            && !pace.declares.assisted
        {
            let why = format!("the provider has called it pending for {}", now.since(sent));
            return self.hold(topup, "pending_too_long", &why, "", now).await;
        }
        // A person already has a held one; only news takes it away again. That the provider calls
        // it paid is none where it did so before.
        let leaves_hold =
            topup.paid_at.is_none() && matches!(after.state, State::Paid | State::Failed);
        if after.state == topup.state || (topup.state == State::Held && !leaves_hold) {
            return self.keep(topup, pace, &answer::words(answer).0, now).await;
        }
        self.settle(topup, after, answer::change("reconcile", answer), now).await?;
        Ok(true)
    }

    async fn not_found(
        &self,
        topup: &Topup,
        payer: &Arc<dyn Provider>,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        if topup.state == State::Held {
            return self.keep(topup, pace, "still not found", now).await;
        }
        let sent = topup.last_sent_at.unwrap_or(topup.updated_at);
        if now.since(sent) < pace.settle_min {
            let why = format!(
                "not found, which does not count before {} after the send",
                pace.settle_min
            );
            return self.keep(topup, pace, &why, now).await;
        }
        if let Some(why) = self.blind(topup, payer, now).await? {
            return self.keep(topup, pace, &why, now).await;
        }
        let count = topup.not_found.saturating_add(1);
        let since = topup.not_found_since.unwrap_or(now);
        let counted = Topup { not_found: count, not_found_since: Some(since), ..topup.clone() };
        let spread = now.since(since);
        if count < NOT_FOUND_LIMIT || spread < self.settings().safety.not_found_over {
            let why = format!("not found ({count} counted, over {spread})");
            return self.keep(&counted, pace, &why, now).await;
        }
        let declares = payer.declares();
        // Whoever forgets references is trusted for three quarters of the time it remembers them.
        let remembers = declares
            .ref_window
            .is_none_or(|window| now.since(topup.created_at) < window.times(3).divided_by(4));
        let strict = declares.ref_unique == RefUnique::Strict
            && declares.lookup == Lookup::ByRef
            && remembers
            && !self.is_recovering().await?
            && self.settings().safety.resubmit == Resubmit::Strict;
        if strict && topup.state == State::Unknown && topup.submit_no < MAX_SUBMISSIONS {
            let again = Topup {
                state: State::Reserved,
                reason: "resubmit_same_reference".into(),
                not_found: 0,
                not_found_since: None,
                looks: 0,
                next_action_at: Some(now),
                ..topup.clone()
            };
            let why = format!(
                "not found {count} times over {spread}; the provider is strict: the same reference is sent again"
            );
            answer::log_move(topup, &again, &why);
            self.store().move_topup(topup, again, &Change::by("reconcile", why), &[], now).await?;
            return Ok(true);
        }
        if topup.state == State::Pending {
            // It was there and is gone: that is no "never happened".
            let why = "the provider no longer knows a top-up it had accepted";
            return self.hold(topup, "pending_vanished", why, "", now).await;
        }
        let why = format!(
            "not found {count} times over {spread}; a person must check at {} before anything is sent again",
            topup.payer
        );
        self.hold(topup, "not_found", &why, "", now).await
    }

    /// Positive control: a look-up that cannot find what is surely there proves nothing.
    async fn blind(
        &self,
        topup: &Topup,
        payer: &Arc<dyn Provider>,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let since = now.minus(payer.declares().lookup_horizon);
        let Some(known) = self.store().known_good(&topup.payer, since, &topup.id).await? else {
            return Ok(None);
        };
        let row = self.store().snapshot(&known.subscription).await?;
        Ok(match traced::find(payer, &row.snapshot, &known).await {
            Found::One(_) | Found::Several { .. } => None,
            Found::Nothing => Some(format!(
                "not found, but neither is the verified {}: the look-up is blind",
                known.id
            )),
            Found::Blind { why } => {
                Some(format!("not found, and the control look-up failed: {why}"))
            }
        })
    }

    /// Money that the provider called paid and that shows after all.
    fn late_movement(&self, topup: &Topup, row: &SnapshotRow) -> Option<String> {
        let since = topup.last_sent_at.min(Some(topup.paid_at?))?;
        let plan = row.snapshot.subscription.plan.as_ref();
        match movement(topup, plan, row.snapshot.reading.as_ref()?, since) {
            Movement::Seen(how) => Some(format!("late, but there: {how}")),
            Movement::NotYet(_) | Movement::Silent(_) => None,
        }
    }

    /// Without a look-up only the line itself can tell: money that arrived was paid.
    async fn look_at_line(
        &self,
        topup: &Topup,
        row: &SnapshotRow,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let sent = topup.last_sent_at.unwrap_or(topup.updated_at);
        let plan = row.snapshot.subscription.plan.as_ref();
        let seen =
            row.snapshot.reading.as_ref().map(|reading| movement(topup, plan, reading, sent));
        if let Some(Movement::Seen(how)) = seen {
            let answer =
                Answer::Paid(crate::providers::Evidence { raw: how, ..Default::default() });
            let after = answer::after_look(pace, topup, &answer, now);
            let adopted = Topup { next_action_at: Some(now), ..after };
            self.settle(topup, adopted, answer::change("movement", &answer), now).await?;
            return Ok(true);
        }
        if matches!(topup.state, State::Unknown | State::Pending) && !pace.declares.assisted {
            let waited = now.since(sent);
            let patience = pace
                .settle_min
                .max(pace.declares.balance_lag)
                .plus(self.settings().safety.not_found_over);
            let patience = if topup.state == State::Pending {
                patience.max(PENDING_AT_MOST)
            } else {
                patience
            };
            if waited >= patience {
                let why = format!(
                    "{} has no look-up and the line has not moved in {waited}",
                    topup.payer
                );
                return self.hold(topup, "no_lookup", &why, "", now).await;
            }
        }
        self.store().poll_now(std::slice::from_ref(&topup.subscription), now).await?;
        self.wake(Stage::Poll);
        self.keep(topup, pace, "the line has not moved yet", now).await
    }

    pub(super) async fn hold(
        &self,
        topup: &Topup,
        reason: &str,
        why: &str,
        raw: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        if topup.state == State::Held {
            let pace = self.pace(&topup.payer);
            return self.keep(topup, &pace, why, now).await;
        }
        // It goes on being looked up: late good news is always welcome.
        let held = Topup {
            next_action_at: Some(now.plus(self.pace(&topup.payer).look_after(0))),
            ..answer::held(topup, reason)
        };
        self.settle(topup, held, Change::by("reconcile", why).with(raw), now).await?;
        Ok(true)
    }

    /// Nothing new: the next look at the pace, with the counts as they are in `topup`. Only the
    /// first looks and every tenth after that go into the history, which is kept for ever.
    pub(super) async fn keep(
        &self,
        topup: &Topup,
        pace: &Pace,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let looks = topup.looks.saturating_add(1);
        let after = Topup {
            looks,
            next_action_at: Some(now.plus(pace.look_after(looks))),
            ..topup.clone()
        };
        tracing::debug!(topup.id = %topup.id, looks, "look-up: {why}");
        let change = Change::by("reconcile", why);
        if looks <= 10 || looks % 10 == 0 {
            self.store().keep_topup(topup, after, Some(&change), now).await?;
        } else {
            self.store().keep_topup(topup, after, None, now).await?;
        }
        Ok(false)
    }
}
