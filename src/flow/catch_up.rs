//! After a silence of the daemon, what is overdue is asked at an even pace, in the order in which it
//! was due, so that providers do not see a burst. What became due since the start goes first.
//!
//! The rows are not touched: a million of them could not be written anew before the first poll.

use super::{Engine, EngineError};
use crate::domain::{Span, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// After a longer silence than this, overdue polls are spread instead of asked at once; at most over
/// as long.
const SILENCE: Span = Span::minutes(10);
/// Fewer overdue lines than this are no burst.
const BURST: i64 = 50;
/// Each takes this much of the time over which all are spread.
const EACH: Span = Span::from_ms(20);

/// Readers that are catching up.
#[derive(Debug, Default)]
pub(super) struct CatchingUp(Mutex<BTreeMap<String, CatchUp>>);

/// What is overdue at one reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CatchUp {
    /// When it began. What was due by then is overdue.
    pub(super) began: Timestamp,
    /// Over how long it is spread.
    over: Span,
    /// How many lines there were.
    lines: i64,
    /// How many were claimed since.
    claimed: i64,
}

impl CatchUp {
    fn of(lines: i64, began: Timestamp) -> Self {
        let over = Span::from_ms(lines.saturating_mul(EACH.ms())).min(SILENCE);
        Self { began, over, lines, claimed: 0 }
    }

    /// How many more may be claimed by now; `None` once everything may.
    fn open(&self, now: Timestamp) -> Option<i64> {
        let gone = now.since(self.began).ms();
        if gone < 0 || gone >= self.over.ms() {
            return None;
        }
        let share = i128::from(self.lines) * i128::from(gone) / i128::from(self.over.ms().max(1));
        Some(i64::try_from(share).unwrap_or(i64::MAX).saturating_sub(self.claimed).max(0))
    }

    /// When the next one may be.
    fn next_at(&self, now: Timestamp) -> Timestamp {
        now.plus(self.over.divided_by(self.lines.max(1)).max(Span::from_ms(20)))
    }
}

impl Engine {
    /// Looks at the start what is overdue at `reader`, and makes polls due that a longer cadence
    /// put too far ahead.
    pub(super) async fn begin_to_poll(&self, reader: &str) -> Result<(), EngineError> {
        let now = self.now();
        let most = SILENCE.ms() / EACH.ms();
        let (lines, known) = self.store().overdue(reader, now.minus(SILENCE), most).await?;
        if known > BURST {
            let catch_up = CatchUp::of(if known < most { known } else { lines }, now);
            let over = catch_up.over;
            self.0.catching_up.lock().insert(reader.to_owned(), catch_up);
            tracing::info!(provider = reader, lines, %over, "overdue polls are spread");
        }
        let longest = self.settings().flow.poll_every;
        // What another instance claims is due again only when its lease runs out.
        let claims = now.plus(self.longest_claim());
        let latest = now.plus(longest).plus(longest.divided_by(10)).max(claims);
        while !self.is_stopping() && self.store().poll_by(reader, latest).await? {}
        Ok(())
    }

    /// What of the overdue may be claimed now, and when more may be; `None` where nothing is held
    /// back any more.
    pub(super) fn overdue_open(
        &self,
        reader: &str,
        now: Timestamp,
    ) -> Option<(CatchUp, usize, Timestamp)> {
        let mut all = self.0.catching_up.lock();
        let one = *all.get(reader)?;
        match one.open(now) {
            Some(open) => Some((one, usize::try_from(open).unwrap_or(0), one.next_at(now))),
            None => {
                all.remove(reader);
                None
            }
        }
    }

    /// So many of the overdue were claimed.
    pub(super) fn caught_up(&self, reader: &str, claimed: usize) {
        if let Some(one) = self.0.catching_up.lock().get_mut(reader) {
            let claimed = i64::try_from(claimed).unwrap_or(i64::MAX);
            one.claimed = one.claimed.saturating_add(claimed);
        }
    }
}

impl CatchingUp {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, CatchUp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overdue_are_spread_evenly_and_at_last_all_are_free() {
        let began = Timestamp::from_ms(1_000_000);
        let mut few = CatchUp::of(100, began);
        assert_eq!(few.over, Span::seconds(2));
        assert_eq!(few.open(began), Some(0));
        assert_eq!(few.open(began.plus(Span::seconds(1))), Some(50));
        few.claimed = 50;
        assert_eq!(few.open(began.plus(Span::seconds(1))), Some(0));
        assert_eq!(few.open(began.plus(Span::seconds(2))), None);
        assert_eq!(few.open(began.minus(Span::seconds(1))), None, "the clock was set back");
        let many = CatchUp::of(1_000_000, began);
        assert_eq!(many.over, SILENCE);
        assert_eq!(many.open(began.plus(Span::seconds(6))), Some(10_000));
        assert_eq!(many.next_at(began), began.plus(Span::from_ms(20)));
    }
}
