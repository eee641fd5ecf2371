//! When each line is due, and what was found: the hot path. Claims and results go through in
//! bunches, one statement and one commit for many rows.

use super::{Changed, Store, StoreError, Tx, rows, rows::Columns};
use crate::domain::{Money, Quality, Reading, Span, Subscription, SubscriptionId, Timestamp};
use serde_json::json;

/// A line that is due, claimed for one poll.
#[derive(Clone, Debug)]
pub struct DuePoll {
    /// The line.
    pub subscription: Subscription,
    /// Failed polls in a row so far.
    pub failures: i64,
    /// The currency its readings have had, once known.
    pub currency: Option<crate::domain::Currency>,
}

/// What came of one poll.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The reading, good or bad.
    pub reading: Reading,
    /// When to poll again.
    pub next_poll_at: Timestamp,
}

/// The claim of due polls, up to where PostgreSQL passes by what others hold.
pub(super) const CLAIM: &str = "UPDATE watches SET next_poll_at = $1 WHERE subscription_id IN ( \
    SELECT subscription_id FROM watches WHERE reader = $2 AND next_poll_at > $3 AND next_poll_at <= $4 \
    ORDER BY next_poll_at LIMIT $5";

/// When the next poll of a reader is due.
pub(super) const NEXT_POLL: &str =
    "SELECT MIN(next_poll_at) FROM watches WHERE reader = $1 AND next_poll_at IS NOT NULL";

impl Store {
    /// Claims up to `limit` due lines of `reader`: their next poll moves on by `lease`, so that
    /// nobody else takes them, and a crash only delays them.
    pub async fn claim_polls(
        &self,
        reader: &str,
        limit: usize,
        lease: Span,
        now: Timestamp,
    ) -> Result<Vec<DuePoll>, StoreError> {
        let always = Timestamp::from_ms(i64::MIN);
        self.claim_polls_due(reader, (always, now), limit, lease, now).await
    }

