//! What a replay found.

use crate::domain::{Currency, Recorded, Span, SubscriptionId, Timestamp};
use std::collections::BTreeMap;

/// The figures of one line, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Readings looked at.
    pub readings: i64,
    /// Breaches that began.
    pub episodes: i64,
    /// Orders that were sent.
    pub orders: i64,
    /// Orders a person was asked about.
    pub approvals: i64,
    /// Orders that a cap or a count stopped.
    pub cap_hits: i64,
    /// What was charged, in minor units, by currency.
    pub spend: BTreeMap<&'static str, i64>,
    /// What would have been told, by kind.
    pub notices: BTreeMap<&'static str, i64>,
    /// Time without service.
    pub dark: Span,
    /// Paid time lost to payments that came before they had to.
    pub lost: Span,
}

impl Figures {
    pub(super) fn spent(&mut self, minor: i64, currency: Currency) {
        let sum = self.spend.entry(currency.code()).or_default();
        *sum = sum.saturating_add(minor);
    }

    /// Adds the figures of another line.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.readings, other.readings),
            (&mut self.episodes, other.episodes),
            (&mut self.orders, other.orders),
            (&mut self.approvals, other.approvals),
            (&mut self.cap_hits, other.cap_hits),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for (sums, more) in [(&mut self.spend, &other.spend), (&mut self.notices, &other.notices)] {
            for (word, n) in more {
                let sum = sums.entry(word).or_default();
                *sum = sum.saturating_add(*n);
            }
        }
        self.dark = self.dark.plus(other.dark);
        self.lost = self.lost.plus(other.lost);
    }
}

/// One line's part.
#[derive(Clone, Debug)]
pub struct LineReport {
    /// The line.
    pub id: SubscriptionId,
    /// Its figures.
    pub figures: Figures,
    /// Its first reading in the period; `None` where there is none.
    pub first_read_at: Option<Timestamp>,
    /// What the daemon would have written down, oldest first.
    pub decisions: Vec<(Timestamp, Recorded)>,
}

/// One event of a line's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Which line.
    pub line: SubscriptionId,
    /// A word: a step of a decision, a state of a top-up, `notice`, `status`.
    pub what: &'static str,
    /// In words.
    pub why: String,
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it began.
    pub from: Timestamp,
    /// Where it ended.
    pub to: Timestamp,
    /// Line by line, in the order of [`super::Setup::lines`].
    pub lines: Vec<LineReport>,
    /// The story, where one was asked for.
    pub story: Vec<Told>,
}

impl Report {
    /// The figures of all lines.
    pub fn total(&self) -> Figures {
        let mut total = Figures::default();
        for line in &self.lines {
            total.add(&line.figures);
        }
        total
    }
}
