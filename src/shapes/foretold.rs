//! What readings foretell.

use super::{At, Money, amount, at, money, words};
use crate::domain::{
    self, ExternalTopup, LEAST_CHANGES, LEAST_DAYS, Reading, Runout, SubscriptionId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A line with what its readings foretell.
#[derive(Clone, Debug)]
pub struct LineForecast {
    /// The line.
    pub id: SubscriptionId,
    /// Its newest `ok` reading.
    pub good: Option<Reading>,
    /// How fast it uses what it has.
    pub forecast: domain::Forecast,
    /// Rises that others paid for, within what was looked at.
    pub external: Vec<ExternalTopup>,
}

impl LineForecast {
    /// When the money runs out, and when the data does.
    pub fn runouts(&self) -> (Option<Runout>, Option<Runout>) {
        let Some(good) = &self.good else { return (None, None) };
        let money = self.forecast.money_runout(good.values.balance, good.at);
        (money, self.forecast.data_runout(&good.values, good.at))
    }
}

/// What a forecast still lacks, in words; empty where it says something.
pub fn missing(forecast: &domain::Forecast) -> String {
    let lack = |found: i64, least: i64, what: &str| {
        (found < least).then(|| format!("{found} of {least} {what}"))
    };
    let days = lack(forecast.days, LEAST_DAYS, "days");
    let changes = lack(forecast.changes, LEAST_CHANGES, "readings that show use");
    let parts: Vec<String> = [days, changes].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("collecting: {}", parts.join(", ")) }
}

/// When a line runs out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Forecast {
    /// Of which line.
    pub subscription: String,
    /// When that was worked out.
    pub at: At,
    /// How far it can be trusted.
    #[schema(value_type = words::Trust)]
    pub trust: &'static str,
    /// What it still lacks, in words.
    pub missing: String,
    /// Days with readings.
    pub days: i64,
    /// Readings that show use.
    pub changes: i64,
    /// Money left.
    pub balance: Option<Money>,
    /// Money used.
    pub burn_per_day: Burn,
    /// When the money runs out.
    pub runout: Option<RunoutRange>,
    /// Data left, in bytes.
    pub data_left_bytes: Option<i64>,
    /// Data used.
    pub data_per_day_bytes: DataUse,
    /// When the data runs out.
    pub data_runout: Option<RunoutRange>,
    /// When it was used last.
    pub last_used_at: Option<At>,
    /// Rises that others paid for.
    pub external_topups: Vec<Rise>,
}

/// Money used in a day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Burn {
    /// On half of the days no more than this.
    pub median: Option<Money>,
    /// On four days of five no more than this.
    pub p80: Option<Money>,
}

/// Data used in a day, in bytes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DataUse {
    /// On half of the days no more than this.
    pub median: Option<i64>,
    /// On four days of five no more than this.
    pub p80: Option<i64>,
}

/// When something runs out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunoutRange {
    /// At the earliest.
    pub earliest_at: At,
    /// As likely before as after.
    pub middle_at: Option<At>,
}

/// A rise that somebody else paid for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Rise {
    /// When it was seen.
    pub at: At,
    /// How much.
    pub amount: Money,
}

/// What a line's readings foretell.
pub fn forecast(line: &LineForecast) -> Forecast {
    let f = &line.forecast;
    let range = |runout: Option<Runout>| {
        runout.map(|r| RunoutRange { earliest_at: At(r.earliest_at), middle_at: at(r.middle_at) })
    };
    let (money_runout, data_runout) = line.runouts();
    let values = line.good.as_ref().map(|reading| &reading.values);
    let rise = |e: &ExternalTopup| Rise { at: At(e.at), amount: amount(e.amount) };
    Forecast {
        subscription: line.id.to_string(),
        at: At(f.at),
        trust: f.trust.as_str(),
        missing: missing(f),
        days: f.days,
        changes: f.changes,
        balance: money(values.and_then(|v| v.balance)),
        burn_per_day: Burn { median: money(f.burn_median), p80: money(f.burn_p80) },
        runout: range(money_runout),
        data_left_bytes: values.and_then(|v| v.data_left),
        data_per_day_bytes: DataUse { median: f.data_median, p80: f.data_p80 },
        data_runout: range(data_runout),
        last_used_at: at(f.last_used_at),
        external_topups: line.external.iter().map(rise).collect(),
    }
}
