//! A reading as people and programs write it: amounts, sizes and dates as text.

use super::{Section, parse_bytes};
use crate::domain::{Bucket, Metric, Money, Quantity, Timestamp, Unit, Values};
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

/// What somebody says of a line: a person, a forwarder, a program.
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

    /// The same for an operator in `zone`.
    pub fn values(&self, zone: Tz) -> Values {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
