//! Reloadly: a token, asynchronous top-ups, their status, the report list, the wallet, operators.
#![expect(clippy::indexing_slicing, reason = "a missing member of a JSON value is null")]

use super::{FakeCharge, FakeKind, Shared, Trouble};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "reloadly",
    router,
    is_order: |method, path| method == "POST" && path.starts_with("/topups"),
    pays: true,
    product: Some("548"),
    iccid: None,
    alias: None,
    config: "base_url = \"{url}\"\nauth_url = \"{url}\"\nclient_id = \"me\"\nclient_secret = \"hush\"\ncurrency = \"USD\"\n",
};

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/accounts/balance", get(balance))
        .route("/topups-async", post(order))
        .route("/topups/{id}/status", get(status))
        .route("/topups/reports/transactions", get(report))
        .route("/operators/{id}", get(operator))
        .route("/operators/countries/{country}", get(operators))
        .route("/operators/auto-detect/phone/{phone}/countries/{country}", get(detect))
        .with_state(shared)
}

async fn token(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if body["client_secret"] != "hush" || body["grant_type"] != "client_credentials" {
        return refused(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    }
    let mut books = shared.books();
    books.tokens += 1;
    let token = format!("token-{}", books.tokens);
    Json(json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})).into_response()
}

/// Reloadly's error shape.
fn refused(status: StatusCode, code: &str) -> Response {
    let body = json!({
        "timeStamp": "2026-11-21 00:00:00", "message": code.to_lowercase(), "path": "/topups",
        "errorCode": code, "infoLink": null, "details": [],
    });
    (status, Json(body)).into_response()
}

fn is_known(shared: &Shared, headers: &HeaderMap) -> bool {
    let wanted = format!("Bearer token-{}", shared.books().tokens);
    headers.get("authorization").is_some_and(|given| given.as_bytes() == wanted.as_bytes())
}

