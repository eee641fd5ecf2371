//! What DT One sells, and for how much.

use super::{
    DtOne, ESIM, benefits,
    product::{Wanted, is_esim},
    records,
};
use crate::domain::{Currency, ErrorKind, Money, Msisdn, Rounding, Subscription};
use crate::providers::{
    Order, Product, ProductKind, Quote, ReadError,
    api::{decimal, items, money, number, text},
};
use crate::transport::http::Rendered;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The most products that are listed at once.
const PAGE: usize = 100;
/// An end to a list that has none.
const PAGES: usize = 50;

impl DtOne {
    /// The operator that serves a number; `None` where it is only guessed at.
    pub(super) async fn identified(&self, msisdn: &Msisdn) -> Result<Option<Value>, ReadError> {
        let body = json!({ "mobile_number": msisdn.as_str() });
        let list = match self.ask(&Rendered::post("/lookup/mobile-number", &body)).await {
            Err(error) if error.is(ErrorKind::Permanent) => return Ok(None),
            other => other?,
        };
        let is_sure = |row: &&Value| row.get("identified").and_then(Value::as_bool) == Some(true);
        Ok(items(&list, "").iter().find(is_sure).cloned())
    }

    pub(super) async fn catalogue(
        &self,
        line: Option<&Subscription>,
    ) -> Result<Vec<Product>, ReadError> {
        // Of the operator that serves a number, of all eSIMs, or of everything.
        let mut filters = Vec::new();
        if let Some(msisdn) = line.and_then(|line| line.msisdn.as_ref()) {
            let operator = self.identified(msisdn).await?;
            let id = operator.as_ref().and_then(|operator| number(operator, "/id"));
            let unknown =
                || ReadError::new(ErrorKind::Permanent, "it does not know who serves the number");
            filters.push(format!("&operator_id={}", id.ok_or_else(unknown)?));
        }
        if line.is_some_and(|line| line.iccid.is_some()) {
            filters.push(format!("&service_id={ESIM}"));
        }
        if filters.is_empty() {
            filters.push(String::new());
        }
        let mut found = Vec::new();
        for filter in filters {
            for page in 1..=PAGES {
                let path = format!("/products?per_page={PAGE}&page={page}{filter}");
                let list = self.ask(&Rendered::get(path)).await?;
                found.extend(items(&list, "").iter().filter_map(|p| self.product(p)));
                if items(&list, "").len() < PAGE {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// One product; none where it wants more of an order than we send.
    fn product(&self, listed: &Value) -> Option<Product> {
        let kind = text(listed, "/type")?;
        let (is_ranged, is_esim) = (kind.starts_with("RANGED"), is_esim(listed));
        if kind.ends_with("PAYMENT") || (is_ranged && is_esim) || !is_enough(listed, is_esim) {
            return None;
        }
        let currency = Currency::parse(&text(listed, "/source/unit")?).ok()?;
        let modes = items(listed, "/accepted_calculation_modes");
        if is_ranged
            && (currency != self.config.currency || !modes.iter().any(|m| m == "SOURCE_AMOUNT"))
        {
            return None;
        }
        let at = |pointer: &str, rounding| money(listed, pointer, currency, rounding);
        let fixed = at("/source/amount", Rounding::Ceiling);
        let subservice = number(listed, "/service/subservice/id");
        let kind = if is_esim {
            ProductKind::Esim
        } else if kind.contains("PIN") {
            ProductKind::Pin
        } else if matches!(subservice, Some(12 | 13)) {
            ProductKind::Bundle
        } else {
            ProductKind::Airtime
        };
        Some(Product {
            id: Wanted::written(listed)?,
            name: text(listed, "/name")?,
            kind,
            operator: text(listed, "/operator/name"),
            min: fixed.or_else(|| at("/source/amount/min", Rounding::Ceiling)),
            max: fixed.or_else(|| at("/source/amount/max", Rounding::Floor)),
            denominations: fixed.into_iter().collect(),
            cost: records::price(listed),
            days: days(listed),
            data: data(listed),
        })
    }
}

/// True where a number, or a serial, is all that an order has to tell.
fn is_enough(listed: &Value, is_esim: bool) -> bool {
    let ours = if is_esim { "account_number" } else { "mobile_number" };
    // Alternatives, each a list of fields that are all wanted.
    let is_met = |key: &str, given: &[&str]| {
        let alternatives = items(listed, key);
        let met = |fields: &Value| {
            items(fields, "").iter().all(|field| given.iter().any(|given| field == given))
        };
        alternatives.is_empty() || alternatives.iter().any(met)
    };
    let others = [
        "debit_party_identifier",
        "sender",
        "beneficiary",
        "statement_identifier",
        "additional_identifier",
    ];
    is_met("/required_credit_party_identifier_fields", &[ours])
        && others.iter().all(|party| is_met(&format!("/required_{party}_fields"), &[]))
}

fn days(listed: &Value) -> Option<i64> {
    let quantity = number(listed, "/validity/quantity").filter(|n| *n > 0)?;
    match text(listed, "/validity/unit")?.as_str() {
        "HOUR" => quantity.checked_div(24).filter(|days| *days > 0),
        "DAY" => Some(quantity),
        "WEEK" => quantity.checked_mul(7),
        // The shortest there is.
        "MONTH" => quantity.checked_mul(28),
        _ => None,
    }
}

fn data(listed: &Value) -> Option<i64> {
    let benefit =
        items(listed, "/benefits").iter().find(|b| text(b, "/type").as_deref() == Some("DATA"))?;
    let amount = decimal(benefit, "/amount/base").or_else(|| decimal(benefit, "/amount/min"))?;
    benefits::data(amount, &text(benefit, "/unit")?).filter(|bytes| *bytes > 0)
}

/// What an order for a product of the catalogue would cost.
pub(super) fn quote(listed: &Value, order: &Order) -> Result<Quote, ReadError> {
    let name = text(listed, "/name").unwrap_or_default();
    if let Some(cost) = records::price(listed) {
        let why = format!("the wholesale price of {name}");
        return Ok(Quote { cost, delivered: destination(listed), bonus: bonus(listed), why });
    }
    let unreadable = || ReadError::unparseable("the prices cannot be read");
    let at = |pointer: &str| decimal(listed, pointer).ok_or_else(unreadable);
    let (least, most) = (at("/source/amount/min")?, at("/source/amount/max")?);
    let (cheapest, dearest) =
        (at("/prices/wholesale/amount/min")?, at("/prices/wholesale/amount/max")?);
    let amount = Decimal::new(order.amount.minor(), order.amount.currency().digits());
    let unit = text(listed, "/source/unit").unwrap_or_default();
    if unit != order.amount.currency().code() || amount < least || amount > most {
        let why = format!("{name} is sold from {least} to {most} {unit}");
        return Err(ReadError::new(ErrorKind::Configuration, why));
    }
    // Prices rise evenly between the two that are known.
    let share = |whole: Decimal| -> Option<Decimal> {
        let span = most.checked_sub(least)?;
        if span.is_zero() {
            return Some(whole);
        }
        whole.checked_mul(amount.checked_sub(least)?)?.checked_div(span)
    };
    let fee = decimal(listed, "/prices/wholesale/fee").unwrap_or_default();
    let cost = dearest
        .checked_sub(cheapest)
        .and_then(share)
        .and_then(|more| cheapest.checked_add(more)?.checked_add(fee));
    let currency = text(listed, "/prices/wholesale/unit").and_then(|c| Currency::parse(&c).ok());
    let cost = cost
        .zip(currency)
        .and_then(|(cost, currency)| Money::from_decimal(cost, currency, Rounding::Ceiling).ok())
        .ok_or_else(unreadable)?;
    let why =
        format!("between {cheapest} for {least} and {dearest} for {most}, with a fee of {fee}");
    Ok(Quote { cost, delivered: None, bonus: bonus(listed), why })
}

fn destination(listed: &Value) -> Option<Money> {
    let currency = Currency::parse(&text(listed, "/destination/unit")?).ok()?;
    money(listed, "/destination/amount", currency, Rounding::Floor)
}

fn bonus(listed: &Value) -> Option<String> {
    items(listed, "/promotions").first().and_then(|promotion| text(promotion, "/title"))
}
