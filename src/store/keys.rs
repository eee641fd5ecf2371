//! Keys that clients name so that asking twice acts once.
//!
//! Invariant: a key is written before the act and its answer after it; a key without an answer says
//! that nobody knows, never that nothing happened.

use super::{Store, StoreError, rows, rows::Columns};
use crate::domain::{Span, Timestamp, Topup};

/// Keys are remembered this long.
const KEPT: Span = Span::hours(24);

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// It is new, and now it is ours.
    New,
    /// It was named before.
    Known {
        /// What was asked with it.
        request: String,
        /// The status and the body that were answered; `None` before that.
        answer: Option<(i64, String)>,
        /// When it was named first.
        at: Timestamp,
    },
}

impl Store {
    /// Takes `key` for `request`, or tells what is known of it.
    pub async fn take_key(
        &self,
        actor: &str,
        key: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<Keyed, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(now.minus(KEPT).ms())
            .execute(&mut *tx)
            .await?;
        let taken = sqlx::query(
            "INSERT INTO idempotency_keys (actor, key, request, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(actor)
        .bind(key)
        .bind(request)
        .bind(now.ms())
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query("SELECT * FROM idempotency_keys WHERE actor = $1 AND key = $2")
            .bind(actor)
            .bind(key)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        if taken.rows_affected() == 1 {
            return Ok(Keyed::New);
        }
        let c = Columns { table: "idempotency_keys", row: &row };
        let answer = match (c.maybe_int("status")?, c.maybe_text("answer")?) {
            (Some(status), Some(answer)) => Some((status, answer)),
            _ => None,
        };
        Ok(Keyed::Known { request: c.text("request")?, answer, at: c.at("created_at")? })
    }

    /// Writes down what was answered.
    pub async fn answer_key(
        &self,
        actor: &str,
        key: &str,
        (status, answer): (i64, &str),
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE idempotency_keys SET status = $1, answer = $2 WHERE actor = $3 AND key = $4",
        )
        .bind(status)
        .bind(answer)
        .bind(actor)
        .bind(key)
        .execute(&self.writer())
        .await?;
        Ok(())
    }

    /// Lets a key go whose request was refused: nothing was done with it.
    pub async fn drop_key(&self, actor: &str, key: &str) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM idempotency_keys WHERE actor = $1 AND key = $2 AND status IS NULL",
        )
        .bind(actor)
        .bind(key)
        .execute(&self.writer())
        .await?;
        Ok(())
    }

    /// The top-up of `line` that `actor` moved first since `since`; ordered then, where `is_order`.
    pub async fn moved_by(
        &self,
        line: &str,
        actor: &str,
        is_order: bool,
        since: Timestamp,
    ) -> Result<Option<Topup>, StoreError> {
        let row = sqlx::query(
            "SELECT t.* FROM topups t JOIN topup_events e ON e.topup_id = t.id WHERE t.subscription_id = $1 \
             AND e.actor = $2 AND e.at >= $3 AND ((e.from_state = 'none' AND $4 = 1) OR (e.from_state <> 'none' AND $4 = 0)) \
             ORDER BY e.at, e.seq LIMIT 1",
        )
        .bind(line)
        .bind(actor)
        .bind(since.ms())
        .bind(i64::from(is_order))
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(rows::topup).transpose()
    }
}
