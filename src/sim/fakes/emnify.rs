//! emnify: a token, endpoints with a SIM each, and their data quota, which is set as a whole. A
//! quota that is set to what it is already is not set: nothing comes of a copy.

use super::{FakeCharge, FakeKind, Shared, Trouble, door::guarded};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "emnify",
    router,
    is_order: |method, path| method == "POST" && path.ends_with("/quota/data"),
    pays: true,
    product: Some("500 MB until 2099-12-31"),
    iccid: Some("89883030000000123452"),
    alias: Some("4711"),
    config: "base_url = \"{url}\"\napplication_token = \"hush\"\nendpoints = { \"89883030000000123452\" = \"4711\" }\n",
};

fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/api/v1/endpoint", get(endpoints))
        .route("/api/v1/endpoint/{id}", get(endpoint))
        .route("/api/v1/endpoint/{id}/quota/data", get(quota).post(set));
    guarded(api, &shared, Shared::knows_token, stranger)
        .route("/api/v1/authenticate", post(authenticate))
        .with_state(shared)
}

async fn authenticate(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if word(&body, "/application_token") != "hush" {
        return stranger();
    }
    Json(json!({"auth_token": shared.give_token()})).into_response()
}

fn stranger() -> Response {
    refused(StatusCode::UNAUTHORIZED, 1_000_001, "Unauthorized")
}

/// The text at a JSON Pointer; nothing where there is none.
fn word<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The error shape of this API.
fn refused(status: StatusCode, code: u32, word: &str) -> Response {
    let body = json!({"error_code": code, "error_token": word, "message": word});
    (status, Json(body)).into_response()
}

fn not_there() -> Response {
    refused(StatusCode::NOT_FOUND, 4_040_001, "NotFound")
}

fn one(shared: &Shared) -> Value {
    let told = shared.books().world.get("sim").cloned();
    let sim = told.unwrap_or_else(|| json!({"id": 9, "iccid": "8988303000000012345"}));
    json!({
        "id": 4711, "name": "pump", "sim": sim, "status": {"id": 0, "description": "Enabled"},
        "service_profile": {"id": 1}, "tariff_profile": {"id": 1},
    })
}

async fn endpoints(State(shared): State<Shared>) -> Response {
    Json(json!([one(&shared)])).into_response()
}

async fn endpoint(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    if id == "4711" { Json(one(&shared)).into_response() } else { not_there() }
}

/// The quota as it is now; null where there is none.
fn now(shared: &Shared) -> Value {
    let told = shared.books().world.get("quota").cloned();
    told.unwrap_or_else(|| {
        json!({
            "status": {"id": "1", "description": "ACTIVE"}, "volume": 12.5,
            "expiry_date": "2027-06-30T22:00:00.000+0000", "auto_refill": 0,
            "action_on_exhaustion": {"id": "1", "description": "Block"},
            "last_volume_added": 100, "last_status_change_date": "2026-10-01T11:59:44.000+0000",
        })
    })
}

async fn quota(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match now(&shared) {
        quota if id == "4711" && !quota.is_null() => Json(quota).into_response(),
        _ => not_there(),
    }
}

async fn set(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    if id != "4711" {
        return not_there();
    }
    let is_whole = !word(&body, "/status/id").is_empty()
        && body.get("volume").is_some_and(Value::is_number)
        && !word(&body, "/expiry_date").is_empty()
        && word(&body, "/action_on_exhaustion/id") == "1";
    if !is_whole || shared.trouble() == Trouble::Refused {
        let body = json!({"message": "Unprocessable Entity"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response();
    }
    let was = now(&shared);
    let mut books = shared.books();
    let differs = |key: &str| was.get(key) != body.get(key);
    if differs("volume") || differs("expiry_date") {
        let number = books.charges.len();
        let volume = body.get("volume").cloned().unwrap_or_default();
        books.charges.push(FakeCharge {
            reference: String::new(),
            target: id,
            product: format!("{volume} until {}", word(&body, "/expiry_date")),
            minor: 0,
            id: number.to_string(),
        });
        let mut quota = body;
        if let Some(members) = quota.as_object_mut() {
            members.insert("last_volume_added".to_owned(), volume);
            members.entry("auto_refill").or_insert_with(|| json!(0));
        }
        books.world.insert("quota".to_owned(), quota);
    }
    StatusCode::CREATED.into_response()
}
