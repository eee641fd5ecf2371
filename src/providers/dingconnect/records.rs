//! Ding's records: what a transfer, an error code and a product say.

use super::DingConnect;
use crate::domain::{Currency, ErrorKind, FailureClass, Money, Rounding};
use crate::providers::{
    Answer, Evidence, Order, Pin, Product, ProductKind,
    api::{Echo, Said, cut, decimal, hidden, items, money, number, text, up_to},
};
use serde_json::{Value, json};

/// What an answer says of itself, whatever its status.
#[derive(Debug)]
pub(super) struct Verdict {
    /// 1 fine, 2 fine with another amount, 3 passing trouble, 4 a bad request, 5 refused.
    pub(super) result: Option<i64>,
    /// Codes with their contexts.
    errors: Vec<(String, String)>,
}

/// What an error code proves where no transfer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing was bought.
    Refused(FailureClass),
    /// Our key was refused; nothing was bought.
    Key,
    /// There is such a transfer already.
    Exists,
    /// A code nobody sorted, or none.
    Unsorted,
}

impl Verdict {
    pub(super) fn of(value: &Value) -> Self {
        let error = |e: &Value| Some((text(e, "/Code")?, text(e, "/Context").unwrap_or_default()));
        let errors = items(value, "/ErrorCodes").iter().filter_map(error).collect();
        Self { result: number(value, "/ResultCode"), errors }
    }

    /// True for a question that was answered.
    pub(super) fn is_fine(&self) -> bool {
        matches!(self.result, Some(1 | 2))
    }

    pub(super) fn words(&self) -> String {
        let result = self.result.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let errors: Vec<String> =
            self.errors.iter().map(|(code, context)| format!("{code} ({context})")).collect();
        cut(&format!("ResultCode {result}: {}", errors.join(", ")), 200)
    }

    /// The code that says most, and what it proves.
    pub(super) fn proof(&self) -> (String, Proof) {
        let proofs = || self.errors.iter().map(|(code, context)| (code, proof(code, context)));
        let found = proofs()
            .find(|(_, proof)| *proof == Proof::Exists)
            .or_else(|| proofs().find(|(_, proof)| *proof != Proof::Unsorted))
            .or_else(|| proofs().next());
        found.map_or_else(|| ("error".to_owned(), Proof::Unsorted), |(c, p)| (c.clone(), p))
    }

    /// What it means for a question.
    pub(super) fn kind(&self) -> ErrorKind {
        let has = |code: &str| self.errors.iter().any(|(ours, _)| ours == code);
        if has("AuthenticationFailed") {
            ErrorKind::Authentication
        } else if has("RateLimited") {
            ErrorKind::RateLimit
        } else if has("AccountNumberInvalid") {
            ErrorKind::Permanent
        } else if self.result == Some(3) {
            ErrorKind::Temporary
        } else {
            ErrorKind::Configuration
        }
    }
}

/// What one code proves. Codes are only ever added.
fn proof(code: &str, context: &str) -> Proof {
    Proof::Refused(match (code, context) {
        ("DuplicateTransactionPrevented", _) => return Proof::Exists,
        ("AuthenticationFailed", _) => return Proof::Key,
        // `RateLimited` stands also for limits of one number.
        ("InsufficientBalance" | "RateLimited", _) => FailureClass::DeclinedSoft,
        ("AccountNumberInvalid" | "RechargeNotAllowed", _)
        | ("ProviderError", "RechargeNotAllowed") => FailureClass::InvalidTarget,
        ("ProviderError", _) | ("ParameterOutOfRange", "SendValue") => {
            FailureClass::DenominationGone
        }
        ("TransientProviderError" | "OtherError", _) => FailureClass::ProviderDown,
        (
            "RequestInvalid"
            | "ParameterMissing"
            | "ParameterInvalid"
            | "ParameterOutOfRange"
            | "ParameterCombinationInvalid"
            | "TooManyParameters"
            | "BatchItemRefMustBeUnique",
            _,
        ) => FailureClass::Internal,
        _ => return Proof::Unsorted,
    })
}

