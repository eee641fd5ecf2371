//! 1NCE's list of orders, and which of them are top-ups.

use super::{Onence, PRODUCT};
use crate::domain::{ErrorKind, Money, Rounding, Timestamp};
use crate::providers::{
    Answer, Booked, Evidence, Found, Listed, Order, ReadError,
    api::{self, items, moment, money_in, text, without},
};
use crate::transport::http::Rendered;
use serde_json::Value;

/// Orders on one page, at most.
const PAGE: usize = 10;
/// Pages that are read at most: 100 requests in five minutes are allowed.
const PAGES: usize = 80;

impl Onence {
    /// The top-ups from `from` up to `to`. Where the pages run from new to old, those before
    /// `from` are left alone; else all of them are read.
    pub(super) async fn orders(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Listed>, ReadError> {
        let mut found = Vec::new();
        let mut sorted = true;
        // Until the dates fall, nothing tells which way the pages run.
        let (mut rises, mut falls) = (false, false);
        let mut last: Option<Timestamp> = None;
        for page in 1..=PAGES {
            let mut answer = self.page(page, sorted).await;
            if page == 1 && is_configuration(&answer) {
                sorted = false;
                answer = self.page(page, sorted).await;
            }
            let orders = answer?;
            for order in &orders {
                let at = made_at(order);
                rises |= at.is_none() || (last.is_some() && at > last);
                falls |= at < last;
                last = at.or(last);
                if at.is_none_or(|at| at >= from && at <= to) {
                    found.extend(self.listed(order));
                }
            }
            if orders.len() < PAGE || (falls && !rises && last.is_some_and(|last| last < from)) {
                return Ok(found);
            }
        }
        let why = format!("the list of orders has more than {PAGES} pages");
        Err(ReadError::new(ErrorKind::Unsupported, why))
    }

    async fn page(&self, page: usize, sorted: bool) -> Result<Vec<Value>, ReadError> {
        let (page, size) = (page.to_string(), PAGE.to_string());
        let mut query = vec![("page", page.as_str()), ("pageSize", &size)];
        if sorted {
            query.push(("sort", "-order_date"));
        }
        let reply = self.session.get(&Rendered::query("/v1/orders", &query)).await?;
        // Behind the last page there may be nothing at all.
        if reply.status == 404 && page != "1" {
            return Ok(Vec::new());
        }
        let orders = self.session.api.values(&reply)?;
        let orders = orders.as_array().cloned();
        orders.ok_or_else(|| ReadError::unparseable("no list of orders in the answer"))
    }

    /// A top-up as a record of the list; `None` for any other order.
    ///
    /// Orders have no face value. A top-up of one SIM is always the same thing, which we order as
    /// `price`; what the invoice says is what was charged.
    pub(super) fn listed(&self, order: &Value) -> Option<Listed> {
        if text(order, "/order_type")? != "TOPUP" {
            return None;
        }
        let sims = items(order, "/sims");
        let one = if let [one] = sims { text(one, "/iccid") } else { None };
        let many = items(order, "/products")
            .iter()
            .any(|product| api::number(product, "/quantity").is_some_and(|quantity| quantity != 1));
        let charged = charged(order);
        // Nobody needs to keep where things are delivered to.
        let kept = without(order, &["shipping_address"]);
        let price = self.config.price;
        let other = charged.is_some_and(|charged| charged.currency() != price.currency());
        Some(Listed {
            transaction_id: text(order, "/order_number").filter(|number| is_number(number)),
            reference: None,
            at: made_at(order),
            amount: (one.is_some() && !many && !other).then_some(price),
            target: one,
            product: Some(PRODUCT.to_owned()),
            charged,
            booked: match text(order, "/order_status").as_deref() {
                Some("COMPLETED") => Booked::Paid,
                // The other words are not documented.
                _ => Booked::Unclear,
            },
            raw: self.session.api.clean(&kept.to_string()),
        })
    }

    /// The order that was asked for by its number.
    pub(super) fn judge(&self, value: &Value, order: &Order) -> Found {
        let Some(listed) = self.listed(value) else {
            return Found::Blind { why: "the order is no top-up".to_owned() };
        };
        let evidence = Evidence {
            transaction_id: listed.transaction_id.clone(),
            charged: listed.charged,
            raw: listed.raw.clone(),
            ..Evidence::default()
        };
        Found::One(if !listed.is_like(order) {
            Answer::Mismatch { evidence, why: "the order is for another SIM or sum".to_owned() }
        } else if listed.booked == Booked::Paid {
            Answer::Paid(evidence)
        } else {
            Answer::Unclear { why: "its status word is not known".to_owned(), raw: listed.raw }
        })
    }
}

/// True where the request itself was found wrong.
fn is_configuration(answer: &Result<Vec<Value>, ReadError>) -> bool {
    answer.as_ref().is_err_and(|error| error.is(ErrorKind::Configuration))
}

fn made_at(order: &Value) -> Option<Timestamp> {
    moment(&text(order, "/order_date")?, false)
}

/// The sum on the invoice, taxes included.
fn charged(order: &Value) -> Option<Money> {
    money_in(order, ("/invoice_amount", "/currency"), Rounding::Ceiling)
}

/// The number of an order, from its address.
pub(super) fn order_number(location: &str) -> Option<String> {
    let (_, number) = location.trim().rsplit_once("/orders/")?;
    let number = number.trim_end_matches('/');
    is_number(number).then(|| number.to_owned())
}

pub(super) fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
