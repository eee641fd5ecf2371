//! One purchase: create, compare, confirm; or cancel.
//!
//! Invariant: nothing is confirmed whose target, product, amount and price are not the order's.

use super::{DtOne, product::Wanted, records};
use crate::domain::FailureClass;
use crate::providers::{
    Answer, Evidence, Order,
    api::{Said, text},
};
use crate::transport::http::Rendered;
use records::{ALREADY_CANCELLED, ALREADY_CONFIRMED, Class, Proof};
use serde_json::Value;

/// Why a created transaction is not confirmed.
enum Objection {
    /// It is for something or somebody else.
    Other(String),
    /// Its price is not one we agreed to.
    Price,
}

impl DtOne {
    pub(super) async fn purchase(&self, order: &Order, frozen: &str) -> Answer {
        let request = match Rendered::thaw(frozen) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let created = match self.call(&request).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        if !created.is_success() {
            return not_created(&created);
        }
        let id = text(&created.value, "/id").filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
        let Some(id) = id else { return created.unclear("no id in the answer") };
        if Class::of(&created.value) != Some(Class::Created) {
            return self.judge(&created.value, order, self.now());
        }
        match self.objection(&created.value, order) {
            None => self.confirm(&id, &created, order).await,
            Some(Objection::Other(why)) => created.mismatch(Some(id), why),
            Some(Objection::Price) => {
                self.cancel(&id, &created, ("PRICE", FailureClass::PriceChanged)).await
            }
        }
    }

    /// Sends one request of a purchase, once.
    async fn call(&self, request: &Rendered) -> Result<Said, Answer> {
        match self.api.send(request).await {
            Ok(said) => Ok(Said { raw: self.raw(&said.value), ..said }),
            Err(answer) => Err(records::hide_torn(answer)),
        }
    }

    fn objection(&self, created: &Value, order: &Order) -> Option<Objection> {
        let wanted = order.product.as_deref().and_then(Wanted::parse);
        let Some(wanted) = wanted else {
            return Some(Objection::Other("the order names no product".to_owned()));
        };
        // What is not there cannot be compared; and an eSIM that is not named is a new one.
        for (what, at) in [
            ("the reference", "/external_id"),
            ("the product", "/product/id"),
            ("the target", wanted.echo()),
        ] {
            if text(created, at).is_none() {
                return Some(Objection::Other(format!("{what} is not in the answer")));
            }
        }
        records::differs(created, order).map(Objection::Other).or_else(|| {
            let is_agreed = records::is_agreed(created, order.amount, self.config.price_margin);
            (!is_agreed).then_some(Objection::Price)
        })
    }

    async fn confirm(&self, id: &str, created: &Said, order: &Order) -> Answer {
        let said = match self.call(&bare(format!("/async/transactions/{id}/confirm"))).await {
            Ok(said) => said,
            // It was not sent; but the transaction is there, so this order cannot be made again.
            Err(Answer::NotSent { .. }) => return waits(id, created),
            Err(answer) => return answer,
        };
        if said.is_success() {
            return self.judge(&said.value, order, self.now());
        }
        let code = records::error_code(&said.value);
        match (said.status, code.map(|code| (code, records::refusal(code)))) {
            (_, Some((ALREADY_CONFIRMED, _))) => waits(id, created),
            (400..=499, Some((code, Proof::Refused(class)))) => {
                self.cancel(id, created, (&code.to_string(), class)).await
            }
            (400..=499, Some((code, Proof::TurnedAway))) => {
                self.cancel(id, created, (&code.to_string(), FailureClass::ProviderDown)).await
            }
            (status, _) => said.unclear(format!("HTTP status {status} to a confirmation")),
        }
    }

    /// Takes back what was not confirmed. Only where that is acknowledged the order is refused at
    /// once; else it waits until a look-up finds it cancelled or expired.
    async fn cancel(
        &self,
        id: &str,
        created: &Said,
        (code, class): (&str, FailureClass),
    ) -> Answer {
        let is_cancelled = match self.call(&bare(format!("/transactions/{id}/cancel"))).await {
            Ok(said) if said.is_success() => {
                Class::of(&said.value) == Some(Class::Cancelled)
                    && text(&said.value, "/id").as_deref() == Some(id)
            }
            Ok(said) => records::error_code(&said.value) == Some(ALREADY_CANCELLED),
            Err(_) => false,
        };
        if is_cancelled { created.refused(code, class) } else { waits(id, created) }
    }
}

/// A call that says all in its path.
fn bare(path: String) -> Rendered {
    Rendered { method: "POST".to_owned(), path, ..Rendered::default() }
}

/// It is there, and its end is for a look-up to tell.
fn waits(id: &str, created: &Said) -> Answer {
    Answer::Pending(Evidence {
        transaction_id: Some(id.to_owned()),
        raw: created.raw.clone(),
        ..Evidence::default()
    })
}

/// What an answer proves that created nothing.
fn not_created(said: &Said) -> Answer {
    let code = records::error_code(&said.value);
    let proof = code.map(records::refusal);
    match (said.status, proof) {
        (_, Some(Proof::Exists)) => said.unclear("the external_id is used already"),
        (401, _) => said.turned_away("the key was refused"),
        (429, _) => said.turned_away("too many requests"),
        (_, Some(Proof::TurnedAway)) => said.turned_away("not looked at"),
        (400..=499, Some(Proof::Refused(class))) => {
            said.refused(&code.map(|code| code.to_string()).unwrap_or_default(), class)
        }
        (status, _) => said.unclear(format!("HTTP status {status} proves nothing")),
    }
}
