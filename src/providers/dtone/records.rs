//! DT One's records: what a transaction, its price and an error code say.

use super::{DtOne, product};
use crate::domain::{
    Currency, ErrorKind, FailureClass, Iccid, Money, Quality, Rounding, Span, Timestamp,
};
use crate::providers::{
    Answer, Evidence, Order, Pin, ReadError,
    api::{Echo, Said, cut, decimal, hidden, items, moment, money, number, text, up_to},
};
use product::Wanted;
use serde_json::Value;

/// There is no such transaction.
pub(super) const NO_SUCH: i64 = 1_008_004;
pub(super) const ALREADY_CONFIRMED: i64 = 1_007_002;
pub(super) const ALREADY_CANCELLED: i64 = 1_007_005;
const ALREADY_USED: i64 = 1_007_001;
/// How much later than it says itself a transaction counts as expired, since clocks differ.
const EXPIRY_MARGIN: Span = Span::minutes(10);

/// `status.class.id`: the only word that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Created,
    Confirmed,
    Rejected,
    Cancelled,
    Submitted,
    Completed,
    Reversed,
    Declined,
}

impl Class {
    pub(super) fn of(transaction: &Value) -> Option<Self> {
        Some(match number(transaction, "/status/class/id")? {
            1 => Self::Created,
            2 => Self::Confirmed,
            3 => Self::Rejected,
            4 => Self::Cancelled,
            5 => Self::Submitted,
            7 => Self::Completed,
            8 => Self::Reversed,
            9 => Self::Declined,
            _ => return None,
        })
    }
}

/// What an error code proves of a transaction that is to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// There is none.
    Refused(FailureClass),
    /// Not even looked at.
    TurnedAway,
    /// There is one already.
    Exists,
    /// Nothing.
    Nothing,
}

/// The first error's code; that a reference is used goes before all others.
pub(super) fn error_code(value: &Value) -> Option<i64> {
    let codes = || items(value, "/errors").iter().filter_map(|error| number(error, "/code"));
    codes().find(|code| *code == ALREADY_USED).or_else(|| codes().next())
}

/// What an error code proves.
pub(super) fn refusal(code: i64) -> Proof {
    Proof::Refused(match code {
        ALREADY_USED => return Proof::Exists,
        1_000_401 | 1_000_429 | 1_009_503 => return Proof::TurnedAway,
        1_009_001 => return Proof::Nothing,
        1_003_001 | 1_003_002 => FailureClass::DenominationGone,
        1_005_003..=1_005_006 => FailureClass::InvalidTarget,
        1_006_001 => FailureClass::DeclinedSoft,
        // A code nobody sorted, or a request that is wrong: a person has to look.
        _ => FailureClass::Internal,
    })
}

/// The kind of an error by its code, where that says more than the status.
pub(super) fn read_error(body: &str, error: ReadError) -> ReadError {
    let code = serde_json::from_str(body).ok().as_ref().and_then(error_code);
    let kind = match code {
        Some(1_005_003..=1_005_006) => ErrorKind::Permanent,
        Some(1_000_401) => ErrorKind::Authentication,
        Some(1_000_429) => ErrorKind::RateLimit,
        _ => return error,
    };
    ReadError { quality: Quality::Error(kind), ..error }
}

/// Why a transaction that is final was not carried out, by its message.
fn declined(message: &str) -> FailureClass {
    let has = |word: &str| message.contains(word);
    if has("CREDIT-PARTY") && ["INVALID", "BARRED", "INELIGIBLE"].iter().any(|word| has(word)) {
        FailureClass::InvalidTarget
    } else if has("UNAVAILABLE") || has("EXCEPTION") {
        FailureClass::ProviderDown
    } else {
        FailureClass::DeclinedSoft
    }
}

impl DtOne {
    /// A transaction as an answer. `now` is DT One's time.
    pub(super) fn judge(&self, transaction: &Value, order: &Order, now: Timestamp) -> Answer {
        let raw = self.raw(transaction);
        let said = Said { status: 200, value: Value::Null, raw: raw.clone() };
        let id = text(transaction, "/id");
        if let Some(why) = differs(transaction, order) {
            return said.mismatch(id, why);
        }
        let message = text(transaction, "/status/message").unwrap_or_default();
        let class = Class::of(transaction);
        let is_paid = matches!(class, Some(Class::Completed | Class::Reversed));
        let evidence = Evidence {
            transaction_id: id,
            charged: price(transaction).filter(|_| is_paid),
            delivered: delivered(transaction).filter(|_| is_paid),
            pin: pin(transaction),
            raw,
        };
        match class {
            // Unconfirmed it never charges, and after its time it cannot be confirmed.
            Some(Class::Created) if is_expired(transaction, now) => {
                said.refused("EXPIRED", FailureClass::ProviderDown)
            }
            Some(Class::Created | Class::Confirmed | Class::Submitted) => Answer::Pending(evidence),
            Some(Class::Completed) => Answer::Paid(evidence),
            Some(Class::Reversed) => Answer::Reversed(evidence),
            Some(Class::Cancelled) => {
                // Where the price is none we agreed to, it was ourselves who cancelled it.
                if is_agreed(transaction, order.amount, self.config.price_margin) {
                    said.refused("CANCELLED", FailureClass::ProviderDown)
                } else {
                    said.refused("PRICE", FailureClass::PriceChanged)
                }
            }
            Some(Class::Rejected | Class::Declined) => said.refused(&message, declined(&message)),
            None => said.unclear(format!("the status {}", cut(&message, 40))),
        }
    }

