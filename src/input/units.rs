//! Small written forms: data sizes, percentages, rates.

use crate::domain::Span;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use std::str::FromStr;

/// So many events per span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Events allowed within one `per`.
    pub events: u32,
    /// The window.
    pub per: Span,
}

/// Parses `10/m`, `50/s`, `600/h`.
pub fn parse_rate(text: &str) -> Option<Rate> {
    let (events, unit) = text.trim().split_once('/')?;
    let per = match unit.trim() {
        "s" => Span::seconds(1),
        "m" | "min" => Span::minutes(1),
        "h" => Span::hours(1),
        "d" => Span::days(1),
        _ => return None,
    };
    events.trim().parse().ok().filter(|n| *n > 0).map(|events| Rate { events, per })
}

/// Parses `10%` into whole hundredths.
pub fn parse_percent(text: &str) -> Option<i64> {
    let n: i64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0..=1000).contains(&n).then_some(n)
}

/// Bytes in one `unit`: decimal `KB MB GB TB`, binary `KiB MiB GiB TiB`, or `B`.
pub fn unit_bytes(unit: &str) -> Option<i64> {
    Some(match unit.trim().to_ascii_uppercase().as_str() {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KIB" => 1 << 10,
        "MIB" => 1 << 20,
        "GIB" => 1 << 30,
        "TIB" => 1 << 40,
        _ => return None,
    })
}

/// Parses `500 MB` (10^6 bytes each) or `2 GiB` (2^30 bytes each) into bytes, rounded down.
pub fn parse_bytes(text: &str) -> Option<i64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number = Decimal::from_str(text.get(..split)?.trim()).ok()?;
    let unit = unit_bytes(text.get(split..)?)?;
    number.checked_mul(Decimal::from(unit))?.floor().to_i64().filter(|n| *n >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_forms() {
        assert_eq!(parse_bytes("500 MB"), Some(500_000_000));
        assert_eq!(parse_bytes("1.5GiB"), Some(1_610_612_736));
        assert_eq!(parse_bytes("5"), None);
        assert_eq!(parse_bytes("-5 MB"), None);
        assert_eq!(parse_rate("10/m"), Some(Rate { events: 10, per: Span::minutes(1) }));
        assert_eq!(parse_rate("0/m"), None);
        assert_eq!(parse_percent("10%"), Some(10));
        assert_eq!(parse_percent("10"), None);
    }
}
