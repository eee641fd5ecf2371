//! What can be looked at: everything the command line shows, in the same shapes.

use super::{
    fields::Params,
    own::{OwnLine, OwnTopup},
};
use crate::admin::{Admin, problem::Problem};
use crate::domain::SubscriptionId;
use crate::flow::OrderError;
use crate::shapes;
use crate::store::StoreError;
use axum::{Json, extract::State};

/// What a look gives.
type Look<T> = Result<Json<T>, Problem>;

/// One subscription, also a closed one.
#[utoipa::path(get, path = "/api/v1/subscriptions/{id}", responses((status = 200, description = "The subscription", body = shapes::Subscription)))]
pub(super) async fn subscription(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look<shapes::Subscription> {
    params.read(|_| Some(()))?;
    subscription_json(&admin, &id).await
}

/// One line as the API shows it.
pub(super) async fn subscription_json(
    admin: &Admin,
    id: &SubscriptionId,
) -> Look<shapes::Subscription> {
    let views = admin.engine().store().views_of(&[id.to_string()]).await?;
    let view = views.first().ok_or_else(|| StoreError::NotFound(format!("subscription {id}")))?;
    Ok(Json(shapes::subscription(view)))
}

/// The decision as it would fall now: every gate, and what happens next.
#[utoipa::path(get, path = "/api/v1/subscriptions/{id}/explain", responses((status = 200, description = "The explanation", body = shapes::Explanation)))]
pub(super) async fn explain(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look<shapes::Explanation> {
    params.read(|_| Some(()))?;
    let (snapshot, decision) = admin.engine().explain(&id).await?;
    Ok(Json(shapes::explain(&snapshot, &decision, admin.engine().now())))
}

/// When a subscription runs out, worked out now.
#[utoipa::path(get, path = "/api/v1/subscriptions/{id}/forecast", responses((status = 200, description = "The forecast", body = shapes::Forecast)))]
pub(super) async fn forecast(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look<shapes::Forecast> {
    params.read(|_| Some(()))?;
    let engine = admin.engine();
    let good = engine.store().snapshot(&id).await?.snapshot.reading;
    let (forecast, external) = engine.forecast(&id, None, engine.now()).await?;
    Ok(Json(shapes::forecast(&shapes::LineForecast { id, good, forecast, external })))
}

/// One top-up with its history.
#[utoipa::path(get, path = "/api/v1/topups/{id}", responses((status = 200, description = "The top-up", body = shapes::TopupWithEvents)))]
pub(super) async fn topup(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    params: Params,
) -> Look<shapes::TopupWithEvents> {
    params.read(|_| Some(()))?;
    let store = admin.engine().store();
    let events = store.topup_events(&topup.id).await?;
    Ok(Json(shapes::topup_with_events(&topup, &events)))
}

/// The receipt of a top-up: the quote, the order, what the provider said, the line before and after.
#[utoipa::path(get, path = "/api/v1/topups/{id}/receipt", responses((status = 200, description = "The receipt", body = shapes::ReceiptDocument)))]
pub(super) async fn receipt(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    params: Params,
) -> Look<shapes::ReceiptDocument> {
    params.read(|_| Some(()))?;
    if !shapes::Receipt::is_due(&topup) {
        let why = format!("top-up {} was never sent; there is no receipt for it", topup.id);
        return Err(OrderError::Refused(why).into());
    }
    let (events, after) = admin.engine().store().evidence(&topup).await?;
    Ok(Json(shapes::Receipt { topup, events, after }.document()))
}

/// Whether money may be spent.
#[utoipa::path(get, path = "/api/v1/money", responses((status = 200, description = "The switches", body = shapes::MoneySwitch)))]
pub(super) async fn money(State(admin): State<Admin>, params: Params) -> Look<shapes::MoneySwitch> {
    params.read(|_| Some(()))?;
    let now = admin.engine().now();
    Ok(Json(shapes::money_switch(&admin.engine().money_switch(now).await?)))
}
