//! What a payer sells: which amounts can be ordered at all.

use super::Money;

/// The denominations of a payer, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The only amounts it sells, rising; empty where any amount between the bounds goes.
    pub denominations: Vec<Money>,
    /// The least it sells.
    pub order_min: Option<Money>,
    /// The most it sells at once.
    pub order_max: Option<Money>,
}

impl Offer {
    /// The least that can be ordered, as far as that is known.
    pub fn least(&self) -> Option<Money> {
        self.denominations.first().copied().or(self.order_min)
    }
}
