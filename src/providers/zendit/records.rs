//! Zendit's records: what a purchase, an error, a plan and an offer say.

use super::Goods;
use crate::domain::{
    Currency, ErrorKind, FailureClass, Money, Quality, Rounding, Subscription, Timestamp, Values,
};
use crate::providers::{
    Answer, Evidence, Order, Product, ProductKind, Quote, ReadError, ReadOk,
    api::{Echo, Package, Said, bytes, cut, decimal, items, moment, number, package_values, text},
    is_target,
};
use rust_decimal::Decimal;
use serde_json::Value;

/// Nobody says which gigabyte is meant: the smaller one.
const GB: i64 = 1_000_000_000;

/// What the amount of an order stands for, where an offer takes any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// What reaches the line.
    Zend,
    /// What our customer pays.
    Price,
    /// What we pay.
    Cost,
}

impl By {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Zend => "ZEND",
            Self::Price => "PRICE",
            Self::Cost => "COST",
        }
    }

    /// Where a purchase says it, and in which currency.
    const fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::Zend => ("/send", "/sendCurrency"),
            Self::Price => ("/price", "/priceCurrency"),
            Self::Cost => ("/cost", "/costCurrency"),
        }
    }
}

/// A product as it is written: `OFFER`, or `OFFER/zend` where the amount is ours to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer<'o> {
    pub(super) id: &'o str,
    pub(super) by: Option<By>,
}

impl<'o> Offer<'o> {
    pub(super) fn of(order: &'o Order) -> Result<Self, String> {
        let product = order.product.as_deref().ok_or("no offer id in products")?.trim();
        let (id, by) = match product.split_once('/') {
            None => (product, None),
            Some((id, "zend")) => (id, Some(By::Zend)),
            Some((id, "price")) => (id, Some(By::Price)),
            Some((id, "cost")) => (id, Some(By::Cost)),
            Some(_) => return Err("after the offer id only /zend, /price or /cost".to_owned()),
        };
        // It becomes a part of a path.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if id.is_empty() || !id.bytes().all(is_plain) {
            return Err("the offer id has characters that none has".to_owned());
        }
        Ok(Self { id, by })
    }

    /// What an order costs by its offer.
    pub(super) fn quote(self, offer: &Value, amount: Money) -> Result<Quote, ReadError> {
        let unsupported = |why| ReadError::new(ErrorKind::Unsupported, why);
        let (cost, why) = match self.by {
            None => {
                let cost = minor(offer, "/cost/fixed", "/cost/currency", Rounding::Ceiling);
                let cost = cost.ok_or_else(|| unsupported("the offer has no fixed cost"))?;
                (cost, format!("the cost of the offer {}", self.id))
            }
            Some(By::Cost) => (amount, "the amount names the cost".to_owned()),
            Some(By::Zend | By::Price) => {
                return Err(unsupported("the cost follows a rate that is not known beforehand"));
            }
        };
        let delivered = minor(offer, "/send/fixed", "/send/currency", Rounding::Floor);
        Ok(Quote { cost, delivered, bonus: None, why })
    }
}

/// An integer with its currency and divisor, as money.
pub(super) fn minor(
    value: &Value,
    amount: &str,
    currency: &str,
    rounding: Rounding,
) -> Option<Money> {
    let code = Currency::parse(&text(value, currency)?).ok()?;
    let divisor = decimal(value, &format!("{currency}Divisor"))?;
    let major = decimal(value, amount)?.checked_div(divisor).filter(|_| divisor > Decimal::ZERO)?;
    Money::from_decimal(major, code, rounding).ok()
}

/// A purchase as an answer.
pub(super) fn judge(said: &Said, order: &Order) -> Answer {
    let Some(id) = said.text("/transactionId") else {
        return said.unclear("no transactionId in the answer");
    };
    let Ok(offer) = Offer::of(order) else { return said.unclear("the order names no offer") };
    let mut echo = Echo::default()
        .same("the transaction id", &order.reference, Some(id.clone()))
        .target(&order.line, said.text("/recipientPhoneNumber"))
        .target(&order.line, said.text("/confirmation/iccid"))
        .same("the offer", offer.id, said.text("/offerId"));
    if let Some(by) = offer.by {
        let (amount, currency) = by.places();
        let echoed = minor(&said.value, amount, currency, Rounding::Floor);
        echo = echo.money("the amount", order.amount, echoed);
    }
    if let Some(why) = echo.differs() {
        return said.mismatch(Some(id), why);
    }
    let evidence = Evidence {
        transaction_id: Some(id),
        charged: minor(&said.value, "/cost", "/costCurrency", Rounding::Ceiling),
        delivered: minor(&said.value, "/send", "/sendCurrency", Rounding::Floor),
        pin: None,
        raw: said.raw.clone(),
    };
    match said.text("/status").as_deref() {
        Some("DONE") if said.text("/refund/status").as_deref() == Some("DONE") => {
            Answer::Reversed(evidence)
        }
        Some("DONE") => Answer::Paid(evidence),
        Some("ACCEPTED" | "PENDING" | "AUTHORIZED" | "IN_PROGRESS") => Answer::Pending(evidence),
        // What was set aside for it has come back.
        Some("FAILED") => {
            let code = said.text("/error/code").unwrap_or_else(|| "FAILED".to_owned());
            said.refused(&code, failure(&code))
        }
        Some(other) => said.unclear(format!("the status {}", cut(other, 40))),
        None => said.unclear("no status in the answer"),
    }
}

/// The class of a purchase that failed.
fn failure(code: &str) -> FailureClass {
    match code {
        "INSUFFICIENT_FUNDS" => FailureClass::DeclinedSoft,
        "SYSTEM_UNAVAILABLE" => FailureClass::ProviderDown,
        "NOT_FOUND" => FailureClass::DenominationGone,
        // Codes of operators, of which there is no list: a person has to look.
        _ => FailureClass::Internal,
    }
}

