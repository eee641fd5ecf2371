//! Claims: what is due goes to one instance at a time, until its lease runs out.
//!
//! A claim moves the due time of a row on by the lease. Whoever takes a row over after that says a
//! later time still, so a write of the late first owner is known by its older one, and changes
//! nothing. On PostgreSQL claims skip rows that others are just claiming. SQLite has one daemon,
//! held apart by its lock file, and pays for none of this: it remembers which lines it is polling.

use super::{Dialect, DuePoll, Polled, SeenAgain, Store, StoreError, Tx, rows, rows::Columns};
use crate::domain::{Severity, State, SubscriptionId, Timestamp, Topup};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::HashMap;

macro_rules! due {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM watches WHERE reader = $1 AND next_poll_at > $2 AND next_poll_at <= $3 \
             ORDER BY next_poll_at LIMIT $4"
        )
    };
}

/// Due lines of one reader, those that wait longest first.
pub(super) const DUE: &str = due!("subscription_id");

/// The same by their rows in SQLite, which the index has; as one JSON array: rows of a driver cost more
/// than what is in them.
pub(super) const DUE_ROWS: &str =
    concat!("SELECT json_group_array(place) FROM (", due!("rowid AS place"), ")");

/// What the database put into one JSON array.
fn listed<T: DeserializeOwned>(array: &str) -> Result<Vec<T>, StoreError> {
    Ok(serde_json::from_str(array).map_err(|error| sqlx::Error::Decode(error.into()))?)
}

fn alone<T>(claimed: Vec<(T, Timestamp)>) -> Vec<T> {
    claimed.into_iter().map(|(one, _)| one).collect()
}

