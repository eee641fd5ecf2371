//! Every route of the API, the role it needs, and who answers.

use super::{act, look};
use crate::admin::routes::Route;
use crate::store::Role;
use axum::{
    http::Method,
    routing::{get, post},
};

/// All of them.
pub(in crate::admin) fn all() -> Vec<Route> {
    let looks = |needs, path, handler| Route { method: Method::GET, path, needs, handler };
    let look = |path, handler| looks(Some(Role::Viewer), path, handler);
    let acts = |needs, path, handler| Route { method: Method::POST, path, needs, handler };
    let act = |path, handler| acts(Some(Role::Operator), path, handler);
    vec![
        looks(None, "/api/v1/openapi.json", get(look::openapi)),
        look("/api/v1/subscribers", get(look::subscribers)),
        look("/api/v1/subscriptions", get(look::subscriptions)),
        look("/api/v1/subscriptions/{id}", get(look::subscription)),
        look("/api/v1/subscriptions/{id}/explain", get(look::explain)),
        look("/api/v1/subscriptions/{id}/forecast", get(look::forecast)),
        look("/api/v1/subscriptions/{id}/readings", get(look::readings)),
        look("/api/v1/rules", get(look::rules)),
        look("/api/v1/topups", get(look::topups)),
        look("/api/v1/topups/{id}", get(look::topup)),
        look("/api/v1/notices", get(look::notices)),
        look("/api/v1/ledger", get(look::ledger)),
        look("/api/v1/money", get(look::money)),
        act("/api/v1/subscriptions/{id}/poll", post(act::poll)),
        act("/api/v1/subscriptions/{id}/topup", post(act::topup)),
        act("/api/v1/subscriptions/{id}/pause", post(act::pause)),
        act("/api/v1/subscriptions/{id}/resume", post(act::resume)),
        act("/api/v1/subscriptions/{id}/readings", post(act::reading)),
        act("/api/v1/subscriptions/{id}/sms", post(act::sms)),
        act("/api/v1/notices/{id}/acknowledge", post(act::acknowledge)),
        act("/api/v1/topups/{id}/approve", post(act::approve)),
        act("/api/v1/topups/{id}/reject", post(act::reject)),
        act("/api/v1/topups/{id}/resolve", post(act::resolve)),
        act("/api/v1/money/off", post(act::money_off)),
        // Stopping is for everybody who works here; letting money flow again is not.
        acts(Some(Role::Admin), "/api/v1/money/on", post(act::money_on)),
    ]
}
