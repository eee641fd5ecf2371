//! Reloadly's records: what a transaction, an error code and an operator say.

use super::Reloadly;
use crate::domain::{FailureClass, Money, Rounding};
use crate::providers::{
    Answer, Evidence, Order, Pin, Product, ProductKind,
    api::{self, Said, cut, hidden, items, money, money_in, text},
};
use serde_json::Value;

impl Reloadly {
    /// A transaction as an answer; codes are taken out of what is kept.
    pub(super) fn judge(&self, transaction: &Value, status: Option<&str>, order: &Order) -> Answer {
        let raw = self.session.api.clean(&without_code(transaction).to_string());
        let said = Said { status: 200, value: transaction.clone(), raw: raw.clone() };
        let id = text(transaction, "/transactionId");
        let echo = api::Echo::default()
            .target(&order.line, text(transaction, "/recipientPhone"))
            .same("the reference", &order.reference, text(transaction, "/customIdentifier"))
            .same(
                "the operator",
                order.product.as_deref().unwrap_or_default(),
                text(transaction, "/operatorId"),
            )
            .money("the amount", order.amount, requested(transaction));
        if let Some(why) = echo.differs() {
            return said.mismatch(id, why);
        }
        let evidence = Evidence {
            transaction_id: id,
            charged: self.charged(transaction),
            delivered: delivered(transaction),
            pin: pin(transaction),
            raw,
        };
        match status.map(str::to_ascii_uppercase).as_deref() {
            Some("SUCCESSFUL") => Answer::Paid(evidence),
            Some("PROCESSING") => Answer::Pending(evidence),
            Some("REFUNDED") => Answer::Reversed(evidence),
            // An internal error of the operator's; not debited.
            Some("FAILED") => said.refused("FAILED", FailureClass::ProviderDown),
            // Old rows have no status; whether it went well is then asked elsewhere.
            None => Answer::Pending(evidence),
            Some(other) => said.unclear(format!("the status {}", cut(other, 40))),
        }
    }

    fn charged(&self, transaction: &Value) -> Option<Money> {
        let info = transaction.pointer("/balanceInfo").filter(|info| info.is_object())?;
        money(info, "/cost", self.config.currency, Rounding::Ceiling).or_else(|| {
            let at = |key| api::decimal(info, key);
            let spent = at("/oldBalance")?.checked_sub(at("/newBalance")?)?;
            Money::from_decimal(spent, self.config.currency, Rounding::Ceiling).ok()
        })
    }

    pub(super) fn product(&self, operator: &Value) -> Option<Product> {
        let currency = self.config.currency;
        let at = |key: &str, rounding| money(operator, key, currency, rounding);
        let fixed: Vec<Money> = items(operator, "/fixedAmounts")
            .iter()
            .filter_map(|amount| {
                money(amount, "", currency, Rounding::Exact).filter(|m| m.is_positive())
            })
            .collect();
        let is = |key: &str| operator.get(key).and_then(Value::as_bool).unwrap_or(false);
        let kind = if is("pin") {
            ProductKind::Pin
        } else if is("bundle") || is("data") {
            ProductKind::Bundle
        } else {
            ProductKind::Airtime
        };
        Some(Product {
            id: text(operator, "/operatorId").or_else(|| text(operator, "/id"))?,
            name: text(operator, "/name")?,
            kind,
            operator: text(operator, "/name"),
            // Bounds in dollars are rounded from local ones: the narrower reading is safe.
            min: fixed.first().copied().or_else(|| at("/minAmount", Rounding::Ceiling)),
            max: fixed.last().copied().or_else(|| at("/maxAmount", Rounding::Floor)),
            denominations: fixed,
            cost: None,
            days: None,
            data: None,
        })
    }
}

fn requested(transaction: &Value) -> Option<Money> {
    let at = ("/requestedAmount", "/requestedAmountCurrencyCode");
    money_in(transaction, at, Rounding::Exact)
}

fn delivered(transaction: &Value) -> Option<Money> {
    let at = ("/deliveredAmount", "/deliveredAmountCurrencyCode");
    money_in(transaction, at, Rounding::Floor)
}

fn pin(transaction: &Value) -> Option<Pin> {
    let detail = transaction.pointer("/pinDetail").filter(|detail| detail.is_object())?;
    let how: Vec<String> =
        ["/info1", "/info2", "/info3"].iter().filter_map(|key| text(detail, key)).collect();
    Some(Pin {
        code: text(detail, "/code")?,
        serial: text(detail, "/serial"),
        how: (!how.is_empty()).then(|| how.join(" ")),
        expires_at: None,
    })
}

pub(super) fn without_code(transaction: &Value) -> Value {
    hidden(transaction, &["/pinDetail", "/transaction/pinDetail"], "<pin>")
}

/// What an error code proves.
pub(super) fn refusal(code: &str) -> Option<FailureClass> {
    Some(match code {
        // Says that it is there already: that is for the look-up.
        "CUSTOM_IDENTIFIER_ALREADY_USED" => return None,
        "INSUFFICIENT_BALANCE"
        | "MAX_DAILY_TRANSACTION_COUNT_REACHED"
        | "MAX_DAILY_TRANSACTION_AMOUNT_REACHED" => FailureClass::DeclinedSoft,
        "INACTIVE_ACCOUNT" | "ACCOUNT_NOT_FOUND" => FailureClass::DeclinedHard,
        "INVALID_RECIPIENT_PHONE"
        | "INVALID_PHONE_NUMBER"
        | "OPERATOR_AND_RECIPIENT_PHONE_MISMATCH"
        | "COULD_NOT_AUTO_DETECT_OPERATOR"
        | "TRANSACTION_REJECTED_BY_OPERATOR"
        | "TRANSACTION_REFUSED_BY_OPERATOR"
        | "RECIPIENT_REACHED_MAX_TOPUP_NUMBER"
        | "PHONE_BANNED_BY_OPERATOR"
        | "RECIPIENT_PHONE_INACTIVE"
        | "COUNTRY_NOT_SUPPORTED" => FailureClass::InvalidTarget,
        "INVALID_AMOUNT"
        | "INVALID_AMOUNT_FOR_OPERATOR"
        | "INVALID_AMOUNT_FOR_RECIPIENT_PHONE"
        | "OPERATOR_NOT_FOUND"
        | "OPERATOR_NOT_IN_SERVICE" => FailureClass::DenominationGone,
        "OPERATOR_UNAVAILABLE_OR_CURRENTLY_INACTIVE"
        | "RECIPIENT_HAS_PENDING_TRANSACTION"
        | "PHONE_RECENTLY_RECHARGED"
        | "TRANSACTION_FAILED_ON_OPERATOR"
        | "PROVIDER_INTERNAL_ERROR"
        | "REQUEST_FAILED_ON_PROVIDER"
        | "CONNECTION_TO_OPERATOR_TEMPORARILY_DOWN"
        | "CONNECTION_TO_OPERATOR_FAILED"
        | "REQUEST_PROCESSING_FAILED" => FailureClass::ProviderDown,
        // A code nobody sorted: a person has to look.
        _ => FailureClass::Internal,
    })
}
