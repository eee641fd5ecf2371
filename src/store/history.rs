//! The past of many lines, for replays: their readings by windows of time, their top-ups with every
//! move, their breaches and needs.

use super::{Dialect, LONGEST_RUN, Store, StoreError, buckets, rows, rows::Columns};
use crate::domain::{
    Currency, Episode, Money, Move, Need, NeedOutcome, Quality, Reading, RecordedTopup, State,
    Subscription, Timestamp, Values,
};
use serde_json::json;
use std::collections::HashMap;

/// A reading as the database writes it into one JSON text, with the place of its line first.
#[derive(serde::Deserialize)]
struct Cells(
    usize,
    i64,
    String,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

impl Cells {
    /// The readings that a row stands for: one, or those of a run of equal ones after its first,
    /// evenly spread over its time; those within `from` and `to`.
    fn readings(
        self,
        lines: &[Subscription],
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (usize, Reading)> {
        let (last, since, times) = (self.1, self.13, self.14);
        let times = times.unwrap_or(1).max(1);
        let first = since.unwrap_or(last);
        let reading = self.reading(lines);
        let instants = (1..=times).map(move |n| {
            let part = i128::from(last.saturating_sub(first)) * i128::from(n) / i128::from(times);
            Timestamp::from_ms(first.saturating_add(i64::try_from(part).unwrap_or(0)))
        });
        reading.into_iter().flat_map(move |(n, reading)| {
            instants
                .clone()
                .filter(move |at| (from..to).contains(at))
                .map(move |at| (n, Reading { at, ..reading.clone() }))
        })
    }

    fn reading(self, lines: &[Subscription]) -> Option<(usize, Reading)> {
        let Self(
            n,
            at,
            quality,
            minor,
            code,
            data,
            minutes,
            sms,
            end,
            loss,
            next,
            next_code,
            text,
            ..,
        ) = self;
        let line = lines.get(n)?;
        let quality: Quality = quality.parse().ok()?;
        let money = |minor: Option<i64>, code: Option<String>| {
            Some(Money::new(minor?, Currency::parse(&code?).ok()?))
        };
        let values = Values {
            balance: money(minor, code),
            data_left: data,
            minutes_left: minutes,
            sms_left: sms,
            service_end_at: end.map(Timestamp::from_ms),
            number_loss_at: loss.map(Timestamp::from_ms),
            next_charge: money(next, next_code),
            buckets: text.and_then(|text| buckets::parse(&text)).unwrap_or_default(),
        };
        let reading = Reading {
            subscription: line.id.clone(),
            provider: line.reader.clone(),
            at: Timestamp::from_ms(at),
            quality,
            values,
            detail: None,
        };
        Some((n, reading))
    }
}

/// The columns of [`Cells`] after the place, with what stands for the time, the beginning of a run and
/// its readings.
macro_rules! cells {
    ($at:literal, $since:literal, $times:literal) => {
        concat!(
            $at,
            ", r.quality, r.balance_minor, r.currency, r.data_left_bytes, r.minutes_left, r.sms_left, \
             r.service_end_at, r.number_loss_at, r.next_charge_minor, r.next_charge_currency, r.buckets, ",
            $since,
            ", ",
            $times
        )
    };
}

/// Rows of `$from`, each with the place of its line.
macro_rules! placed {
    (sqlite $cells:expr, $from:literal) => {
        concat!(
            "SELECT json_group_array(json_array(j.key, ",
            $cells,
            ")) FROM json_each($1) j CROSS JOIN ",
            $from,
            " = j.value"
        )
    };
    (postgres $cells:expr, $from:literal) => {
        concat!(
            "SELECT CAST(COALESCE(json_agg(json_build_array(j.n - 1, ",
            $cells,
            ")), '[]') AS text) FROM jsonb_array_elements_text(CAST($1 AS jsonb)) WITH ORDINALITY AS j(id, n) CROSS JOIN ",
            $from,
            " = j.id"
        )
    };
}

impl Store {
    /// The readings of `lines` from `from` on and before `to`, by time, then by line; each with the
    /// place of its line.
    pub async fn readings_between(
        &self,
        lines: &[Subscription],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(usize, Reading)>, StoreError> {
        let ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
        // Rows within the time, and those of runs that reach into it from behind; then the runs that
        // go on.
        let statements = match self.dialect() {
            Dialect::Sqlite => [
                placed!(sqlite cells!("r.at", "r.since", "r.times"), "readings r WHERE r.at >= $2 AND r.at < $4 \
                 AND (r.at < $3 OR r.since < $3) AND r.subscription_id"),
                placed!(sqlite cells!("w.ok_at", "r.at", "w.seen_again"), "watches w CROSS JOIN readings r \
                 WHERE r.subscription_id = w.subscription_id AND r.at = w.kept_at AND w.ok_at >= $2 \
                 AND r.at < $3 AND $4 > 0 AND w.subscription_id"),
            ],
            Dialect::Postgres => [
                placed!(postgres cells!("r.at", "r.since", "r.times"), "readings r WHERE r.at >= $2 AND r.at < $4 \
                 AND (r.at < $3 OR r.since < $3) AND r.subscription_id"),
                placed!(postgres cells!("w.ok_at", "r.at", "w.seen_again"), "watches w CROSS JOIN readings r \
                 WHERE r.subscription_id = w.subscription_id AND r.at = w.kept_at AND w.ok_at >= $2 \
                 AND r.at < $3 AND CAST($4 AS bigint) > 0 AND w.subscription_id"),
            ],
        };
        let list = json!(ids).to_string();
        let mut cells: Vec<Cells> = Vec::new();
        for statement in statements {
            let text: String = sqlx::query_scalar(statement)
                .bind(&list)
                .bind(from.ms())
                .bind(to.ms())
                .bind(to.plus(LONGEST_RUN).ms())
                .fetch_one(self.reader())
                .await?;
            let found: Vec<Cells> =
                serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            cells.extend(found);
        }
        let mut readings: Vec<(usize, Reading)> =
            cells.into_iter().flat_map(|cells| cells.readings(lines, from, to)).collect();
        readings.sort_by_key(|(n, reading)| (reading.at, *n));
        Ok(readings)
    }

    /// The top-ups of the named lines that were made before `to`, oldest first, with every move.
    pub async fn recorded_topups(
        &self,
        ids: &[String],
        to: Timestamp,
    ) -> Result<HashMap<String, Vec<RecordedTopup>>, StoreError> {
        let list = json!(ids).to_string();
        let mut needs = self.needs_of(ids, to).await?;
        let mut moves: HashMap<String, Vec<Move>> = HashMap::new();
        let sql = self.sql(
            "SELECT e.* FROM topup_events e JOIN topups t ON t.id = e.topup_id WHERE t.created_at < $2 \
             AND t.subscription_id IN {ids $1} AND (e.from_state <> e.to_state OR e.at = t.approved_at) \
             ORDER BY e.topup_id, e.seq",
        );
        for row in sqlx::query(sql).bind(&list).bind(to.ms()).fetch_all(self.reader()).await? {
            let c = Columns { table: "topup_events", row: &row };
            let (from, actor) = (c.text("from_state")?, c.text("actor")?);
            let moved = Move {
                at: c.at("at")?,
                from: State::parse(&from),
                to: c.parsed("to_state", State::parse)?,
                decided: matches!(actor.as_str(), "decide" | "rule"),
            };
            moves.entry(c.text("topup_id")?).or_default().push(moved);
        }
        let sql = self.sql(
            "SELECT * FROM topups WHERE created_at < $2 AND subscription_id IN {ids $1} ORDER BY created_at, id",
        );
        let mut topups: HashMap<String, Vec<RecordedTopup>> = HashMap::new();
        for row in sqlx::query(sql).bind(&list).bind(to.ms()).fetch_all(self.reader()).await? {
            let c = Columns { table: "topups", row: &row };
            let topup = rows::topup(&row)?;
            let of_line = needs.entry(topup.subscription.to_string()).or_default();
            let Some(need) = of_line.iter().find(|need| need.need.id == topup.need) else {
                continue;
            };
            let recorded = RecordedTopup {
                reserved_at: c.maybe_at("reserved_at")?,
                finalized_at: c.maybe_at("finalized_at")?,
                need: need.need.clone(),
                outcome: need.outcome,
                moves: moves.remove(topup.id.as_str()).unwrap_or_default(),
                topup,
            };
            topups.entry(recorded.topup.subscription.to_string()).or_default().push(recorded);
        }
        Ok(topups)
    }

    /// The needs of the named lines that were opened before `to`, oldest first.
    pub async fn needs_of(
        &self,
        ids: &[String],
        to: Timestamp,
    ) -> Result<HashMap<String, Vec<PastNeed>>, StoreError> {
        let sql = self.sql(
            "SELECT * FROM needs WHERE opened_at < $2 AND subscription_id IN {ids $1} ORDER BY subscription_id, seq",
        );
        let list = json!(ids).to_string();
        let mut needs: HashMap<String, Vec<PastNeed>> = HashMap::new();
        for row in sqlx::query(sql).bind(&list).bind(to.ms()).fetch_all(self.reader()).await? {
            let c = Columns { table: "needs", row: &row };
            let outcome = c.maybe_text("outcome")?.as_deref().and_then(NeedOutcome::parse);
            let need =
                PastNeed { need: rows::need(&row)?, outcome, closed_at: c.maybe_at("closed_at")? };
            needs.entry(need.need.subscription.to_string()).or_default().push(need);
        }
        Ok(needs)
    }

    /// The episodes of the named lines that were opened before `at`, and open then or opened after
    /// `since`; each with the time of the reading that opened it.
    pub async fn episodes_of(
        &self,
        ids: &[String],
        since: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<(Episode, Timestamp)>, StoreError> {
        let sql = self.sql(
            "SELECT * FROM episodes WHERE opened_at < $2 AND (opened_at > $3 OR closed_at IS NULL OR closed_at >= $2) \
             AND subscription_id IN {ids $1} ORDER BY opened_at, id",
        );
        let list = json!(ids).to_string();
        let query = sqlx::query(sql).bind(&list).bind(at.ms()).bind(since.ms());
        query.fetch_all(self.reader()).await?.iter().map(rows::episode).collect()
    }

    /// How many readings the named lines have from `from` on and before `to`; a run of equal ones counts
    /// where it ends.
    pub async fn count_readings_of(
        &self,
        ids: &[String],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<i64, StoreError> {
        let sql = self.sql(
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM (SELECT COALESCE(times, 1) AS n FROM readings \
             WHERE subscription_id IN {ids $1} AND at >= $2 AND at < $3 UNION ALL SELECT seen_again FROM watches \
             WHERE kept_at IS NOT NULL AND subscription_id IN {ids $1} AND ok_at >= $2 AND ok_at < $3) counted",
        );
        let query = sqlx::query_scalar(sql).bind(json!(ids).to_string()).bind(from.ms());
        Ok(query.bind(to.ms()).fetch_one(self.reader()).await?)
    }

    /// When each line was first watched, and since when its failures count.
    pub async fn watched_since(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, (Timestamp, Timestamp)>, StoreError> {
        let sql = self.sql(
            "SELECT subscription_id, watched_since, failures_reset_at FROM watches WHERE subscription_id IN {ids $1}",
        );
        let rows = sqlx::query(sql).bind(json!(ids).to_string()).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                let times = (c.at("watched_since")?, c.at("failures_reset_at")?);
                Ok((c.text("subscription_id")?, times))
            })
            .collect()
    }

    /// What a line wrote down about its decisions, oldest first: when, and what.
    pub async fn recorded_decisions(
        &self,
        id: &crate::domain::SubscriptionId,
    ) -> Result<Vec<(Timestamp, crate::domain::Recorded)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM decisions WHERE subscription_id = $1 ORDER BY seq")
            .bind(id.as_str())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "decisions", row };
                let step = c.parsed("step", crate::domain::Recorded::step_of)?;
                let recorded = crate::domain::Recorded {
                    step,
                    reason: c.text("reason")?,
                    amount: c.money("amount_minor", "currency")?,
                    episodes: c.text("episodes")?,
                };
                Ok((c.at("at")?, recorded))
            })
            .collect()
    }
}

/// A need, and how it ended.
#[derive(Clone, Debug)]
pub struct PastNeed {
    /// The need, as it stood last.
    pub need: Need,
    /// How it ended.
    pub outcome: Option<NeedOutcome>,
    /// When.
    pub closed_at: Option<Timestamp>,
}
