//! Act: reserved orders → sent, once. The only place from which money requests leave.
//!
//! Invariant: `submitting` is committed before the first byte leaves, with no transaction open
//! while it is on the wire; whatever is not clearly yes or no afterwards is `unknown`.

use super::{
    Engine, EngineError, Stage, StageReport, answer, calls::Calls, decide::order_of,
    instance::Work, traced,
};
use crate::clock::since_boot;
use crate::domain::{Snapshot, Span, State, Subscription, Timestamp, Topup};
use crate::failpoint;
use crate::providers::Answer;
use crate::store::{Change, Sent, StoreError};
use crate::telemetry::spans;
use tracing::Instrument as _;

/// From the claim to the call: a process that was paused longer gives up instead of sending.
const SEND_BUDGET: Span = Span::seconds(5);

/// What came of an order's turn.
enum Turn {
    /// It is ours to send, for that line, since then.
    Claimed(Box<Topup>, Box<Subscription>, Span),
    /// It is not sent now.
    Unfit,
    /// The payer's rate allows the next order then.
    At(Timestamp),
}

impl Engine {
    /// Sends every reserved order at `payer` that is due and allowed; also those that become so
    /// while others are on the wire.
    pub async fn pay_through(&self, payer: &str) -> Result<StageReport, EngineError> {
        let mut calls = Calls::hearing(self.0.bells.listen(Stage::Act));
        loop {
            let looked = self.send_due(payer, &mut calls).await;
            if !calls.go_on(looked).await {
                return calls.end().await;
            }
            // A round that goes on and on is no stuck loop.
            self.beats().beat(&format!("act {payer}"), self.now(), None);
        }
    }

