//! Twilio: the balance of one account.

use super::{FakeKind, Shared, door::has};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::BASE64;
use serde_json::json;

const SID: &str = "ACdeadbeefdeadbeefdeadbeefdeadbeef";

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "twilio",
    router,
    is_order: |_, _| false,
    pays: false,
    product: None,
    iccid: None,
    alias: None,
    config: "base_url = \"{url}\"\naccount_sid = \"ACdeadbeefdeadbeefdeadbeefdeadbeef\"\nauth_token = \"hush\"\n",
};

fn router(shared: Shared) -> Router {
    Router::new().route("/2010-04-01/Accounts/{sid}/Balance.json", get(balance)).with_state(shared)
}

async fn balance(
    State(shared): State<Shared>,
    Path(sid): Path<String>,
    headers: HeaderMap,
) -> Response {
    let wanted = format!("Basic {}", BASE64.encode(format!("{SID}:hush").as_bytes()));
    if !has(&headers, "authorization", &wanted) {
        return refused(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    if sid != SID {
        return refused(StatusCode::NOT_FOUND, 20404, "The requested resource was not found");
    }
    let told = shared.books().world.get("balance").cloned();
    let usual = json!({"account_sid": SID, "balance": "182.35", "currency": "USD"});
    Json(told.unwrap_or(usual)).into_response()
}

/// Twilio's error shape.
fn refused(status: StatusCode, code: u32, message: &str) -> Response {
    let body = json!({"code": code, "message": message, "status": status.as_u16()});
    (status, Json(body)).into_response()
}
