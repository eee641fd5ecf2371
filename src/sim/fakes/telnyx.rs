//! Telnyx: the balance, and what auto-recharge is set to.

use super::{
    FakeKind, Shared,
    door::{guarded, has},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "telnyx",
    router,
    is_order: |_, _| false,
    pays: false,
    product: None,
    iccid: None,
    alias: None,
    config: "base_url = \"{url}/v2\"\napi_key = \"hush\"\n",
};

fn router(shared: Shared) -> Router {
    // Only the newer path: the one of the SDK is not known here.
    let api = Router::new()
        .route("/v2/balance", get(balance))
        .route("/v2/payments/auto_recharge_prefs", get(preferences));
    let knows = |_: &Shared, headers: &HeaderMap| has(headers, "authorization", "Bearer hush");
    let stranger = || refused(StatusCode::UNAUTHORIZED, "10009", "Authentication failed");
    guarded(api, &shared, knows, stranger).fallback(async || not_there()).with_state(shared)
}

async fn balance(State(shared): State<Shared>) -> Response {
    let usual = json!({
        "record_type": "balance", "balance": "300.00", "credit_limit": "0.00",
        "available_credit": "300.00", "pending": "10.00", "currency": "USD",
    });
    told(&shared, "balance", usual)
}

async fn preferences(State(shared): State<Shared>) -> Response {
    let usual = json!({
        "record_type": "auto_recharge_pref", "enabled": true, "threshold_amount": "20.00",
        "recharge_amount": "100.00", "preference": "credit_paypal", "invoice_enabled": false,
    });
    told(&shared, "preferences", usual)
}

/// What a test says of `key`, else the usual; null is not there.
fn told(shared: &Shared, key: &str, usual: Value) -> Response {
    let data = shared.books().world.get(key).cloned().unwrap_or(usual);
    if data.is_null() {
        return not_there();
    }
    Json(json!({ "data": data })).into_response()
}

fn not_there() -> Response {
    refused(StatusCode::NOT_FOUND, "10005", "Resource not found")
}

/// Telnyx' error shape.
fn refused(status: StatusCode, code: &str, title: &str) -> Response {
    (status, Json(json!({"errors": [{"code": code, "title": title}]}))).into_response()
}
