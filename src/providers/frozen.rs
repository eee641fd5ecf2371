//! Requests as they are stored before they are sent.

use super::{FreezeError, Order};
use crate::domain::Subscription;
use crate::transport::http::Rendered;

impl Rendered {
    /// The request for `order` as it is stored: only for an amount above zero, and only where its
    /// bytes name the line it pays for.
    pub(crate) fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        if !order.amount.is_positive() {
            return Err(FreezeError(format!("{} is no amount to pay", order.amount)));
        }
        if !self.names_target(&order.line) {
            return Err(FreezeError(format!(
                "the request for {} does not contain the line's msisdn or iccid, so nothing proves \
                 which line it pays for",
                order.line.id
            )));
        }
        serde_json::to_string(self).map_err(|error| FreezeError(error.to_string()))
    }

    /// A stored request.
    pub(crate) fn thaw(frozen: &str) -> Result<Self, String> {
        serde_json::from_str(frozen)
            .map_err(|error| format!("the stored request cannot be read ({error})"))
    }

    /// True where the request's bytes contain the line's number or serial.
    fn names_target(&self, line: &Subscription) -> bool {
        let texts = [Some(&self.path), self.body.as_ref()];
        let has = |digits: &str| texts.iter().flatten().any(|text| text.contains(digits));
        line.msisdn.as_ref().is_some_and(|msisdn| has(msisdn.as_str().trim_start_matches('+')))
            || line.iccid.as_ref().is_some_and(|iccid| has(iccid.as_str()))
    }
}
