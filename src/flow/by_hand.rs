//! Readings by hand: what a person, or a forwarder of the operator's text messages, says of a line.
//! They weigh as much as a provider's, so they pass the same checks.

use super::{Engine, OrderError, Stage, assess::assess};
use crate::domain::{
    Bucket, Metric, Money, Quality, Quantity, Reading, Snapshot, SubscriptionId,
    SubscriptionStatus, Timestamp, Unit, Values,
};
use crate::input::{Section, parse_bytes};
use crate::providers::ReadOk;
use crate::store::Polled;
use chrono::NaiveDate;
use chrono_tz::Tz;

/// A calendar day, or an instant, as a person writes the end of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// That day, where the operator is; understood as its start.
    On(NaiveDate),
    /// Exactly then.
    At(Timestamp),
}

impl End {
    /// Parses `2026-12-01` or RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::On);
        day.or_else(|| Timestamp::parse_rfc3339(text).map(Self::At))
    }

    /// The instant, for an operator in `zone`; `None` only for days no calendar holds.
    pub fn instant(self, zone: Tz) -> Option<Timestamp> {
        match self {
            Self::On(day) => Timestamp::start_of_day(day, zone),
            Self::At(at) => Some(at),
        }
    }
}

/// What somebody says of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandReading {
    /// Money left.
    pub balance: Option<Money>,
    /// Data left, in bytes.
    pub data_left: Option<i64>,
    /// Call minutes left.
    pub minutes_left: Option<i64>,
    /// Text messages left.
    pub sms_left: Option<i64>,
    /// When the service stops.
    pub service_end: Option<End>,
    /// When the number is lost.
    pub number_loss: Option<End>,
    /// What the operator says it takes next.
    pub next_charge: Option<Money>,
    /// Balances with an expiry of their own.
    pub buckets: Vec<HandBucket>,
    /// When this was so; now, where nothing is said.
    pub at: Option<Timestamp>,
}

impl HandReading {
    /// Reads every key that a reading by hand may have.
    pub fn read(section: &mut Section<'_>) -> Self {
        let day = "allowed is a date such as \"2026-12-01\" or an instant in RFC 3339";
        let instant = "allowed is an instant in RFC 3339, such as \"2026-12-01T08:00:00Z\"";
        let size = "allowed is a size such as \"500 MB\" or \"2 GiB\"";
        Self {
            balance: section.money("balance"),
            data_left: section.parsed("data_left", size, parse_bytes),
            minutes_left: section.integer("minutes_left", 0..=i64::from(i32::MAX)),
            sms_left: section.integer("sms_left", 0..=i64::from(i32::MAX)),
            service_end: section.parsed("service_end", day, End::parse),
            number_loss: section.parsed("number_loss", day, End::parse),
            next_charge: section.positive_money("next_charge"),
            buckets: section.tables("buckets").into_iter().filter_map(HandBucket::read).collect(),
            at: section.parsed("at", instant, Timestamp::parse_rfc3339),
        }
    }

    fn values(&self, zone: Tz) -> Values {
        Values {
            balance: self.balance,
            data_left: self.data_left,
            minutes_left: self.minutes_left,
            sms_left: self.sms_left,
            service_end_at: self.service_end.and_then(|end| end.instant(zone)),
            number_loss_at: self.number_loss.and_then(|end| end.instant(zone)),
            next_charge: self.next_charge,
            buckets: self.buckets.iter().map(|bucket| bucket.bucket(zone)).collect(),
        }
    }
}

/// One of several balances, as somebody says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandBucket {
    /// What it is called.
    pub name: String,
    /// What it is a balance of.
    pub metric: Metric,
    /// How much is left of it.
    pub left: Quantity,
    /// When it lapses.
    pub expires: Option<End>,
}

impl HandBucket {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let day = "allowed is a date such as \"2026-12-01\" or an instant in RFC 3339";
        let name = section.required("name", "allowed is what the balance is called");
        let metric = section.word("metric", &Bucket::METRICS).unwrap_or(Metric::DataLeft);
        let left = match metric.unit() {
            Unit::Money => section.money("left").map(Quantity::Money),
            Unit::Bytes => {
                let size = "allowed is a size such as \"500 MB\" or \"2 GiB\"";
                section.parsed("left", size, parse_bytes).map(Quantity::Bytes)
            }
            Unit::Count | Unit::Days | Unit::Age => {
                section.integer("left", 0..=i64::from(i32::MAX)).map(Quantity::Count)
            }
        };
        if !section.has("left") {
            section.fault("left", "allowed is how much is left of it, such as \"500 MB\"");
        }
        let expires = section.parsed("expires", day, End::parse);
        section.finish();
        Some(Self { name: name?, metric, left: left?, expires })
    }

    fn bucket(&self, zone: Tz) -> Bucket {
        Bucket {
            name: self.name.clone(),
            left: self.left,
            metric: self.metric,
            expires_at: self.expires.and_then(|end| end.instant(zone)),
        }
    }
}

