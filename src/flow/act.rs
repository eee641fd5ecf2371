//! Act: reserved orders → sent, once. The only place from which money requests leave.
//!
//! Invariant: `submitting` is committed before the first byte leaves, with no transaction open
//! while it is on the wire; whatever is not clearly yes or no afterwards is `unknown`.

use super::{Engine, EngineError, Stage, StageReport, answer, decide::order_of};
use crate::clock::since_boot;
use crate::domain::{Span, State, Timestamp, Topup};
use crate::providers::Answer;
use crate::store::{Change, StoreError};
use futures_util::StreamExt;

/// From the claim to the call: a process that was paused longer gives up instead of sending.
const SEND_BUDGET: Span = Span::seconds(5);

/// Orders under way at once.
const CONCURRENCY: usize = 16;

impl Engine {
    /// Sends every reserved order that is due and allowed.
    pub(super) async fn act_due(&self) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        if !self.may_pay() {
            return Ok(report);
        }
        let now = self.now();
        let due = self.store().due_topups(&[State::Reserved], 200, now).await?;
        if !due.is_empty() {
            let switch = self.money_switch(now).await?;
            let shut = switch.off.as_ref().or(switch.storm.as_ref()).or(switch.clock.as_ref());
            if let Some(why) = shut {
                // Reserved money waits behind the switch; nothing is lost, nothing is sent.
                tracing::warn!(orders = due.len(), "orders wait: {why}");
                return Ok(StageReport { next_at: Some(now.plus(Span::minutes(1))), ..report });
            }
        }
        let mut calls = Vec::new();
        for topup in due {
            report.seen += 1;
            if let Some(at) = self.wait_for_turn(&topup.payer, now).await? {
                report.next_at = Some(report.next_at.map_or(at, |next| next.min(at)));
                continue;
            }
            // The claim counts against the payer's rate at once, so claims go one after the other.
            if let Some(claimed) = self.claim(&topup, now).await? {
                calls.push(claimed);
            }
        }
        let outcomes: Vec<Result<(), EngineError>> = futures_util::stream::iter(calls)
            .map(|(claimed, started)| self.send(claimed, started))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        for outcome in outcomes {
            outcome?;
            report.done += 1;
        }
        if report.done > 0 {
            for stage in [Stage::Reconcile, Stage::Verify, Stage::Notify, Stage::Decide] {
                self.wake(stage);
            }
        }
        Ok(report)
    }

    /// When this payer's rate allows the next order; `None` for now.
    async fn wait_for_turn(
        &self,
        payer: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let rate = self.settings().safety.payer_rate;
        let (sent, first) = self.store().sent_since(payer, now.minus(rate.per)).await?;
        if sent < i64::from(rate.events) {
            return Ok(None);
        }
        Ok(Some(first.map_or(now, |at| at.plus(rate.per)).max(now.plus(Span::from_ms(1)))))
    }

    /// Claims an order for sending: one compare-and-set, committed before anything else happens.
    /// `None` when somebody else has it.
    async fn claim(
        &self,
        topup: &Topup,
        now: Timestamp,
    ) -> Result<Option<(Topup, Span)>, EngineError> {
        let Some(payer) = self.provider(&topup.payer) else {
            tracing::error!(topup.id = %topup.id, provider = topup.payer, "no such provider; the order waits");
            return Ok(None);
        };
        let started = since_boot();
        let declares = payer.declares();
        let deadline = now
            .plus(SEND_BUDGET)
            .plus(declares.timeout.max(declares.max_processing))
            .plus(Span::seconds(20));
        let claimed = Topup {
            state: State::Submitting,
            reason: "submitting".into(),
            submit_no: topup.submit_no.saturating_add(1),
            last_sent_at: Some(now),
            next_action_at: Some(deadline),
            ..topup.clone()
        };
        let why = format!("submission {} of the frozen request", claimed.submit_no);
        match self.store().move_topup(topup, claimed, &Change::by("act", why), &[], now).await {
            Ok(claimed) => Ok(Some((claimed, started))),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&self, claimed: Topup, started: Span) -> Result<(), EngineError> {
        let row = self.store().snapshot(&claimed.subscription).await?;
        let order = order_of(&row.snapshot, &claimed);
        let answer = match (self.provider(&claimed.payer), &claimed.request) {
            (Some(payer), Some(request)) => {
                let spent = since_boot().ms().saturating_sub(started.ms());
                if spent < SEND_BUDGET.ms() {
                    tracing::info!(topup.id = %claimed.id, provider = claimed.payer, amount = %claimed.amount, "sending top-up");
                    payer.topup(&order, request).await
                } else {
                    Answer::NotSent { why: format!("{spent} ms passed since the claim; not sent") }
                }
            }
            _ => Answer::NotSent { why: "the order has no payer or no frozen request".into() },
        };
        let now = self.now();
        // The last possible moment of the send is now, whenever it began.
        let sent = Topup { last_sent_at: Some(now), ..claimed.clone() };
        let after = answer::after_send(&self.pace(&claimed.payer), &sent, &answer, now);
        self.settle(&claimed, after, answer::change("provider", &answer), now).await
    }
}
