//! Poll: due lines → readings. Each reader has its own loop, so a slow one never starves others.

use super::{Engine, EngineError, Stage, StageReport, assess::assess, traced};
use crate::clock::since_boot;
use crate::domain::{Cadence, Policy, Quality, Reading, Span, Timestamp, next_poll};
use crate::providers::Provider;
use crate::store::{DuePoll, Polled};
use crate::telemetry::spans;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tracing::Instrument as _;

/// Readings written in one commit at most.
const BATCH: usize = 512;

/// How long a reading waits for others to be written with.
const GATHER: Duration = Duration::from_millis(25);

/// Lines claimed at once, counted in those that can be asked at once.
const AHEAD: u8 = 4;

impl Engine {
    /// Polls everything that is due at `reader`, bounded by its concurrency and rate, until
    /// nothing is. Results are written in bunches while other calls are still under way.
    pub async fn poll_reader(&self, reader: &str) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        let Some(provider) =
            self.provider(reader).filter(|p| p.declares().reads && p.declares().polled)
        else {
            return Ok(report);
        };
        let declares = provider.declares();
        let slots = declares.concurrency;
        // Whoever must keep to a rate waits with the claim in hand: nothing is claimed on top.
        let ahead = if self.0.limits.contains_key(reader) { 1 } else { AHEAD };
        let most = slots.saturating_mul(usize::from(ahead));
        let lease = declares.timeout.times(i64::from(ahead)).plus(Span::minutes(1));
        let (mut claimed, mut exhausted) = (VecDeque::new(), false);
        let (mut under_way, mut writing) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (mut answers, mut patience) = (Vec::new(), None);
        loop {
            // Claims come in bunches too: half of what may be claimed is free before the next. Never
            // while answers are written: the claim would wait for the writer, and nobody for that.
            let free = most.saturating_sub(claimed.len() + under_way.len());
            let idle = writing.is_empty() && !self.is_stopping();
            if !exhausted && idle && free * 2 >= most {
                let due = self.claim_polls(reader, free.max(1), lease, &mut report).await?;
                exhausted = due.len() < free;
                claimed.extend(due);
            }
            // Who stops asks nobody new; the claims run out by themselves.
            while under_way.len() < slots
                && !self.is_stopping()
                && let Some(poll) = claimed.pop_front()
            {
                under_way.push(self.ask(Arc::clone(provider), reader, poll));
            }
            let complete = answers.len() >= BATCH || under_way.is_empty() || patience.is_none();
            if writing.is_empty() && complete {
                if !answers.is_empty() {
                    writing.push(self.write(reader, std::mem::take(&mut answers)));
                } else if under_way.is_empty() {
                    break;
                }
            }
            tokio::select! {
                Some(polled) = under_way.next(), if answers.len() < BATCH => {
                    if answers.is_empty() {
                        patience = Some(Box::pin(tokio::time::sleep(GATHER)));
                    }
                    answers.push(polled);
                }
                Some(written) = writing.next() => report.add(written?),
                () = async { if let Some(patience) = &mut patience { patience.await } }, if patience.is_some() => patience = None,
            }
        }
        // While the overdue are held back, the next of them is due when it may be claimed.
        report.next_at = match report.next_at {
            Some(at) => Some(at),
            None => self.store().next_poll_due(reader).await?,
        };
        Ok(report)
    }

    /// Claims due lines; after a silence of the daemon those first that became due since its start,
    /// and of the others as many as may be asked by now.
    async fn claim_polls(
        &self,
        reader: &str,
        most: usize,
        lease: Span,
        report: &mut StageReport,
    ) -> Result<Vec<DuePoll>, EngineError> {
        let (store, now) = (self.store(), self.now());
        let always = Timestamp::from_ms(i64::MIN);
        let Some((overdue, open, next_at)) = self.overdue_open(reader, now) else {
            report.next_at = None;
            return Ok(store.claim_polls_due(reader, (always, now), most, lease, now).await?);
        };
        report.next_at = Some(next_at);
        let mut due = store.claim_polls_due(reader, (overdue.began, now), most, lease, now).await?;
        let open = open.min(most.saturating_sub(due.len()));
        if open > 0 {
            let old = (always, overdue.began);
            let late = store.claim_polls_due(reader, old, open, lease, now).await?;
            self.caught_up(reader, late.len());
            due.extend(late);
        }
        Ok(due)
    }

    /// Writes answers in one commit and wakes who waits for them.
    async fn write(&self, reader: &str, answers: Vec<Polled>) -> Result<StageReport, EngineError> {
        self.store().apply_polls(&answers, self.now()).await?;
        // A long round is progress too: the watchdog must not mistake it for a stuck loop.
        let name = format!("poll {reader}");
        self.beats().beat(&name, self.now(), None);
        self.beats().progress(&name, self.now());
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        let done = answers.iter().filter(|p| p.reading.quality == Quality::Ok).count();
        let seen = answers.len();
        Ok(StageReport { seen, done, failed: seen - done, next_at: None })
    }

    /// Polls the named lines now, whatever is due. Returns their readings.
    pub async fn poll_lines(&self, ids: &[String]) -> Result<Vec<Reading>, EngineError> {
        let due = self.store().due_polls(ids).await?;
        let calls = due.into_iter().filter_map(|poll| {
            let reader = poll.subscription.reader.clone();
            let provider = self.provider(&reader).filter(|p| p.declares().polled)?;
            let provider = Arc::clone(provider);
            Some(async move { self.ask(provider, &reader, poll).await })
        });
        let polled: Vec<Polled> =
            futures_util::stream::iter(calls).buffer_unordered(32).collect().await;
        self.store().apply_polls(&polled, self.now()).await?;
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        Ok(polled.into_iter().map(|p| p.reading).collect())
    }

    async fn ask(&self, provider: Arc<dyn Provider>, reader: &str, poll: DuePoll) -> Polled {
        if let Some(limit) = self.0.limits.get(reader) {
            limit.until_ready().await;
        }
        let asked = since_boot();
        let span = spans::call(reader, "read");
        let answer = provider.read(&poll.subscription).instrument(span.clone()).await;
        let took = Span::from_ms(since_boot().ms().saturating_sub(asked.ms()));
        let now = self.now();
        let retry_after = answer.as_ref().err().and_then(|error| error.retry_after);
        let (quality, values, detail) = assess(&poll.subscription, poll.currency, answer);
        spans::came_out(&span, tracing::field::display(quality), traced::is_useless(quality));
        self.meters().polled(reader, quality, took);
        if quality != Quality::Ok {
            let detail = detail.as_deref().unwrap_or_default();
            tracing::warn!(subscription.id = %poll.subscription.id, provider = reader, %quality, detail, "poll gave no usable reading");
        }
        let subscription = poll.subscription.id;
        let reading =
            Reading { subscription, provider: reader.to_owned(), at: now, quality, values, detail };
        let next_poll_at = self.next_poll(&reading, poll.failures, retry_after, now);
        Polled { reading, next_poll_at }
    }

    /// The next poll by what this answer alone tells; a decision may ask for one sooner.
    pub(super) fn next_poll(
        &self,
        reading: &Reading,
        failures: i64,
        retry_after: Option<Span>,
        now: Timestamp,
    ) -> Timestamp {
        let policy = self.policy();
        let pace = calm_pace(&policy, reading, now);
        let jitter = fastrand::i64(-100..=100);
        if reading.quality == Quality::Ok {
            return next_poll(pace, jitter, now);
        }
        let first = self.settings().flow.retry_after.min(policy.poll_every);
        let backed_off = pace.after_failures(first, failures.saturating_add(1));
        let at = next_poll(backed_off, jitter, now);
        at.max(now.plus(retry_after.unwrap_or(Span::ZERO).min(Span::days(1))))
    }
}

fn calm_pace(policy: &Policy, reading: &Reading, now: Timestamp) -> Cadence {
    let values = &reading.values;
    let deadline = [values.service_end_at, values.number_loss_at]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min();
    Cadence::by_deadline(policy, deadline, false, now)
}
