//! What payers sell, and what an order would cost: asked by people. Nothing is ordered.

use crate::domain::{Money, Span, Subscription, SubscriptionId, Timestamp};
use crate::providers::{Order, Product, Provider, Quote, ReadError};
use crate::store::{Store, StoreError};

/// A catalogue is asked for again after a day.
const KEPT: Span = Span::days(1);

/// What a payer sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalogue {
    /// As it says itself.
    Sold(Vec<Product>),
    /// It has no catalogue: the products that the fleet names at it, line by line.
    Named(Vec<(SubscriptionId, String)>),
}

/// Why there is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payer did not tell.
    #[error(transparent)]
    Payer(#[from] ReadError),
}

/// The catalogue of `provider`, kept for a day unless it is wanted `anew`; of what suits `line`, where
/// one is named.
pub async fn catalogue(
    store: &Store,
    (name, provider): (&str, &dyn Provider),
    line: Option<&Subscription>,
    anew: bool,
    now: Timestamp,
) -> Result<Catalogue, CatalogueError> {
    if !provider.declares().sells {
        return Ok(Catalogue::Named(named(store, name, line).await?));
    }
    let scope = line.map_or("", |line| line.id.as_str());
    let kept = store.catalogue(name, scope).await?;
    let fresh = kept.filter(|(_, at)| !anew && now.since(*at) < KEPT);
    if let Some(found) = fresh.and_then(|(text, _)| serde_json::from_str(&text).ok()) {
        return Ok(Catalogue::Sold(found));
    }
    let found = provider.products(line).await?;
    let text = serde_json::to_string(&found).unwrap_or_default();
    store.keep_catalogue(name, scope, &text, now).await?;
    Ok(Catalogue::Sold(found))
}

async fn named(
    store: &Store,
    name: &str,
    line: Option<&Subscription>,
) -> Result<Vec<(SubscriptionId, String)>, StoreError> {
    let lines: Vec<Subscription> = match line {
        Some(line) => vec![line.clone()],
        None => store.every_view().await?.into_iter().map(|view| view.subscription).collect(),
    };
    let product = |line: Subscription| line.products.get(name).cloned().map(|p| (line.id, p));
    Ok(lines.into_iter().filter_map(product).collect())
}

/// What an order of `amount` for `line` would cost. Moves nothing.
pub async fn price(
    (name, provider): (&str, &dyn Provider),
    line: &Subscription,
    amount: Money,
) -> Result<Quote, ReadError> {
    let product = line.products.get(name).cloned();
    let reference = String::new();
    let order = Order { line: line.clone(), reference, amount, product, transaction_id: None };
    provider.quote(&order).await
}
