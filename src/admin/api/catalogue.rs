//! What is known of operators, what payers sell and for how much, and whether others answer. Nothing
//! here orders or sends.

use super::{
    fields::{Body, Params, needed},
    kept::lasting,
    paging::answer,
    wait,
    wants::{ProductsQuery, QuoteQuery},
};
use crate::admin::{Admin, problem::Problem};
use crate::domain::{Subscription, SubscriptionId};
use crate::flow::{self, CatalogueError};
use crate::operators;
use crate::providers::Provider;
use crate::shapes;
use crate::store::StoreError;
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use std::sync::Arc;

/// Networks and brands that are known.
#[utoipa::path(get, path = "/api/v1/operators", responses((status = 200, description = "The operators", body = [shapes::Operator])))]
pub(super) async fn operators(params: Params) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    answer(&operators::all().iter().map(shapes::operator).collect::<Vec<_>>()).map(lasting)
}

/// Everything known of one, by its id or one of its names.
#[utoipa::path(get, path = "/api/v1/operators/{name}", responses((status = 200, description = "The operator", body = shapes::Operator)))]
pub(super) async fn operator(
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let found = operators::find(&name);
    let found = found.ok_or_else(|| StoreError::NotFound(format!("operator {name}")))?;
    answer(&shapes::operator(found)).map(lasting)
}

fn known(admin: &Admin, name: &str) -> Result<Arc<dyn Provider>, Problem> {
    let found = admin.engine().provider(name).cloned();
    Ok(found.ok_or_else(|| StoreError::NotFound(format!("provider {name}")))?)
}

async fn line(admin: &Admin, id: &str) -> Result<Subscription, Problem> {
    let missing = || StoreError::NotFound(format!("subscription {id}"));
    let id = SubscriptionId::parse(id).map_err(|_| missing())?;
    Ok(admin.engine().store().subscription(&id).await?)
}

/// What a payer sells, kept for a day; where it has no catalogue, the products that the fleet names
/// at it.
#[utoipa::path(get, path = "/api/v1/providers/{name}/products", params(ProductsQuery), responses((status = 200, description = "The products", body = shapes::Catalogue)))]
pub(super) async fn products(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    let (id, anew) = params.read(|section| {
        Some((section.text("subscription"), section.boolean("refresh").unwrap_or(false)))
    })?;
    let provider = known(&admin, &name)?;
    let of_line = match &id {
        Some(id) => Some(line(&admin, id).await?),
        None => None,
    };
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let found = async {
        let asked = (name.as_str(), provider.as_ref());
        Ok::<_, String>(flow::catalogue(store, asked, of_line.as_ref(), anew, now).await)
    };
    let found = wait::look(&name, found).await?.map_err(|error| match error {
        CatalogueError::Store(error) => error.into(),
        CatalogueError::Payer(error) => wait::refused(&name, &error),
    })?;
    answer(&shapes::catalogue(&found))
}

/// What an order would cost; none is made.
#[utoipa::path(get, path = "/api/v1/providers/{name}/quote", params(QuoteQuery), responses((status = 200, description = "The price", body = shapes::Price)))]
pub(super) async fn quote(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    let (id, amount) = params.read(|section| {
        let id = section.required("subscription", "allowed is the id of a line");
        let amount = section.positive_money("amount");
        let amount = needed(section, "amount", "allowed is money such as \"10.00 USD\"", amount);
        Some((id?, amount?))
    })?;
    let provider = known(&admin, &name)?;
    if !provider.declares().quotes {
        return Err(StoreError::NotFound(format!("provider {name} that names prices")).into());
    }
    let line = line(&admin, &id).await?;
    let asked = flow::price((name.as_str(), provider.as_ref()), &line, amount);
    let quote = wait::look(&name, asked).await?;
    answer(&shapes::price((name.as_str(), &line.id), amount, &quote))
}

/// Tries a provider without spending.
#[utoipa::path(post, path = "/api/v1/providers/{name}/test", responses((status = 200, description = "It answers", body = shapes::ProviderTest)))]
pub(super) async fn test_provider(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<shapes::ProviderTest>, Problem> {
    body.nothing()?;
    let detail = wait::look(&name, known(&admin, &name)?.test()).await?.detail;
    Ok(Json(shapes::ProviderTest { provider: name, ok: true, detail }))
}

/// The channels that notices go by.
#[utoipa::path(get, path = "/api/v1/channels", responses((status = 200, description = "The channels", body = [shapes::Channel])))]
pub(super) async fn channels(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let engine = admin.engine();
    let kind = |name: &str| engine.settings().channels.get(name).map_or("", |c| c.kind());
    let shape = |name: &String| shapes::Channel { name: name.clone(), kind: kind(name) };
    answer(&engine.channels().keys().map(shape).collect::<Vec<_>>())
}

/// Tries a channel without sending.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", responses((status = 200, description = "It answers", body = shapes::ChannelTest)))]
pub(super) async fn test_channel(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<shapes::ChannelTest>, Problem> {
    body.nothing()?;
    let channel = admin.engine().channels().get(&name);
    let channel = channel.ok_or_else(|| StoreError::NotFound(format!("channel {name}")))?;
    let detail = wait::look(&name, channel.test()).await?;
    Ok(Json(shapes::ChannelTest { channel: name, ok: true, detail }))
}
