//! When each line is due.

use super::{Store, StoreError, Tx};
use crate::domain::{Span, SubscriptionId, Timestamp};
use serde_json::json;

/// When the next poll of a reader is due.
pub(super) const NEXT_POLL: &str =
    "SELECT MIN(next_poll_at) FROM watches WHERE reader = $1 AND next_poll_at > $2";

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
            let mut tx = self.begin_on_all_lines().await?;
            let done = sqlx::query("UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1")
                .bind(now.ms())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            done
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

    /// The earliest due poll of `reader`.
    pub async fn next_poll_due(&self, reader: &str) -> Result<Option<Timestamp>, StoreError> {
        self.next_poll_after(reader, Timestamp::from_ms(i64::MIN)).await
    }

    /// The earliest poll of `reader` that is due after `after`.
    pub async fn next_poll_after(
        &self,
        reader: &str,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let query = sqlx::query_scalar(NEXT_POLL).bind(reader).bind(after.ms());
        let at: Option<i64> = query.fetch_one(self.reader()).await?;
        Ok(at.map(Timestamp::from_ms))
    }
}
