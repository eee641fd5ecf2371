//! What payers sell, what an order would cost, and whether others answer.

use super::{Money, amount, money};
use crate::domain::{self, SubscriptionId};
use crate::flow;
use crate::providers;
use serde::Serialize;
use utoipa::ToSchema;

/// What a payer sells.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Catalogue {
    /// As it says itself.
    Sold(Vec<Product>),
    /// It has no catalogue: the products that the fleet names at it.
    Named(Vec<NamedProduct>),
}

/// Something that a payer sells.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Product {
    /// The payer's id of it, as written in `products`.
    pub id: String,
    /// What the payer calls it.
    pub name: String,
    /// `airtime`, `bundle`, `pin` or `esim`.
    #[schema(value_type = String)]
    pub kind: &'static str,
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
    /// Data it brings, in bytes.
    pub data: Option<i64>,
}

/// A product that the fleet names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedProduct {
    /// For which line.
    pub subscription: String,
    /// The payer's id of it.
    pub product: String,
}

fn product(p: &providers::Product) -> Product {
    Product {
        id: p.id.clone(),
        name: p.name.clone(),
        kind: p.kind.as_str(),
        operator: p.operator.clone(),
        min: money(p.min),
        max: money(p.max),
        denominations: p.denominations.iter().copied().map(amount).collect(),
        cost: money(p.cost),
        days: p.days,
        data: p.data,
    }
}

/// A catalogue.
pub fn catalogue(catalogue: &flow::Catalogue) -> Catalogue {
    let named = |(line, product): &(SubscriptionId, String)| NamedProduct {
        subscription: line.to_string(),
        product: product.clone(),
    };
    match catalogue {
        flow::Catalogue::Sold(found) => Catalogue::Sold(found.iter().map(product).collect()),
        flow::Catalogue::Named(found) => Catalogue::Named(found.iter().map(named).collect()),
    }
}

/// What an order would cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Price {
    /// Through which payer.
    pub provider: String,
    /// For which line.
    pub subscription: String,
    /// The face value.
    pub amount: Money,
    /// What it would cost us at most.
    pub cost: Money,
    /// What would reach the line.
    pub delivered: Option<Money>,
    /// A bonus, in words.
    pub bonus: Option<String>,
    /// How the figure was made, in words.
    pub why: String,
}

/// A price that `provider` named for an order of `face` on `line`.
pub fn price(
    (provider, line): (&str, &SubscriptionId),
    face: domain::Money,
    quote: &providers::Quote,
) -> Price {
    Price {
        provider: provider.to_owned(),
        subscription: line.to_string(),
        amount: amount(face),
        cost: amount(quote.cost),
        delivered: money(quote.delivered),
        bonus: quote.bonus.clone(),
        why: quote.why.clone(),
    }
}

/// A provider that answered a test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderTest {
    /// Its name.
    pub provider: String,
    /// Always true: one that does not answer is an error.
    pub ok: bool,
    /// What it said, in words.
    pub detail: String,
}

/// A channel that answered a test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelTest {
    /// Its name.
    pub channel: String,
    /// Always true: one that does not answer is an error.
    pub ok: bool,
    /// What it said, in words.
    pub detail: String,
}

/// A configured channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What it is.
    #[schema(value_type = String)]
    pub kind: &'static str,
}