async fn balance(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !is_known(&shared, &headers) {
        return refused(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED");
    }
    Json(json!({"balance": 250.5, "currencyCode": "USD", "currencyName": "US Dollar", "updatedAt": "2026-11-21 00:00:00"}))
        .into_response()
}

async fn order(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !is_known(&shared, &headers) {
        return refused(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED");
    }
    let reference = body["customIdentifier"].as_str().unwrap_or_default().to_owned();
    let (number, operator) =
        (body["recipientPhone"]["number"].as_str(), body["operatorId"].as_u64());
    let amount = body["amount"].to_string();
    let (Some(number), Some(operator), false) = (number, operator, reference.is_empty()) else {
        return refused(StatusCode::BAD_REQUEST, "INVALID_INPUT_PROVIDED");
    };
    let trouble = shared.trouble();
    let mut books = shared.books();
    let is_same = |row: &Value| {
        row["customIdentifier"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(&reference))
    };
    if books.records.iter().any(is_same) {
        return refused(StatusCode::BAD_REQUEST, "CUSTOM_IDENTIFIER_ALREADY_USED");
    }
    match trouble {
        // A request that is refused leaves no record.
        Trouble::NoFunds => return refused(StatusCode::BAD_REQUEST, "INSUFFICIENT_BALANCE"),
        Trouble::Refused => return refused(StatusCode::BAD_REQUEST, "INVALID_RECIPIENT_PHONE"),
        Trouble::DearerNow => {
            return refused(StatusCode::BAD_REQUEST, "INVALID_AMOUNT_FOR_OPERATOR");
        }
        Trouble::None
        | Trouble::LostBefore
        | Trouble::LostAfter
        | Trouble::FailedAfter
        | Trouble::Page
        | Trouble::PageAfter
        | Trouble::Truncated
        | Trouble::RateLimited
        | Trouble::Unauthorized
        | Trouble::Pending
        | Trouble::OtherTarget => {}
    }
    let id = 1000 + books.records.len();
    let target = if trouble == Trouble::OtherTarget { "12025550199" } else { number };
    let minor = (amount.parse::<rust_decimal::Decimal>().unwrap_or_default()
        * rust_decimal::Decimal::from(100))
    .trunc();
    books.charges.push(FakeCharge {
        reference: reference.clone(),
        target: number.to_owned(),
        product: operator.to_string(),
        minor: minor.try_into().unwrap_or(0),
        id: id.to_string(),
    });
    let amount: Value = serde_json::from_str(&amount).unwrap_or_default();
    books.records.push(json!({
        "transactionId": id, "operatorTransactionId": null, "customIdentifier": reference.to_uppercase(),
        "recipientPhone": target.parse::<u64>().map_or(json!(target), |n| json!(n)),
        "operatorId": operator, "operatorName": "T-Mobile USA RTR", "countryCode": "US",
        "requestedAmount": amount, "requestedAmountCurrencyCode": "USD",
        "deliveredAmount": amount, "deliveredAmountCurrencyCode": "USD",
        "transactionDate": "2026-11-20 19:00:00", "pinDetail": code(operator, id), "balanceInfo": null,
        // At how many looks from now it becomes final.
        "_looks": if trouble == Trouble::Pending { 2 } else { 0 },
    }));
    Json(json!({"transactionId": id})).into_response()
}

/// A code, where the operator sells codes; with the leading zeros that a number would lose.
fn code(operator: u64, id: usize) -> Value {
    if operator != 1230 {
        return Value::Null;
    }
    json!({
        "serial": 558_111, "info1": "DIAL *233", "info2": "ENTER THE CODE", "info3": "PRESS #",
        "value": null, "code": format!("00{id:010}"), "ivr": "1-800-000-0000", "validity": "30 days",
    })
}

/// The word of a record, which time changes; and the record as it is shown, without one.
fn look(row: &mut Value) -> (&'static str, Value) {
    let left = row["_looks"].as_i64().unwrap_or(0);
    row["_looks"] = json!((left - 1).max(0));
    let mut shown = row.clone();
    if let Some(members) = shown.as_object_mut() {
        members.remove("_looks");
    }
    (if left > 0 { "PROCESSING" } else { "SUCCESSFUL" }, shown)
}

async fn status(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if !is_known(&shared, &headers) {
        return refused(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED");
    }
    let mut books = shared.books();
    let is_it = |row: &&mut Value| row["transactionId"].as_u64() == id.parse().ok();
    let Some(row) = books.records.iter_mut().find(is_it) else {
        return refused(StatusCode::NOT_FOUND, "TRANSACTION_NOT_FOUND");
    };
    let (word, shown) = look(row);
    Json(json!({"code": null, "message": null, "status": word, "transaction": shown}))
        .into_response()
}

async fn report(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if !is_known(&shared, &headers) {
        return refused(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED");
    }
    let wanted = query.get("customIdentifier").cloned().unwrap_or_default();
    let books = shared.books();
    let rows: Vec<Value> = books
        .records
        .iter()
        .filter(|row| {
            row["customIdentifier"].as_str().is_some_and(|r| r.eq_ignore_ascii_case(&wanted))
        })
        .map(|row| look(&mut row.clone()).1)
        .collect();
    Json(json!({
        "content": rows, "totalElements": rows.len(), "totalPages": 1, "last": true, "first": true,
        "number": 0, "size": 50, "numberOfElements": rows.len(), "empty": rows.is_empty(),
    }))
    .into_response()
}

fn catalogue(id: u64) -> Value {
    json!({
        "operatorId": id, "name": "T-Mobile USA RTR", "bundle": false, "data": false, "pin": false,
        "denominationType": "RANGE", "senderCurrencyCode": "USD", "destinationCurrencyCode": "USD",
        "internationalDiscount": 3.0, "localDiscount": 0, "minAmount": 5, "maxAmount": 91.78,
        "fees": {"international": 0.2, "internationalPercentage": 0, "local": 0, "localPercentage": 0},
        "fixedAmounts": [], "promotions": [], "country": {"isoName": "US", "name": "United States"},
    })
}

async fn operator(State(shared): State<Shared>, Path(id): Path<u64>) -> Json<Value> {
    let mut operator = catalogue(id);
    if let Some(fee) = shared.books().world.get("fee") {
        operator["fees"]["international"] = fee.clone();
    }
    Json(operator)
}

async fn operators(Path(_): Path<String>) -> Json<Value> {
    let mut pin = catalogue(1230);
    pin["name"] = json!("T-Mobile USA PIN");
    pin["pin"] = json!(true);
    pin["denominationType"] = json!("FIXED");
    pin["fixedAmounts"] = json!([10, 25.0, 50]);
    Json(json!([catalogue(548), pin]))
}

async fn detect(Path((phone, _)): Path<(String, String)>) -> Response {
    if phone.ends_with("0000") {
        return refused(StatusCode::NOT_FOUND, "COULD_NOT_AUTO_DETECT_OPERATOR");
    }
    Json(catalogue(548)).into_response()
}
