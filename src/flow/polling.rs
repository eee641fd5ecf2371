//! Polling: due lines → readings, bunch by bunch. Each reader has its own loop, so a slow one never
//! starves others; and within a loop, a line that does not answer holds up no other.

use super::{Engine, EngineError, Stage, StageReport, gather::Answers, instance::Work};
use crate::clock::since_boot;
use crate::domain::{Policy, Quality, Span, Timestamp};
use crate::providers::Provider;
use crate::store::{DuePoll, Polled};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// While some lines have not answered yet, it is looked this often for others that became due.
const LOOK_AGAIN: Span = Span::from_ms(250);

/// Lines become due one by one; they are asked in bunches at least this far apart, where nobody rang for
/// them, and each costs a fraction. Larger ones are cheaper still, but what one of them brings waits for
/// the others.
pub(super) const BUNCH: Span = Span::from_ms(100);

/// Lines claimed at once, counted in those that can be asked at once.
const AHEAD: u8 = 4;

/// What came of a claim of `most` lines.
struct Claimed {
    due: Vec<(DuePoll, Timestamp)>,
    most: usize,
    /// When more of those may be asked that are held back after a silence.
    held_back: Option<Timestamp>,
}

/// What a round of polls keeps to.
struct Terms<'a> {
    reader: &'a str,
    provider: &'a Arc<dyn Provider>,
    policy: Policy,
    /// Calls under way at once.
    slots: usize,
    /// Lines claimed and not answered.
    most: usize,
    lease: Span,
}

impl<'a> Terms<'a> {
    fn of(engine: &'a Engine, reader: &'a str) -> Option<Self> {
        let provider =
            engine.provider(reader).filter(|p| p.declares().reads && p.declares().polled)?;
        let declares = provider.declares();
        let slots = declares.concurrency;
        // Whoever must keep to a rate waits with the claim in hand: nothing is claimed on top.
        let ahead = if engine.0.limits.contains_key(reader) { 1 } else { AHEAD };
        Some(Self {
            reader,
            provider,
            policy: engine.policy(),
            slots,
            most: slots.saturating_mul(usize::from(ahead)),
            lease: declares.timeout.times(i64::from(ahead)).plus(engine.lease()),
        })
    }
}

