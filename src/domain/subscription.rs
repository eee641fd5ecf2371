//! Who owns lines, and the lines: what a person declared in the fleet file.

use super::{Iccid, Money, Msisdn, Span, SubscriberId, SubscriptionId, Timestamp};
use chrono::{NaiveTime, TimeZone};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// The person or party who owns lines and gets notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Their id in the fleet file.
    pub id: SubscriberId,
    /// How they are addressed.
    pub name: String,
    /// Where e-mail goes.
    pub email: Option<String>,
    /// Where SMS goes.
    pub phone: Option<Msisdn>,
    /// `en` or `zh-CN`.
    pub locale: String,
    /// The zone in which times are shown to them.
    pub time_zone: Tz,
    /// When nothing but critical notices may be sent.
    pub quiet_hours: Option<QuietHours>,
    /// Channel names in order; the rest are fallbacks.
    pub channels: Vec<String>,
    /// What single channels call them, by the channel's name.
    pub addresses: BTreeMap<String, String>,
}

/// A daily stretch of local time, `[start, end)`, which may cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Local time at which silence begins.
    pub start: NaiveTime,
    /// Local time at which it ends.
    pub end: NaiveTime,
}

impl QuietHours {
    /// Parses `22:00-07:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let time = |t: &str| NaiveTime::parse_from_str(t.trim(), "%H:%M").ok();
        let hours = Self { start: time(start)?, end: time(end)? };
        (hours.start != hours.end).then_some(hours)
    }

    /// When the silence that covers `now` ends; `None` outside it.
    pub fn ends_at(self, now: Timestamp, zone: Tz) -> Option<Timestamp> {
        let local = now.to_utc()?.with_timezone(&zone);
        let (day, time) = (local.date_naive(), local.time());
        let crosses = self.end < self.start;
        let end_day = match (crosses, time >= self.start, time < self.end) {
            (false, true, true) | (true, false, true) => day,
            (true, true, _) => day.succ_opt()?,
            _ => return None,
        };
        // In a clock-change gap the first instant after it; in an overlap the later one.
        (0..=3)
            .find_map(|hours| {
                let at = end_day.and_time(self.end) + chrono::TimeDelta::hours(hours);
                zone.from_local_datetime(&at).latest()
            })
            .map(|at| Timestamp::from_ms(at.timestamp_millis()))
    }
}

impl std::fmt::Display for QuietHours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.start.format("%H:%M"), self.end.format("%H:%M"))
    }
}

/// One watched thing: a prepaid line or a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id in the fleet file.
    pub id: SubscriptionId,
    /// Who owns it.
    pub subscriber: SubscriberId,
    /// What its owner calls it.
    pub label: String,
    /// The phone number, for lines that have one.
    pub msisdn: Option<Msisdn>,
    /// The SIM's serial, for lines that have one.
    pub iccid: Option<Iccid>,
    /// The network or brand.
    pub operator: Option<String>,
    /// The operator's zone: a date without time is understood there.
    pub time_zone: Tz,
    /// The provider that reads it.
    pub reader: String,
    /// The providers that may pay for it, in order.
    pub payers: Vec<String>,
    /// Free words that rules and filters select by.
    pub tags: Vec<String>,
    /// What it costs to keep, and how it renews.
    pub plan: Option<Plan>,
    /// Which product to buy at which payer.
    pub products: BTreeMap<String, String>,
    /// Whether it is watched.
    pub status: SubscriptionStatus,
}

impl Subscription {
    /// Label and last four digits: how notices name the line.
    pub fn short_name(&self) -> String {
        match &self.msisdn {
            Some(number) => format!("{} (..{})", self.label, number.last4()),
            None => self.label.clone(),
        }
    }
}

/// Whether a subscription is watched. (`held` is not stored: it means that a top-up is held.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// Polled, judged and paid for.
    Active,
    /// A person stopped everything for it.
    Paused,
    /// No longer in the fleet; kept for its history.
    Closed,
}

impl SubscriptionStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Closed];

    /// The word in table, API and page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Closed => "closed",
        }
    }

    /// The status of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A plan's price, cycle, and what paying does to its dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What one renewal costs, before taxes.
    pub price: Option<Money>,
    /// Days that one payment buys.
    pub cycle_days: Option<i64>,
    /// What a payment does to the service end.
    pub renewal: Renewal,
    /// Days after service end at which the number is lost.
    pub number_loss_days: Option<i64>,
    /// The daily stretch, in the operator's zone, in which the operator renews on the day of the
    /// service end: no order is placed inside it.
    pub charge_window: Option<QuietHours>,
}

impl Plan {
    /// One cycle as a span.
    pub fn cycle(&self) -> Option<Span> {
        self.cycle_days.map(Span::days)
    }
}

/// What paying does to the dates of a line (peers study §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Money waits in the account; the operator renews from it on the date.
    FundBalance,
    /// A new period is added to the end.
    ExtendFromExpiry,
    /// A new period starts at the payment; remaining days are lost.
    RestartFromPayment,
    /// The next package waits until the current one ends.
    Queue,
    /// Not known; treated as the most careful of the others.
    Unknown,
}

impl Renewal {
    /// The words of the fleet file.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("fund_balance", Self::FundBalance),
        ("extend_from_expiry", Self::ExtendFromExpiry),
        ("restart_from_payment", Self::RestartFromPayment),
        ("queue", Self::Queue),
        ("unknown", Self::Unknown),
    ];

    /// The word of the fleet file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, r)| *r == self).map_or("unknown", |(word, _)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_cross_midnight_and_clock_changes() {
        let quiet = QuietHours::parse("22:00-07:00").unwrap();
        let zone = chrono_tz::America::New_York;
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let ends = |text| quiet.ends_at(at(text), zone).map(Timestamp::rfc3339);
        assert_eq!(ends("2026-11-20T23:30:00-05:00"), Some("2026-11-21T12:00:00Z".into()));
        assert_eq!(ends("2026-11-21T06:59:00-05:00"), Some("2026-11-21T12:00:00Z".into()));
        assert_eq!(ends("2026-11-21T07:00:00-05:00"), None);
        // The night in which summer time ends is an hour longer.
        assert_eq!(ends("2026-10-31T23:00:00-04:00"), Some("2026-11-01T12:00:00Z".into()));
        assert_eq!(QuietHours::parse("22:00"), None);
    }
}
