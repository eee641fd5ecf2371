//! What days' readings said: of days that are over and done with from `reading_days`, of later ones
//! from the readings themselves.

use super::{Store, StoreError, Tx, rows, rows::Columns};
use crate::domain::{DayBalance, ReadingDay, SubscriptionId, Timestamp, day_of, day_start};

/// Days whose readings are looked at in one go.
const CHUNK: usize = 31;

/// A day of 24 hours in milliseconds, as SQL writes it.
macro_rules! day {
    ($at:literal) => {
        concat!($at, " / 86400000")
    };
}

/// Keeps what days said, unless it is kept already.
pub(super) async fn keep(tx: &mut Tx, days: &[ReadingDay]) -> Result<(), StoreError> {
    for day in days {
        let minor = |pick: fn(&DayBalance) -> crate::domain::Money| {
            day.balance.as_ref().map(|balance| pick(balance).minor())
        };
        sqlx::query(
            "INSERT INTO reading_days (subscription_id, day, readings, failures, currency, balance_first_minor, \
             balance_last_minor, balance_min_minor, balance_max_minor, data_left_bytes, service_end_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (subscription_id, day) DO NOTHING",
        )
        .bind(day.subscription.as_str())
        .bind(day.day)
        .bind(day.readings)
        .bind(day.failures)
        .bind(day.balance.map(|balance| balance.last.currency().code()))
        .bind(minor(|balance| balance.first))
        .bind(minor(|balance| balance.last))
        .bind(minor(|balance| balance.min))
        .bind(minor(|balance| balance.max))
        .bind(day.data_left)
        .bind(day.service_end_at.map(Timestamp::ms))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn stored(row: &sqlx::any::AnyRow) -> Result<ReadingDay, StoreError> {
    let c = Columns { table: "reading_days", row };
    let money = |column| -> Result<crate::domain::Money, StoreError> {
        c.money(column, "currency")?.ok_or_else(|| c.bad(column, "nothing"))
    };
    let balance = match c.maybe_text("currency")? {
        Some(_) => Some(DayBalance {
            first: money("balance_first_minor")?,
            last: money("balance_last_minor")?,
            min: money("balance_min_minor")?,
            max: money("balance_max_minor")?,
        }),
        None => None,
    };
    Ok(ReadingDay {
        subscription: SubscriptionId::trusted(&c.text("subscription_id")?),
        day: c.int("day")?,
        readings: c.int("readings")?,
        failures: c.int("failures")?,
        balance,
        data_left: c.maybe_int("data_left_bytes")?,
        service_end_at: c.maybe_at("service_end_at")?,
    })
}

impl Store {
    /// A page of the days of a line on which it was read, newest first; those before `before` only.
    pub async fn reading_days(
        &self,
        id: &SubscriptionId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ReadingDay>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT * FROM reading_days WHERE subscription_id = $1 AND day < $2 ORDER BY day DESC LIMIT $3",
        )
        .bind(id.as_str())
        .bind(before)
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        let mut days = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let recent: Vec<i64> = sqlx::query_scalar(concat!(
            "SELECT DISTINCT ",
            day!("at"),
            " AS day FROM sightings WHERE subscription_id = $1 AND at < $2 ORDER BY day DESC LIMIT $3"
        ))
        .bind(id.as_str())
        .bind(day_start(before).ms())
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        for chunk in recent.chunks(CHUNK) {
            let (Some(last), Some(first)) = (chunk.first(), chunk.last()) else { continue };
            let rows = sqlx::query(
                "SELECT * FROM sightings WHERE subscription_id = $1 AND at >= $2 AND at < $3 ORDER BY at",
            )
            .bind(id.as_str())
            .bind(day_start(*first).ms())
            .bind(day_start(last.saturating_add(1)).ms())
            .fetch_all(self.reader())
            .await?;
            let readings = rows.iter().map(rows::reading).collect::<Result<Vec<_>, _>>()?;
            // What is kept of a day counts more than the few readings of it that are still there.
            let known: Vec<i64> = days.iter().map(|day| day.day).collect();
            let new = ReadingDay::of(&readings).into_iter();
            days.extend(new.filter(|day| !known.contains(&day.day)));
        }
        days.sort_by_key(|day| std::cmp::Reverse(day.day));
        days.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(days)
    }

    /// The day of the oldest reading of lines after `after` and up to `until` that is no longer to
    /// be kept on its own: of a day from `from` on and before `cutoff`.
    pub(super) async fn oldest_unkept(
        &self,
        tx: &mut Tx,
        (after, until): (&str, &str),
        (from, cutoff): (i64, i64),
    ) -> Result<Option<i64>, StoreError> {
        // On PostgreSQL whole months are dropped later: what was rolled up is passed by.
        let sql = match self.dialect() {
            super::Dialect::Sqlite => concat!(
                "SELECT MIN(first) FROM (SELECT (SELECT r.at FROM readings r WHERE r.subscription_id = s.id \
                 AND r.at >= $3 AND r.at < $4 AND NOT (",
                super::retention::kept!(),
                ") ORDER BY r.at LIMIT 1) AS first FROM subscriptions s WHERE s.id > $1 AND s.id <= $2) firsts"
            ),
            super::Dialect::Postgres => {
                "SELECT MIN(first) FROM (SELECT (SELECT r.at FROM readings r WHERE r.subscription_id = s.id \
                 AND r.at >= $3 AND r.at < $4 ORDER BY r.at LIMIT 1) AS first FROM subscriptions s \
                 WHERE s.id > $1 AND s.id <= $2) firsts"
            }
        };
        let at: Option<i64> = sqlx::query_scalar(sql)
            .bind(after)
            .bind(until)
            .bind(day_start(from).ms())
            .bind(day_start(cutoff).ms())
            .fetch_one(&mut **tx)
            .await?;
        Ok(at.map(|at| day_of(Timestamp::from_ms(at))))
    }

    /// The readings of one day of lines after `after` and up to `until`, in order.
    pub(super) async fn readings_of_day(
        tx: &mut Tx,
        (after, until): (&str, &str),
        day: i64,
    ) -> Result<Vec<crate::domain::Reading>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.* FROM subscriptions s JOIN readings r ON r.subscription_id = s.id AND r.at >= $3 AND r.at < $4 \
             WHERE s.id > $1 AND s.id <= $2 ORDER BY s.id, r.at",
        )
        .bind(after)
        .bind(until)
        .bind(day_start(day).ms())
        .bind(day_start(day.saturating_add(1)).ms())
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(rows::reading).collect()
    }
}
