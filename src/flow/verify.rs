//! Verify: paid → seen on the line. Only a reading that moved makes `verified`; money that does
//! not show in time is `held`, never bought again.

use super::{Engine, EngineError, Stage, StageReport, answer, instance::Work, traced};
use crate::domain::{Movement, Span, State, Timestamp, Topup, movement};
use crate::providers::{Answer, Found, Lookup};
use crate::store::{Change, SnapshotRow, StoreError};

impl Engine {
    /// Looks at every paid top-up that is due.
    pub(super) async fn verify_due(&self) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        let now = self.now();
        if self.is_idle() {
            return Ok(report);
        }
        let due = self.claim_looks(&[State::Paid], 500, now).await?;
        let mut held = self.holds(Work::Looks, due.len());
        for topup in due {
            report.seen += 1;
            held.done();
            if self.verify(&topup, now).await? { report.done += 1 } else { report.failed += 1 }
        }
        if report.seen > 0 {
            for stage in [Stage::Poll, Stage::Decide, Stage::Notify] {
                self.wake(stage);
            }
        }
        report.next_at = self.store().next_topup_due(&[State::Paid]).await?;
        Ok(report)
    }

    async fn verify(&self, topup: &Topup, now: Timestamp) -> Result<bool, EngineError> {
        let row = self.store().snapshot(&topup.subscription).await?;
        let pace = self.pace(&topup.payer);
        let paid_at = topup.paid_at.unwrap_or(topup.updated_at);
        // Money may show while the answer is still on its way, so any reading since the send counts.
        let since = topup.last_sent_at.unwrap_or(paid_at).min(paid_at);
        let plan = row.snapshot.subscription.plan.as_ref();
        let seen =
            row.snapshot.reading.as_ref().map(|reading| movement(topup, plan, reading, since));
        let detail = match seen {
            Some(Movement::Seen(how)) => return self.verified(topup, &how, now).await,
            Some(Movement::NotYet(why)) => why,
            Some(Movement::Silent(why)) => why.to_owned(),
            None => "the line has no usable reading".to_owned(),
        };
        if self.store().open_pin(&topup.id).await?.is_some() {
            // The money is in the code, and nothing moves until somebody redeems it.
            let next_action_at = Some(now.plus(Span::hours(1)));
            let after = Topup { next_action_at, ..topup.clone() };
            self.store().keep_topup(topup, after, None, now).await?;
            return Ok(false);
        }
        // The looks are spread by the list; when it is used up, time is up.
        let total = pace.verify.iter().fold(Span::ZERO, |sum, span| sum.plus(*span));
        let deadline = paid_at.plus(total.max(pace.declares.balance_lag.times(4)));
        if now >= deadline {
            return self.not_seen(topup, &row, &detail, now).await;
        }
        let mut at = paid_at;
        let next = pace.verify.iter().find_map(|span| {
            at = at.plus(*span);
            (at > now).then_some(at)
        });
        let next =
            next.unwrap_or(deadline).max(paid_at.plus(pace.declares.balance_lag)).min(deadline);
        // A reading taken just now was the look; otherwise one is asked for.
        let fresh = row
            .snapshot
            .reading
            .as_ref()
            .is_some_and(|r| r.at > topup.updated_at && now.since(r.at) < Span::seconds(1));
        let after = Topup {
            next_action_at: Some(next.max(now.plus(Span::from_ms(100)))),
            looks: topup.looks.saturating_add(1),
            ..topup.clone()
        };
        self.store().keep_topup(topup, after, None, now).await?;
        if !fresh {
            self.store().poll_now(std::slice::from_ref(&topup.subscription), now).await?;
        }
        tracing::debug!(topup.id = %topup.id, "not verified yet: {detail}");
        Ok(false)
    }

    /// The effect was seen.
    pub(super) async fn verified(
        &self,
        topup: &Topup,
        how: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let after = Topup {
            state: State::Verified,
            reason: "verified".into(),
            next_action_at: None,
            ..topup.clone()
        };
        let after = self.looked_at_late(after, now);
        if let Some(pin) = self.store().open_pin(&topup.id).await? {
            let seen = ("verify", Some("its effect was seen on the line"));
            self.store().move_pin(&pin, "redeemed", seen, now).await?;
        }
        let notices = self.notices_of(&after, how, now).await?;
        answer::log_move(topup, &after, how);
        let change = Change::by("verify", how);
        match self.store().move_topup(topup, after, &change, &notices, now).await {
            Ok(after) => {
                self.meters().moved(topup, &after, now);
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Time is up. The provider is asked once more, because it may have taken the money back.
    async fn not_seen(
        &self,
        topup: &Topup,
        row: &SnapshotRow,
        detail: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let reversed =
            match self.provider(&topup.payer).filter(|p| p.declares().lookup != Lookup::None) {
                Some(payer) => match traced::find(payer, &row.snapshot, topup).await {
                    Found::One(Answer::Reversed(evidence)) => Some(evidence),
                    Found::One(_)
                    | Found::Nothing
                    | Found::Several { .. }
                    | Found::Blind { .. } => None,
                },
                None => None,
            };
        if let Some(evidence) = reversed {
            let after = Topup {
                state: State::Reversed,
                reason: "reversed".into(),
                next_action_at: None,
                ..topup.clone()
            };
            self.settle(topup, after, answer::change("verify", &Answer::Reversed(evidence)), now)
                .await?;
            return Ok(true);
        }
        let why = format!("paid, but the line did not move in time: {detail}");
        // Still looked at: a late movement verifies it without a person.
        let held = Topup {
            next_action_at: Some(now.plus(self.pace(&topup.payer).look_after(0))),
            ..answer::held(topup, "paid_no_movement")
        };
        self.settle(topup, held, Change::by("verify", why), now).await?;
        Ok(true)
    }
}
