//! How long rows are kept that are no money: a stage goes through all lines in small bunches, one
//! commit each, and writes down how far it came. A crash anywhere repeats a bunch at most, which
//! changes nothing.
//!
//! Invariant: a reading that a line or a top-up still speaks of is never deleted; nothing is
//! deleted before its day is kept in `reading_days`, unless that day itself is too old.

use super::{Dialect, Store, StoreError, Tx, days, rows::Columns};
use crate::domain::{ReadingDay, Span, Timestamp, day_of, day_start};

/// True for readings `r` that a line or a top-up still speaks of: the last ones of a line, those
/// before an order and between its payment and its proof, what opened a breach that goes on.
macro_rules! kept {
    () => {
        "EXISTS (SELECT 1 FROM watches w WHERE w.subscription_id = r.subscription_id \
         AND r.at IN (w.ok_at, w.newest_at, w.ok_before_at, w.kept_at)) \
         OR EXISTS (SELECT 1 FROM topups t WHERE t.subscription_id = r.subscription_id \
         AND (r.at = t.before_read_at OR (r.at >= t.paid_at AND r.at <= t.finalized_at) \
         OR (t.finalized_at IS NULL AND r.at >= COALESCE(t.before_read_at, t.created_at)))) \
         OR EXISTS (SELECT 1 FROM episodes e WHERE e.subscription_id = r.subscription_id \
         AND e.closed_at IS NULL AND r.at = e.first_read_at)"
    };
}
pub(super) use kept;

/// Lines in one bunch: with four readings a day a commit of some milliseconds.
const LINES: i64 = 100;
/// Rows of other kinds deleted in one commit.
const ROWS: i64 = 500;
/// How often everything is gone through.
const EVERY: Span = Span::days(1);
/// Who is at it is left alone for so long after his last commit.
const HELD: Span = Span::minutes(2);

/// From when on rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Readings, each on its own.
    pub readings: Timestamp,
    /// Days.
    pub rollups: Timestamp,
    /// Decisions.
    pub decisions: Timestamp,
    /// Notices.
    pub notices: Timestamp,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// There is nothing to do before then.
    Until(Timestamp),
    /// A bunch was gone through.
    Step,
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// Readings before the day `cutoff`: of the lines after `after`, first those of days from
    /// `from` on.
    Lines { cutoff: i64, from: i64, after: String },
    /// All lines are done; notices.
    Notices { cutoff: i64 },
    /// And the months of PostgreSQL.
    Months { cutoff: i64 },
}

impl Progress {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        let word = words.next()?;
        let cutoff = words.next()?.parse().ok()?;
        match word {
            "lines" => {
                let from = words.next()?.parse().ok()?;
                Some(Self::Lines { cutoff, from, after: words.next().unwrap_or("").to_owned() })
            }
            "notices" => Some(Self::Notices { cutoff }),
            "months" => Some(Self::Months { cutoff }),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Lines { cutoff, from, after } => format!("lines {cutoff} {from} {after}"),
            Self::Notices { cutoff } => format!("notices {cutoff}"),
            Self::Months { cutoff } => format!("months {cutoff}"),
        }
    }
}

