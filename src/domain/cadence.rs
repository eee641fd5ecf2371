//! When to look at a line again: far from any deadline at leisure, nearer more often.

use super::{Policy, Snapshot, Span, Timestamp};

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

/// The instant of the next poll. `jitter` in thousandths, -100 to 100, spreads lines that were
/// added together.
pub fn next_poll(cadence: Cadence, jitter: i64, now: Timestamp) -> Timestamp {
    let spread = cadence.every.divided_by(1000).times(jitter.clamp(-100, 100));
    now.plus(cadence.every).plus(spread)
}
