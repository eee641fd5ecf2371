//! Products: what a data quota is set to.

use crate::domain::Timestamp;
use crate::providers::api::moment;
use chrono::NaiveDate;

/// How a product is written.
pub(super) const SYNTAX: &str = "a product such as \"500 MB until 2027-12-31\", or \"500 MB\" with `until` in the configuration";

/// A quota as it is after an order: nothing is added to what is left, so an order that is carried
/// out twice leaves what it left the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// In emnify's own MB.
    pub(super) volume: u32,
    /// When it expires.
    pub(super) until: Timestamp,
}

impl Target {
    /// Reads a product; `usual` is when quotas expire whose product does not say.
    pub(super) fn parse(product: &str, usual: Option<Timestamp>) -> Result<Self, String> {
        let wrong = || format!("`{product}` is no product here; allowed is {SYNTAX}");
        let (volume, date) = match product.split_once(" until ") {
            Some((volume, date)) => (volume, Some(date)),
            None => (product, None),
        };
        let volume = volume.trim().strip_suffix("MB").ok_or_else(wrong)?.trim();
        let volume = volume.parse().ok().filter(|volume| *volume > 0).ok_or_else(wrong)?;
        let until = match date {
            Some(date) => parse_until(date).ok_or_else(wrong)?,
            None => usual.ok_or_else(wrong)?,
        };
        Ok(Self { volume, until })
    }
}

/// A date, of which the last second in UTC is meant, or an instant with its offset.
pub(super) fn parse_until(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => {
            let end = day.and_hms_opt(23, 59, 59)?.and_utc();
            Some(Timestamp::from_ms(end.timestamp_millis()))
        }
        Err(_) => moment(text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_absolute() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let end = at("2027-12-31T23:59:59Z");
        for product in ["500 MB until 2027-12-31", "500MB until 2027-12-31T23:59:59Z"] {
            assert_eq!(Target::parse(product, None), Ok(Target { volume: 500, until: end }));
        }
        let usual = Some(at("2030-01-01T00:00:00Z"));
        let target = Target::parse("2000MB", usual).unwrap();
        assert_eq!((target.volume, Some(target.until)), (2000, usual));
        let own = Target::parse("1 MB until 2027-12-31T12:00:00+02:00", usual).unwrap();
        assert_eq!(own.until, at("2027-12-31T10:00:00Z"));
        for bad in [
            "",
            "MB",
            "0 MB",
            "-1 MB",
            "1.5 MB",
            "500",
            "2 GB",
            "500 MB/30d",
            "500 MB until",
            "500 MB until soon",
            "500 MB until 2027-13-01",
            "500 MB until 2027-12-31T12:00:00",
            "99999999999 MB",
            "500 MB until 2027-12-31 until 2028-01-01",
        ] {
            assert!(Target::parse(bad, usual).is_err(), "{bad}");
        }
        assert!(Target::parse("500 MB", None).is_err());
    }
}