    /// Claims every order that is due and allowed now. Each is sent as soon as it is claimed, since
    /// it has little time from then on; meanwhile the next one is claimed.
    async fn send_due<'a>(&'a self, payer: &str, calls: &mut Calls<'a>) -> Result<(), EngineError> {
        let (due, wait) = calls.beside(Box::pin(self.look_for_due(payer))).await?;
        calls.report.next_at = wait;
        for topup in due {
            calls.make_room(self.settings().flow.concurrency).await;
            if calls.is_in_trouble() {
                break;
            }
            calls.report.seen += 1;
            // The claim counts against the payer's rate at once, so claims go one after the other.
            match calls.beside(Box::pin(self.turn_of(payer, &topup))).await? {
                Turn::Claimed(claimed, line, started) => {
                    calls.begin(self.send(*claimed, *line, started));
                }
                Turn::Unfit => {}
                Turn::At(at) => {
                    calls.report.next_at = Some(at);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Orders that may be sent now; none, and when to look again, while the switch is off.
    async fn look_for_due(
        &self,
        payer: &str,
    ) -> Result<(Vec<Topup>, Option<Timestamp>), EngineError> {
        if !self.may_pay() || self.is_stopping() || self.is_idle() {
            return Ok((vec![], None));
        }
        let now = self.now();
        self.ask_prices(payer, now).await?;
        let due = self.store().due_orders(payer, 200, now).await?;
        if due.is_empty() {
            return Ok((due, None));
        }
        self.recover().await?;
        let switch = self.money_switch(now).await?;
        if let Some((_, why)) = switch.stops().first() {
            // Reserved money waits behind the switch; nothing is lost, nothing is sent.
            tracing::debug!(orders = due.len(), "orders wait: {why}");
            return Ok((vec![], Some(now.plus(Span::minutes(1)))));
        }
        Ok((due, None))
    }

    /// The next order's turn: it is claimed, where it still fits and the payer's rate allows it now.
    async fn turn_of(&self, payer: &str, topup: &Topup) -> Result<Turn, EngineError> {
        let now = self.now();
        if let Some(at) = self.wait_for_turn(payer, now).await? {
            return Ok(Turn::At(at));
        }
        let row = self.store().snapshot(&topup.subscription).await?;
        if !self.is_fit(topup, &row.snapshot, now).await? {
            return Ok(Turn::Unfit);
        }
        let line = Box::new(row.snapshot.subscription);
        let claimed = self.claim(topup, now).await?;
        Ok(claimed
            .map_or(Turn::Unfit, |(topup, started)| Turn::Claimed(Box::new(topup), line, started)))
    }

    /// A last look before the claim. An order that waited so long that its readings grew old waits
    /// for a fresh one; one whose frozen request speaks of another number than the line has now is
    /// called off. A second submission changes nothing of the first and needs neither.
    async fn is_fit(
        &self,
        topup: &Topup,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        if topup.maybe_sent > 0 {
            return Ok(true);
        }
        let line = &snapshot.subscription;
        let number = line.msisdn.as_ref().map(|m| m.as_str().trim_start_matches('+'));
        let targets = [number, line.iccid.as_ref().map(|i| i.as_str())];
        let request = topup.request.as_deref().unwrap_or_default();
        if !targets.into_iter().flatten().any(|target| request.contains(target)) {
            let why = "the line has another number than the frozen request";
            let gone = Topup {
                state: State::Cancelled,
                reason: "target_changed".into(),
                next_action_at: None,
                ..topup.clone()
            };
            self.settle(topup, gone, Change::by("act", why), now).await?;
            return Ok(false);
        }
        if !self.is_placed(topup, line, now).await? {
            return Ok(false);
        }
        let age = snapshot.reading.as_ref().map(|reading| now.since(reading.at));
        if self.is_assisted(&topup.payer) || age.is_some_and(|age| age <= self.policy().fresh_for())
        {
            return Ok(true);
        }
        let later = Topup { next_action_at: Some(now.plus(Span::seconds(2))), ..topup.clone() };
        self.store().keep_topup(topup, later, None, now).await?;
        self.store().poll_now(std::slice::from_ref(&topup.subscription), now).await?;
        self.wake(Stage::Poll);
        Ok(false)
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
            .plus(Span::seconds(20).min(self.lease()));
        let claimed = Topup {
            state: State::Submitting,
            reason: "submitting".into(),
            submit_no: topup.submit_no.saturating_add(1),
            sent_by: self.recorder().map(|recorder| recorder.id().to_owned()),
            last_sent_at: Some(now),
            next_action_at: Some(deadline),
            ..topup.clone()
        };
        let why = format!("submission {} of the frozen request", claimed.submit_no);
        let rate = self.settings().safety.payer_rate;
        let turn = (i64::from(rate.events), now.minus(rate.per));
        match self.store().claim_order(topup, claimed, &Change::by("act", why), turn, now).await {
            Ok(claimed) => Ok(Some((claimed, started))),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn send(
        &self,
        claimed: Topup,
        line: Subscription,
        started: Span,
    ) -> Result<bool, EngineError> {
        let _held = self.holds(Work::Orders, 1);
        let order = order_of(&line, &claimed);
        let answer = match (self.provider(&claimed.payer), &claimed.request) {
            (Some(payer), Some(request)) => match self.record(&claimed, started).await? {
                Ok(()) => {
                    tracing::info!(topup.id = %claimed.id, provider = claimed.payer, amount = %claimed.amount, "sending top-up");
                    failpoint::at("act:sending").await;
                    let span = spans::call(&claimed.payer, "topup");
                    let answer = payer.topup(&order, request).instrument(span.clone()).await;
                    let (word, is_failed) = traced::sent(&answer);
                    spans::came_out(&span, word, is_failed);
                    failpoint::at("act:answered").await;
                    answer
                }
                Err(why) => Answer::NotSent { why },
            },
            _ => Answer::NotSent { why: "the order has no payer or no frozen request".into() },
        };
        let now = self.now();
        self.keep_pin(&claimed, &answer, now).await?;
        self.record_outcome(&claimed, &answer, now).await;
        failpoint::at("act:outcome_recorded").await;
        // The last possible moment of the send is now, whenever it began.
        let sent = Topup { last_sent_at: Some(now), ..claimed.clone() };
        let after = answer::after_send(&self.pace(&claimed.payer), &sent, &answer, now);
        self.settle(&claimed, after, answer::change("provider", &answer), now).await?;
        for stage in [Stage::Reconcile, Stage::Verify, Stage::Notify, Stage::Decide] {
            self.wake(stage);
        }
        Ok(true)
    }

    /// Writes the SEND line, and looks at the budget after that. Nothing may leave but after `Ok`.
    async fn record(
        &self,
        claimed: &Topup,
        started: Span,
    ) -> Result<Result<(), String>, EngineError> {
        let Some(recorder) = self.recorder() else {
            return Ok(Err("this process has no flight recorder".into()));
        };
        let need = self.store().need_identity(&claimed.need).await?;
        let head = self.store().journal_head().await?;
        let line = Sent::of(claimed, (need.0, &need.1), (head.seq, head.hash));
        failpoint::at("act:claimed").await;
        if let Err(error) = recorder.send(line, self.now()).await {
            tracing::error!(topup.id = %claimed.id, "not sent: the flight recorder takes no line: {error}");
            return Ok(Err(format!("the flight recorder takes no line: {error}")));
        }
        failpoint::at("act:recorded").await;
        let spent = since_boot().ms().saturating_sub(started.ms());
        if spent >= SEND_BUDGET.ms() {
            return Ok(Err(format!("{spent} ms passed since the claim; not sent")));
        }
        Ok(Ok(()))
    }

    /// Keeps the outcome beside the database as well. A line that cannot be written costs a
    /// look-up after a crash, nothing else.
    async fn record_outcome(&self, claimed: &Topup, answer: &Answer, now: Timestamp) {
        let Some(recorder) = self.recorder() else { return };
        let outcome = answer::outcome(answer);
        let written = recorder.result(&claimed.reference, claimed.submit_no, outcome, now).await;
        if let Err(error) = written {
            tracing::error!(topup.id = %claimed.id, "the flight recorder takes no line: {error}");
        }
    }
}
