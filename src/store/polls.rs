//! The hot path: which lines are due, and what was found. Claims and results go through in bunches,
//! one statement and one commit for many rows.

use super::{
    Changed, Dialect, SeenAgain, Steady, Store, StoreError, Tx, bunch::BunchRow, rows,
    rows::Columns,
};
use crate::domain::{Currency, Money, Place, Quality, Reading, Subscription, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A line that is due, claimed for one poll.
#[derive(Clone, Debug)]
pub struct DuePoll {
    /// The line.
    pub subscription: Subscription,
    /// Failed polls in a row so far.
    pub failures: i64,
    /// The currency its readings have had, once known.
    pub currency: Option<Currency>,
    /// What it said last, while saying it again changes nothing.
    pub steady: Option<Steady>,
    /// Where its row is in `watches`, on SQLite. (PostgreSQL writes rows anew, those that are written
    /// together side by side.)
    pub place: Option<Place>,
}

/// What came of one poll.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The reading, good or bad.
    pub reading: Reading,
    /// When to poll again.
    pub next_poll_at: Timestamp,
}

impl Store {
    /// The named lines, as if they were due.
    pub async fn due_polls(&self, ids: &[String]) -> Result<Vec<DuePoll>, StoreError> {
        let rest = "FROM subscriptions s JOIN watches w ON w.subscription_id = s.id WHERE s.id IN {ids $1}";
        let found = self.bunch(&self.line_columns(), rest, &json!(ids).to_string()).await?;
        found.rows()?.map(|row| due_poll(&row)).collect()
    }

    /// Those in the named rows of SQLite's `watches`.
    pub(super) async fn polls_at(&self, rows: &[u64]) -> Result<Vec<DuePoll>, StoreError> {
        // The tables in this order: no index of ids is asked for what is known by its row.
        let rest = "FROM watches w CROSS JOIN subscriptions s \
                    WHERE w.rowid IN {ids $1} AND s.id = w.subscription_id";
        let found = self.bunch(&self.line_columns(), rest, &json!(rows).to_string()).await?;
        found.rows()?.map(|row| due_poll(&row)).collect()
    }

