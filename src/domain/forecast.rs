//! How fast a line uses what it has, and when that ends.

use super::{Money, Timestamp};

/// What was worked out from a line's readings, with top-ups, bonuses and refunds removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// When it was worked out.
    pub at: Timestamp,
    /// How far it can be trusted.
    pub trust: Trust,
    /// Money used on a middling day; `None` where no money was ever read.
    pub burn_median: Option<Money>,
    /// Money used on a day that four of five stay below.
    pub burn_p80: Option<Money>,
    /// Bytes used on a middling day.
    pub data_median: Option<i64>,
    /// Bytes used on a day that four of five stay below.
    pub data_p80: Option<i64>,
    /// When a reading last showed that the line was used.
    pub last_used_at: Option<Timestamp>,
}

/// How far a forecast can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Too little is known yet to say anything.
    Collecting,
    /// Good enough to tell people.
    Told,
    /// It proved itself on this line: good enough to move money.
    Proven,
}
