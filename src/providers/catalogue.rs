//! What a payer sells and for how much, and the codes it hands out.

use crate::domain::{Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of thing a product is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductKind {
    /// Credit on the line.
    Airtime,
    /// Data, or a package of data, minutes and messages.
    Bundle,
    /// A code that somebody has to redeem.
    Pin,
    /// A plan for an eSIM.
    Esim,
}

impl ProductKind {
    /// The word in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Airtime => "airtime",
            Self::Bundle => "bundle",
            Self::Pin => "pin",
            Self::Esim => "esim",
        }
    }
}

/// One thing a payer sells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The payer's id of it, as written in `products`.
    pub id: String,
    /// What the payer calls it.
    pub name: String,
    /// What it is.
    pub kind: ProductKind,
    /// For which operator.
    pub operator: Option<String>,
    /// The least face value, or the only one.
    pub min: Option<Money>,
    /// The greatest face value, or the only one.
    pub max: Option<Money>,
    /// The only face values, where it does not sell just any between the bounds.
    pub denominations: Vec<Money>,
    /// What it costs us, where that is one figure.
    pub cost: Option<Money>,
    /// Days it lasts.
    pub days: Option<i64>,
    /// Data it brings, in bytes; `None` where it brings none or has no limit.
    pub data: Option<i64>,
}

/// What an order would cost, said before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What it would cost us at most: fees in, discounts out.
    pub cost: Money,
    /// What would reach the line.
    pub delivered: Option<Money>,
    /// A bonus or promotion, in words.
    pub bonus: Option<String>,
    /// How the figure was made, in words.
    pub why: String,
}

/// A code that is money. It prints as nothing but its length.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What is entered.
    pub code: String,
    /// What identifies the voucher, where there is such a thing.
    pub serial: Option<String>,
    /// How it is redeemed, in the payer's words.
    pub how: Option<String>,
    /// When it lapses.
    #[serde(skip)]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({} characters)", self.code.chars().count())
    }
}