    /// What a poll looks at. The last reading is not looked up where `steady` says enough: it is another two
    /// pages of the database for each line.
    fn line_columns(&self) -> Vec<&'static str> {
        let more = [
            "w.poll_failures",
            "CASE WHEN w.steady IS NULL THEN (SELECT r.currency FROM readings r \
             WHERE r.subscription_id = s.id AND r.at = COALESCE(w.kept_at, w.ok_at)) END AS currency",
            "w.steady",
            "COALESCE(w.kept_at, w.ok_at) AS since",
            "w.next_decide_at",
            "w.steady_until",
        ];
        let place: &[&str] = match self.dialect() {
            Dialect::Sqlite => &["w.rowid AS place", "(SELECT MAX(rowid) FROM watches) AS places"],
            Dialect::Postgres => &["NULL AS place", "NULL AS places"],
        };
        [&rows::SUBSCRIPTION[..], &more, place].concat()
    }

    /// Writes a bunch of readings and what follows for each line, in one commit: they are due for
    /// a decision, and a top-up that waits for a movement is due for a look.
    pub async fn apply_polls(&self, polled: &[Polled], now: Timestamp) -> Result<(), StoreError> {
        self.apply_round(polled, &[], now).await
    }

    /// The same with readings beside them that say what the last ones said: they are counted.
    pub async fn apply_round(
        &self,
        polled: &[Polled],
        seen: &[SeenAgain],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let all = polled.iter().chain(seen.iter().map(|seen| &seen.polled));
        let ids: Vec<&str> = all.map(|p| p.reading.subscription.as_str()).collect();
        self.lock_watches(&mut tx, &ids).await?;
        self.write_round(&mut tx, polled, seen, now).await?;
        tx.commit().await?;
        self.tell_of_polls(polled, seen);
        Ok(())
    }

    /// The same as part of a larger commit, on lines that are locked.
    pub(super) async fn write_round(
        &self,
        tx: &mut Tx,
        polled: &[Polled],
        seen: &[SeenAgain],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let others = self.see_again(tx, seen, now).await?;
        let all: Vec<&Polled> = polled.iter().chain(others).collect();
        self.write_polls(tx, &all, now).await
    }

    pub(super) fn tell_of_polls(&self, polled: &[Polled], seen: &[SeenAgain]) {
        let all = polled.iter().chain(seen.iter().map(|seen| &seen.polled));
        self.changes.tell(all.map(|p| Changed::Line(p.reading.subscription.clone())));
    }

    /// Writes readings in full, on lines that are locked.
    pub(super) async fn write_polls(
        &self,
        tx: &mut Tx,
        polled: &[&Polled],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if polled.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = polled.iter().map(|p| p.reading.subscription.as_str()).collect();
        self.end_runs(tx, &json!(ids).to_string()).await?;
        // Few readings have buckets or a charge; the others do not pay for their columns.
        let is_rich = |r: &Reading| !r.values.buckets.is_empty() || r.values.next_charge.is_some();
        let (rich, plain): (Vec<&Reading>, Vec<&Reading>) =
            polled.iter().map(|p| &p.reading).partition(|reading| is_rich(reading));
        let of_all = |readings: Vec<&Reading>, row: fn(&Reading) -> Vec<Value>| {
            readings.into_iter().map(row).collect::<Vec<_>>()
        };
        for (rows, statement) in
            [(of_all(plain, reading_row), INSERT_PLAIN), (of_all(rich, rich_row), INSERT_RICH)]
        {
            if rows.is_empty() {
                continue;
            }
            let rows = json!(rows).to_string();
            sqlx::query(self.sql(statement)).bind(rows).bind(now.ms()).execute(&mut **tx).await?;
        }
        for watches in one_of_each(polled) {
            let watches = Value::Array(watches).to_string();
            for statement in [MOVE_ON, MOVE_ENDS, LOOK_AT_PAID] {
                let query = sqlx::query(self.sql(statement)).bind(&watches).bind(now.ms());
                query.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

fn due_poll(row: &BunchRow<'_>) -> Result<DuePoll, StoreError> {
    let c = Columns { table: "watches", row };
    let subscription = rows::subscription(row)?;
    let failures = c.int("poll_failures")?;
    let currency = c.maybe_text("currency")?;
    let (mark, since) = (c.maybe_text("steady")?, c.maybe_at("since")?);
    let (decide_at, until) = (c.maybe_at("next_decide_at")?, c.maybe_at("steady_until")?);
    let steady = mark.zip(since).map(|(mark, since)| Steady { mark, since, decide_at, until });
    let currency = match &steady {
        Some(steady) => steady.currency(),
        None => currency.and_then(|code| Currency::parse(&code).ok()),
    };
    let counted = |found: Option<i64>| found.and_then(|n| u64::try_from(n).ok());
    let (number, of) = (counted(c.maybe_int("place")?), counted(c.maybe_int("places")?));
    let place = number.zip(of).map(|(number, of)| Place { number, of });
    Ok(DuePoll { subscription, failures, currency, steady, place })
}

/// (SQLite parses ON CONFLICT after a SELECT only where there is a WHERE.)
macro_rules! insert {
    ($columns:literal, $members:literal, $kinds:literal) => {
        concat!(
            "INSERT INTO readings (subscription_id, at, provider, quality, balance_minor, currency, \
             data_left_bytes, minutes_left, sms_left, service_end_at, number_loss_at, detail",
            $columns,
            ") SELECT n.s, n.a, n.p, n.q, n.b, n.c, n.d, n.m, n.t, n.e, n.n, n.x",
            $members,
            " FROM {records $1 s text, a bigint, p text, q text, b bigint, c text, d bigint, m bigint, \
             t bigint, e bigint, n bigint, x text",
            $kinds,
            "} WHERE CAST($2 AS bigint) > 0 ON CONFLICT (subscription_id, at) DO NOTHING"
        )
    };
}

const INSERT_PLAIN: &str = insert!("", "", "");

const INSERT_RICH: &str = insert!(
    ", buckets, next_charge_minor, next_charge_currency",
    ", n.u, n.y, n.z",
    ", u text, y bigint, z text"
);

const MOVE_ON: &str = "UPDATE watches SET next_poll_at = CASE WHEN next_poll_at IS NULL THEN NULL ELSE n.w END, \
     poll_failures = CASE WHEN n.k = 1 THEN 0 ELSE poll_failures + 1 END, \
     newest_at = n.a, ok_before_at = CASE WHEN n.k = 1 THEN ok_at ELSE ok_before_at END, \
     ok_at = CASE WHEN n.k = 1 THEN n.a ELSE ok_at END, next_decide_at = $2, \
     kept_at = NULL, seen_again = 0, steady = NULL \
     FROM {records $1 s text, k bigint, a bigint, w bigint} WHERE watches.subscription_id = n.s";

/// Few ends move: where they do not, their index is not written.
const MOVE_ENDS: &str = "UPDATE watches SET service_end_at = n.e, number_loss_at = n.l \
     FROM {records $1 s text, k bigint, a bigint, w bigint, e bigint, l bigint} \
     WHERE watches.subscription_id = n.s AND n.k = 1 AND CAST($2 AS bigint) > 0 \
     AND (service_end_at IS DISTINCT FROM n.e OR number_loss_at IS DISTINCT FROM n.l)";

const LOOK_AT_PAID: &str = "UPDATE topups SET next_action_at = $2 WHERE state = 'paid' \
     AND (next_action_at IS NULL OR next_action_at > $2) \
     AND subscription_id IN (SELECT n.s FROM {records $1 s text, k bigint} WHERE n.k = 1)";

/// What `MOVE_ON` and those after it take, each line once in a list: which of several changes a statement
/// makes to one row is for the database to choose. The second reading of a line comes with the second
/// list.
fn one_of_each(polled: &[&Polled]) -> Vec<Vec<Value>> {
    let (mut lists, mut times) = (Vec::<Vec<Value>>::new(), HashMap::<&str, usize>::new());
    for p in polled {
        let r = &p.reading;
        let is_ok = i64::from(r.quality == Quality::Ok);
        let row = json!([
            r.subscription.as_str(),
            is_ok,
            r.at.ms(),
            p.next_poll_at.ms(),
            r.values.service_end_at.map(Timestamp::ms),
            r.values.number_loss_at.map(Timestamp::ms),
        ]);
        let time = times.entry(r.subscription.as_str()).or_default();
        match lists.get_mut(*time) {
            Some(list) => list.push(row),
            None => lists.push(vec![row]),
        }
        *time += 1;
    }
    lists
}

/// As `INSERT_PLAIN` has them.
fn reading_row(r: &Reading) -> Vec<Value> {
    let v = &r.values;
    vec![
        r.subscription.as_str().into(),
        r.at.ms().into(),
        r.provider.as_str().into(),
        r.quality.to_string().into(),
        v.balance.map(Money::minor).into(),
        v.balance.map(|m| m.currency().code()).into(),
        v.data_left.into(),
        v.minutes_left.into(),
        v.sms_left.into(),
        v.service_end_at.map(Timestamp::ms).into(),
        v.number_loss_at.map(Timestamp::ms).into(),
        r.detail.as_deref().into(),
    ]
}

/// As `INSERT_RICH` has them.
fn rich_row(r: &Reading) -> Vec<Value> {
    let (mut row, charge) = (reading_row(r), r.values.next_charge);
    row.push(super::buckets::text(&r.values.buckets).into());
    row.push(charge.map(Money::minor).into());
    row.push(charge.map(|charge| charge.currency().code()).into());
    row
}
