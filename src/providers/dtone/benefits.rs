//! What is left on an eSIM: a list of benefits, each with its own expiry.
//!
//! Invariant: what has no limit is never a low value, and an empty list is no value at all.

use crate::domain::{
    Bucket, Currency, Metric, Money, Quality, Quantity, Rounding, Timestamp, Values,
};
use crate::providers::{
    ReadError, ReadOk,
    api::{decimal, items, moment, text},
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde_json::Value;

/// One benefit.
enum Left {
    Some(Quantity),
    Unlimited,
    /// In a unit that is not known.
    Unknown,
}

/// The list as a reading. What lapsed before `now` is no longer there.
pub(super) fn reading(list: &Value, now: Timestamp) -> Result<ReadOk, ReadError> {
    if !list.is_array() {
        return Err(ReadError::unparseable("no list of benefits in the answer"));
    }
    let (mut buckets, mut ends, mut is_endless) = (Vec::new(), Vec::new(), false);
    // A sum without a part of it would be too low.
    let (mut unsummed, mut missing) = (Vec::new(), Vec::new());
    for benefit in items(list, "") {
        let kind = text(benefit, "/type").unwrap_or_default();
        let Some(metric) = metric(&kind) else { continue };
        let written = text(benefit, "/expiration_date");
        let expires_at = written.as_deref().and_then(|at| moment(at, false));
        if written.is_some() && expires_at.is_none() {
            missing.push(format!("when {kind} expires"));
        }
        is_endless |= expires_at.is_none();
        ends.extend(expires_at);
        let has_lapsed = expires_at.is_some_and(|at| at <= now);
        match left(benefit, metric) {
            Left::Unlimited if has_lapsed => {}
            Left::Unlimited => unsummed.push(metric),
            Left::Unknown => {
                unsummed.push(metric);
                missing.push(format!("how much {kind} is left"));
            }
            Left::Some(left) => {
                let left = if has_lapsed { nothing(left) } else { left };
                let country = text(benefit, "/country/name").or_else(|| text(benefit, "/country"));
                let country = country.map(|country| format!(" ({country})")).unwrap_or_default();
                let name = format!("{}{country}", kind.to_ascii_lowercase());
                buckets.push(Bucket { name, left, metric, expires_at });
            }
        }
    }
    buckets.retain(|bucket: &Bucket| !unsummed.contains(&bucket.metric));
    let service_end_at = ends.into_iter().max().filter(|_| !is_endless);
    let values = Values { buckets, service_end_at, ..Values::default() }.with_sums();
    if values.is_empty() && unsummed.is_empty() {
        missing.push("any benefit".to_owned());
    }
    let detail = (!missing.is_empty()).then(|| format!("not found: {}", missing.join(", ")));
    let quality = if detail.is_some() { Quality::Partial } else { Quality::Ok };
    Ok(ReadOk { values, quality, detail })
}

fn metric(kind: &str) -> Option<Metric> {
    Some(match kind {
        "DATA" => Metric::DataLeft,
        "TALKTIME" => Metric::MinutesLeft,
        "SMS" => Metric::SmsLeft,
        "CREDITS" => Metric::Balance,
        _ => return None,
    })
}

fn left(benefit: &Value, metric: Metric) -> Left {
    let Some(amount) = decimal(benefit, "/amount") else { return Left::Unknown };
    if amount == Decimal::NEGATIVE_ONE {
        return Left::Unlimited;
    }
    let unit = text(benefit, "/unit").unwrap_or_default();
    let found = if amount.is_sign_negative() {
        None
    } else if metric == Metric::DataLeft {
        data(amount, &unit).map(Quantity::Bytes)
    } else if metric == Metric::MinutesLeft {
        minutes(amount, &unit).map(Quantity::Count)
    } else if metric == Metric::SmsLeft {
        amount.floor().to_i64().map(Quantity::Count)
    } else {
        let currency = Currency::parse(&unit).ok();
        currency
            .and_then(|currency| Money::from_decimal(amount, currency, Rounding::Floor).ok())
            .map(Quantity::Money)
    };
    found.map_or(Left::Unknown, Left::Some)
}

const fn nothing(left: Quantity) -> Quantity {
    match left {
        Quantity::Money(money) => Quantity::Money(Money::zero(money.currency())),
        Quantity::Bytes(_) => Quantity::Bytes(0),
        Quantity::Count(_) | Quantity::Days(_) | Quantity::Age(_) => Quantity::Count(0),
    }
}

/// Bytes. Whether a megabyte is decimal is written nowhere, so the smaller reading counts.
pub(super) fn data(amount: Decimal, unit: &str) -> Option<i64> {
    let unit = crate::input::unit_bytes(unit)?;
    amount.checked_mul(unit.into())?.floor().to_i64()
}

fn minutes(amount: Decimal, unit: &str) -> Option<i64> {
    let seconds = match unit.to_ascii_uppercase().trim_end_matches('S') {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3600,
        _ => return None,
    };
    amount.checked_mul(seconds.into())?.checked_div(60.into())?.floor().to_i64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn benefit(kind: &str, unit: &str, amount: impl Into<Value>, expiry: Option<&str>) -> Value {
        json!({"type": kind, "unit_type": "x", "unit": unit, "amount": amount.into(), "expiration_date": expiry, "country": null})
    }

    #[test]
    fn benefits_become_buckets_and_no_limit_is_never_low() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let now = at("2026-11-21T00:00:00Z");
        let (soon, late) = ("2026-12-01T00:00:00.000000000Z", "2026-12-20T00:00:00.000000000Z");
        let read = |list: Value| reading(&list, now).unwrap();
        let both = read(json!([
            benefit("DATA", "MB", json!(512), Some(soon)),
            benefit("DATA", "GB", json!("1.5"), Some(late)),
            benefit("TALKTIME", "SECONDS", json!(90), Some(soon)),
            benefit("SMS", "SMS", json!(7), Some(soon)),
            benefit("CREDITS", "USD", json!(2.5), Some(soon)),
            benefit("NEW", "x", json!(1), Some(soon)),
        ]));
        assert_eq!((both.quality, both.values.buckets.len()), (Quality::Ok, 5));
        assert_eq!(both.values.data_left, Some(2_012_000_000));
        assert_eq!((both.values.minutes_left, both.values.sms_left), (Some(1), Some(7)));
        assert_eq!(both.values.balance, Money::parse("2.50 USD").ok());
        assert_eq!(both.values.service_end_at, Some(at(late)));
        // One package without a limit: no figure, whatever the others say.
        let endless = read(json!([
            benefit("DATA", "MB", json!(-1), Some(late)),
            benefit("DATA", "MB", json!(3), Some(soon)),
        ]));
        assert_eq!((endless.quality, endless.values.data_left), (Quality::Ok, None));
        assert_eq!(endless.values.buckets, []);
        assert_eq!(endless.values.service_end_at, Some(at(late)));
        let forever = read(json!([benefit("DATA", "MB", json!(5), None)]));
        assert_eq!(forever.values.service_end_at, None);
        assert_eq!(forever.values.data_left, Some(5_000_000));
        // What lapsed is no longer there.
        let gone = "2026-11-20T00:00:00Z";
        let lapsed = read(json!([
            benefit("DATA", "MB", json!(100), Some(gone)),
            benefit("DATA", "MB", json!(-1), Some(gone)),
        ]));
        let expected = Bucket {
            name: "data".to_owned(),
            left: Quantity::Bytes(0),
            metric: Metric::DataLeft,
            expires_at: Some(at(gone)),
        };
        assert_eq!(lapsed.values.buckets, [expected]);
        assert_eq!(lapsed.values.service_end_at, Some(at(gone)));
        // A part that cannot be read leaves no sum of the rest.
        for odd in [
            benefit("DATA", "BARRELS", json!(1), Some(late)),
            benefit("DATA", "MB", json!(-5), Some(late)),
            benefit("DATA", "MB", json!(null), Some(late)),
        ] {
            let partial = read(json!([benefit("DATA", "MB", json!(1), Some(soon)), odd.clone()]));
            assert_eq!(
                (partial.quality, partial.values.data_left),
                (Quality::Partial, None),
                "{odd}"
            );
        }
        let undated = read(json!([benefit("DATA", "MB", json!(1), Some("2026-12-01 00:00:00"))]));
        assert_eq!((undated.quality, undated.values.service_end_at), (Quality::Partial, None));
        assert_eq!(read(json!([])).quality, Quality::Partial);
        assert!(reading(&json!({}), now).is_err());
    }
}
