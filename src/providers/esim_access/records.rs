//! eSIMs and packages: volumes in bytes, prices in ten-thousandths of a dollar, times in UTC.

use crate::domain::{Currency, ErrorKind, Iccid, Money, Quality, Rounding, Values};
use crate::providers::{
    Order, Product, ProductKind, Quote, ReadError, ReadOk,
    api::{cut, decimal, items, moment, number, text},
};
use rust_decimal::Decimal;
use serde_json::Value;

/// Parts of a dollar that prices are counted in.
const PARTS: i64 = 10_000;

/// An amount of money.
pub(super) fn money(
    value: &Value,
    pointer: &str,
    currency: Currency,
    rounding: Rounding,
) -> Option<Money> {
    let major = decimal(value, pointer)?.checked_div(Decimal::from(PARTS))?;
    Money::from_decimal(major, currency, rounding).ok()
}

/// True for an eSIM that will never work again.
fn is_dead(esim: &Value) -> bool {
    let dead = ["USED_EXPIRED", "UNUSED_EXPIRED", "CANCEL", "REVOKED", "DELETED"];
    status(esim).is_some_and(|status| dead.contains(&status.as_str()))
}

fn status(esim: &Value) -> Option<String> {
    text(esim, "/esimStatus").map(|status| status.to_ascii_uppercase())
}

/// The eSIM with this serial. Serials are given out again, so of several the one that lives.
pub(super) fn ours<'v>(obj: &'v Value, iccid: &Iccid) -> Result<&'v Value, ReadError> {
    if !obj.get("esimList").is_some_and(Value::is_array) {
        return Err(ReadError::unparseable("no list of eSIMs in the answer"));
    }
    let all = items(obj, "/esimList");
    let ours = |esim: &&Value| text(esim, "/iccid").is_some_and(|theirs| iccid.reads_as(&theirs));
    let found: Vec<&Value> = all.iter().filter(ours).collect();
    let alive: Vec<&Value> = found.iter().copied().filter(|esim| !is_dead(esim)).collect();
    let error = |kind, why: &str| Err(ReadError::new(kind, why));
    match (alive.as_slice(), found.first()) {
        ([one], _) => Ok(one),
        ([], Some(dead)) => {
            let status = status(dead).unwrap_or_default();
            error(ErrorKind::Permanent, &format!("the eSIM is no longer alive: {status}"))
        }
        ([], None) if all.is_empty() => {
            error(ErrorKind::Permanent, "the eSIM is not in this account")
        }
        ([], None) => error(ErrorKind::Identity, "the answer is about other eSIMs"),
        (_, _) => error(ErrorKind::Identity, "several eSIMs have this serial"),
    }
}

/// What is left on an eSIM.
pub(super) fn reading(esim: &Value) -> Result<ReadOk, ReadError> {
    let mut gaps = Vec::new();
    let status = status(esim).unwrap_or_default();
    if !matches!(status.as_str(), "GOT_RESOURCE" | "IN_USE" | "USED_UP") {
        // Suspended, or a word nobody listed: figures that must not move money.
        gaps.push(format!("the status is `{}`", cut(&status, 40)));
    }
    // No volume at all is not "used up", and less than none is a sign for something else.
    let data_left = match (number(esim, "/totalVolume"), number(esim, "/orderUsage")) {
        (Some(total), Some(used)) if total > 0 && used >= 0 => {
            Some(total.saturating_sub(used).max(0))
        }
        _ => {
            gaps.push("its volume is not known".to_owned());
            None
        }
    };
    let date = text(esim, "/expiredTime");
    let service_end_at = date.as_deref().and_then(|date| moment(date, false));
    match (&date, service_end_at) {
        (Some(date), None) => gaps.push(format!("`{}` is not a date", cut(date, 40))),
        // A new one has no end before it is used.
        (None, None) if status != "GOT_RESOURCE" => gaps.push("no date of its end".to_owned()),
        _ => {}
    }
    let values = Values { data_left, service_end_at, ..Values::default() };
    if values.is_empty() {
        return Err(ReadError::unparseable(format!(
            "nothing is left to read: {}",
            gaps.join("; ")
        )));
    }
    let quality = if gaps.is_empty() { Quality::Ok } else { Quality::Partial };
    Ok(ReadOk { values, quality, detail: (!gaps.is_empty()).then(|| gaps.join("; ")) })
}

/// A package that can be put on an eSIM.
pub(super) fn product(package: &Value, currency: Currency) -> Option<Product> {
    let price = price(package, currency)?;
    let in_days = text(package, "/durationUnit").is_some_and(|u| u.eq_ignore_ascii_case("DAY"));
    Some(Product {
        id: text(package, "/packageCode")?,
        name: text(package, "/name").or_else(|| text(package, "/slug"))?,
        kind: ProductKind::Esim,
        operator: None,
        min: Some(price),
        max: Some(price),
        denominations: vec![price],
        cost: Some(price),
        days: number(package, "/duration").filter(|days| *days > 0 && in_days),
        data: number(package, "/volume").filter(|bytes| *bytes > 0),
    })
}

/// What the ordered package costs.
pub(super) fn priced(
    packages: &[Value],
    order: &Order,
    currency: Currency,
) -> Result<Quote, ReadError> {
    let wanted = order.product.as_deref().unwrap_or_default().trim();
    let package = packages
        .iter()
        .find(|p| text(p, "/packageCode").as_deref() == Some(wanted))
        .ok_or_else(|| {
            let why = format!("the package {wanted} is not sold for this eSIM");
            ReadError::new(ErrorKind::Configuration, why)
        })?;
    let cost = price(package, currency)
        .ok_or_else(|| ReadError::unparseable("the package's price cannot be read"))?;
    let why = format!("{cost} in the list of top-up packages");
    Ok(Quote { cost, delivered: None, bonus: None, why })
}

/// The price, where it is in the currency everything else is in.
fn price(package: &Value, currency: Currency) -> Option<Money> {
    let theirs = text(package, "/currencyCode");
    if theirs.is_some_and(|code| !code.eq_ignore_ascii_case(currency.code())) {
        return None;
    }
    money(package, "/price", currency, Rounding::Ceiling).filter(|price| price.is_positive())
}