impl Store {
    /// Claims up to `limit` due lines of `reader`: their next poll moves on to `until`, so that
    /// nobody else takes them, and a crash only delays them.
    pub async fn claim_polls(
        &self,
        reader: &str,
        limit: usize,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DuePoll>, StoreError> {
        let always = Timestamp::from_ms(i64::MIN);
        self.claim_polls_due(reader, (always, now), limit, until, now).await
    }

    /// The same of those that became due after the first instant, and at the second at the latest.
    pub async fn claim_polls_due(
        &self,
        reader: &str,
        between: (Timestamp, Timestamp),
        limit: usize,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DuePoll>, StoreError> {
        match self.dialect() {
            Dialect::Sqlite => self.hold_polls(reader, between, limit, until, now).await,
            Dialect::Postgres => {
                let ids = self.take_polls(reader, between, limit, until).await?;
                if ids.is_empty() { Ok(Vec::new()) } else { self.due_polls(&ids).await }
            }
        }
    }

    /// On SQLite nobody else polls, so that a claim need not be written: it is remembered until the
    /// answer is, or until its lease runs out.
    async fn hold_polls(
        &self,
        reader: &str,
        (after, by): (Timestamp, Timestamp),
        limit: usize,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DuePoll>, StoreError> {
        let held = self.held.count(now);
        // Lines that are held are still due, and come first: their rows are not looked at.
        let due: String = sqlx::query_scalar(DUE_ROWS)
            .bind(reader)
            .bind(after.ms())
            .bind(by.ms())
            .bind(i64::try_from(limit.saturating_add(held)).unwrap_or(i64::MAX))
            .fetch_one(self.reader())
            .await?;
        let taken = self.held.take(listed(&due)?, limit, until);
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let due = self.polls_at(&taken).await?;
        self.held
            .name(due.iter().filter_map(|due| Some((due.place?.number, &due.subscription.id))));
        Ok(due)
    }

    async fn take_polls(
        &self,
        reader: &str,
        (after, by): (Timestamp, Timestamp),
        limit: usize,
        until: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT next_poll_at FROM watches WHERE reader = $1 AND next_poll_at > $2 AND next_poll_at <= $3 LIMIT 1",
        )
        .bind(reader)
        .bind(after.ms())
        .bind(by.ms())
        .fetch_optional(self.reader())
        .await?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let taken: String = sqlx::query_scalar(concat!(
            "WITH due AS MATERIALIZED (",
            due!("subscription_id"),
            " FOR UPDATE SKIP LOCKED), taken AS (UPDATE watches SET next_poll_at = $5 FROM due \
             WHERE watches.subscription_id = due.subscription_id RETURNING watches.subscription_id) \
             SELECT CAST(COALESCE(json_agg(subscription_id), '[]') AS text) FROM taken"
        ))
        .bind(reader)
        .bind(after.ms())
        .bind(by.ms())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(until.ms())
        .fetch_one(&self.writer())
        .await?;
        listed(&taken)
    }

    /// Writes a bunch of readings, news and those that say the same again, each of a line that was
    /// claimed until the time beside it. Those of lines that somebody else took over since are
    /// dropped; returns how many.
    pub async fn apply_claimed(
        &self,
        news: Vec<(Polled, Timestamp)>,
        same: Vec<(SeenAgain, Timestamp)>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            let (news, same): (Vec<Polled>, Vec<SeenAgain>) = (alone(news), alone(same));
            // Where this fails, the lines stay held: a full disk is no reason to ask without end.
            self.apply_round(&news, &same, now).await?;
            let done = news.iter().chain(same.iter().map(|seen| &seen.polled));
            self.held.release(done.map(|polled| polled.reading.subscription.as_str()));
            return Ok(0);
        }
        let all = news.len() + same.len();
        let mut tx = self.begin().await?;
        let lines = news.iter().map(|(polled, _)| polled);
        let lines = lines.chain(same.iter().map(|(seen, _)| &seen.polled));
        let ids: Vec<&str> = lines.map(|p| p.reading.subscription.as_str()).collect();
        let next = self.lock_watches(&mut tx, &ids).await?;
        let is_ours = |polled: &Polled, until: &Timestamp| {
            let at = next.get(polled.reading.subscription.as_str()).copied().flatten();
            at.is_none_or(|at| at <= until.ms())
        };
        let news = news.into_iter().filter(|(polled, until)| is_ours(polled, until)).collect();
        let same = same.into_iter().filter(|(seen, until)| is_ours(&seen.polled, until)).collect();
        let (news, same): (Vec<Polled>, Vec<SeenAgain>) = (alone(news), alone(same));
        self.write_round(&mut tx, &news, &same, now).await?;
        tx.commit().await?;
        self.tell_of_polls(&news, &same);
        Ok(all.saturating_sub(news.len() + same.len()))
    }

    /// Claims up to `limit` due decisions, the longest waiting first: they are due again only at
    /// `until`, unless a reading comes.
    pub async fn claim_decisions(
        &self,
        limit: i64,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let due = self.due_decisions(limit, now).await?;
        if due.is_empty() || self.dialect() == Dialect::Sqlite {
            self.claim_decisions_of(&due, until, now).await?;
            return Ok(due);
        }
        // Others look at the same first rows: each takes those that nobody is taking.
        let mut claimed: Vec<String> = sqlx::query_scalar(
            "WITH due AS MATERIALIZED (SELECT subscription_id AS id FROM watches \
             WHERE next_decide_at <= $2 ORDER BY next_decide_at, subscription_id LIMIT $3 \
             FOR UPDATE SKIP LOCKED) UPDATE watches SET next_decide_at = $1, steady = NULL FROM due \
             WHERE subscription_id = due.id RETURNING subscription_id",
        )
        .bind(until.ms())
        .bind(now.ms())
        .bind(limit)
        .fetch_all(&self.writer())
        .await?;
        claimed.sort_unstable();
        Ok(claimed)
    }

    /// Claims the decisions about the named lines, as far as they are due; and until one is made, every
    /// reading counts.
    pub async fn claim_decisions_of(
        &self,
        ids: &[String],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let sql = self.sql(
            "UPDATE watches SET next_decide_at = $1, steady = NULL WHERE next_decide_at <= $2 AND subscription_id IN {ids $3}",
        );
        sqlx::query(sql)
            .bind(until.ms())
            .bind(now.ms())
            .bind(json!(ids).to_string())
            .execute(&self.writer())
            .await?;
        Ok(())
    }

    /// `Conflict` where the decision about a line that was claimed until `claimed` is somebody
    /// else's by now. The line's row is locked from here on.
    pub(super) async fn hold_decision(
        &self,
        tx: &mut Tx,
        id: &SubscriptionId,
        claimed: Timestamp,
    ) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let next: Option<Option<i64>> = sqlx::query_scalar(
            "SELECT next_decide_at FROM watches WHERE subscription_id = $1 FOR UPDATE",
        )
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
        match next.flatten() {
            Some(at) if at <= claimed.ms() => Ok(()),
            _ => Err(StoreError::Conflict { what: format!("the decision about {id}") }),
        }
    }