impl Store {
    /// Goes through the next bunch, as `holder`, unless it is not due or somebody else is at it.
    pub async fn retain(
        &self,
        holder: &str,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Retained, StoreError> {
        let row = sqlx::query("SELECT * FROM chores WHERE name = 'retention'")
            .fetch_one(self.reader())
            .await?;
        let c = Columns { table: "chores", row: &row };
        let (next_at, text) = (c.at("next_at")?, c.text("progress")?);
        let done_before = c.maybe_int("done_before")?.unwrap_or(i64::MIN);
        if next_at > now {
            return Ok(Retained::Until(next_at));
        }
        let other = c.maybe_text("held_by")?.filter(|by| by != holder);
        if let Some(until) = c.maybe_at("held_until")?.filter(|at| other.is_some() && *at > now) {
            return Ok(Retained::Until(until));
        }
        let cutoff = day_of(keep.readings);
        // Where nothing is deleted line by line, what was rolled up before is not looked at again.
        let first = match self.dialect() {
            Dialect::Sqlite => 0,
            Dialect::Postgres => done_before.max(day_of(keep.rollups)),
        };
        let began = Progress::Lines { cutoff, from: first, after: String::new() };
        let progress = Progress::parse(&text).unwrap_or(began);
        let mut tx = self.begin().await?;
        let next = match &progress {
            Progress::Lines { cutoff, from, after } => {
                self.retain_lines(&mut tx, keep, (*cutoff, first), (*from, after)).await?
            }
            Progress::Notices { cutoff } => {
                let more = retain_notices(&mut tx, self, keep.notices).await?;
                Some(if more { progress.clone() } else { Progress::Months { cutoff: *cutoff } })
            }
            Progress::Months { cutoff } => {
                self.retain_months(&mut tx, day_start(*cutoff), now).await?;
                None
            }
        };
        // Whoever was overtaken takes everything back.
        let moved = sqlx::query(
            "UPDATE chores SET progress = $1, next_at = $2, held_by = $3, held_until = $4, \
             done_before = COALESCE($5, done_before) WHERE name = 'retention' AND progress = $6",
        )
        .bind(next.as_ref().map(Progress::text).unwrap_or_default())
        .bind(next.as_ref().map_or(now.plus(EVERY), |_| next_at).ms())
        .bind(next.as_ref().map(|_| holder.to_owned()))
        .bind(next.as_ref().map(|_| now.plus(HELD).ms()))
        .bind(match progress {
            Progress::Months { cutoff } => Some(cutoff),
            Progress::Lines { .. } | Progress::Notices { .. } => None,
        })
        .bind(text)
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() > 0 {
            tx.commit().await?;
        }
        Ok(Retained::Step)
    }

    /// One day of the next lines, and what else is old of them once all their days are done.
    async fn retain_lines(
        &self,
        tx: &mut Tx,
        keep: Keep,
        (cutoff, first): (i64, i64),
        (from, after): (i64, &str),
    ) -> Result<Option<Progress>, StoreError> {
        let until: Option<String> = sqlx::query_scalar(
            "SELECT MAX(id) FROM (SELECT id FROM subscriptions WHERE id > $1 ORDER BY id LIMIT $2) bunch",
        )
        .bind(after)
        .bind(LINES)
        .fetch_one(&mut **tx)
        .await?;
        let Some(until) = until else { return Ok(Some(Progress::Notices { cutoff })) };
        let bunch = (after, until.as_str());
        let same = |from| Progress::Lines { cutoff, from, after: after.to_owned() };
        let mut from = from;
        if let Some(day) = self.oldest_unkept(tx, bunch, (from, cutoff)).await? {
            if day >= day_of(keep.rollups) {
                let readings = Self::readings_of_day(tx, bunch, day).await?;
                days::keep(tx, &ReadingDay::of(&readings)).await?;
            }
            if self.dialect() == Dialect::Sqlite {
                delete_day(tx, bunch, day).await?;
            }
            from = day.saturating_add(1);
            if self.oldest_unkept(tx, bunch, (from, cutoff)).await?.is_some() {
                return Ok(Some(same(from)));
            }
        }
        if retain_of_lines(tx, bunch, keep).await? {
            return Ok(Some(same(from)));
        }
        Ok(Some(Progress::Lines { cutoff, from: first, after: until }))
    }
}

async fn delete_day(tx: &mut Tx, (after, until): (&str, &str), day: i64) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "DELETE FROM readings AS r WHERE r.subscription_id IN (SELECT id FROM subscriptions WHERE id > $1 AND id <= $2) \
         AND r.at >= $3 AND r.at < $4 AND NOT (",
        kept!(),
        ")"
    ))
    .bind(after)
    .bind(until)
    .bind(day_start(day).ms())
    .bind(day_start(day.saturating_add(1)).ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Old days and decisions of a bunch of lines; the last decision of each stays. True where there
/// may be more.
async fn retain_of_lines(
    tx: &mut Tx,
    (after, until): (&str, &str),
    keep: Keep,
) -> Result<bool, StoreError> {
    sqlx::query(
        "DELETE FROM reading_days WHERE subscription_id IN (SELECT id FROM subscriptions WHERE id > $1 AND id <= $2) \
         AND day < $3",
    )
    .bind(after)
    .bind(until)
    .bind(day_of(keep.rollups))
    .execute(&mut **tx)
    .await?;
    let done = sqlx::query(
        "DELETE FROM decisions WHERE (subscription_id, seq) IN (SELECT d.subscription_id, d.seq FROM decisions d \
         WHERE d.subscription_id IN (SELECT id FROM subscriptions WHERE id > $1 AND id <= $2) AND d.at < $3 \
         AND d.seq < (SELECT MAX(m.seq) FROM decisions m WHERE m.subscription_id = d.subscription_id) LIMIT $4)",
    )
    .bind(after)
    .bind(until)
    .bind(keep.decisions.ms())
    .bind(ROWS)
    .execute(&mut **tx)
    .await?;
    Ok(i64::try_from(done.rows_affected()).is_ok_and(|n| n >= ROWS))
}

/// Old notices that are settled, with their deliveries. True where there may be more.
async fn retain_notices(tx: &mut Tx, store: &Store, from: Timestamp) -> Result<bool, StoreError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM notices WHERE created_at < $1 AND state IN ('sent', 'dropped', 'dead') \
         AND remind_at IS NULL AND delivery_ask_at IS NULL ORDER BY created_at LIMIT $2",
    )
    .bind(from.ms())
    .bind(ROWS)
    .fetch_all(&mut **tx)
    .await?;
    let list = serde_json::json!(ids).to_string();
    for sql in [
        "DELETE FROM deliveries WHERE notice_id IN {ids $1}",
        "DELETE FROM notices WHERE id IN {ids $1}",
    ] {
        sqlx::query(store.sql(sql)).bind(&list).execute(&mut **tx).await?;
    }
    Ok(i64::try_from(ids.len()).is_ok_and(|n| n >= ROWS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_back() {
        for progress in [
            Progress::Lines { cutoff: 20_000, from: 0, after: String::new() },
            Progress::Lines { cutoff: 20_000, from: 19_999, after: "line-7".into() },
            Progress::Notices { cutoff: -1 },
            Progress::Months { cutoff: 20_000 },
        ] {
            assert_eq!(Progress::parse(&progress.text()), Some(progress));
        }
        for text in ["", "lines", "lines x 0 a", "what 1"] {
            assert_eq!(Progress::parse(text), None, "{text}");
        }
    }
}
