//! What the answer to an order proves.

use super::envelope::{self, Envelope};
use crate::domain::FailureClass;
use crate::providers::{
    Answer, Evidence, Order,
    api::{Echo, Said, text},
};
use serde_json::Value;

/// What the answer to an order proves.
pub(super) fn judge(said: &Said, order: &Order) -> Answer {
    let refused = |code: &str, otherwise| match envelope::class(code, otherwise) {
        Some(class) => said.refused(code, class),
        None => said.unclear(format!("the error {code} does not say what became of it")),
    };
    match (said.status, envelope::open(&said.value)) {
        (200..=299, Envelope::Done(obj)) => done(said, obj, order),
        (200..=299, Envelope::Refused { code, .. }) => refused(&code, None),
        (401, _) => said.turned_away("the key was refused"),
        (429, _) => said.turned_away("too many requests"),
        (400 | 403 | 404 | 422, Envelope::Refused { code, .. }) => {
            refused(&code, Some(FailureClass::Internal))
        }
        (status, _) => said.unclear(format!("HTTP status {status} proves nothing")),
    }
}

fn done(said: &Said, obj: &Value, order: &Order) -> Answer {
    let (reference, iccid) = (text(obj, "/transactionId"), text(obj, "/iccid"));
    if reference.is_none() && iccid.is_none() {
        return said.unclear("a success that names no top-up");
    }
    let echo = Echo::default().target(&order.line, iccid).same(
        "the reference",
        &order.reference,
        reference.clone(),
    );
    match echo.differs() {
        Some(why) => said.mismatch(None, why),
        None => Answer::Paid(Evidence {
            // It has no number of its own for a top-up.
            transaction_id: reference,
            raw: said.raw.clone(),
            ..Evidence::default()
        }),
    }
}