impl DingConnect {
    /// A transfer as an answer; receipts are taken out of what is kept.
    pub(super) fn judge(&self, record: &Value, verdict: &Verdict, order: &Order) -> Answer {
        let raw = self.api.clean(
            &json!({"TransferRecord": without_receipt(record), "verdict": verdict.words()})
                .to_string(),
        );
        let said = Said { status: 200, value: Value::Null, raw: raw.clone() };
        let id = text(record, "/TransferId/TransferRef");
        let price = record.pointer("/Price").unwrap_or(&Value::Null);
        let state = text(record, "/ProcessingState").unwrap_or_default().to_ascii_lowercase();
        let has_failed = matches!(state.as_str(), "failed" | "cancelled");
        let reference = text(record, "/TransferId/DistributorRef");
        let mut echo = Echo::default().same("the reference", &order.reference, reference);
        // A transfer that failed may have no figures, and moved nothing.
        if !has_failed {
            let sku = order.product.as_deref().unwrap_or_default();
            echo = echo
                .target(&order.line, text(record, "/AccountNumber"))
                .same("the SKU code", sku, text(record, "/SkuCode"))
                .money("the amount", order.amount, sent(price, self.config.currency));
        }
        if let Some(why) = echo.differs().or_else(|| adapted(verdict, price, order, has_failed)) {
            return said.mismatch(id, why);
        }
        let evidence = Evidence {
            transaction_id: id,
            charged: charged(price, self.config.currency),
            delivered: delivered(price),
            pin: pin(record),
            raw,
        };
        match state.as_str() {
            // Both spellings are documented.
            "complete" | "completed" if verdict.is_fine() => Answer::Paid(evidence),
            "submitted" | "processing" | "cancelling" => Answer::Pending(evidence),
            // Final, and not taken from the float or given back to it.
            "failed" | "cancelled" => match verdict.proof() {
                (code, Proof::Refused(class)) => said.refused(&code, class),
                (code, Proof::Key) => said.refused(&code, FailureClass::Internal),
                (_, Proof::Exists) => said.unclear("Ding knows such a transfer already"),
                (code, Proof::Unsorted) if code == "error" => {
                    said.refused(&state, FailureClass::DeclinedSoft)
                }
                (code, Proof::Unsorted) => said.refused(&code, FailureClass::Internal),
            },
            other => said.unclear(format!("the state {}; {}", cut(other, 40), verdict.words())),
        }
    }
}

/// Where Ding took the nearest amount it has: what is wrong with what the line got.
fn adapted(verdict: &Verdict, price: &Value, order: &Order, has_failed: bool) -> Option<String> {
    let is_nearest =
        verdict.result == Some(2) || verdict.errors.iter().any(|(code, _)| code == "NearestMatch");
    if !is_nearest || has_failed {
        return None;
    }
    let delivered = delivered(price);
    let is_enough = delivered
        .and_then(|delivered| delivered.partial_cmp_same(order.amount))
        .is_some_and(std::cmp::Ordering::is_ge);
    let got = delivered.map_or_else(|| "nobody knows what".to_owned(), |got| got.to_string());
    (!is_enough).then(|| format!("the nearest amount was taken: {got} instead of {}", order.amount))
}

fn currency(price: &Value, key: &str) -> Option<Currency> {
    Currency::parse(&text(price, key)?).ok()
}

/// What was ordered, in the account's currency where none is named.
pub(super) fn sent(price: &Value, account: Currency) -> Option<Money> {
    let currency = currency(price, "/SendCurrencyIso").unwrap_or(account);
    money(price, "/SendValue", currency, Rounding::Ceiling)
}

