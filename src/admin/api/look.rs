//! What can be looked at: everything the command line shows, in the same shapes.

use super::{
    fields::Params,
    own::{OwnLine, OwnTopup},
};
use crate::admin::{Admin, problem::Problem};
use crate::domain::SubscriptionId;
use crate::shapes;
use crate::store::StoreError;
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// What a look gives.
type Look = Result<Json<Value>, Problem>;

/// The description of this API; it tells nothing about anybody.
pub(super) async fn openapi() -> Response {
    let document = include_str!("openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// One line, also a closed one.
pub(super) async fn subscription(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    subscription_json(&admin, &id).await
}

/// One line as the API shows it.
pub(super) async fn subscription_json(admin: &Admin, id: &SubscriptionId) -> Look {
    let views = admin.engine().store().views_of(&[id.to_string()]).await?;
    let view = views.first().ok_or_else(|| StoreError::NotFound(format!("subscription {id}")))?;
    Ok(Json(shapes::subscription(view)))
}

pub(super) async fn explain(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let (snapshot, decision) = admin.engine().explain(&id).await?;
    Ok(Json(shapes::explain(&snapshot, &decision, admin.engine().now())))
}

/// When it runs out, worked out now.
pub(super) async fn forecast(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let engine = admin.engine();
    let good = engine.store().snapshot(&id).await?.snapshot.reading;
    let (forecast, external) = engine.forecast(&id, None, engine.now()).await?;
    Ok(Json(shapes::forecast(&shapes::LineForecast { id, good, forecast, external })))
}

/// With its whole history.
pub(super) async fn topup(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    params: Params,
) -> Look {
    params.read(|_| Some(()))?;
    let store = admin.engine().store();
    let events = store.topup_events(&topup.id).await?;
    Ok(Json(shapes::topup_with_events(&topup, &events)))
}

pub(super) async fn money(State(admin): State<Admin>, params: Params) -> Look {
    params.read(|_| Some(()))?;
    let now = admin.engine().now();
    Ok(Json(shapes::money_switch(&admin.engine().money_switch(now).await?)))
}