/// What a refused request proves; `None` where it may have been refused for being there already.
pub(super) fn refusal(code: &str, value: &Value) -> Option<FailureClass> {
    let fields = value.get("fields").and_then(Value::as_object);
    let names = |part: &str| {
        fields.is_some_and(|fields| fields.keys().any(|k| k.to_ascii_lowercase().contains(part)))
    };
    match code {
        "FORBIDDEN" => Some(FailureClass::Internal),
        "INVALID_REQUEST" | "NOT_FOUND" if names("transactionid") => None,
        "INVALID_REQUEST" | "NOT_FOUND" if names("phone") || names("iccid") => {
            Some(FailureClass::InvalidTarget)
        }
        "INVALID_REQUEST" if names("offer") || names("value") => {
            Some(FailureClass::DenominationGone)
        }
        "INVALID_REQUEST" if fields.is_some_and(|fields| !fields.is_empty()) => {
            Some(FailureClass::Internal)
        }
        "NOT_FOUND" => Some(FailureClass::DenominationGone),
        _ => None,
    }
}

/// The plans of an eSIM as a reading.
pub(super) fn plans(
    value: &Value,
    line: &Subscription,
    now: Timestamp,
) -> Result<ReadOk, ReadError> {
    let list = value
        .get("list")
        .and_then(Value::as_array)
        .ok_or_else(|| ReadError::unparseable("no list of plans in the answer"))?;
    let (mut packages, mut gaps) = (Vec::new(), Vec::new());
    let total = number(value, "/total").and_then(|total| usize::try_from(total).ok());
    if total.is_some_and(|total| list.len() < total) {
        gaps.push("the list of plans is not whole".to_owned());
    }
    for one in list {
        if text(one, "/iccid").is_some_and(|echo| !is_target(line, &echo)) {
            return Err(ReadError::new(ErrorKind::Identity, "a plan of another eSIM"));
        }
        match plan(one, now) {
            Ok(package) => packages.push(package),
            Err(why) => gaps.push(why),
        }
    }
    if gaps.is_empty() {
        let values = package_values(packages, now);
        return Ok(ReadOk { values, quality: Quality::Ok, detail: None });
    }
    // A sum of some of them would be too low a figure.
    Ok(ReadOk {
        values: Values::default(),
        quality: Quality::Partial,
        detail: Some(gaps.join("; ")),
    })
}

fn plan(plan: &Value, now: Timestamp) -> Result<Package, String> {
    let name = text(plan, "/description").or_else(|| text(plan, "/offerId")).unwrap_or_default();
    let ends_at = match text(plan, "/endAt") {
        None => None,
        Some(end) => {
            Some(moment(&end, true).ok_or_else(|| format!("{name}: its end is not a date"))?)
        }
    };
    if ends_at.is_some_and(|at| at <= now) {
        // Whatever else is said of it by then.
        return Ok(Package { name, left: Some(0), ends_at });
    }
    match text(plan, "/status").as_deref() {
        Some("ACTIVE" | "QUEUED") => {}
        other => return Err(format!("{name}: the status {}", cut(other.unwrap_or("none"), 40))),
    }
    if text(plan, "/unlimited").as_deref() == Some("true") {
        return Ok(Package { name, left: None, ends_at });
    }
    let left = bytes(plan, "/remainingDataGB", GB).filter(|left| *left >= 0);
    let left = left.ok_or_else(|| format!("{name}: what is left cannot be read"))?;
    Ok(Package { name, left: Some(left), ends_at })
}

/// An offer that can be bought.
pub(super) fn product(offer: &Value, goods: Goods) -> Option<Product> {
    if text(offer, "/enabled").as_deref() == Some("false") {
        return None;
    }
    let id = text(offer, "/offerId")?;
    let is_range = text(offer, "/priceType").as_deref() == Some("RANGE");
    let face = |key: &str, rounding| {
        minor(offer, &format!("/send/{key}"), "/send/currency", rounding)
            .or_else(|| minor(offer, &format!("/price/{key}"), "/price/currency", rounding))
            .filter(|money| money.is_positive())
    };
    let fixed = face("fixed", Rounding::Ceiling).filter(|_| !is_range);
    let is_bundle = items(offer, "/subTypes")
        .iter()
        .filter_map(Value::as_str)
        .any(|kind| kind.contains("Bundle") || kind.contains("Data"));
    let words: Vec<String> =
        ["/brandName", "/shortNotes"].iter().filter_map(|key| text(offer, key)).collect();
    let is_unlimited = text(offer, "/dataUnlimited").as_deref() == Some("true");
    Some(Product {
        name: if words.is_empty() { id.clone() } else { cut(&words.join(", "), 100) },
        id: if is_range { format!("{id}/zend") } else { id },
        kind: match goods {
            Goods::Plan => ProductKind::Esim,
            Goods::Airtime if is_bundle => ProductKind::Bundle,
            Goods::Airtime => ProductKind::Airtime,
        },
        operator: text(offer, "/brandName"),
        min: fixed.or_else(|| face("min", Rounding::Ceiling)),
        max: fixed.or_else(|| face("max", Rounding::Floor)),
        denominations: fixed.into_iter().collect(),
        cost: minor(offer, "/cost/fixed", "/cost/currency", Rounding::Ceiling)
            .filter(|_| !is_range),
        days: number(offer, "/durationDays").filter(|days| *days > 0),
        data: bytes(offer, "/dataGB", GB).filter(|left| *left > 0 && !is_unlimited),
    })
}
