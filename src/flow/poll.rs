//! Poll: due lines → readings. Each reader has its own loop, so a slow one never starves others.

use super::{Engine, EngineError, Stage, StageReport, assess::assess};
use crate::domain::{Cadence, Policy, Quality, Reading, Span, Timestamp, next_poll};
use crate::providers::Provider;
use crate::store::{DuePoll, Polled};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::sync::Arc;

/// Readings written in one commit at most.
const BATCH: usize = 512;

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
        let lease = declares.timeout.plus(Span::minutes(1));
        let mut under_way = FuturesUnordered::new();
        let mut exhausted = false;
        loop {
            // Claim in bunches: half of the slots free before the next claim.
            let free = declares.concurrency.saturating_sub(under_way.len());
            if !exhausted && !self.is_stopping() && free * 2 >= declares.concurrency {
                let due = self.store().claim_polls(reader, free.max(1), lease, self.now()).await?;
                exhausted = due.len() < free;
                for poll in due {
                    under_way.push(self.ask(Arc::clone(provider), reader, poll));
                }
            }
            if under_way.is_empty() {
                break;
            }
            let Some(polled) = (&mut under_way).ready_chunks(BATCH).next().await else { break };
            report.seen += polled.len();
            report.done += polled.iter().filter(|p| p.reading.quality == Quality::Ok).count();
            report.failed += polled.iter().filter(|p| p.reading.quality != Quality::Ok).count();
            self.store().apply_polls(&polled, self.now()).await?;
            // A long round is progress too: the watchdog must not mistake it for a stuck loop.
            self.beats().beat(&format!("poll {reader}"), self.now(), None);
            self.wake(Stage::Decide);
            self.wake(Stage::Verify);
        }
        report.next_at = self.store().next_poll_due(reader).await?;
        Ok(report)
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
        let answer = provider.read(&poll.subscription).await;
        let now = self.now();
        let retry_after = answer.as_ref().err().and_then(|error| error.retry_after);
        let (quality, values, detail) = assess(&poll.subscription, poll.currency, answer);
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
