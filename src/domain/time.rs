//! Instants and spans as whole milliseconds, so that every comparison in the rules is exact.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use std::fmt;

/// An instant in UTC, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: a date far outside any calendar never panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `ms` milliseconds after the Unix epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// This instant moved by `span` (which may be negative).
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This instant moved back by `span`.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this instant; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// As a calendar value; `None` only for instants no calendar holds.
    pub fn to_utc(self) -> Option<DateTime<Utc>> {
        Utc.timestamp_millis_opt(self.0).single()
    }

    /// RFC 3339 in UTC, whole seconds (`2026-11-21T02:00:00Z`), milliseconds when there are any.
    pub fn rfc3339(self) -> String {
        let format =
            if self.0.rem_euclid(1000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        self.to_utc().map_or_else(|| format!("{}ms", self.0), |at| at.to_rfc3339_opts(format, true))
    }

    /// Parses RFC 3339 with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| Self(at.timestamp_millis()))
    }

    /// The start of a calendar day in `zone`: how a date without a time is understood
    /// (the pessimistic reading of an expiry). In a clock-change gap, the first instant after it.
    pub fn start_of_day(day: NaiveDate, zone: Tz) -> Option<Self> {
        let midnight = day.and_hms_opt(0, 0, 0)?;
        (0..=3)
            .find_map(|hours| {
                zone.from_local_datetime(&(midnight + chrono::TimeDelta::hours(hours))).earliest()
            })
            .map(|at| Self(at.timestamp_millis()))
    }

    /// Wall-clock text in `zone`, to the minute, with the zone's abbreviation.
    pub fn in_zone(self, zone: Tz) -> String {
        self.to_utc().map_or_else(
            || self.rfc3339(),
            |at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string(),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// `n` seconds.
    pub const fn seconds(n: i64) -> Self {
        Self(n.saturating_mul(1000))
    }

    /// `n` minutes.
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n.saturating_mul(60))
    }

    /// `n` hours.
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n.saturating_mul(60))
    }

    /// `n` days of 24 hours.
    pub const fn days(n: i64) -> Self {
        Self::hours(n.saturating_mul(24))
    }

    /// Milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// This span `n` times over.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// This span divided by `n` (by one where `n` is zero), rounded towards zero.
    #[must_use]
    pub const fn divided_by(self, n: i64) -> Self {
        Self(self.0 / if n == 0 { 1 } else { n })
    }

    /// The sum of two spans.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Its length, whichever way it goes.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// For timers; negative spans become zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }

    /// Every unit of it, so that [`Self::parse`] gives the same span again: `8d9h36m`, `0s`.
    pub fn exact(self) -> String {
        let mut rest = self.0.unsigned_abs();
        let mut text = String::from(if self.0 < 0 { "-" } else { "" });
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
        for (ms, unit) in units {
            if rest >= ms {
                text.push_str(&format!("{}{unit}", rest / ms));
                rest %= ms;
            }
        }
        if self.0 == 0 { "0s".to_owned() } else { text }
    }

    /// Parses `500ms`, `15s`, `2m`, `6h`, `7d`, `2w` and sums such as `1h30m`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return None;
        }
        let mut total: i64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let n: i64 = rest.get(..digits)?.parse().ok()?;
            let tail = rest.get(digits..)?;
            let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let unit_ms = match tail.get(..unit_len)? {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return None,
            };
            total = total.checked_add(n.checked_mul(unit_ms)?)?;
            rest = tail.get(unit_len..)?.trim_start();
        }
        Some(Self(total))
    }
}

/// The two largest units, as people say it: `3d 4h`, `45s`; exact enough to read, not to parse.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ms = self.0.unsigned_abs();
        let (seconds, minutes, hours, days) =
            (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
        let two = |f: &mut fmt::Formatter<'_>, big: u64, b: &str, small: u64, s: &str| {
            if small == 0 {
                write!(f, "{sign}{big}{b}")
            } else {
                write!(f, "{sign}{big}{b}{small}{s}")
            }
        };
        if days > 0 {
            two(f, days, "d", hours % 24, "h")
        } else if hours > 0 {
            two(f, hours, "h", minutes % 60, "m")
        } else if minutes > 0 {
            two(f, minutes, "m", seconds % 60, "s")
        } else if ms.is_multiple_of(1000) {
            write!(f, "{sign}{seconds}s")
        } else {
            write!(f, "{sign}{ms}ms")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print() {
        for (text, ms) in
            [("15s", 15_000), ("500ms", 500), ("1h30m", 5_400_000), ("2w", 1_209_600_000)]
        {
            assert_eq!(Span::parse(text), Some(Span(ms)), "{text}");
        }
        for bad in
            ["", "5", "5 parsecs", "-3s", "h", "99999999999999999999d", "9223372036854775807d"]
        {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
        assert_eq!(Span::hours(76).to_string(), "3d4h");
        assert_eq!(Span::seconds(90).to_string(), "1m30s");
        assert_eq!(Span::from_ms(250).to_string(), "250ms");
        for exact in ["0s", "8d9h36m", "1d1ms", "2h5s"] {
            assert_eq!(Span::parse(exact).unwrap().exact(), exact);
        }
    }

    #[test]
    fn a_date_is_the_start_of_that_day_where_the_operator_is() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let at = Timestamp::start_of_day(day, chrono_tz::Pacific::Honolulu).unwrap();
        assert_eq!(at.rfc3339(), "2026-12-01T10:00:00Z");
        // Havana skips midnight on the day summer time begins.
        let gap = NaiveDate::from_ymd_opt(2026, 3, 8).unwrap();
        let at = Timestamp::start_of_day(gap, chrono_tz::America::Havana).unwrap();
        assert_eq!(at.rfc3339(), "2026-03-08T05:00:00Z");
    }

    #[test]
    fn far_instants_do_not_panic() {
        let end = Timestamp(i64::MAX);
        assert_eq!(end.plus(Span::days(1)), end);
        assert!(end.rfc3339().ends_with("ms"));
    }
}
