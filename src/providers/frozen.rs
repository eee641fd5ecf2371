//! Requests as they are stored before they are sent, and why some are not.

use super::{Answer, FreezeError, Order};
use crate::domain::{Currency, Iccid, Msisdn, Subscription};
use crate::transport::http::Rendered;
use std::fmt;

impl Order {
    /// Why it cannot be turned into a request.
    pub(super) fn refuse(&self, why: impl fmt::Display) -> FreezeError {
        FreezeError(format!("{}: {why}", self.line.id))
    }

    /// Only an amount above zero is paid.
    pub(super) fn is_to_be_paid(&self) -> Result<(), FreezeError> {
        if self.amount.is_positive() {
            return Ok(());
        }
        Err(self.refuse(format_args!("{} is no amount to pay", self.amount)))
    }

    /// Only an amount in the currency of the account is paid.
    pub(super) fn is_in(&self, currency: Currency) -> Result<(), FreezeError> {
        if self.amount.currency() == currency {
            return Ok(());
        }
        Err(self.refuse("the amount is not in the currency of the account"))
    }

    /// The product as written, which is `what` to the payer.
    pub(super) fn wanted(&self, what: &str) -> Result<&str, FreezeError> {
        let product = self.product.as_deref().filter(|product| !product.trim().is_empty());
        product.ok_or_else(|| self.refuse(format_args!("no {what} in products")))
    }

    /// The number of its line.
    pub(super) fn msisdn(&self) -> Result<&Msisdn, FreezeError> {
        self.line.msisdn.as_ref().ok_or_else(|| self.refuse("it has no msisdn"))
    }

    /// The serial of its line.
    pub(super) fn iccid(&self) -> Result<&Iccid, FreezeError> {
        self.line.iccid.as_ref().ok_or_else(|| self.refuse("it has no iccid"))
    }
}

impl Rendered {
    /// The request for `order` as it is stored: only for an amount above zero, and only where its
    /// bytes name the line it pays for.
    pub(crate) fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        order.is_to_be_paid()?;
        if !self.names_target(&order.line) {
            return Err(FreezeError(format!(
                "the request for {} does not contain the line's msisdn or iccid, so nothing proves \
                 which line it pays for",
                order.line.id
            )));
        }
        serde_json::to_string(self).map_err(|error| FreezeError(error.to_string()))
    }

    /// A stored request; what cannot be read is not sent.
    #[expect(clippy::result_large_err, reason = "the error is an answer, and used as one")]
    pub(super) fn thaw(frozen: &str) -> Result<Self, Answer> {
        serde_json::from_str(frozen).map_err(|error| Answer::NotSent {
            why: format!("the stored request cannot be read ({error})"),
        })
    }

    /// True where the request's bytes contain the line's number or serial.
    fn names_target(&self, line: &Subscription) -> bool {
        let texts = [Some(&self.path), self.body.as_ref()];
        let has = |digits: &str| texts.iter().flatten().any(|text| text.contains(digits));
        line.msisdn.as_ref().is_some_and(|msisdn| has(msisdn.as_str().trim_start_matches('+')))
            || line.iccid.as_ref().is_some_and(|iccid| has(iccid.as_str()))
    }
}
