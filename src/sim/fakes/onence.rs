//! 1NCE: a token, quotas of SIMs, top-ups that answer with nothing but an address, orders in pages
//! of ten. SIMs are known by their serial without its check digit.

use super::{
    FakeCharge, FakeKind, Shared, Trouble,
    door::{guarded, has},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "onence",
    router,
    is_order: |method, path| method == "POST" && path.ends_with("/topup"),
    pays: true,
    product: Some("topup"),
    iccid: Some("89882280666000000012"),
    alias: None,
    config: "base_url = \"{url}/management-api\"\nusername = \"me\"\npassword = \"hush\"\npayment_method = \"creditcard\"\nprice = \"10.00 USD\"\n",
};

fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/v1/sims/{iccid}/quota/{kind}", get(quota))
        .route("/v1/sims/{iccid}/topup", post(topup))
        .route("/v1/orders", get(orders))
        .route("/v1/orders/{number}", get(order));
    let stranger = || StatusCode::UNAUTHORIZED.into_response();
    let api =
        guarded(api, &shared, Shared::knows_token, stranger).route("/oauth/token", post(token));
    Router::new().nest("/management-api", api).with_state(shared)
}

async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let wanted = format!("Basic {}", BASE64.encode(b"me:hush"));
    let is_known = has(&headers, "authorization", &wanted);
    if !is_known || body.get("grant_type") != Some(&json!("client_credentials")) {
        let body = json!({"statusCode": 400, "errorCode": "BadCredentials", "message": "User does not exist."});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let token = shared.give_token();
    Json(json!({"status_code": 200, "access_token": token, "token_type": "bearer", "expires_in": 3600}))
        .into_response()
}

/// What is wrong with a SIM: its serial has 19 digits here, and some have expired.
fn closed(shared: &Shared, iccid: &str) -> Option<StatusCode> {
    let is_ours = iccid.len() == 19 && iccid.starts_with("8988");
    let books = shared.books();
    let expired = books.world.get("expired").and_then(Value::as_str);
    if !is_ours {
        Some(StatusCode::NOT_FOUND)
    } else if expired == Some(iccid) {
        Some(StatusCode::UNPROCESSABLE_ENTITY)
    } else {
        None
    }
}

async fn quota(
    State(shared): State<Shared>,
    Path((iccid, kind)): Path<(String, String)>,
) -> Response {
    if let Some(status) = closed(&shared, &iccid) {
        return status.into_response();
    }
    let books = shared.books();
    if let Some(told) = books.world.get(&kind) {
        return if told.is_null() {
            StatusCode::NOT_FOUND.into_response()
        } else {
            Json(told.clone()).into_response()
        };
    }
    let bought = books.charges.iter().filter(|charge| charge.target == iccid).count();
    let (left, each) = if kind == "sms" { ("249", 250) } else { ("35.787951", 500) };
    let added = rust_decimal::Decimal::from(bought * each);
    let left = left.parse::<rust_decimal::Decimal>().unwrap_or_default() + added;
    let volume: Value = serde_json::from_str(&left.to_string()).unwrap_or_default();
    Json(json!({
        "volume": volume, "total_volume": each, "expiry_date": "2036-01-01T00:00:00.000Z",
        "peak_throughput": 1_000_000, "last_volume_added": each,
        "last_status_change_date": "2026-10-01T11:59:44.000Z", "threshold_percentage": 20,
    }))
    .into_response()
}

async fn topup(
    State(shared): State<Shared>,
    Path(iccid): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Some(status) = closed(&shared, &iccid) {
        return status.into_response();
    }
    let trouble = shared.trouble();
    if trouble == Trouble::Refused {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let method = query.get("payment_method").cloned().unwrap_or_else(|| "banktransfer".to_owned());
    let mut books = shared.books();
    if books.world.get("no_method").and_then(Value::as_str) == Some(&method) {
        let body = json!({"message": "Payment method used is not valid."});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let number = 2_000_000_001 + books.records.len();
    let date = books.world.get("today").cloned();
    books.charges.push(FakeCharge {
        reference: String::new(),
        target: iccid.clone(),
        product: method,
        minor: 1190,
        id: number.to_string(),
    });
    books.records.push(json!({
        "order_number": number, "order_type": "TOPUP",
        "order_date": date.unwrap_or_else(|| json!("2026-11-21T00:00:00.000+0000")),
        "order_status": if trouble == Trouble::Pending { "OPEN" } else { "COMPLETED" },
        "invoice_number": "20000002", "invoice_amount": "11.90", "currency": "USD",
        "shipping_address": {"first_name": "Li", "city": "Berlin"},
        "sims": [{"iccid": iccid, "_links": []}], "products": [{"product_id": 1001, "quantity": 1}],
    }));
    let address = format!("https://api.1nce.com/management-api/v1/orders/{number}");
    (StatusCode::CREATED, [(header::LOCATION, address)]).into_response()
}

async fn orders(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let number = |key: &str, usual: usize| {
        query.get(key).and_then(|text| text.parse().ok()).unwrap_or(usual).max(1)
    };
    let (page, size) = (number("page", 1), number("pageSize", 10).min(10));
    let books = shared.books();
    let mut rows = books.records.clone();
    // `old_first`: the sort order is not understood; `no_sort`: it is refused.
    let word = books.world.get("orders").and_then(Value::as_str);
    if word == Some("no_sort") && query.contains_key("sort") {
        let body = json!({"message": "sort is not valid"});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    if query.get("sort").is_some_and(|sort| sort == "-order_date") && word != Some("old_first") {
        rows.reverse();
    }
    Json(rows.into_iter().skip((page - 1) * size).take(size).collect::<Vec<_>>()).into_response()
}

async fn order(State(shared): State<Shared>, Path(number): Path<String>) -> Response {
    let books = shared.books();
    let number: Option<u64> = number.parse().ok();
    let is_it = |row: &&Value| row.get("order_number").and_then(Value::as_u64) == number;
    let found = books.records.iter().find(is_it);
    found.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |row| Json(row.clone()).into_response(),
    )
}
