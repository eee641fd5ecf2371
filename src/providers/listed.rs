//! A provider's own books: what it lists of its transactions, and our float there.

use super::Order;
use crate::domain::{Money, Subscription, Timestamp};

/// What a provider's books say became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// Paid.
    Paid,
    /// Accepted, not final.
    Pending,
    /// Not charged.
    Refused,
    /// Charged, and the money came back.
    Reversed,
    /// A word nobody sorted.
    Unclear,
}

/// One transaction in a provider's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The provider's id.
    pub transaction_id: Option<String>,
    /// Our reference, where the provider keeps it.
    pub reference: Option<String>,
    /// When it was made.
    pub at: Option<Timestamp>,
    /// The number or serial it paid for, as written.
    pub target: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// The face value.
    pub amount: Option<Money>,
    /// What it charged us.
    pub charged: Option<Money>,
    /// What became of it.
    pub booked: Booked,
    /// The record, cut, without secrets.
    pub raw: String,
}

impl Listed {
    /// True where it can be the transaction of `order`, going by what is paid for whom; a record
    /// that has another reference is not.
    pub fn is_like(&self, order: &Order) -> bool {
        if let Some(reference) = &self.reference
            && !reference.trim().is_empty()
        {
            return reference.trim() == order.reference;
        }
        let target = self.target.as_deref().is_some_and(|target| is_target(&order.line, target));
        let amount = self.amount.is_some_and(|amount| amount == order.amount);
        let product = match (&self.product, &order.product) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => true,
        };
        target && amount && product
    }
}

/// True where `echo` can be the line's number or serial.
pub fn is_target(line: &Subscription, echo: &str) -> bool {
    line.msisdn.as_ref().is_some_and(|ours| ours.reads_as(echo))
        || line.iccid.as_ref().is_some_and(|ours| ours.reads_as(echo))
}
