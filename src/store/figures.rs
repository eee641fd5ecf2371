//! Who is concerned by a reader or a payer.

use super::{Store, StoreError, rows::Columns};
use crate::domain::SubscriberId;

/// Subscribers in one go: as many are told in one commit.
const PAGE: i64 = 200;

/// Failing lines by reader, by their index.
pub(super) const FAILING: &str = "SELECT reader AS word, COUNT(*) AS n FROM watches WHERE poll_failures > 1 \
    AND next_poll_at IS NOT NULL GROUP BY reader";

impl Store {
    /// Of each reader: how many of its polled lines failed at least twice in a row, and how many
    /// there are.
    pub async fn reader_figures(&self) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT reader, COUNT(CASE WHEN poll_failures > 1 THEN 1 END) AS failing, COUNT(*) AS lines \
             FROM watches WHERE next_poll_at IS NOT NULL GROUP BY reader ORDER BY reader",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                Ok((c.text("reader")?, c.int("failing")?, c.int("lines")?))
            })
            .collect()
    }

    /// Of each reader: how many of its polled lines failed at least twice in a row.
    pub async fn failing(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.counts(FAILING).await
    }

    /// True where at least so many lines are active; no more of them are looked at.
    pub async fn has_lines(&self, least: i64) -> Result<bool, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM subscriptions WHERE status = 'active' LIMIT $1) few",
        )
        .bind(least)
        .fetch_one(self.reader())
        .await?;
        Ok(count >= least)
    }

    /// How many lines are active.
    pub async fn active_lines(&self) -> Result<i64, StoreError> {
        let count = "SELECT COUNT(*) FROM subscriptions WHERE status = 'active'";
        Ok(sqlx::query_scalar(count).fetch_one(self.reader()).await?)
    }

    /// Who has an active line at `reader`: the next of them after `after`, in order.
    pub async fn subscribers_of_reader(
        &self,
        reader: &str,
        after: &str,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT subscriber_id FROM subscriptions WHERE subscriber_id > $1 AND reader = $2 \
             AND status = 'active' ORDER BY subscriber_id LIMIT $3",
        )
        .bind(after)
        .bind(reader)
        .bind(PAGE)
        .fetch_all(self.reader())
        .await?;
        Ok(ids.into_iter().map(SubscriberId::trusted).collect())
    }

    /// Everybody with an active line that `payer` may pay for: the next of them after `after`.
    pub async fn subscribers_of_payer(
        &self,
        payer: &str,
        after: &str,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let sql = self.sql(
            "SELECT DISTINCT subscriber_id FROM subscriptions WHERE subscriber_id > $1 AND $2 IN {ids payers} \
             AND status = 'active' ORDER BY subscriber_id LIMIT $3",
        );
        let query = sqlx::query_scalar(sql).bind(after).bind(payer).bind(PAGE);
        let ids: Vec<String> = query.fetch_all(self.reader()).await?;
        Ok(ids.into_iter().map(SubscriberId::trusted).collect())
    }

    /// Everybody who is not closed: the next of them after `after`.
    pub async fn subscribers_after(&self, after: &str) -> Result<Vec<SubscriberId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM subscribers WHERE id > $1 AND closed_at IS NULL ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(self.reader())
        .await?;
        Ok(ids.into_iter().map(SubscriberId::trusted).collect())
    }
}
