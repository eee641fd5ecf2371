//! A day's readings of one line in one row: what is kept once the readings themselves are not.

use super::{Money, Quality, Reading, Span, SubscriptionId, Timestamp};

/// What one day's readings said. Values are those of `ok` readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingDay {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Which day: days since 1970-01-01, UTC.
    pub day: i64,
    /// How many `ok` readings there were.
    pub readings: i64,
    /// How many others.
    pub failures: i64,
    /// The balances, where any was told.
    pub balance: Option<DayBalance>,
    /// The last data left, in bytes.
    pub data_left: Option<i64>,
    /// The last end of the service.
    pub service_end_at: Option<Timestamp>,
}

/// A day's balances, in the currency of the last of them; those in others are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayBalance {
    /// The first.
    pub first: Money,
    /// The last.
    pub last: Money,
    /// The lowest.
    pub min: Money,
    /// The highest.
    pub max: Money,
}

/// The day of an instant, in days since 1970-01-01, UTC.
pub const fn day_of(at: Timestamp) -> i64 {
    at.ms().div_euclid(Span::days(1).ms())
}

/// When a day begins.
pub const fn day_start(day: i64) -> Timestamp {
    Timestamp::from_ms(day.saturating_mul(Span::days(1).ms()))
}

impl ReadingDay {
    fn empty(subscription: SubscriptionId, day: i64) -> Self {
        Self {
            subscription,
            day,
            readings: 0,
            failures: 0,
            balance: None,
            data_left: None,
            service_end_at: None,
        }
    }

    /// The days of readings that come in order of their lines, and of each line in order of time.
    pub fn of(readings: &[Reading]) -> Vec<Self> {
        let mut days: Vec<Self> = Vec::new();
        for reading in readings {
            let day = day_of(reading.at);
            let is_same =
                |last: &&mut Self| last.day == day && last.subscription == reading.subscription;
            match days.last_mut().filter(is_same) {
                Some(last) => last.add(reading),
                None => {
                    let mut new = Self::empty(reading.subscription.clone(), day);
                    new.add(reading);
                    days.push(new);
                }
            }
        }
        days
    }

    fn add(&mut self, reading: &Reading) {
        if reading.quality != Quality::Ok {
            self.failures = self.failures.saturating_add(1);
            return;
        }
        self.readings = self.readings.saturating_add(1);
        let values = &reading.values;
        self.data_left = values.data_left.or(self.data_left);
        self.service_end_at = values.service_end_at.or(self.service_end_at);
        if let Some(now) = values.balance {
            let same = self.balance.filter(|known| known.last.currency() == now.currency());
            let known = same.unwrap_or(DayBalance { first: now, last: now, min: now, max: now });
            let lower = now.minor() < known.min.minor();
            let higher = now.minor() > known.max.minor();
            self.balance = Some(DayBalance {
                first: known.first,
                last: now,
                min: if lower { now } else { known.min },
                max: if higher { now } else { known.max },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Values, fixtures};

    fn reading(hour: i64, quality: Quality, balance: Option<&str>) -> Reading {
        Reading {
            subscription: fixtures::line("l0").id,
            provider: "carrier".into(),
            at: Timestamp::from_ms(Span::hours(hour).ms()),
            quality,
            values: Values {
                balance: balance.map(|text| Money::parse(text).unwrap()),
                data_left: Some(hour),
                ..Values::default()
            },
            detail: None,
        }
    }

    #[test]
    fn a_day_is_its_first_last_lowest_and_highest() {
        let readings = [
            reading(-1, Quality::Ok, Some("9.00 USD")),
            reading(0, Quality::Ok, Some("5.00 USD")),
            reading(6, Quality::Unparseable, Some("0.00 USD")),
            reading(7, Quality::Ok, Some("2.00 USD")),
            reading(8, Quality::Ok, Some("12.00 USD")),
            reading(23, Quality::Ok, None),
            reading(24, Quality::Error(crate::domain::ErrorKind::Temporary), None),
        ];
        let days = ReadingDay::of(&readings);
        assert_eq!(days.iter().map(|day| day.day).collect::<Vec<_>>(), [-1, 0, 1]);
        let day = &days[1];
        assert_eq!((day.readings, day.failures, day.data_left), (4, 1, Some(23)));
        let balance = day.balance.unwrap();
        let words = [balance.first, balance.last, balance.min, balance.max].map(|m| m.to_string());
        assert_eq!(words, ["5.00 USD", "12.00 USD", "2.00 USD", "12.00 USD"]);
        assert_eq!((days[2].readings, days[2].failures, days[2].balance), (0, 1, None));
        assert_eq!(day_start(day_of(readings[0].at)), Timestamp::from_ms(-86_400_000));
    }

    #[test]
    fn another_currency_begins_anew() {
        let readings = [
            reading(0, Quality::Ok, Some("5.00 USD")),
            reading(1, Quality::Ok, Some("700 JPY")),
            reading(2, Quality::Ok, Some("600 JPY")),
        ];
        let balance = ReadingDay::of(&readings)[0].balance.unwrap();
        assert_eq!(
            (balance.first.minor(), balance.min.minor(), balance.max.minor()),
            (700, 600, 700)
        );
    }
}
