//! Who is concerned by a reader or a payer.

use super::{Store, StoreError, rows::Columns};
use crate::domain::SubscriberId;

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

    /// Who has an active line at `reader`.
    pub async fn subscribers_of_reader(
        &self,
        reader: &str,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT subscriber_id FROM subscriptions WHERE reader = $1 AND status = 'active' ORDER BY subscriber_id",
        )
        .bind(reader)
        .fetch_all(self.reader())
        .await?;
        Ok(ids.into_iter().map(SubscriberId::trusted).collect())
    }

    /// Everybody with an active line that `payer` may pay for.
    pub async fn subscribers_of_payer(&self, payer: &str) -> Result<Vec<SubscriberId>, StoreError> {
        let rows = sqlx::query(
            "SELECT subscriber_id, payers FROM subscriptions WHERE status = 'active' ORDER BY subscriber_id",
        )
        .fetch_all(self.reader())
        .await?;
        let mut owners = Vec::new();
        for row in &rows {
            let c = Columns { table: "subscriptions", row };
            let payers: Vec<String> = serde_json::from_str(&c.text("payers")?).unwrap_or_default();
            let owner = c.text("subscriber_id")?;
            if payers.iter().any(|name| name == payer) && owners.last() != Some(&owner) {
                owners.push(owner);
            }
        }
        Ok(owners.into_iter().map(SubscriberId::trusted).collect())
    }
}
