//! What a provider's call names, looked at soon.

use super::{Store, StoreError};
use crate::domain::{Span, Timestamp};

/// A line is read again because of calls at most this often.
const LINE_REST: Span = Span::minutes(1);

impl Store {
    /// Has open top-ups at `provider`, and lines read there, looked at now where `words` name them
    /// by reference, transaction id, number or serial. Gives back how many.
    pub async fn look_at_named(
        &self,
        provider: &str,
        words: &[String],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut plain: Vec<String> = words.to_vec();
        plain.extend(words.iter().map(|word| format!("+{word}")));
        let list = serde_json::json!(plain).to_string();
        let topups = self.sql(
            "UPDATE topups SET next_action_at = $1 WHERE payer = $2 AND next_action_at > $1 \
             AND state IN ('pending', 'unknown', 'paid') \
             AND (reference IN {ids $3} OR transaction_id IN {ids $3})",
        );
        let lines = self.sql(
            "UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1 \
             AND (newest_at IS NULL OR newest_at <= $2) AND subscription_id IN \
             (SELECT id FROM subscriptions WHERE reader = $3 AND (msisdn IN {ids $4} OR iccid IN {ids $4}))",
        );
        let mut tx = self.begin().await?;
        let polls = sqlx::query(lines)
            .bind(now.ms())
            .bind(now.minus(LINE_REST).ms())
            .bind(provider)
            .bind(&list)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        let orders = sqlx::query(topups)
            .bind(now.ms())
            .bind(provider)
            .bind(&list)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(orders.saturating_add(polls))
    }
}
