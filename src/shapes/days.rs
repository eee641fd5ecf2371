//! Days of a line, as they are kept once its readings are not.

use super::{At, Money, amount, at};
use crate::domain::{DayBalance, ReadingDay, Timestamp, day_start};
use serde::Serialize;
use utoipa::ToSchema;

/// What a day's readings of a line said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Day {
    /// Of which line.
    pub subscription: String,
    /// Which day, in UTC.
    #[schema(value_type = String, format = Date)]
    pub day: String,
    /// How many usable readings there were.
    pub readings: i64,
    /// How many others.
    pub failures: i64,
    /// The money left, where any was told.
    pub balance: Option<Balances>,
    /// The last data left, in bytes.
    pub data_left_bytes: Option<i64>,
    /// The last end of the service.
    pub service_end_at: Option<At>,
}

/// A day's balances, in the currency of the last of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Balances {
    /// The first.
    pub first: Money,
    /// The last.
    pub last: Money,
    /// The lowest.
    pub min: Money,
    /// The highest.
    pub max: Money,
}

/// A day.
pub fn day(d: &ReadingDay) -> Day {
    let balances = |b: DayBalance| Balances {
        first: amount(b.first),
        last: amount(b.last),
        min: amount(b.min),
        max: amount(b.max),
    };
    Day {
        subscription: d.subscription.to_string(),
        day: date(d.day),
        readings: d.readings,
        failures: d.failures,
        balance: d.balance.map(balances),
        data_left_bytes: d.data_left,
        service_end_at: at(d.service_end_at),
    }
}

/// The columns of [`day_row`].
pub const DAY_COLUMNS: [&str; 11] = [
    "day",
    "subscription",
    "readings",
    "failures",
    "balance_first",
    "balance_last",
    "balance_min",
    "balance_max",
    "currency",
    "data_left_bytes",
    "service_end_at",
];

/// A day.
pub fn day_row(d: &ReadingDay) -> Vec<String> {
    let plain = |pick: fn(DayBalance) -> crate::domain::Money| {
        d.balance.map(|b| pick(b).plain()).unwrap_or_default()
    };
    vec![
        date(d.day),
        d.subscription.to_string(),
        d.readings.to_string(),
        d.failures.to_string(),
        plain(|b| b.first),
        plain(|b| b.last),
        plain(|b| b.min),
        plain(|b| b.max),
        d.balance.map(|b| b.last.currency().code().to_owned()).unwrap_or_default(),
        d.data_left.map(|n| n.to_string()).unwrap_or_default(),
        d.service_end_at.map(Timestamp::rfc3339).unwrap_or_default(),
    ]
}

fn date(day: i64) -> String {
    let utc = day_start(day).to_utc();
    utc.map(|utc| utc.format("%Y-%m-%d").to_string()).unwrap_or_default()
}
