//! Notices that no channel delivered, and how much one person was sent.

use super::{Store, StoreError, StoredNotice, notices};
use crate::domain::{NoticeDraft, Timestamp};

impl Store {
    /// Important notices that were given up and that nobody else was told of.
    pub async fn given_up(&self, limit: i64) -> Result<Vec<StoredNotice>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM notices WHERE state = 'dead' AND escalated = 0 \
             AND severity IN ('high', 'critical') AND kind <> 'undelivered' ORDER BY created_at LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(notices::readable(&rows))
    }

    /// Writes what others are told of a notice that was given up.
    pub async fn escalate(&self, id: &str, drafts: &[NoticeDraft]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE notices SET escalated = 1 WHERE id = $1 AND escalated = 0")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        for draft in drafts {
            notices::insert(&mut tx, draft).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many notices `subscriber` was sent by `channel` since `since`, and when the first of
    /// them was.
    pub async fn sent_to(
        &self,
        subscriber: &str,
        channel: &str,
        since: Timestamp,
    ) -> Result<(i64, Option<Timestamp>), StoreError> {
        let (n, first): (i64, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), MIN(sent_at) FROM notices WHERE subscriber_id = $1 AND sent_at > $2 AND channel = $3",
        )
        .bind(subscriber)
        .bind(since.ms())
        .bind(channel)
        .fetch_one(self.reader())
        .await?;
        Ok((n, first.map(Timestamp::from_ms)))
    }

    /// Gives back claims (id and number of the try) that were not tried, and lets all wait until `until` that `subscriber` is
    /// to be told by `channel` now: one statement, however long the queue is.
    pub async fn hold_back(
        &self,
        claimed: &[(&str, i64)],
        subscriber: &str,
        channel: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (id, attempt) in claimed {
            sqlx::query(
                "UPDATE notices SET state = 'queued', attempts = attempts - 1, next_try_at = $1, \
                 last_error = 'this person was sent enough for now' WHERE id = $2 AND state = 'sending' AND attempts = $3",
            )
            .bind(until.ms())
            .bind(*id)
            .bind(*attempt)
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query(
            "UPDATE notices SET next_try_at = $1 WHERE next_try_at <= $2 AND subscriber_id = $3 AND channel = $4 \
             AND state = 'queued' AND severity <> 'critical' AND kind <> 'test'",
        )
        .bind(until.ms())
        .bind(now.ms())
        .bind(subscriber)
        .bind(channel)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
