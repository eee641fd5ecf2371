//! Polls that are late or were put too far ahead, for one reader; and doubts about what it says.
//! Whatever is counted here is counted by index, or up to a limit.

use super::{Store, StoreError, rows::Columns};
use crate::domain::Timestamp;

/// Lines moved in one commit.
const BUNCH: i64 = 2000;

impl Store {
    /// How many polls of `reader` were due before `by`; and how many of them were of lines that had
    /// been read before, counted up to `most`.
    pub async fn overdue(
        &self,
        reader: &str,
        by: Timestamp,
        most: i64,
    ) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM watches WHERE reader = $1 AND next_poll_at < $2) AS lines, \
             (SELECT COUNT(*) FROM (SELECT 1 AS one FROM watches WHERE reader = $1 AND next_poll_at < $2 \
             AND newest_at IS NOT NULL LIMIT $3) known) AS known",
        )
        .bind(reader)
        .bind(by.ms())
        .bind(most)
        .fetch_one(self.reader())
        .await?;
        let c = Columns { table: "watches", row: &row };
        Ok((c.int("lines")?, c.int("known")?))
    }

    /// A cadence that was shortened in the configuration holds at once: polls of `reader` that are
    /// later than `at` are due at `at`. Moves a bunch of them; true while there may be more.
    pub async fn poll_by(&self, reader: &str, at: Timestamp) -> Result<bool, StoreError> {
        let late: Option<i64> = sqlx::query_scalar(
            "SELECT next_poll_at FROM watches WHERE reader = $1 AND next_poll_at > $2 LIMIT 1",
        )
        .bind(reader)
        .bind(at.ms())
        .fetch_optional(self.reader())
        .await?;
        if late.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin_on_all_lines().await?;
        let done = sqlx::query(
            "UPDATE watches SET next_poll_at = $1 WHERE subscription_id IN (SELECT subscription_id FROM watches \
             WHERE reader = $2 AND next_poll_at > $1 LIMIT $3)",
        )
        .bind(at.ms())
        .bind(reader)
        .bind(BUNCH)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Of the lines of `reader` that were read since `since`: how many are doubted since then, how
    /// many are there (those in doubt for longer are not counted).
    pub async fn doubt_figures(
        &self,
        reader: &str,
        since: Timestamp,
    ) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM watches WHERE reader = $1 AND ok_at > $2) AS seen, \
             (SELECT COUNT(*) FROM watches WHERE reader = $1 AND doubt_since > $2 AND ok_at > $2) AS doubted, \
             (SELECT COUNT(*) FROM watches WHERE reader = $1 AND doubt_since <= $2 AND ok_at > $2) AS older",
        )
        .bind(reader)
        .bind(since.ms())
        .fetch_one(self.reader())
        .await?;
        let c = Columns { table: "watches", row: &row };
        Ok((c.int("doubted")?, c.int("seen")?.saturating_sub(c.int("older")?)))
    }
}