/// What it costs us: the commission comes back elsewhere.
pub(super) fn charged(price: &Value, account: Currency) -> Option<Money> {
    let fee = decimal(price, "/DistributorFee").unwrap_or_default();
    let all = decimal(price, "/SendValue")?.checked_add(fee)?;
    let currency = currency(price, "/SendCurrencyIso").unwrap_or(account);
    Money::from_decimal(all, currency, Rounding::Ceiling).ok()
}

pub(super) fn delivered(price: &Value) -> Option<Money> {
    let currency = currency(price, "/ReceiveCurrencyIso")?;
    money(price, "/ReceiveValue", currency, Rounding::Floor)
}

fn pin(record: &Value) -> Option<Pin> {
    let code = text(record, "/ReceiptParams/pin")?;
    Some(Pin { code, serial: None, how: text(record, "/ReceiptText"), expires_at: None })
}

/// An answer or a record without its receipt. Names on receipts come and go, so all of it goes.
pub(super) fn without_receipt(value: &Value) -> Value {
    let places = [
        "/ReceiptText",
        "/ReceiptParams",
        "/TransferRecord/ReceiptText",
        "/TransferRecord/ReceiptParams",
    ];
    hidden(value, &places, "<receipt>")
}

/// An answer that broke off is kept up to its receipt.
pub(super) fn hide_torn(answer: Answer) -> Answer {
    up_to(answer, &["\"Receipt"])
}

/// One SKU; none where it wants more of an order than we send.
pub(super) fn product(sku: &Value) -> Option<Product> {
    let wants_bill = sku.get("LookupBillsRequired").and_then(Value::as_bool).unwrap_or(false);
    let wants_setting = items(sku, "/SettingDefinitions")
        .iter()
        .any(|s| s.get("IsMandatory").and_then(Value::as_bool).unwrap_or(false));
    if wants_bill || wants_setting {
        return None;
    }
    let at = |key: &str, rounding| {
        let price = sku.pointer(key)?;
        money(price, "/SendValue", currency(price, "/SendCurrencyIso")?, rounding)
    };
    let (min, max) = (at("/Minimum", Rounding::Ceiling), at("/Maximum", Rounding::Floor));
    let fixed = min.filter(|min| max == Some(*min));
    let redeemed = text(sku, "/RedemptionMechanism").unwrap_or_default();
    let has_data = items(sku, "/Benefits").iter().any(|benefit| benefit == "Data");
    let kind = if redeemed.starts_with("Read") {
        ProductKind::Pin
    } else if has_data {
        ProductKind::Bundle
    } else {
        ProductKind::Airtime
    };
    let id = text(sku, "/SkuCode")?;
    Some(Product {
        name: text(sku, "/DefaultDisplayText").unwrap_or_else(|| id.clone()),
        id,
        kind,
        operator: text(sku, "/ProviderCode"),
        min,
        max,
        denominations: fixed.into_iter().collect(),
        cost: fixed.and_then(|fixed| charged(sku.pointer("/Minimum")?, fixed.currency())),
        days: text(sku, "/ValidityPeriodIso").as_deref().and_then(days),
        data: None,
    })
}

/// Whole days of an ISO 8601 duration; a month is the shortest there is.
pub(super) fn days(duration: &str) -> Option<i64> {
    let (dates, times) = match duration.strip_prefix('P')?.split_once('T') {
        Some((dates, times)) => (dates, times),
        None => (duration.strip_prefix('P')?, ""),
    };
    let (mut hours, mut digits) = (0_i64, String::new());
    for (part, is_date) in [(dates, true), (times, false)] {
        for letter in part.chars() {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            let each = match (letter, is_date) {
                ('Y', true) => 365 * 24,
                ('M', true) => 28 * 24,
                ('W', true) => 7 * 24,
                ('D', true) => 24,
                ('H', false) => 1,
                ('M' | 'S', false) => 0,
                _ => return None,
            };
            let count: i64 = std::mem::take(&mut digits).parse().ok()?;
            hours = hours.checked_add(count.checked_mul(each)?)?;
        }
    }
    hours.checked_div(24).filter(|days| *days > 0)
}
