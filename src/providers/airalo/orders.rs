//! Airalo's orders: what one says, what a list of them proves, what an error proves.

use super::{Airalo, PAGE};
use crate::domain::{Currency, FailureClass, Money, Rounding};
use crate::providers::{
    Answer, Evidence, Found, Order,
    api::{Echo, Said, cut, items, money, number, text, without},
};
use serde_json::Value;

impl Airalo {
    /// An order of Airalo's as an answer.
    pub(super) fn judge(&self, made: &Value, status: Option<&str>, order: &Order) -> Answer {
        let raw = self.session.api.clean(&kept(made).to_string());
        let said = Said { status: 200, value: made.clone(), raw: raw.clone() };
        let id = text(made, "/id");
        let charged = self.charged(made);
        // A package has its price, and nothing in the request bounds it.
        let above = charged.filter(|charged| {
            charged.currency() != order.amount.currency() || charged.minor() > order.amount.minor()
        });
        let echo = Echo::default()
            .same("the reference", &order.reference, text(made, "/description"))
            .same("the kind of order", "topup", text(made, "/type"))
            .same(
                "the package",
                order.product.as_deref().unwrap_or_default(),
                text(made, "/package_id"),
            )
            .target(&order.line, another_sim(made, order))
            .money("the price", order.amount, above);
        if let Some(why) = echo.differs() {
            return said.mismatch(id, why);
        }
        let evidence = Evidence { transaction_id: id, charged, raw, ..Evidence::default() };
        match status.map(str::to_ascii_lowercase).as_deref() {
            Some("completed") => Answer::Paid(evidence),
            Some("refunded") => Answer::Reversed(evidence),
            // The order is there, and nobody says what became of it.
            None => Answer::Pending(evidence),
            // `failed` does not say "not charged", `partially_refunded` not "all of it".
            Some(other) => said.unclear(format!("the status {}", cut(other, 40))),
        }
    }

    /// What a list of orders says of `order`. The search finds whatever contains the reference;
    /// only the very same is ours.
    pub(super) fn found(&self, list: &Value, order: &Order) -> Found {
        if !list.get("data").is_some_and(Value::is_array) {
            return Found::Blind { why: "no list of orders in the answer".to_owned() };
        }
        let rows = items(list, "/data");
        let ours: Vec<&Value> = rows
            .iter()
            .filter(|row| {
                text(row, "/description").is_some_and(|d| d.eq_ignore_ascii_case(&order.reference))
            })
            .collect();
        match ours.as_slice() {
            [] if goes_on(list, rows.len()) => Found::Blind {
                why: "the search gave more than a page of orders, and ours is not on it".to_owned(),
            },
            [] => Found::Nothing,
            [one] => {
                let status = text(one, "/status/slug").or_else(|| text(one, "/status"));
                Found::One(self.judge(one, status.as_deref(), order))
            }
            several => {
                let rows: Vec<String> = several.iter().map(|row| kept(row).to_string()).collect();
                Found::Several {
                    count: several.len(),
                    raw: self.session.api.clean(&rows.join("\n")),
                }
            }
        }
    }

    /// What was charged: newer answers say it, older ones say the price only.
    fn charged(&self, made: &Value) -> Option<Money> {
        let currency = match text(made, "/currency") {
            Some(code) => Currency::parse(&code).ok()?,
            None => self.currency,
        };
        ["/total_amount_paid", "/unit_paid_price", "/net_price", "/price"]
            .iter()
            .find_map(|key| money(made, key, currency, Rounding::Ceiling))
    }
}

/// The serial of another eSIM that the order names; top-ups usually name none.
fn another_sim(made: &Value, order: &Order) -> Option<String> {
    let named: Vec<String> =
        items(made, "/sims").iter().filter_map(|sim| text(sim, "/iccid")).collect();
    let ours = |iccid: &String| crate::providers::is_target(&order.line, iccid);
    if named.iter().any(ours) { None } else { named.into_iter().next() }
}

/// True where there are more orders than the page shows, or there may be.
fn goes_on(list: &Value, rows: usize) -> bool {
    let later = number(list, "/meta/last_page").zip(number(list, "/meta/current_page"));
    rows >= PAGE
        || text(list, "/links/next").is_some()
        || later.is_some_and(|(last, current)| last > current)
}

/// An order without activation codes, people and guides.
fn kept(made: &Value) -> Value {
    without(
        made,
        &["sims", "user", "manual_installation", "qrcode_installation", "installation_guides"],
    )
}

/// What an answer proves that is no success.
pub(super) fn refusal(said: &Said) -> Answer {
    // Only these are about the request; others (a timeout, a conflict, a broken server) may come
    // after the order was made.
    if !matches!(said.status, 400 | 403 | 404 | 422) {
        return said.unclear(format!("HTTP status {} proves nothing", said.status));
    }
    if let Some(code) = said.text("/code") {
        return match class(&code) {
            Some(class) => said.refused(&code, class),
            None => said.unclear("an error that does not say whether the order was made"),
        };
    }
    let about = |field: &str| said.value.pointer(&format!("/data/{field}")).is_some();
    let message = said.text("/meta/message").or_else(|| said.text("/message")).unwrap_or_default();
    if about("iccid") || message.ends_with("resource_not_found") {
        return said.refused("iccid", FailureClass::InvalidTarget);
    }
    if about("package_id") {
        let why = said.text("/data/package_id").unwrap_or_default();
        let gone = why.contains("invalid topup package");
        let class = if gone { FailureClass::DenominationGone } else { FailureClass::Internal };
        return said.refused("package_id", class);
    }
    if message.is_empty() {
        return said.unclear(format!("HTTP status {} without a reason of Airalo's", said.status));
    }
    said.refused("error", FailureClass::Internal)
}

/// What an error code proves.
pub(super) fn class(code: &str) -> Option<FailureClass> {
    Some(match code {
        // "Unexpected": the order may have been made.
        "53" => return None,
        "11" => FailureClass::DeclinedSoft,
        // The operator is being serviced.
        "13" => FailureClass::ProviderDown,
        "33" => FailureClass::OutOfStock,
        // 23: the operator takes no top-ups of this package; 34: no such package, or sold out.
        "23" | "34" => FailureClass::DenominationGone,
        // The eSIM was recycled.
        "73" => FailureClass::InvalidTarget,
        // 14 checksum, 43 bad request, 89 address not allowed; and whatever nobody sorted.
        _ => FailureClass::Internal,
    })
}
