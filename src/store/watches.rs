//! When each line is due.

use super::{Store, StoreError, Tx, rows::Columns};
use crate::domain::{Span, SubscriptionId, Timestamp};
use serde_json::json;

impl Store {
    /// Asks for a reading of `id` at `at`, unless one is due sooner anyway or the line is not polled.
    pub(crate) async fn ask_poll(
        &self,
        tx: &mut Tx,
        id: &SubscriptionId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE watches SET next_poll_at = $1 WHERE subscription_id = $2 AND next_poll_at > $1",
        )
        .bind(at.ms())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Of the lines of `reader` that were read since `since`: how many are doubted, how many are
    /// there.
    pub async fn doubt_figures(
        &self,
        reader: &str,
        since: Timestamp,
    ) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(doubt_since) AS doubted, COUNT(*) AS seen FROM watches WHERE reader = $1 AND ok_at > $2 \
             AND (doubt_since IS NULL OR doubt_since > $2)",
        )
        .bind(reader)
        .bind(since.ms())
        .fetch_one(self.reader())
        .await?;
        let c = Columns { table: "watches", row: &row };
        Ok((c.int("doubted")?, c.int("seen")?))
    }

    /// Makes up to `limit` lines of `reader` due now, those first that were read longest ago; none
    /// that was read within ten minutes. Returns how many.
    pub async fn poll_siblings(
        &self,
        reader: &str,
        limit: i64,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE watches SET next_poll_at = $1 WHERE subscription_id IN (SELECT subscription_id FROM watches \
             WHERE reader = $2 AND next_poll_at > $1 AND ok_at < $3 ORDER BY ok_at, subscription_id LIMIT $4)",
        )
        .bind(now.ms())
        .bind(reader)
        .bind(now.minus(Span::minutes(10)).ms())
        .bind(limit)
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected())
    }

    /// Makes the named lines (all active ones where none is named) due now.
    pub async fn poll_now(
        &self,
        ids: &[SubscriptionId],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let names: Vec<&str> = ids.iter().map(SubscriptionId::as_str).collect();
        let done = if ids.is_empty() {
            return self.poll_by(now).await;
        } else {
            let sql = self.sql(
                "UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1 AND subscription_id IN {ids $2}",
            );
            sqlx::query(sql)
                .bind(now.ms())
                .bind(json!(names).to_string())
                .execute(&self.writer())
                .await?
        };
        Ok(done.rows_affected())
    }

    /// After a pause of the daemon: overdue polls are spread over `window`, in the order they were
    /// due, so that providers do not see a burst. Returns how many.
    pub async fn spread_overdue(&self, window: Span, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_on_all_lines().await?;
        let done = sqlx::query(
            "UPDATE watches SET next_poll_at = o.slot FROM (SELECT subscription_id, \
             $1 + (ROW_NUMBER() OVER (ORDER BY next_poll_at, subscription_id) - 1) * $2 / COUNT(*) OVER () \
             AS slot FROM watches WHERE next_poll_at <= $1 AND newest_at IS NOT NULL) o \
             WHERE watches.subscription_id = o.subscription_id",
        )
        .bind(now.ms())
        .bind(window.ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// A cadence that was shortened in the configuration holds at once: no poll is later than `at`.
    pub async fn poll_by(&self, at: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_on_all_lines().await?;
        let done = sqlx::query("UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1")
            .bind(at.ms())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    /// After the clock was set back: whatever is due is due at `at` at the latest. Approvals and late
    /// looks keep their time.
    pub async fn nothing_later_than(&self, at: Timestamp) -> Result<(), StoreError> {
        self.held.forget();
        let mut tx = self.begin_on_all_lines().await?;
        for sql in [
            "UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1",
            "UPDATE watches SET next_decide_at = $1 WHERE next_decide_at > $1",
            "UPDATE topups SET next_action_at = $1 WHERE next_action_at > $1 \
             AND state IN ('reserved', 'submitting', 'pending', 'unknown', 'paid', 'held')",
            "UPDATE notices SET next_try_at = $1 WHERE next_try_at > $1",
        ] {
            sqlx::query(sql).bind(at.ms()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many polls of known lines are overdue by more than `by`.
    pub async fn overdue(&self, by: Span, now: Timestamp) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM watches WHERE next_poll_at < $1 AND newest_at IS NOT NULL",
        )
        .bind(now.minus(by).ms())
        .fetch_one(self.reader())
        .await?)
    }

    /// The earliest due instants: of polls per reader, of decisions.
    pub async fn next_poll_due(&self, reader: &str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT MIN(next_poll_at) FROM watches WHERE reader = $1")
                .bind(reader)
                .fetch_one(self.reader())
                .await?;
        Ok(at.map(Timestamp::from_ms))
    }
}
