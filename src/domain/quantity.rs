//! Metrics and the quantities they are measured in.

use super::{Money, Span};
use std::{cmp::Ordering, fmt};

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Money left.
    Balance,
    /// Data left.
    DataLeft,
    /// Call minutes left.
    MinutesLeft,
    /// Text messages left.
    SmsLeft,
    /// Time until the service stops.
    DaysToServiceEnd,
    /// Time until the number is lost.
    DaysToNumberLoss,
    /// Time until the balance is used up, by forecast.
    DaysToRunout,
    /// How many renewals the balance still pays.
    RenewalsAffordable,
    /// Money used per day.
    BurnPerDay,
    /// Time since the line was last used.
    IdleDays,
    /// Age of the newest `ok` reading.
    ReadingAge,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `"5.00 USD"`.
    Money,
    /// `"500 MB"`.
    Bytes,
    /// A whole number.
    Count,
    /// A whole number of days.
    Days,
    /// `"12h"`.
    Age,
}

impl Metric {
    /// Every metric with its word in rules.
    pub const WORDS: [(&'static str, Self); 11] = [
        ("balance", Self::Balance),
        ("data_left", Self::DataLeft),
        ("minutes_left", Self::MinutesLeft),
        ("sms_left", Self::SmsLeft),
        ("days_to_service_end", Self::DaysToServiceEnd),
        ("days_to_number_loss", Self::DaysToNumberLoss),
        ("days_to_runout", Self::DaysToRunout),
        ("renewals_affordable", Self::RenewalsAffordable),
        ("burn_per_day", Self::BurnPerDay),
        ("idle_days", Self::IdleDays),
        ("reading_age", Self::ReadingAge),
    ];

    /// The word in rules.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, m)| *m == self).map_or("", |(word, _)| word)
    }

    /// What its thresholds are written in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Balance | Self::BurnPerDay => Unit::Money,
            Self::DataLeft => Unit::Bytes,
            Self::MinutesLeft | Self::SmsLeft | Self::RenewalsAffordable => Unit::Count,
            Self::DaysToServiceEnd
            | Self::DaysToNumberLoss
            | Self::DaysToRunout
            | Self::IdleDays => Unit::Days,
            Self::ReadingAge => Unit::Age,
        }
    }

    /// True for metrics that need a forecast of the line's use.
    pub const fn is_forecast(self) -> bool {
        matches!(self, Self::DaysToRunout | Self::BurnPerDay | Self::IdleDays)
    }

    /// True for metrics that are guesses: they may tell at once, but move money only once the
    /// forecast proved itself on the line.
    pub const fn wants_proof(self) -> bool {
        matches!(self, Self::DaysToRunout | Self::BurnPerDay)
    }

    /// True for metrics that are about a date, so that time alone can make them fire.
    pub const fn is_deadline(self) -> bool {
        matches!(self, Self::DaysToServiceEnd | Self::DaysToNumberLoss)
    }
}

/// A measured or demanded amount of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Money.
    Money(Money),
    /// Bytes.
    Bytes(i64),
    /// A plain number.
    Count(i64),
    /// A span, compared exactly, shown in days.
    Days(Span),
    /// A span, shown in its own units.
    Age(Span),
}

impl Quantity {
    /// Orders two quantities of one unit and currency; `None` otherwise.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Money(a), Self::Money(b)) => a.partial_cmp_same(b),
            (Self::Bytes(a), Self::Bytes(b)) | (Self::Count(a), Self::Count(b)) => Some(a.cmp(&b)),
            (Self::Days(a), Self::Days(b)) | (Self::Age(a), Self::Age(b)) => Some(a.cmp(&b)),
            _ => None,
        }
    }

    /// A level this far beyond the threshold in the direction `up`: 20 %, at least one unit
    /// (one minor unit, one byte, one; a day for days).
    #[must_use]
    pub fn beyond(self, up: bool) -> Self {
        let step = |n: i64, least: i64| {
            let fifth = (n.saturating_abs() / 5).max(least);
            if up { n.saturating_add(fifth) } else { n.saturating_sub(fifth) }
        };
        match self {
            Self::Money(m) => Self::Money(Money::new(step(m.minor(), 1), m.currency())),
            Self::Bytes(n) => Self::Bytes(step(n, 1)),
            Self::Count(n) => Self::Count(step(n, 1)),
            Self::Days(s) => Self::Days(Span::from_ms(step(s.ms(), Span::days(1).ms()))),
            Self::Age(s) => Self::Age(Span::from_ms(step(s.ms(), 1))),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Money(money) => money.fmt(f),
            Self::Bytes(n) => f.write_str(&bytes_text(*n)),
            Self::Count(n) => n.fmt(f),
            Self::Days(span) => {
                let day = Span::days(1).ms();
                match (span.ms() / day, span.ms() % day) {
                    (1, 0) => f.write_str("1 day"),
                    (days, 0) => write!(f, "{days} days"),
                    _ => span.fmt(f),
                }
            }
            Self::Age(span) => span.fmt(f),
        }
    }
}

/// Bytes as people say them: `1.5 GB`, `500 MB`, decimal units, one digit at most.
pub(crate) fn bytes_text(n: i64) -> String {
    let (unit, name) = match n.unsigned_abs() {
        0..1_000 => return format!("{n} B"),
        1_000..1_000_000 => (1_000, "KB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    match (n / unit, (n % unit).abs() * 10 / unit) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}
