//! Top-ups and their history: reading them, and the rows that are due.

use super::{Change, Store, StoreError, Tx, journal, rows, rows::Columns};
use crate::domain::{Reading, Span, State, Timestamp, Topup, TopupId};

/// One line of a top-up's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopupEvent {
    /// When.
    pub at: Timestamp,
    /// The state before; `none` for the first.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Who or what moved it.
    pub actor: String,
    /// In words.
    pub why: String,
    /// The exchange or reading behind it.
    pub evidence: Option<String>,
}

impl Store {
    /// One top-up, by its id or a unique beginning of it, or by its reference.
    pub async fn topup(&self, id: &str) -> Result<Topup, StoreError> {
        let pattern = format!("{}%", id.replace(['%', '_'], ""));
        let rows = sqlx::query(
            "SELECT * FROM topups WHERE id = $1 OR reference = $1 OR (length($1) >= 4 AND replace(id, '_', '') LIKE replace($2, '_', '')) \
             ORDER BY CASE WHEN id = $1 OR reference = $1 THEN 0 ELSE 1 END, id LIMIT 2",
        )
        .bind(id)
        .bind(pattern)
        .fetch_all(self.reader())
        .await?;
        let found: Vec<Topup> = rows.iter().map(rows::topup).collect::<Result<_, _>>()?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [first, _] if first.id.as_str() == id || first.reference == id => Ok(first.clone()),
            _ => Err(StoreError::NotFound(format!("top-up {id}"))),
        }
    }

    /// Top-ups created from `from` up to `to`, newest first; of one line where `subscription` is given.
    pub async fn topups(
        &self,
        subscription: Option<&str>,
        from: Timestamp,
        to: Timestamp,
        limit: i64,
    ) -> Result<Vec<Topup>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM topups WHERE created_at >= $1 AND created_at < $2 AND ($3 IS NULL OR subscription_id = $3) \
             ORDER BY created_at DESC, id LIMIT $4",
        )
        .bind(from.ms())
        .bind(to.ms())
        .bind(subscription.map(str::to_owned))
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::topup).collect()
    }

    /// The history of a top-up, and the reading that showed its effect or the last before it ended.
    pub async fn evidence(
        &self,
        topup: &Topup,
    ) -> Result<(Vec<TopupEvent>, Option<Reading>), StoreError> {
        let events = self.topup_events(&topup.id).await?;
        // What was read last while it was under way, and at least once after it left.
        let end =
            if topup.state.is_final() { topup.updated_at } else { Timestamp::from_ms(i64::MAX) };
        let last = self.ok_before(&topup.subscription, end.plus(Span::from_ms(1)), 1).await?.pop();
        let after = last.filter(|r| topup.last_sent_at.is_some_and(|sent| r.at >= sent));
        Ok((events, after))
    }

    /// The history of a top-up, oldest first.
    pub async fn topup_events(&self, id: &TopupId) -> Result<Vec<TopupEvent>, StoreError> {
        let rows = sqlx::query("SELECT * FROM topup_events WHERE topup_id = $1 ORDER BY seq")
            .bind(id.as_str())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topup_events", row };
                Ok(TopupEvent {
                    at: c.at("at")?,
                    from: c.text("from_state")?,
                    to: c.text("to_state")?,
                    actor: c.text("actor")?,
                    why: c.text("why")?,
                    evidence: c.maybe_text("evidence")?,
                })
            })
            .collect()
    }

    /// Top-ups in one of `states` that are due for a look, oldest due first.
    pub async fn due_topups(
        &self,
        states: &[State],
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Topup>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let sql = self.sql(
            "SELECT * FROM topups WHERE next_action_at <= $2 AND state IN {ids $1} ORDER BY next_action_at, id LIMIT $3",
        );
        let rows = sqlx::query(sql)
            .bind(serde_json::json!(words).to_string())
            .bind(now.ms())
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(rows::topup).collect()
    }

    /// Reserved orders at `payer` that are due, oldest due first.
    pub async fn due_orders(
        &self,
        payer: &str,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Topup>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM topups WHERE next_action_at <= $1 AND state = 'reserved' AND payer = $2 \
             ORDER BY next_action_at, id LIMIT $3",
        )
        .bind(now.ms())
        .bind(payer)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::topup).collect()
    }

    /// Top-ups that may have left through `payer` from `from` up to `to`, oldest first.
    pub async fn sent_through(
        &self,
        payer: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Topup>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM topups WHERE payer = $1 AND maybe_sent > 0 AND last_sent_at >= $2 AND last_sent_at <= $3 \
             ORDER BY last_sent_at, id",
        )
        .bind(payer)
        .bind(from.ms())
        .bind(to.ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::topup).collect()
    }

    /// The top-up that has this transaction of `payer`.
    pub async fn owner_of(
        &self,
        payer: &str,
        transaction_id: &str,
    ) -> Result<Option<TopupId>, StoreError> {
        let id: Option<String> =
            sqlx::query_scalar("SELECT id FROM topups WHERE payer = $1 AND transaction_id = $2")
                .bind(payer)
                .bind(transaction_id)
                .fetch_optional(self.reader())
                .await?;
        Ok(id.map(TopupId::trusted))
    }

    /// The earliest instant at which a top-up in one of `states` is due.
    pub async fn next_topup_due(&self, states: &[State]) -> Result<Option<Timestamp>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let sql = self.sql("SELECT MIN(next_action_at) FROM topups WHERE state IN {ids $1}");
        let at: Option<i64> = sqlx::query_scalar(sql)
            .bind(serde_json::json!(words).to_string())
            .fetch_one(self.reader())
            .await?;
        Ok(at.map(Timestamp::from_ms))
    }

    /// How many orders were sent to `payer` since `since`, and when the oldest of them was.
    pub async fn sent_since(
        &self,
        payer: &str,
        since: Timestamp,
    ) -> Result<(i64, Option<Timestamp>), StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS n, MIN(last_sent_at) AS first_at FROM topups WHERE payer = $1 AND last_sent_at > $2")
            .bind(payer)
            .bind(since.ms())
            .fetch_one(self.reader())
            .await?;
        let c = Columns { table: "topups", row: &row };
        Ok((c.int("n")?, c.maybe_at("first_at")?))
    }

    /// How long the newest `limit` verified top-ups at `payer` took, from reserved to verified; but
    /// for those that waited for a person.
    pub async fn settle_times(&self, payer: &str, limit: i64) -> Result<Vec<Span>, StoreError> {
        let times: Vec<i64> = sqlx::query_scalar(
            "SELECT finalized_at - reserved_at FROM topups WHERE payer = $1 AND state = 'verified' \
             AND NOT EXISTS (SELECT 1 FROM topup_events e WHERE e.topup_id = topups.id AND e.to_state = 'held') \
             ORDER BY created_at DESC LIMIT $2",
        )
        .bind(payer)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(times.into_iter().map(Span::from_ms).collect())
    }

    /// The states of the last `limit` sent top-ups at `payer`, newest first (for its breaker).
    pub async fn last_outcomes(&self, payer: &str, limit: i64) -> Result<Vec<State>, StoreError> {
        let rows = sqlx::query(
            "SELECT state FROM topups WHERE payer = $1 AND last_sent_at IS NOT NULL ORDER BY last_sent_at DESC, id LIMIT $2",
        )
        .bind(payer)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| Columns { table: "topups", row }.parsed("state", State::parse))
            .collect()
    }

    /// A settled top-up at `payer` since `since`, other than `not`: the positive control of look-ups.
    pub async fn known_good(
        &self,
        payer: &str,
        since: Timestamp,
        not: &TopupId,
    ) -> Result<Option<Topup>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM topups WHERE payer = $1 AND state = 'verified' AND last_sent_at > $2 AND id <> $3 \
             ORDER BY last_sent_at DESC LIMIT 1",
        )
        .bind(payer)
        .bind(since.ms())
        .bind(not.as_str())
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(rows::topup).transpose()
    }

    /// Writes a line of history without moving the top-up (an approval, a look that found nothing new).
    pub async fn note_topup(
        &self,
        topup: &Topup,
        change: &Change,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Locked, so that two lines of one history are never numbered alike.
        sqlx::query("UPDATE topups SET version = version WHERE id = $1")
            .bind(topup.id.as_str())
            .execute(&mut *tx)
            .await?;
        append_event(&mut tx, topup, topup.state.as_str(), change, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Writes a line of history with its links.
pub(super) async fn append_event(
    tx: &mut Tx,
    topup: &Topup,
    from: &str,
    change: &Change,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = insert_event(tx, topup, from, change, now).await?;
    let facts = sqlx::query("SELECT * FROM topups WHERE id = $1")
        .bind(topup.id.as_str())
        .fetch_one(&mut **tx)
        .await?;
    journal::link(tx, &[event, journal::Table::Topups.entry(&facts)?], now).await
}

/// Writes a line of history, and gives back its link, which is the caller's to append.
pub(super) async fn insert_event(
    tx: &mut Tx,
    topup: &Topup,
    from: &str,
    change: &Change,
    now: Timestamp,
) -> Result<journal::Entry, StoreError> {
    let event = sqlx::query(
        "INSERT INTO topup_events (topup_id, seq, at, from_state, to_state, actor, why, evidence) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7 FROM topup_events WHERE topup_id = $1 RETURNING *",
    )
    .bind(topup.id.as_str())
    .bind(now.ms())
    .bind(from)
    .bind(topup.state.as_str())
    .bind(&change.actor)
    .bind(&change.why)
    .bind(&change.evidence)
    .fetch_one(&mut **tx)
    .await?;
    journal::Table::Events.entry(&event)
}