    /// A record as it may be kept: without codes.
    pub(super) fn raw(&self, value: &Value) -> String {
        self.api.clean(&without_code(value).to_string())
    }
}

/// What in a transaction is not as ordered, as far as it says something.
pub(super) fn differs(transaction: &Value, order: &Order) -> Option<String> {
    let wanted = order.product.as_deref().and_then(Wanted::parse);
    let product = wanted.map(|wanted| wanted.id.to_string()).unwrap_or_default();
    let mut echo = Echo::default()
        .same("the reference", &order.reference, text(transaction, "/external_id"))
        .same("the product", &product, text(transaction, "/product/id"));
    let party = |at: &str| text(transaction, &format!("/credit_party_identifier/{at}"));
    let is_esim = wanted.is_some_and(Wanted::is_esim);
    echo = echo.target(&order.line, party("mobile_number"));
    if let (true, Some(iccid)) = (is_esim, &order.line.iccid) {
        echo = echo.same("the serial", iccid.as_str(), party("account_number"));
        // The serial of the profile that was sold: of a new one, if it is not ours.
        for at in ["/metadata/profile/iccid", "/pin/serial"] {
            let sold = text(transaction, at).filter(|sold| Iccid::parse(sold).is_ok());
            echo = echo.target(&order.line, sold);
        }
    } else {
        echo = echo.target(&order.line, party("account_number"));
    }
    let service = transaction.pointer("/product").filter(|product| product::is_esim(product));
    if service.is_some() && !is_esim {
        echo = echo.same("the kind of product", "for a number", Some("for an eSIM".to_owned()));
    }
    for values in ["requested_values", "adjusted_values"] {
        let at = format!("/{values}/source");
        let source = transaction.pointer(&at).filter(|_| wanted.is_some_and(Wanted::is_ranged));
        echo = echo.money("the amount", order.amount, source.and_then(amount));
    }
    echo.differs()
}

/// `{unit, amount}` as money.
pub(super) fn amount(value: &Value) -> Option<Money> {
    let currency = Currency::parse(&text(value, "/unit")?).ok()?;
    money(value, "/amount", currency, Rounding::Ceiling)
}

/// What it costs us, fee included.
pub(super) fn price(transaction: &Value) -> Option<Money> {
    let wholesale = transaction.pointer("/prices/wholesale")?;
    let fee = decimal(wholesale, "/fee").unwrap_or_default();
    let all = decimal(wholesale, "/amount")?.checked_add(fee)?;
    let currency = Currency::parse(&text(wholesale, "/unit")?).ok()?;
    Money::from_decimal(all, currency, Rounding::Ceiling).ok()
}

/// True where a transaction's price is known, and not above the amount by more than `margin`
/// hundredths of it.
pub(super) fn is_agreed(transaction: &Value, amount: Money, margin: i64) -> bool {
    let limit = amount.percent_ceiling(margin).and_then(|more| amount.checked_add(more));
    price(transaction)
        .zip(limit)
        .and_then(|(price, limit)| price.partial_cmp_same(limit))
        .is_some_and(std::cmp::Ordering::is_le)
}

fn delivered(transaction: &Value) -> Option<Money> {
    let at = |values: &str| {
        let destination = transaction.pointer(&format!("/{values}/destination"))?;
        let currency = Currency::parse(&text(destination, "/unit")?).ok()?;
        money(destination, "/amount", currency, Rounding::Floor)
    };
    at("adjusted_values").or_else(|| at("requested_values"))
}

fn is_expired(transaction: &Value, now: Timestamp) -> bool {
    let is_confirmed = text(transaction, "/confirmation_date").is_some();
    let expiry = text(transaction, "/confirmation_expiration_date");
    let expiry = expiry.and_then(|text| moment(&text, false));
    !is_confirmed && expiry.is_some_and(|at| at.plus(EXPIRY_MARGIN) < now)
}

fn pin(transaction: &Value) -> Option<Pin> {
    let about = |key: &str| transaction.pointer(&format!("/product/pin/{key}"));
    let mut how: Vec<String> = about("usage_info")
        .map(|info| items(info, "").iter().filter_map(|line| text(line, "")).collect())
        .unwrap_or_default();
    how.extend(about("terms").and_then(|terms| text(terms, "")));
    Some(Pin {
        code: text(transaction, "/pin/code")?,
        serial: text(transaction, "/pin/serial"),
        how: (!how.is_empty()).then(|| how.join(" ")),
        expires_at: None,
    })
}

/// A transaction, or a list of them, without codes: an eSIM's activation code is one as well.
pub(super) fn without_code(value: &Value) -> Value {
    if let Some(list) = value.as_array() {
        return list.iter().map(without_code).collect();
    }
    hidden(value, &["/pin", "/metadata"], "<pin>")
}

/// An answer that broke off is kept up to its code.
pub(super) fn hide_torn(answer: Answer) -> Answer {
    up_to(answer, &["\"pin\"", "\"metadata\""])
}
