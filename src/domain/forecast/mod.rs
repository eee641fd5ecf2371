//! How fast a line uses what it has, and when that ends.
//!
//! Readings are folded into days ([`BurnLog`]); the days give a [`Forecast`]. Both the daemon, which
//! folds stored readings, and a replay, which adds them one by one, get the same.

mod burn;
#[cfg(test)]
mod tests;

pub use burn::{BurnLog, Credit, ExternalTopup};

use super::{Money, Span, Timestamp, Values};
use serde::{Deserialize, Serialize};

/// Days that are looked back on.
pub(super) const WINDOW_DAYS: i64 = 60;

/// What was worked out from a line's readings, with top-ups, bonuses and plan charges removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// When it was worked out.
    pub at: Timestamp,
    /// How far it can be trusted.
    pub trust: Trust,
    /// Whole days behind it.
    pub days: i64,
    /// Readings that showed use.
    pub changes: i64,
    /// Money used on a middling day; `None` where no money was ever read.
    pub burn_median: Option<Money>,
    /// Money used on a day that four of five stay below or at.
    pub burn_p80: Option<Money>,
    /// Bytes used on a middling day.
    pub data_median: Option<i64>,
    /// Bytes used on a day that four of five stay below or at.
    pub data_p80: Option<i64>,
    /// When a reading last showed that the line was used.
    pub last_used_at: Option<Timestamp>,
}

/// How far a forecast can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Too little is known yet to say anything.
    Collecting,
    /// Good enough to tell people.
    Told,
    /// It proved itself on this line: good enough to move money.
    Proven,
}

impl Trust {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Collecting, Self::Told, Self::Proven];

    /// The word in table, API and page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Collecting => "collecting",
            Self::Told => "told",
            Self::Proven => "proven",
        }
    }
}

/// A forecast says something from so many whole days on …
pub const LEAST_DAYS: i64 = 7;
/// … in which so many readings showed use.
pub const LEAST_CHANGES: i64 = 5;
/// The largest weekly error, in hundredths, with which it counts as proven.
const PROVEN_ERROR: i64 = 25;
/// Weeks that are predicted to prove it.
const PROVEN_WEEKS: usize = 4;

/// When something runs out: a range, never a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runout {
    /// At the pace that four of five days stay below.
    pub earliest_at: Timestamp,
    /// At the middling pace; `None` where that is not to be seen from here.
    pub middle_at: Option<Timestamp>,
}

impl Forecast {
    /// The forecast by `log` at `now`. A use seen before its readings begin is in `used_before`.
    pub fn of(log: &BurnLog, used_before: Option<Timestamp>, now: Timestamp) -> Self {
        let days = log.whole_days(now);
        let money: Vec<i64> = days.iter().map(|day| day.money).collect();
        let data: Vec<i64> = days.iter().map(|day| day.data).collect();
        let (n, changes) = (len(days.len()), log.changes_within(now));
        let trust = if n < LEAST_DAYS || changes < LEAST_CHANGES {
            Trust::Collecting
        } else if is_proven(&money) || (log.currency().is_none() && is_proven(&data)) {
            Trust::Proven
        } else {
            Trust::Told
        };
        let burn = |minor: Option<i64>| log.currency().zip(minor).map(|(c, m)| Money::new(m, c));
        let bytes = |n: Option<i64>| n.filter(|_| log.has_data());
        Self {
            at: now,
            trust,
            days: n,
            changes,
            burn_median: burn(middling(&money)),
            burn_p80: burn(p80(&money)),
            data_median: bytes(middling(&data)),
            data_p80: bytes(p80(&data)),
            last_used_at: log.last_used_at().max(used_before),
        }
    }

    /// When the money of `values`, read at `read_at`, runs out.
    pub fn money_runout(&self, balance: Option<Money>, read_at: Timestamp) -> Option<Runout> {
        let (left, p80) = (balance?, self.burn_p80?);
        let same = |pace: Option<Money>| pace.filter(|p| p.currency() == left.currency());
        let median = same(self.burn_median).map(Money::minor);
        self.runout(left.minor(), same(Some(p80))?.minor(), median, read_at)
    }

    /// When the data of `values`, read at `read_at`, runs out.
    pub fn data_runout(&self, values: &Values, read_at: Timestamp) -> Option<Runout> {
        self.runout(values.data_left?, self.data_p80?, self.data_median, read_at)
    }

    fn runout(
        &self,
        left: i64,
        p80: i64,
        median: Option<i64>,
        read_at: Timestamp,
    ) -> Option<Runout> {
        if self.trust == Trust::Collecting {
            return None;
        }
        let lasts = |pace: i64| -> Option<Span> {
            let ms = i128::from(left.max(0)) * i128::from(Span::days(1).ms());
            let ms = ms.checked_div(i128::from(pace))?;
            // Further than a century is not to be seen from here.
            i64::try_from(ms).ok().map(Span::from_ms).filter(|span| *span < Span::days(36_500))
        };
        let earliest_at = read_at.plus(lasts(p80)?);
        Some(Runout { earliest_at, middle_at: median.and_then(lasts).map(|s| read_at.plus(s)) })
    }
}

fn len(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The middling day. Weeks have a shape: where each weekday was seen three times, it is the mean of
/// the seven weekdays' medians, else the median of all days.
fn middling(days: &[i64]) -> Option<i64> {
    if days.len() < 21 {
        return median(days.iter().copied());
    }
    let weekday = |n: usize| median(days.iter().skip(n).step_by(7).copied());
    let sum = (0..7).try_fold(0_i64, |sum, n| Some(sum.saturating_add(weekday(n)?)))?;
    Some(sum.saturating_add(3) / 7)
}

fn median(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut sorted: Vec<i64> = values.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// The smallest day that four of five stay below or at (nearest rank).
fn p80(days: &[i64]) -> Option<i64> {
    let mut sorted = days.to_vec();
    sorted.sort_unstable();
    let rank = sorted.len().saturating_mul(4).div_ceil(5);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// True when each of the last four weeks was predicted, from what was known before it, with an
/// error of at most a quarter.
fn is_proven(days: &[i64]) -> bool {
    (1..=PROVEN_WEEKS).all(|week| {
        let Some(start) = days.len().checked_sub(week * 7) else { return false };
        let (known, rest) = days.split_at(start);
        if len(known.len()) < LEAST_DAYS {
            return false;
        }
        let actual: i64 = rest.iter().take(7).fold(0, |sum, n| sum.saturating_add(*n));
        let Some(predicted) = middling(known).map(|day| day.saturating_mul(7)) else {
            return false;
        };
        let error = predicted.saturating_sub(actual).saturating_abs();
        actual > 0 && error.saturating_mul(100) <= actual.saturating_mul(PROVEN_ERROR)
    })
}
