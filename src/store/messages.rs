//! Text messages that became readings: each one once.

use super::{Changed, Polled, Store, StoreError, needs::sha256_hex, rows};
use crate::domain::{Span, Subscription, Timestamp};

/// Phones try for two days to get rid of a message; nobody posts one that is older than this.
const REMEMBERED: Span = Span::days(90);

impl Store {
    /// The lines that `reader` reads and that are not closed, by their ids.
    pub async fn lines_of_reader(&self, reader: &str) -> Result<Vec<Subscription>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM subscriptions WHERE reader = $1 AND status <> 'closed' ORDER BY id",
        )
        .bind(reader)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::subscription).collect()
    }

    /// True where a reading was made of the message `key` of `provider`.
    pub async fn knows_message(&self, provider: &str, key: &str) -> Result<bool, StoreError> {
        let known: Option<i64> = sqlx::query_scalar(
            "SELECT stored_at FROM messages WHERE provider = $1 AND message = $2",
        )
        .bind(provider)
        .bind(sha256_hex(key))
        .fetch_optional(self.reader())
        .await?;
        Ok(known.is_some())
    }

    /// Writes the reading of a message and that there was one, in one commit; false, and nothing is
    /// written, where somebody did so before.
    pub async fn apply_message(
        &self,
        key: Option<&str>,
        polled: &Polled,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(key) = key {
            let written = sqlx::query(
                "INSERT INTO messages (provider, message, subscription_id, stored_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (provider, message) DO NOTHING",
            )
            .bind(&polled.reading.provider)
            .bind(sha256_hex(key))
            .bind(polled.reading.subscription.as_str())
            .bind(now.ms())
            .execute(&mut *tx)
            .await?;
            if written.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query("DELETE FROM messages WHERE stored_at < $1")
                .bind(now.minus(REMEMBERED).ms())
                .execute(&mut *tx)
                .await?;
        }
        self.lock_watches(&mut tx, &[polled.reading.subscription.as_str()]).await?;
        self.write_polls(&mut tx, &[polled], now).await?;
        tx.commit().await?;
        self.changes.tell([Changed::Line(polled.reading.subscription.clone())]);
        Ok(true)
    }
}
