//! When to look at a line again: far from any deadline at leisure, nearer more often.

use super::{Phase, Policy, Snapshot, Span, Timestamp};

/// Why a line is polled at the pace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// The distance to the next poll, before jitter.
    pub every: Span,
    /// In words.
    pub why: &'static str,
}

/// The shortest distance that urgency alone may lead to.
const LEAST: Span = Span::minutes(1);

/// How far a poll is from its pace at most, in thousandths of it.
pub const MOST_JITTER: i64 = 100;

impl Cadence {
    /// The pace for a line whose last poll went well.
    pub fn of(policy: &Policy, snapshot: &Snapshot, now: Timestamp) -> Self {
        Self::by_deadline(
            policy,
            snapshot.nearest_deadline(now),
            !snapshot.episodes.is_empty(),
            now,
        )
    }

    /// The pace by the nearer deadline and whether a rule is in breach.
    pub fn by_deadline(
        policy: &Policy,
        deadline: Option<Timestamp>,
        in_breach: bool,
        now: Timestamp,
    ) -> Self {
        let calm = policy.poll_every;
        let floor = calm.min(LEAST);
        let left = deadline.map(|at| at.since(now));
        let near = |span: Span| left.is_some_and(|left| left <= span);
        let (every, why) = if near(Span::days(2)) {
            (calm.divided_by(6), "a deadline is less than 2 days away")
        } else if in_breach {
            (calm.divided_by(2), "a rule is in breach")
        } else if near(Span::days(7)) {
            (calm.divided_by(2), "a deadline is less than 7 days away")
        } else {
            (calm, "nothing is urgent")
        };
        Self { every: every.max(floor), why }
    }

    /// Back-off after `failures` failed polls in a row: doubled each time, never slower than the
    /// line's own pace.
    pub fn after_failures(self, first: Span, failures: i64) -> Self {
        let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
        let backed_off = first.times(2_i64.saturating_pow(doublings));
        Self { every: backed_off.min(self.every), why: "the last poll failed" }
    }
}

/// The instant of the next poll: a tenth of the pace sooner or later at most. `jitter` is in thousandths,
/// at most [`MOST_JITTER`] of them.
///
/// A line that has a `phase` comes to its turn, by as much as jitter says at a time, and stays there. Jitter
/// alone spreads those that have none, and those whose polls fail.
pub fn next_poll(cadence: Cadence, phase: Option<Phase>, jitter: i64, now: Timestamp) -> Timestamp {
    let (at, thousandth) = (now.plus(cadence.every), cadence.every.divided_by(1000));
    let jitter = jitter.clamp(-MOST_JITTER, MOST_JITTER);
    let spread = match phase.map(|phase| phase.from(at, cadence.every)) {
        Some(there) if there.abs() <= thousandth.times(MOST_JITTER) => there,
        Some(there) => {
            thousandth.times(jitter.saturating_abs().saturating_mul(there.ms().signum()))
        }
        None => thousandth.times(jitter),
    };
    at.plus(spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Place;

    const HOURLY: Cadence = Cadence { every: Span::hours(1), why: "" };

    fn minutes(n: i64) -> Timestamp {
        Timestamp::from_ms(0).plus(Span::minutes(n))
    }

    /// The phase whose instants are on the hour.
    fn on_the_hour() -> Phase {
        let phase = Phase::of("here").at(Place { number: 1, of: 1 });
        let found = phase.from(minutes(0), HOURLY.every);
        assert_ne!(found, Span::ZERO, "the test would say nothing");
        phase
    }

    #[test]
    fn without_a_turn_jitter_says_when() {
        for (jitter, then) in [(0, 60), (-50, 57), (50, 63), (-100, 54), (100, 66), (999, 66)] {
            assert_eq!(next_poll(HOURLY, None, jitter, minutes(0)), minutes(then));
        }
    }

    #[test]
    fn a_line_comes_to_its_turn_and_stays() {
        let phase = on_the_hour();
        let turn = minutes(0).plus(phase.from(minutes(0), HOURLY.every));
        let next = |jitter, off: i64| {
            let now = turn.plus(Span::minutes(off));
            next_poll(HOURLY, Some(phase), jitter, now).since(turn.plus(HOURLY.every))
        };
        for off in [-6, -1, 0, 1, 6] {
            assert_eq!(next(77, off), Span::ZERO, "{off} minutes are made good at once");
        }
        assert_eq!(next(50, 10), Span::minutes(7), "by three minutes of ten");
        assert_eq!(next(-50, 10), Span::minutes(7));
        assert_eq!(next(100, -10), Span::minutes(-4));
        assert_eq!(next(999, 25), Span::minutes(19), "by a tenth at most");
        assert_eq!(next(0, 25), Span::minutes(25));
        // From anywhere, in a few rounds.
        for off in -30..30 {
            let mut at = turn.plus(Span::minutes(off));
            for jitter in [100, -10, 60, -80, 30, 55, 90, 20, -100, 40, 50] {
                at = next_poll(HOURLY, Some(phase), jitter, at);
            }
            assert_eq!(phase.from(at, HOURLY.every), Span::ZERO, "{off}");
        }
    }
}
