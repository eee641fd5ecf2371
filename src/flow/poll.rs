//! Poll: one line is asked, and its answer judged. See [`super::polling`] for when.

use super::{Engine, EngineError, Stage, assess::assess, traced};
use crate::clock::since_boot;
use crate::domain::{
    Cadence, MOST_JITTER, Phase, Policy, Quality, Reading, Span, Timestamp, next_poll,
};
use crate::providers::Provider;
use crate::store::{DuePoll, LONGEST_RUN, Polled, SeenAgain, Steady, steady_mark};
use crate::telemetry::spans;
use futures_util::StreamExt;
use std::sync::Arc;
use tracing::Instrument as _;

/// What came of asking a line.
#[derive(Debug)]
pub(super) enum Heard {
    /// Something to write and to decide about.
    News(Polled),
    /// The same as before, on a line on which that changes nothing.
    Same(SeenAgain),
}

/// What else than a reading says when its line is polled next.
#[derive(Debug, Default)]
struct Course {
    /// Its turn, where it has one.
    phase: Option<Phase>,
    /// How many polls failed before this one.
    failures: i64,
    /// How long the reader wants to be left alone.
    retry_after: Option<Span>,
}

impl Engine {
    /// Polls the named lines now, whatever is due. Returns their readings.
    pub async fn poll_lines(&self, ids: &[String]) -> Result<Vec<Reading>, EngineError> {
        let due = self.store().due_polls(ids).await?;
        let policy = Arc::new(self.policy());
        let calls = due.into_iter().filter_map(|poll| {
            let reader = poll.subscription.reader.clone();
            let provider = self.provider(&reader).filter(|p| p.declares().polled)?;
            let (provider, policy) = (Arc::clone(provider), Arc::clone(&policy));
            Some(async move { self.ask(provider, &reader, &policy, poll).await })
        });
        let heard: Vec<Heard> =
            futures_util::stream::iter(calls).buffer_unordered(32).collect().await;
        let (mut polled, mut seen) = (Vec::new(), Vec::new());
        for heard in heard {
            match heard {
                Heard::News(news) => polled.push(news),
                Heard::Same(same) => seen.push(same),
            }
        }
        self.store().apply_round(&polled, &seen, self.now()).await?;
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        let all = polled.into_iter().chain(seen.into_iter().map(|seen| seen.polled));
        Ok(all.map(|polled| polled.reading).collect())
    }

    pub(super) async fn ask(
        &self,
        provider: Arc<dyn Provider>,
        reader: &str,
        policy: &Policy,
        poll: DuePoll,
    ) -> Heard {
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
        let phase = Some(self.phase(&poll));
        let course = Course { phase, failures: poll.failures, retry_after };
        let (provider, subscription) = (reader.to_owned(), poll.subscription.id);
        let reading = Reading { subscription, provider, at: now, quality, values, detail };
        let next_poll_at = self.paced(policy, &reading, &course, now);
        let polled = Polled { reading, next_poll_at };
        match poll.steady {
            Some(steady) if says_the_same(&steady, &polled.reading) => Heard::Same(SeenAgain {
                stale_at: stale_at(&steady, policy.stale_age(), now),
                mark: steady.mark,
                polled,
            }),
            Some(_) | None => Heard::News(polled),
        }
    }

    /// The next poll after a reading that came otherwise, by what it alone tells; a decision may ask for one
    /// sooner.
    pub(super) fn next_poll(&self, reading: &Reading, now: Timestamp) -> Timestamp {
        self.paced(&self.policy(), reading, &Course::default(), now)
    }

    /// When the line has its turn.
    fn phase(&self, poll: &DuePoll) -> Phase {
        match poll.place {
            Some(place) => self.0.phase.at(place),
            None => self.0.phase.and(Phase::of(poll.subscription.id.as_str())),
        }
    }

    fn paced(
        &self,
        policy: &Policy,
        reading: &Reading,
        course: &Course,
        now: Timestamp,
    ) -> Timestamp {
        let pace = calm_pace(policy, reading, now);
        let jitter = fastrand::i64(-MOST_JITTER..=MOST_JITTER);
        if reading.quality == Quality::Ok {
            return next_poll(pace, course.phase, jitter, now);
        }
        let first = self.settings().flow.retry_after.min(policy.poll_every);
        let backed_off = pace.after_failures(first, course.failures.saturating_add(1));
        let at = next_poll(backed_off, None, jitter, now);
        at.max(now.plus(course.retry_after.unwrap_or(Span::ZERO).min(Span::days(1))))
    }
}

/// True where a reading need only be counted. Runs of equal readings end some day, so that what is
/// stored never lies long behind.
fn says_the_same(steady: &Steady, reading: &Reading) -> bool {
    reading.quality == Quality::Ok
        && reading.detail.is_none()
        && reading.at.since(steady.since) < LONGEST_RUN
        && steady_mark(reading) == steady.mark
}

/// When a line that said the same again counts as stale, where that must be written down: its next decision
/// need not move while it has time, and one that comes early does no harm.
fn stale_at(steady: &Steady, stale_age: Span, now: Timestamp) -> Option<Timestamp> {
    let half = now.plus(Span::from_ms(stale_age.ms() / 2));
    let has_time = steady.decide_at.is_some_and(|at| at >= half && Some(at) <= steady.until);
    (!has_time).then(|| now.plus(stale_age))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_moves_only_where_it_comes_too_soon_or_too_late() {
        let at = |hours: i64| Timestamp::from_ms(0).plus(Span::hours(hours));
        let moved = |decide_at: Option<i64>, until: Option<i64>| {
            let steady = Steady {
                mark: String::new(),
                since: at(0),
                decide_at: decide_at.map(at),
                until: until.map(at),
            };
            stale_at(&steady, Span::hours(18), at(100))
        };
        let to = Some(at(118));
        assert_eq!(moved(Some(109), Some(200)), None, "half of the time is left");
        assert_eq!(moved(Some(109), Some(109)), None, "it is decided when that counts");
        assert_eq!(moved(Some(108), Some(200)), to, "it would be decided about without need");
        assert_eq!(moved(Some(109), Some(108)), to, "the reading counts before that");
        assert_eq!(moved(Some(109), None), to);
        assert_eq!(moved(None, Some(200)), to);
    }
}
