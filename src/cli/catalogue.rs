//! `provider products` and `provider quote`: what a payer sells, and for how much.

use super::context::{CliError, Context, subscription_id};
use super::out::{Out, table};
use super::remote::known;
use crate::clock::Clock;
use crate::domain::{Money, Subscription, SubscriptionId};
use crate::flow::{self, Catalogue};
use crate::providers::{Product, Provider};
use crate::shapes;
use crate::store::Store;
use std::sync::Arc;

async fn built(context: &Context, name: &str) -> Result<Arc<dyn Provider>, CliError> {
    let settings = context.settings()?;
    let config = known(&settings.providers, "provider", name)?;
    config.build(name).await.map_err(|fault| CliError::Faults(vec![fault]))
}

async fn line(store: &Store, id: &str) -> Result<Subscription, CliError> {
    Ok(store.snapshot(&subscription_id(id)?).await?.snapshot.subscription)
}

/// Its catalogue, kept for a day; where it has none, the products that the fleet names at it.
pub(super) async fn products(
    context: &Context,
    name: &str,
    id: Option<&str>,
    refresh: bool,
    out: &Out,
) -> Result<(), CliError> {
    let provider = built(context, name).await?;
    let store = context.store().await?;
    let line = match id {
        Some(id) => Some(line(&store, id).await?),
        None => None,
    };
    let asked = (name, provider.as_ref());
    let found = flow::catalogue(&store, asked, line.as_ref(), refresh, Clock::System.now()).await;
    let found = found.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    out.result(&shapes::catalogue(&found), || match &found {
        Catalogue::Sold(found) => {
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            table(&["PRODUCT", "KIND", "NAME", "FACE VALUE", "COST", "DAYS", "DATA"], &rows)
        }
        Catalogue::Named(found) => {
            let row = |(line, product): &(SubscriptionId, String)| {
                vec![line.to_string(), product.clone()]
            };
            table(&["SUBSCRIPTION", "PRODUCT"], &found.iter().map(row).collect::<Vec<_>>())
        }
    });
    Ok(())
}

fn row(product: &Product) -> Vec<String> {
    let face = match (product.min, product.max) {
        _ if !product.denominations.is_empty() => {
            let all: Vec<String> = product.denominations.iter().map(Money::to_string).collect();
            all.join(", ")
        }
        (Some(min), Some(max)) if min == max => min.to_string(),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => "-".to_owned(),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        product.id.clone(),
        product.kind.as_str().to_owned(),
        product.name.clone(),
        face,
        or_dash(product.cost.map(|cost| cost.to_string())),
        or_dash(product.days.map(|days| days.to_string())),
        or_dash(product.data.map(|bytes| format!("{} MB", bytes / 1_000_000))),
    ]
}

/// What an order of `amount` for a subscription would cost. Moves nothing.
pub(super) async fn quote(
    context: &Context,
    name: &str,
    id: &str,
    amount: &str,
    out: &Out,
) -> Result<(), CliError> {
    let amount = Money::parse(amount).map_err(|error| {
        CliError::Usage(format!("AMOUNT: {error}; allowed is such as 10.00USD"))
    })?;
    let provider = built(context, name).await?;
    let line = line(&context.store().await?, id).await?;
    let quote = flow::price((name, provider.as_ref()), &line, amount).await;
    let quote = quote.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    let document = shapes::price((name, &line.id), amount, &quote);
    out.result(&document, || {
        let bonus = quote.bonus.as_ref().map(|bonus| format!("; {bonus}")).unwrap_or_default();
        format!("{} for {amount} at {name}: {}{bonus}", quote.cost, quote.why)
    });
    Ok(())
}