    /// The same of those that became due after the first instant, and at the second at the latest.
    pub async fn claim_polls_due(
        &self,
        reader: &str,
        (after, until): (Timestamp, Timestamp),
        limit: usize,
        lease: Span,
        now: Timestamp,
    ) -> Result<Vec<DuePoll>, StoreError> {
        let locked = match self.dialect() {
            super::Dialect::Sqlite => "",
            super::Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        };
        let claim = format!("{CLAIM}{locked}) RETURNING subscription_id");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT next_poll_at FROM watches WHERE reader = $1 AND next_poll_at > $2 AND next_poll_at <= $3 LIMIT 1",
        )
        .bind(reader)
        .bind(after.ms())
        .bind(until.ms())
        .fetch_optional(self.reader())
        .await?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let claimed = sqlx::query(sqlx::AssertSqlSafe(claim))
            .bind(now.plus(lease).ms())
            .bind(reader)
            .bind(after.ms())
            .bind(until.ms())
            .bind(limit)
            .fetch_all(&self.writer())
            .await?;
        let ids: Result<Vec<String>, StoreError> = claimed
            .iter()
            .map(|row| Columns { table: "watches", row }.text("subscription_id"))
            .collect();
        self.due_polls(&ids?).await
    }

    /// The named lines, as if they were due.
    pub async fn due_polls(&self, ids: &[String]) -> Result<Vec<DuePoll>, StoreError> {
        let columns = [&rows::SUBSCRIPTION[..], &["w.poll_failures", "r.currency"]].concat();
        let rest = "FROM subscriptions s JOIN watches w ON w.subscription_id = s.id \
                    LEFT JOIN readings r ON r.subscription_id = s.id AND r.at = w.ok_at \
                    WHERE s.id IN {ids $1}";
        let found = self.bunch(&columns, rest, &json!(ids).to_string()).await?;
        found
            .rows()
            .map(|row| {
                let c = Columns { table: "watches", row: &row };
                let currency = c.maybe_text("currency")?;
                Ok(DuePoll {
                    subscription: rows::subscription(&row)?,
                    failures: c.int("poll_failures")?,
                    currency: currency.and_then(|code| crate::domain::Currency::parse(&code).ok()),
                })
            })
            .collect()
    }

    /// Writes a bunch of readings and what follows for each line, in one commit: they are due for
    /// a decision, and a top-up that waits for a movement is due for a look.
    pub async fn apply_polls(&self, polled: &[Polled], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.write_polls(&mut tx, polled, now).await?;
        tx.commit().await?;
        self.changes.tell(polled.iter().map(|p| Changed::Line(p.reading.subscription.clone())));
        Ok(())
    }

    /// The same as part of a larger commit.
    pub(super) async fn write_polls(
        &self,
        tx: &mut Tx,
        polled: &[Polled],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Few readings have buckets or a charge; the others do not pay for their columns.
        let is_rich = |p: &&Polled| {
            !p.reading.values.buckets.is_empty() || p.reading.values.next_charge.is_some()
        };
        let (rich, plain): (Vec<&Polled>, Vec<&Polled>) = polled.iter().partition(is_rich);
        let watches = polled.iter().map(|p| {
            let r = &p.reading;
            let is_ok = i64::from(r.quality == Quality::Ok);
            json!({ "s": r.subscription.as_str(), "a": r.at.ms(), "w": p.next_poll_at.ms(), "k": is_ok,
                    "e": r.values.service_end_at.map(Timestamp::ms),
                    "l": r.values.number_loss_at.map(Timestamp::ms) })
        });
        let watches = serde_json::Value::Array(watches.collect()).to_string();
        for (readings, statement) in
            [(plain, self.insert_statement(false)), (rich, self.insert_statement(true))]
        {
            if readings.is_empty() {
                continue;
            }
            let rows = readings.into_iter().map(|p| reading_row(&p.reading)).collect();
            let rows = serde_json::Value::Array(rows).to_string();
            sqlx::query(statement).bind(rows).bind(now.ms()).execute(&mut **tx).await?;
        }
        for statement in self.watch_statements() {
            sqlx::query(statement).bind(&watches).bind(now.ms()).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// (The `WHERE $2 > 0` is what lets SQLite parse ON CONFLICT after a SELECT.)
    fn insert_statement(&self, rich: bool) -> &'static str {
        match (self.dialect(), rich) {
            (super::Dialect::Sqlite, false) => {
                "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
                 data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail) \
                 SELECT j.value ->> 's', j.value ->> 'a', j.value ->> 'p', j.value ->> 'q', j.value ->> 'b', \
                 j.value ->> 'c', j.value ->> 'd', j.value ->> 'm', j.value ->> 't', j.value ->> 'e', \
                 j.value ->> 'n', j.value ->> 'x' FROM json_each($1) j WHERE $2 > 0 \
                 ON CONFLICT (subscription_id, at) DO NOTHING"
            }
            (super::Dialect::Sqlite, true) => {
                "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
                 data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail, buckets, \
                 next_charge_minor, next_charge_currency) \
                 SELECT j.value ->> 's', j.value ->> 'a', j.value ->> 'p', j.value ->> 'q', j.value ->> 'b', \
                 j.value ->> 'c', j.value ->> 'd', j.value ->> 'm', j.value ->> 't', j.value ->> 'e', \
                 j.value ->> 'n', j.value ->> 'x', j.value ->> 'u', j.value ->> 'y', j.value ->> 'z' \
                 FROM json_each($1) j WHERE $2 > 0 ON CONFLICT (subscription_id, at) DO NOTHING"
            }
            (super::Dialect::Postgres, false) => {
                "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
                 data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail) \
                 SELECT s, a, p, q, b, c, d, m, t, e, n, x FROM jsonb_to_recordset(CAST($1 AS jsonb)) \
                 AS j(s text, a bigint, p text, q text, b bigint, c text, d bigint, m bigint, t bigint, \
                 e bigint, n bigint, x text) WHERE CAST($2 AS bigint) > 0 \
                 ON CONFLICT (subscription_id, at) DO NOTHING"
            }
            (super::Dialect::Postgres, true) => {
                "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
                 data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail, buckets, \
                 next_charge_minor, next_charge_currency) \
                 SELECT s, a, p, q, b, c, d, m, t, e, n, x, u, y, z FROM jsonb_to_recordset(CAST($1 AS jsonb)) \
                 AS j(s text, a bigint, p text, q text, b bigint, c text, d bigint, m bigint, t bigint, \
                 e bigint, n bigint, x text, u text, y bigint, z text) WHERE CAST($2 AS bigint) > 0 \
                 ON CONFLICT (subscription_id, at) DO NOTHING"
            }
        }
    }

    fn watch_statements(&self) -> [&'static str; 3] {
        match self.dialect() {
            super::Dialect::Sqlite => [
                "UPDATE watches SET next_poll_at = CASE WHEN next_poll_at IS NULL THEN NULL ELSE n.w END, \
                 poll_failures = CASE WHEN n.k = 1 THEN 0 ELSE poll_failures + 1 END, \
                 newest_at = n.a, ok_before_at = CASE WHEN n.k = 1 THEN ok_at ELSE ok_before_at END, \
                 ok_at = CASE WHEN n.k = 1 THEN n.a ELSE ok_at END, next_decide_at = $2 \
                 FROM (SELECT value ->> 's' AS s, value ->> 'a' AS a, value ->> 'w' AS w, value ->> 'k' AS k \
                 FROM json_each($1)) n WHERE watches.subscription_id = n.s",
                // Few ends move: where they do not, their index is not written.
                "UPDATE watches SET service_end_at = n.e, number_loss_at = n.l \
                 FROM (SELECT value ->> 's' AS s, value ->> 'k' AS k, value ->> 'e' AS e, value ->> 'l' AS l \
                 FROM json_each($1)) n WHERE watches.subscription_id = n.s AND n.k = 1 AND $2 > 0 \
                 AND (service_end_at IS DISTINCT FROM n.e OR number_loss_at IS DISTINCT FROM n.l)",
                "UPDATE topups SET next_action_at = $2 WHERE state = 'paid' \
                 AND (next_action_at IS NULL OR next_action_at > $2) AND subscription_id IN \
                 (SELECT value ->> 's' FROM json_each($1) WHERE value ->> 'k' = 1)",
            ],
            super::Dialect::Postgres => [
                "UPDATE watches SET next_poll_at = CASE WHEN next_poll_at IS NULL THEN NULL ELSE n.w END, \
                 poll_failures = CASE WHEN n.k = 1 THEN 0 ELSE poll_failures + 1 END, \
                 newest_at = n.a, ok_before_at = CASE WHEN n.k = 1 THEN ok_at ELSE ok_before_at END, \
                 ok_at = CASE WHEN n.k = 1 THEN n.a ELSE ok_at END, next_decide_at = $2 \
                 FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS n(s text, a bigint, w bigint, k bigint) \
                 WHERE watches.subscription_id = n.s",
                "UPDATE watches SET service_end_at = n.e, number_loss_at = n.l \
                 FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS n(s text, k bigint, e bigint, l bigint) \
                 WHERE watches.subscription_id = n.s AND n.k = 1 AND CAST($2 AS bigint) > 0 \
                 AND (service_end_at IS DISTINCT FROM n.e OR number_loss_at IS DISTINCT FROM n.l)",
                "UPDATE topups SET next_action_at = $2 WHERE state = 'paid' \
                 AND (next_action_at IS NULL OR next_action_at > $2) AND subscription_id IN \
                 (SELECT s FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS n(s text, k bigint) WHERE k = 1)",
            ],
        }
    }

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
            sqlx::query("UPDATE watches SET next_poll_at = $1 WHERE next_poll_at > $1")
                .bind(now.ms())
                .execute(&self.writer())
                .await?
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
        let mut tx = self.begin().await?;
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

    /// The earliest due instants: of polls per reader, of decisions.
    pub async fn next_poll_due(&self, reader: &str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar(NEXT_POLL).bind(reader).fetch_one(self.reader()).await?;
        Ok(at.map(Timestamp::from_ms))
    }
}

fn reading_row(r: &Reading) -> serde_json::Value {
    let v = &r.values;
    let mut row = json!({
        "s": r.subscription.as_str(), "a": r.at.ms(), "p": r.provider,
        "q": r.quality.to_string(), "b": v.balance.map(Money::minor),
        "c": v.balance.map(|m| m.currency().code()), "d": v.data_left,
        "m": v.minutes_left, "t": v.sms_left,
        "e": v.service_end_at.map(Timestamp::ms), "n": v.number_loss_at.map(Timestamp::ms),
        "x": r.detail,
    });
    if let (serde_json::Value::Object(fields), Some(text)) =
        (&mut row, super::buckets::text(&v.buckets))
    {
        fields.insert("u".into(), text.into());
    }
    if let (serde_json::Value::Object(fields), Some(charge)) = (&mut row, v.next_charge) {
        fields.insert("y".into(), charge.minor().into());
        fields.insert("z".into(), charge.currency().code().into());
    }
    row
}
