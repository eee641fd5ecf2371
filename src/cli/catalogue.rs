//! `provider products` and `provider quote`: what a payer sells, and for how much.

use super::context::{CliError, Context, subscription_id};
use super::out::{Out, table};
use super::remote::known;
use crate::clock::Clock;
use crate::domain::{Money, Span, Subscription};
use crate::providers::{Order, Product, Provider};
use crate::store::Store;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A catalogue is asked for again after a day.
const KEPT: Span = Span::days(1);

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
    if !provider.declares().sells {
        return named(&store, name, id, out).await;
    }
    let now = Clock::System.now();
    let kept = store.catalogue(name, id.unwrap_or_default()).await?;
    let fresh = kept.filter(|(_, at)| !refresh && now.since(*at) < KEPT);
    let found: Vec<Product> = match fresh.and_then(|(text, _)| serde_json::from_str(&text).ok()) {
        Some(found) => found,
        None => {
            let line = match id {
                Some(id) => Some(line(&store, id).await?),
                None => None,
            };
            let found = provider.products(line.as_ref()).await;
            let found = found.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            let text = serde_json::to_string(&found).map_err(|error| anyhow::anyhow!(error))?;
            store.keep_catalogue(name, id.unwrap_or_default(), &text, now).await?;
            found
        }
    };
    let document = serde_json::to_value(&found).map_err(|error| anyhow::anyhow!(error))?;
    out.result(&document, || {
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        table(&["PRODUCT", "KIND", "NAME", "FACE VALUE", "COST", "DAYS", "DATA"], &rows)
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

/// The products that the fleet names at a provider.
async fn named(store: &Store, name: &str, id: Option<&str>, out: &Out) -> Result<(), CliError> {
    let views = match id {
        Some(id) => store.views_of(&[subscription_id(id)?.to_string()]).await?,
        None => store.views(None, "", i64::MAX).await?,
    };
    let found: Vec<(String, String)> = views
        .iter()
        .filter_map(|v| {
            v.subscription.products.get(name).map(|p| (v.subscription.id.to_string(), p.clone()))
        })
        .collect();
    let documents = found
        .iter()
        .map(|(line, product)| json!({ "subscription": line, "product": product }))
        .collect();
    out.result(&Json::Array(documents), || {
        let rows: Vec<Vec<String>> =
            found.iter().map(|(line, product)| vec![line.clone(), product.clone()]).collect();
        table(&["SUBSCRIPTION", "PRODUCT"], &rows)
    });
    Ok(())
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
    let product = line.products.get(name).cloned();
    let order = Order { line, reference: String::new(), amount, product, transaction_id: None };
    let quote = provider.quote(&order).await;
    let quote = quote.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    let document = json!({
        "provider": name, "subscription": id, "amount": amount, "cost": quote.cost,
        "delivered": quote.delivered, "bonus": quote.bonus, "why": quote.why,
    });
    out.result(&document, || {
        let bonus = quote.bonus.as_ref().map(|bonus| format!("; {bonus}")).unwrap_or_default();
        format!("{} for {amount} at {name}: {}{bonus}", quote.cost, quote.why)
    });
    Ok(())
}