    /// Claims up to `limit` top-ups in one of `states` that are due for a look, oldest due first.
    pub async fn claim_topups(
        &self,
        states: &[State],
        limit: i64,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Topup>, StoreError> {
        let due = self.due_topups(states, limit, now).await?;
        if due.is_empty() || self.dialect() == Dialect::Sqlite {
            return Ok(due);
        }
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let rows = sqlx::query(
            "WITH due AS MATERIALIZED (SELECT id AS due_id FROM topups WHERE next_action_at <= $2 \
             AND state IN (SELECT jsonb_array_elements_text(CAST($1 AS jsonb))) \
             ORDER BY next_action_at, id LIMIT $3 FOR UPDATE SKIP LOCKED) \
             UPDATE topups SET next_action_at = $4 FROM due WHERE id = due.due_id RETURNING topups.*",
        )
        .bind(json!(words).to_string())
        .bind(now.ms())
        .bind(limit)
        .bind(until.ms())
        .fetch_all(&self.writer())
        .await?;
        let mut claimed: Vec<Topup> = rows.iter().map(rows::topup).collect::<Result<_, _>>()?;
        claimed.sort_unstable_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
        Ok(claimed)
    }

    /// The ids of up to `limit` due notices, what matters most first, and the transaction in which
    /// to claim them; `None` where none is due.
    pub(super) async fn notices_to_claim(
        &self,
        limit: i64,
        now: Timestamp,
    ) -> Result<Option<(Tx, Vec<String>)>, StoreError> {
        // One commit for the batch: each waits for the disk.
        if self.dialect() == Dialect::Sqlite {
            let next = self.next_notices(limit, now).await?;
            if next.is_empty() {
                return Ok(None);
            }
            let ids = next.into_iter().map(|(id, _)| id).collect();
            return Ok(Some((self.begin().await?, ids)));
        }
        let (mut tx, mut ids) = (self.begin().await?, Vec::new());
        for severity in Severity::ALL.iter().rev() {
            let left = limit.saturating_sub(i64::try_from(ids.len()).unwrap_or(i64::MAX));
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT id FROM notices WHERE severity = $1 AND next_try_at <= $2 \
                 ORDER BY next_try_at, created_at, id LIMIT $3 FOR UPDATE SKIP LOCKED",
            )
            .bind(severity.as_str())
            .bind(now.ms())
            .bind(left)
            .fetch_all(&mut *tx)
            .await?;
            ids.extend(found);
        }
        Ok((!ids.is_empty()).then_some((tx, ids)))
    }

    /// Locks lines, always in one order, so that two bunches never wait for each other, and says
    /// when each is to be polled. Nothing on SQLite: whoever writes there is alone.
    pub(super) async fn lock_watches(
        &self,
        tx: &mut Tx,
        ids: &[&str],
    ) -> Result<HashMap<String, Option<i64>>, StoreError> {
        if self.dialect() == Dialect::Sqlite || ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query(
            "SELECT subscription_id, next_poll_at FROM watches WHERE subscription_id IN \
             (SELECT jsonb_array_elements_text(CAST($1 AS jsonb))) ORDER BY subscription_id FOR UPDATE",
        )
        .bind(json!(ids).to_string())
        .fetch_all(&mut **tx)
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                Ok((c.text("subscription_id")?, c.maybe_int("next_poll_at")?))
            })
            .collect()
    }

    /// A transaction that changes many lines at once: the others wait for it, and none with it.
    pub(super) async fn begin_on_all_lines(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            sqlx::query("LOCK TABLE watches IN EXCLUSIVE MODE").execute(&mut *tx).await?;
        }
        Ok(tx)
    }

    /// Takes the daily comparison with `payer`, last made at `last`: it is due again after `every`,
    /// counted from `from`. False where somebody else has it.
    pub async fn claim_comparison(
        &self,
        payer: &str,
        last: Option<Timestamp>,
        from: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = match last {
            Some(last) => {
                sqlx::query("UPDATE reconciliations SET at = $1 WHERE payer = $2 AND at = $3")
                    .bind(from.ms())
                    .bind(payer)
                    .bind(last.ms())
                    .execute(&self.writer())
                    .await?
            }
            None => {
                sqlx::query(
                    "INSERT INTO reconciliations (payer, at) VALUES ($1, $2) ON CONFLICT (payer) DO NOTHING",
                )
                .bind(payer)
                .bind(from.ms())
                .execute(&self.writer())
                .await?
            }
        };
        Ok(done.rows_affected() == 1)
    }
}