impl Engine {
    /// Polls everything that is due at `reader`, bounded by its concurrency and rate, until
    /// nothing is. Results are written in bunches while other calls are still under way.
    pub async fn poll_reader(&self, reader: &str) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        let Some(terms) = Terms::of(self, reader) else { return Ok(report) };
        let mut held = self.holds(Work::Polls, 0);
        let (mut claimed, mut looked) = (VecDeque::<(DuePoll, Timestamp)>::new(), None);
        let (mut under_way, mut writing) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut claims = FuturesUnordered::new();
        let (mut answers, mut held_back) = (Answers::default(), None);
        loop {
            // Claims come in bunches too: half of what may be claimed is free before the next. Never
            // while answers are written, nor those while lines are claimed: a line that was due before
            // its answer was written must not be found due after.
            let free = terms.most.saturating_sub(claimed.len() + under_way.len());
            let may = claims.is_empty() && writing.is_empty();
            let idle = may && !self.is_stopping() && !self.is_idle();
            if idle && free * 2 >= terms.most && is_time(looked) {
                claims.push(self.claim_lines(&terms, free.max(1)));
            }
            // Who stops asks nobody new; the claims run out by themselves.
            while under_way.len() < terms.slots
                && !self.is_stopping()
                && let Some((poll, until)) = claimed.pop_front()
            {
                let provider = Arc::clone(terms.provider);
                let asked = self.ask(provider, terms.reader, &terms.policy, poll);
                under_way.push(asked.map(move |heard| (heard, until)));
            }
            held.set(claimed.len() + under_way.len());
            let may = claims.is_empty() && writing.is_empty();
            if may
                && under_way.is_empty()
                && let Some(pause) = self.more_soon(reader, &answers).await?
            {
                tokio::time::sleep(pause).await;
                looked = None;
                continue;
            }
            let due = answers.due();
            let waited = due.is_some_and(|due| due <= tokio::time::Instant::now());
            if may && (answers.is_full() || under_way.is_empty() || waited) {
                if !answers.is_empty() {
                    writing.push(self.write(reader, answers.take()));
                } else if under_way.is_empty() {
                    break;
                }
            }
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(heard) = under_way.next(), if !answers.is_full() => answers.add(heard),
                Some(found) = claims.next() => {
                    let Claimed { due, most, held_back: until } = found?;
                    // Where fewer are due than there is room for, the next look has time.
                    looked = (due.len() < most).then(since_boot);
                    held_back = until;
                    claimed.extend(due);
                }
                Some(written) = writing.next() => report.add(written?),
                () = wait, if writing.is_empty() && !waited => {}
                () = tokio::time::sleep(LOOK_AGAIN.to_std()), if idle && !under_way.is_empty() => {}
            }
        }
        // While the overdue are held back, the next of them is due when it may be claimed.
        report.next_at = match held_back {
            Some(at) => Some(at),
            None => self.store().next_poll_due(reader).await?,
        };
        Ok(report)
    }

    /// While nobody is being asked: how long to wait for lines that become due before `answers` are to be
    /// written. The more are written at once, the less each costs.
    async fn more_soon(
        &self,
        reader: &str,
        answers: &Answers,
    ) -> Result<Option<Duration>, EngineError> {
        let now = tokio::time::Instant::now();
        let left = answers.due().map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        if left.is_zero() || !answers.may_wait() || self.is_stopping() || self.is_idle() {
            return Ok(None);
        }
        let pause = left.min(BUNCH.to_std());
        let next = self.store().next_poll_after(reader, self.now()).await?;
        Ok(next.filter(|at| at.since(self.now()).to_std() <= left).map(|_| pause))
    }

    /// Claims due lines, each until its lease runs out; after a silence of the daemon those first
    /// that became due since its start, and of the others as many as may be asked by now.
    async fn claim_lines(&self, terms: &Terms<'_>, most: usize) -> Result<Claimed, EngineError> {
        let (store, reader, now) = (self.store(), terms.reader, self.now());
        let (always, until) = (Timestamp::from_ms(i64::MIN), now.plus(terms.lease));
        let open = self.overdue_open(reader, now);
        let after = open.map_or(always, |(overdue, ..)| overdue.began);
        let mut due = store.claim_polls_due(reader, (after, now), most, until, now).await?;
        let held_back = open.map(|(_, _, next_at)| next_at);
        if let Some((overdue, open, _)) = open {
            let open = open.min(most.saturating_sub(due.len()));
            if open > 0 {
                let old = (always, overdue.began);
                let late = store.claim_polls_due(reader, old, open, until, now).await?;
                self.caught_up(reader, late.len());
                due.extend(late);
            }
        }
        let due = due.into_iter().map(|poll| (poll, until)).collect();
        Ok(Claimed { due, most, held_back })
    }

    /// The longest time for which a line may be claimed by anybody.
    pub(super) fn longest_claim(&self) -> Span {
        let timeouts = self.providers().values().map(|p| p.declares().timeout);
        let longest = timeouts.max().unwrap_or(Span::ZERO);
        longest.times(i64::from(AHEAD)).plus(self.lease())
    }

    /// Writes answers in one commit and wakes who waits for them.
    async fn write(&self, reader: &str, answers: Answers) -> Result<StageReport, EngineError> {
        let has_news = !answers.news.is_empty();
        let is_good = |(p, _): &&(Polled, Timestamp)| p.reading.quality == Quality::Ok;
        let good = answers.news.iter().filter(is_good).count();
        let (seen, done) = (answers.len(), good + answers.same.len());
        let late = self.store().apply_claimed(answers.news, answers.same, self.now()).await?;
        if late > 0 {
            tracing::warn!(
                provider = reader,
                late,
                "answers came after others had taken the lines over; they are dropped"
            );
        }
        // A long round is progress too: the watchdog must not mistake it for a stuck loop.
        let name = format!("poll {reader}");
        self.beats().beat(&name, self.now(), None);
        self.beats().progress(&name, self.now());
        if has_news {
            self.wake(Stage::Decide);
            self.wake(Stage::Verify);
        }
        Ok(StageReport { seen, done, failed: seen - done, next_at: None })
    }
}

/// True when it is time to look for due lines, `looked` being when too few were found.
fn is_time(looked: Option<Span>) -> bool {
    looked.is_none_or(|at| since_boot().ms().saturating_sub(at.ms()) >= LOOK_AGAIN.ms())
}