fn invalid<T>(why: impl Into<String>) -> Result<T, OrderError> {
    Err(OrderError::Invalid(why.into()))
}

impl Engine {
    /// Writes down a reading by hand, as if the line's reader had given it.
    ///
    /// Dates that it does not name stay as they were told last: who types in a balance does not
    /// mean to forget when the number is lost.
    pub async fn reading_by_hand(
        &self,
        id: &SubscriptionId,
        given: HandReading,
    ) -> Result<Reading, OrderError> {
        let now = self.now();
        let snapshot = self.store().snapshot(id).await?.snapshot;
        let line = &snapshot.subscription;
        if line.status == SubscriptionStatus::Closed {
            let why = format!("subscription {id} is closed; allowed is an active or paused one");
            return Err(OrderError::Refused(why));
        }
        let at = taken_at(&snapshot, given.at, now)?;
        let mut values = given.values(line.time_zone);
        if values.is_empty() {
            return invalid(
                "the reading is empty; allowed is at least one of balance, data_left, \
                 minutes_left, sms_left, service_end, number_loss, next_charge, buckets",
            );
        }
        let before = snapshot.reading.as_ref();
        let known = before.and_then(|r| r.values.balance).map(Money::currency);
        keep_dates(&mut values, before);
        let answer = ReadOk { values, quality: Quality::Ok, detail: None };
        let (quality, values, detail) = assess(line, known, Ok(answer));
        if quality != Quality::Ok {
            return invalid(detail.unwrap_or_else(|| quality.to_string()));
        }
        let provider = line.reader.clone();
        let reading = Reading { subscription: id.clone(), provider, at, quality, values, detail };
        let next_poll_at = self.next_poll(&reading, 0, None, now);
        self.store().apply_polls(&[Polled { reading: reading.clone(), next_poll_at }], now).await?;
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        Ok(reading)
    }
}

/// Dates that somebody does not name stay as they were told last.
pub(super) fn keep_dates(values: &mut Values, before: Option<&Reading>) {
    if let Some(before) = before {
        values.service_end_at = values.service_end_at.or(before.values.service_end_at);
        values.number_loss_at = values.number_loss_at.or(before.values.number_loss_at);
    }
}

/// Readings are appended, never put in between: what is newest decides about money.
pub(super) fn taken_at(
    snapshot: &Snapshot,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, OrderError> {
    let taken = at.unwrap_or(now);
    if taken > now {
        return invalid(format!("at: found {taken}; allowed is an instant up to now, {now}"));
    }
    let readings = [snapshot.reading.as_ref(), snapshot.trouble.as_ref()];
    match readings.into_iter().flatten().map(|r| r.at).max() {
        Some(newest) if taken <= newest => {
            let id = &snapshot.subscription.id;
            let why = format!(
                "subscription {id} was read at {newest}; allowed is a reading later than that"
            );
            Err(OrderError::Refused(why))
        }
        _ => Ok(taken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures;

    #[test]
    fn a_date_is_the_start_of_that_day_at_the_operator() {
        let zone = chrono_tz::America::New_York;
        let at = |text| End::parse(text).and_then(|end| end.instant(zone)).map(Timestamp::rfc3339);
        assert_eq!(at("2026-12-01"), Some("2026-12-01T05:00:00Z".into()));
        assert_eq!(at("2026-12-01T00:00:00+08:00"), Some("2026-11-30T16:00:00Z".into()));
        for bad in ["", "soon", "2026-13-01", "2026-12-01 05:00", "20261201"] {
            assert_eq!(End::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_reading_is_neither_of_the_future_nor_older_than_the_newest() {
        let snapshot = fixtures::snapshot(fixtures::reading("5.00 USD", 10));
        let now = fixtures::at(20);
        assert_eq!(taken_at(&snapshot, None, now).unwrap(), now);
        let refused = taken_at(&snapshot, Some(fixtures::at(10)), now);
        assert!(matches!(refused, Err(OrderError::Refused(_))), "{refused:?}");
        let future = taken_at(&snapshot, Some(fixtures::at(21)), now);
        assert!(matches!(future, Err(OrderError::Invalid(_))), "{future:?}");
    }
}
