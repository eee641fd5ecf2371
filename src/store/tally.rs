//! What can only be counted by looking at every line, slice by slice: no look holds a connection, or
//! an old state of the rows, for long. `flow::tally` remembers it for large fleets.

use super::{Near, Scope, Store, StoreError, rows::Columns};
use crate::domain::{Span, Timestamp};

/// Lines looked at in one go.
const SLICE: i64 = 20_000;

/// What is counted.
#[derive(Clone, Debug)]
pub struct Tally {
    /// When the count began.
    pub at: Timestamp,
    /// Subscriptions by their stored status.
    pub(super) statuses: Vec<(String, i64)>,
    /// Polled lines by reader.
    pub readers: Vec<ReaderFigures>,
    /// How near the lines are to their ends; counted apart, as it takes longer.
    pub near: Near,
}

/// The active lines of one reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderFigures {
    /// The reader.
    pub reader: String,
    /// How many there are.
    pub lines: i64,
    /// Lines that failed at least twice in a row.
    pub failing: i64,
    /// Lines whose readings count as stale.
    pub stale: i64,
    /// When the oldest of the newest usable readings was made; of a line never read, since when it
    /// is watched.
    pub oldest_reading_at: Timestamp,
    /// When the poll that waits longest became or becomes due.
    pub oldest_due_at: Option<Timestamp>,
    /// Lines whose service ends, by how soon.
    pub service_ends: Ends,
    /// Lines whose number is lost, by how soon.
    pub number_losses: Ends,
}

/// Lines by how soon something ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// It is over.
    pub passed: i64,
    /// It is still to come, within 24 hours.
    pub day: i64,
    /// The same within 7 days; those of the first day are among them.
    pub week: i64,
}

impl ReaderFigures {
    /// Adds those of other lines of the same reader.
    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.lines, other.lines),
            (&mut self.failing, other.failing),
            (&mut self.stale, other.stale),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.oldest_reading_at = self.oldest_reading_at.min(other.oldest_reading_at);
        self.oldest_due_at = [self.oldest_due_at, other.oldest_due_at].into_iter().flatten().min();
        self.service_ends.add(other.service_ends);
        self.number_losses.add(other.number_losses);
    }
}

impl Ends {
    fn add(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.day = self.day.saturating_add(other.day);
        self.week = self.week.saturating_add(other.week);
    }
}

impl Tally {
    /// Of no lines.
    pub fn of_none(at: Timestamp) -> Self {
        Self { at, statuses: Vec::new(), readers: Vec::new(), near: Near::default() }
    }

    /// The same with how near the lines are to their ends.
    pub fn with(self, near: Near) -> Self {
        Self { near, ..self }
    }

    /// Lines that are active.
    pub fn active(&self) -> i64 {
        self.statuses.iter().find(|(word, _)| word == "active").map_or(0, |(_, n)| *n)
    }
}

/// `next_poll_at` is set while a line is active. $1 is now, $2 a day, $3 a week later; the lines are
/// those after $4 and up to $5.
const WATCHES: &str = "SELECT reader, COUNT(*) AS lines, COUNT(CASE WHEN poll_failures > 1 THEN 1 END) AS failing, \
    COUNT(stale_since) AS stale, MIN(COALESCE(ok_at, watched_since)) AS oldest_reading_at, \
    MIN(next_poll_at) AS oldest_due_at, \
    COUNT(CASE WHEN service_end_at <= $1 THEN 1 END) AS service_passed, \
    COUNT(CASE WHEN service_end_at > $1 AND service_end_at <= $2 THEN 1 END) AS service_day, \
    COUNT(CASE WHEN service_end_at > $1 AND service_end_at <= $3 THEN 1 END) AS service_week, \
    COUNT(CASE WHEN number_loss_at <= $1 THEN 1 END) AS number_passed, \
    COUNT(CASE WHEN number_loss_at > $1 AND number_loss_at <= $2 THEN 1 END) AS number_day, \
    COUNT(CASE WHEN number_loss_at > $1 AND number_loss_at <= $3 THEN 1 END) AS number_week \
    FROM watches WHERE next_poll_at IS NOT NULL AND subscription_id > $4 AND subscription_id <= $5 \
    GROUP BY reader ORDER BY reader";

impl Store {
    /// Counts; `None` where `goes_on` said no on the way.
    pub async fn tally(
        &self,
        now: Timestamp,
        goes_on: impl Fn() -> bool,
    ) -> Result<Option<Tally>, StoreError> {
        let mut tally = Tally::of_none(now);
        let mut after = String::new();
        while let Some(until) = self.slice(&after).await? {
            if !goes_on() {
                return Ok(None);
            }
            let slice = (after.as_str(), until.as_str());
            for (status, n) in self.statuses(slice).await? {
                match tally.statuses.iter_mut().find(|(word, _)| *word == status) {
                    Some((_, sum)) => *sum = sum.saturating_add(n),
                    None => tally.statuses.push((status, n)),
                }
            }
            for figures in self.watched(slice, now).await? {
                match tally.readers.iter_mut().find(|one| one.reader == figures.reader) {
                    Some(sum) => sum.add(&figures),
                    None => tally.readers.push(figures),
                }
            }
            after = until;
        }
        tally.readers.sort_by(|a, b| a.reader.cmp(&b.reader));
        Ok(Some(tally))
    }

    /// How near the lines of a scope are to their ends; `None` where `goes_on` said no on the way.
    pub async fn near_all(
        &self,
        scope: &Scope,
        now: Timestamp,
        goes_on: impl Fn() -> bool,
    ) -> Result<Option<Near>, StoreError> {
        let mut near = Near::default();
        let mut after = String::new();
        while let Some(until) = self.slice(&after).await? {
            if !goes_on() {
                return Ok(None);
            }
            near.add(self.near_dark(scope, (&after, &until), now).await?);
            after = until;
        }
        Ok(Some(near))
    }

    /// The last id of the slice that begins after `after`.
    async fn slice(&self, after: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT MAX(id) FROM (SELECT id FROM subscriptions WHERE id > $1 ORDER BY id LIMIT $2) slice",
        )
        .bind(after)
        .bind(SLICE)
        .fetch_one(self.reader())
        .await?)
    }

    async fn statuses(
        &self,
        (after, until): (&str, &str),
    ) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT status, COUNT(*) FROM subscriptions WHERE id > $1 AND id <= $2 GROUP BY status",
        )
        .bind(after)
        .bind(until)
        .fetch_all(self.reader())
        .await?)
    }

    async fn watched(
        &self,
        (after, until): (&str, &str),
        now: Timestamp,
    ) -> Result<Vec<ReaderFigures>, StoreError> {
        let rows = sqlx::query(WATCHES)
            .bind(now.ms())
            .bind(now.plus(Span::days(1)).ms())
            .bind(now.plus(Span::days(7)).ms())
            .bind(after)
            .bind(until)
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                Ok(ReaderFigures {
                    reader: c.text("reader")?,
                    lines: c.int("lines")?,
                    failing: c.int("failing")?,
                    stale: c.int("stale")?,
                    oldest_reading_at: c.at("oldest_reading_at")?,
                    oldest_due_at: c.maybe_at("oldest_due_at")?,
                    service_ends: Ends {
                        passed: c.int("service_passed")?,
                        day: c.int("service_day")?,
                        week: c.int("service_week")?,
                    },
                    number_losses: Ends {
                        passed: c.int("number_passed")?,
                        day: c.int("number_day")?,
                        week: c.int("number_week")?,
                    },
                })
            })
            .collect()
    }
}
