//! Values out of JSON, leniently read and exactly converted: numbers may be written as texts and
//! the other way round, and no figure goes through floating point.

use crate::domain::{Currency, Money, Rounding, Timestamp};
use crate::providers::ReadError;
use chrono::{DateTime, NaiveDateTime};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde_json::Value;
use std::str::FromStr as _;

/// A JSON body; pages and garbage are named as such.
pub(in crate::providers) fn parse(body: &str) -> Result<Value, String> {
    let body = body.trim_start_matches('\u{feff}');
    if body.trim().is_empty() {
        Err("the answer is empty".to_owned())
    } else if body.trim_start().starts_with('<') {
        Err("the answer is a page (HTML or XML), not JSON".to_owned())
    } else {
        serde_json::from_str(body).map_err(|error| format!("the answer is not JSON ({error})"))
    }
}

/// The text, number or truth value at a JSON Pointer, as text; empty text and null are nothing.
pub(in crate::providers) fn text(value: &Value, pointer: &str) -> Option<String> {
    plain(value.pointer(pointer)?)
}

/// A text, number or truth value as text. Numbers keep the digits they were written with: no
/// arithmetic is done.
pub(in crate::providers) fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A decimal at a JSON Pointer, also with an exponent.
pub(in crate::providers) fn decimal(value: &Value, pointer: &str) -> Option<Decimal> {
    let text = text(value, pointer)?;
    Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// An amount of money in major units at a JSON Pointer.
pub(in crate::providers) fn money(
    value: &Value,
    pointer: &str,
    currency: Currency,
    rounding: Rounding,
) -> Option<Money> {
    Money::from_decimal(decimal(value, pointer)?, currency, rounding).ok()
}

/// An amount of money in major units at one JSON Pointer, in the currency at another.
pub(in crate::providers) fn money_in(
    value: &Value,
    (pointer, currency): (&str, &str),
    rounding: Rounding,
) -> Option<Money> {
    money(value, pointer, Currency::parse(&text(value, currency)?).ok()?, rounding)
}

/// A wallet's balance and its currency at JSON Pointers: never read as more than it is.
pub(in crate::providers) fn balance(value: &Value, at: (&str, &str)) -> Result<Money, ReadError> {
    money_in(value, at, Rounding::Floor)
        .ok_or_else(|| ReadError::unparseable("no balance with a currency in the answer"))
}

/// An amount as a JSON number of major units.
pub(in crate::providers) fn exact(money: Money) -> Value {
    // At most 15 digits, which every JSON reader gives back as they were written.
    serde_json::from_str(&money.plain()).unwrap_or(Value::Null)
}

/// A whole number at a JSON Pointer; a fraction is cut off.
pub(in crate::providers) fn number(value: &Value, pointer: &str) -> Option<i64> {
    decimal(value, pointer)?.trunc().to_i64()
}

/// An amount of data at a JSON Pointer, in units of `unit` bytes; never more than there is.
pub(in crate::providers) fn bytes(value: &Value, pointer: &str, unit: i64) -> Option<i64> {
    decimal(value, pointer)?.checked_mul(Decimal::from(unit))?.floor().to_i64()
}

/// The members of the list at a JSON Pointer; none where there is no list.
pub(in crate::providers) fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A point in time with its offset: RFC 3339, `+0000` without a colon, or with a blank for the
/// `T`. One without an offset is read as UTC only where `assume_utc`.
pub(in crate::providers) fn moment(text: &str, assume_utc: bool) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Some(at);
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
        if let Ok(at) = DateTime::parse_from_str(text, format) {
            return Some(Timestamp::from_ms(at.timestamp_millis()));
        }
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
            return assume_utc.then(|| Timestamp::from_ms(at.and_utc().timestamp_millis()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_texts_are_one() {
        let value = json!({"a": "10.50", "b": 10.5, "c": 1e3, "d": "x", "e": null, "f": "", "g": 12.999, "h": -1});
        let usd = Currency::parse("USD").unwrap();
        for pointer in ["/a", "/b"] {
            assert_eq!(
                money(&value, pointer, usd, Rounding::Exact),
                Money::parse("10.50 USD").ok()
            );
        }
        assert_eq!(number(&value, "/c"), Some(1000));
        for pointer in ["/d", "/e", "/f", "/zz"] {
            assert_eq!(decimal(&value, pointer), None, "{pointer}");
        }
        assert_eq!(money(&value, "/g", usd, Rounding::Floor), Money::parse("12.99 USD").ok());
        assert_eq!(bytes(&value, "/b", 1024), Some(10_752));
        assert_eq!(number(&value, "/h"), Some(-1));
    }

    #[test]
    fn moments_need_an_offset() {
        let at = Timestamp::parse_rfc3339("2026-12-28T09:47:00Z");
        for same in [
            "2026-12-28T09:47:00+0000",
            "2026-12-28T09:47:00Z",
            "2026-12-28T11:47:00+02:00",
            "2026-12-28 09:47:00+0000",
            "2026-12-28T09:47:00.000Z",
        ] {
            assert_eq!(moment(same, false), at, "{same}");
        }
        assert_eq!(moment("2026-12-28 09:47:00", true), at);
        assert_eq!(moment("2026-12-28 09:47:00", false), None);
        assert_eq!(moment("soon", true), None);
    }
}
