//! Readings, newest first.

use super::{Store, StoreError, rows};
use crate::domain::{Reading, SubscriptionId, Timestamp};

impl Store {
    /// The newest `limit` readings of a line.
    pub async fn readings(
        &self,
        id: &SubscriptionId,
        limit: i64,
    ) -> Result<Vec<Reading>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sightings WHERE subscription_id = $1 ORDER BY at DESC LIMIT $2",
        )
        .bind(id.as_str())
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::reading).collect()
    }

    /// The newest `ok` reading of a line.
    pub async fn newest_ok(&self, id: &SubscriptionId) -> Result<Option<Reading>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM sightings WHERE subscription_id = $1 \
             AND at = (SELECT ok_at FROM watches WHERE subscription_id = $1)",
        )
        .bind(id.as_str())
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(rows::reading).transpose()
    }

    /// The newest `limit` `ok` readings of a line before `before`, newest first.
    pub async fn ok_before(
        &self,
        id: &SubscriptionId,
        before: Timestamp,
        limit: i64,
    ) -> Result<Vec<Reading>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sightings WHERE subscription_id = $1 AND at < $2 AND quality = 'ok' ORDER BY at DESC LIMIT $3",
        )
        .bind(id.as_str())
        .bind(before.ms())
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::reading).collect()
    }

    /// How many readings there are from `since` on, as lists show them.
    pub async fn count_readings(&self, since: Timestamp) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM sightings WHERE at >= $1")
            .bind(since.ms())
            .fetch_one(self.reader())
            .await?)
    }

    /// How many lines were read from `since` on.
    pub async fn lines_read(&self, since: Timestamp) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM watches WHERE newest_at >= $1")
            .bind(since.ms())
            .fetch_one(self.reader())
            .await?)
    }
}
