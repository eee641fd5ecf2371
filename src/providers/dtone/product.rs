//! A product as it is written in `products`: its id, and what an order for it has to say.

use super::ESIM;
use crate::domain::Subscription;
use crate::providers::api::{number, text};
use serde_json::{Value, json};

/// How an order for a product is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One price, for a number.
    Fixed,
    /// An amount of our choice, for a number.
    Ranged,
    /// One price, for a serial. Without the serial the very same order buys another eSIM.
    Esim,
}

/// A product as it is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// DT One's id.
    pub(super) id: u64,
    shape: Shape,
}

impl Wanted {
    /// `123`, `123:ranged` or `123:esim`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, shape) = match text.trim().split_once(':') {
            None => (text.trim(), Shape::Fixed),
            Some((id, "ranged")) => (id, Shape::Ranged),
            Some((id, "esim")) => (id, Shape::Esim),
            Some(_) => return None,
        };
        Some(Self { id: id.parse().ok()?, shape })
    }

    /// The text that orders what the catalogue lists.
    pub(super) fn written(listed: &Value) -> Option<String> {
        let id = number(listed, "/id")?;
        let is_ranged = text(listed, "/type").is_some_and(|kind| kind.starts_with("RANGED"));
        Some(match (is_esim(listed), is_ranged) {
            (true, _) => format!("{id}:esim"),
            (false, true) => format!("{id}:ranged"),
            (false, false) => id.to_string(),
        })
    }

    pub(super) fn is_ranged(self) -> bool {
        self.shape == Shape::Ranged
    }

    pub(super) fn is_esim(self) -> bool {
        self.shape == Shape::Esim
    }

    /// Where the echo of the target stands.
    pub(super) fn echo(self) -> &'static str {
        if self.is_esim() {
            "/credit_party_identifier/account_number"
        } else {
            "/credit_party_identifier/mobile_number"
        }
    }

    /// For whom it is bought.
    pub(super) fn party(self, line: &Subscription) -> Result<Value, &'static str> {
        if self.is_esim() {
            let iccid = line.iccid.as_ref().ok_or("it has no iccid")?;
            return Ok(json!({ "account_number": iccid.as_str() }));
        }
        let msisdn =
            line.msisdn.as_ref().ok_or("it has no msisdn; an eSIM's product is ID:esim")?;
        Ok(json!({ "mobile_number": msisdn.as_str() }))
    }
}

/// True for a product of the eSIM service.
pub(super) fn is_esim(product: &Value) -> bool {
    number(product, "/service/id") == Some(ESIM)
}
