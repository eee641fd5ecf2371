//! Dates as providers write them. A date without a zone is understood where the operator is.

use crate::domain::Timestamp;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use chrono_tz::Tz;

/// What a text that should be a date turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Date {
    /// An instant.
    At(Timestamp),
    /// A day that stands for "none": 1970-01-01, 0001-01-01, 9999-12-31.
    None,
    /// No date.
    Unreadable,
}

/// Unix times from here on are in milliseconds (in seconds this would be the year 5138).
const MS_FROM: i64 = 100_000_000_000;

/// Reads a date, in the given `strftime` format or in any of the usual ones.
pub(super) fn read(text: &str, format: Option<&str>, zone: Tz) -> Date {
    let text = text.trim();
    let found = match format {
        Some(format) => custom(text, format, zone),
        None => usual(text, zone),
    };
    match found {
        None => Date::Unreadable,
        Some(at) if stands_for_none(at, zone) => Date::None,
        Some(at) => Date::At(at),
    }
}

fn usual(text: &str, zone: Tz) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<i64>() {
        let ms = if number.abs() < MS_FROM { number.checked_mul(1000)? } else { number };
        let at = Timestamp::from_ms(ms);
        return at.to_utc().map(|_| at);
    }
    Timestamp::parse_rfc3339(text)
        .or_else(|| day(text, "%Y-%m-%d", zone))
        .or_else(|| day(text, "%m/%d/%Y", zone))
        .or_else(|| local(text, "%Y-%m-%dT%H:%M:%S%.f", zone))
        .or_else(|| local(text, "%Y-%m-%d %H:%M:%S%.f", zone))
}

fn custom(text: &str, format: &str, zone: Tz) -> Option<Timestamp> {
    DateTime::parse_from_str(text, format)
        .ok()
        .map(|at| Timestamp::from_ms(at.timestamp_millis()))
        .or_else(|| local(text, format, zone))
        .or_else(|| day(text, format, zone))
}

/// The start of the day: the pessimistic reading of an expiry.
fn day(text: &str, format: &str, zone: Tz) -> Option<Timestamp> {
    Timestamp::start_of_day(NaiveDate::parse_from_str(text, format).ok()?, zone)
}

/// In an overlap the earlier, in a gap the first instant after it.
fn local(text: &str, format: &str, zone: Tz) -> Option<Timestamp> {
    let at = NaiveDateTime::parse_from_str(text, format).ok()?;
    (0..=3)
        .find_map(|hours| {
            let at = at.checked_add_signed(chrono::TimeDelta::hours(hours))?;
            zone.from_local_datetime(&at).earliest()
        })
        .map(|at| Timestamp::from_ms(at.timestamp_millis()))
}

/// True for the days that programs write where they have none, in UTC or in the operator's zone.
fn stands_for_none(at: Timestamp, zone: Tz) -> bool {
    let Some(utc) = at.to_utc() else { return true };
    let none = |day: NaiveDate| {
        matches!((day.year(), day.month(), day.day()), (1970, 1, 1) | (1, 1, 1) | (9999, 12, 31))
    };
    none(utc.date_naive()) || none(utc.with_timezone(&zone).date_naive())
}

/// Refuses a format that could never be read back.
pub(super) fn check_format(format: &str) -> Result<(), String> {
    use chrono::format::{Item, StrftimeItems};
    let allowed = "allowed is a strftime format such as \"%d.%m.%Y\"";
    if StrftimeItems::new(format).any(|item| item == Item::Error) {
        return Err(allowed.to_owned());
    }
    let sample =
        NaiveDate::from_ymd_opt(2026, 11, 21).map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let text = sample.map(|at| at.format(format).to_string()).unwrap_or_default();
    match read(&text, Some(format), Tz::UTC) {
        Date::At(_) => Ok(()),
        Date::None | Date::Unreadable => {
            Err(format!("{allowed}; it must tell year, month and day"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::America::New_York;

    #[test]
    fn the_usual_ways_to_write_a_date() {
        for (text, expected) in [
            ("2026-12-01T05:00:00Z", "2026-12-01T05:00:00Z"),
            ("2026-12-01T00:00:00-05:00", "2026-12-01T05:00:00Z"),
            ("2026-12-01", "2026-12-01T05:00:00Z"),
            ("12/01/2026", "2026-12-01T05:00:00Z"),
            ("2026-12-01T12:30:00", "2026-12-01T17:30:00Z"),
            ("2026-12-01 12:30:00", "2026-12-01T17:30:00Z"),
            ("1796101200", "2026-12-01T05:00:00Z"),
            ("1796101200000", "2026-12-01T05:00:00Z"),
            // The hour that summer time skips.
            ("2026-03-08 02:30:00", "2026-03-08T07:30:00Z"),
        ] {
            let expected = Timestamp::parse_rfc3339(expected).unwrap();
            assert_eq!(read(text, None, New_York), Date::At(expected), "{text}");
        }
    }

    #[test]
    fn days_that_stand_for_none() {
        for text in [
            "1970-01-01",
            "1970-01-01T00:00:00Z",
            "0",
            "0001-01-01T00:00:00Z",
            "0001-01-01",
            "9999-12-31T23:59:59Z",
            "9999-12-31",
            "12/31/9999",
        ] {
            assert_eq!(read(text, None, New_York), Date::None, "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "soon",
            "01.12.2026",
            "2026-13-01",
            "2026-02-30",
            "13/13/2026",
            "99999999999999999",
        ] {
            assert_eq!(read(text, None, New_York), Date::Unreadable, "{text}");
        }
    }

    #[test]
    fn formats_of_one_s_own() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(
            read("01.12.2026", Some("%d.%m.%Y"), New_York),
            Date::At(at("2026-12-01T05:00:00Z"))
        );
        let zoned = read("01.12.2026 08:00 +0100", Some("%d.%m.%Y %H:%M %z"), New_York);
        assert_eq!(zoned, Date::At(at("2026-12-01T07:00:00Z")));
        assert_eq!(read("2026-12-01", Some("%d.%m.%Y"), New_York), Date::Unreadable);
        assert!(check_format("%d.%m.%Y").is_ok() && check_format("%d.%m.%Y %H:%M").is_ok());
        for bad in ["%Q", "%d.%m.", "nonsense"] {
            assert!(check_format(bad).is_err(), "{bad}");
        }
    }
}
