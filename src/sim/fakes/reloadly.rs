//! Reloadly: a token, asynchronous top-ups, their status, the report list, the wallet, operators.
#![expect(clippy::indexing_slicing, reason = "a missing member of a JSON value is null")]

use super::{
    FakeCharge, FakeKind, Shared, Trouble,
    door::guarded,
    record::{self, cents, shown},
};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
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
    let api = Router::new()
        .route("/accounts/balance", get(balance))
        .route("/topups-async", post(order))
        .route("/topups/{id}/status", get(status))
        .route("/topups/reports/transactions", get(report))
        .route("/operators/{id}", get(operator))
        .route("/operators/countries/{country}", get(operators))
        .route("/operators/auto-detect/phone/{phone}/countries/{country}", get(detect));
    let stranger = || refused(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED");
    guarded(api, &shared, Shared::knows_token, stranger)
        .route("/oauth/token", post(token))
        .with_state(shared)
}

async fn token(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if body["client_secret"] != "hush" || body["grant_type"] != "client_credentials" {
        return refused(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    }
    let token = shared.give_token();
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

async fn balance() -> Response {
    Json(json!({"balance": 250.5, "currencyCode": "USD", "currencyName": "US Dollar", "updatedAt": "2026-11-21 00:00:00"}))
        .into_response()
}

async fn order(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let reference = body["customIdentifier"].as_str().unwrap_or_default().to_owned();
    let (number, operator) =
        (body["recipientPhone"]["number"].as_str(), body["operatorId"].as_u64());
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
    books.charges.push(FakeCharge {
        reference: reference.clone(),
        target: number.to_owned(),
        product: operator.to_string(),
        minor: cents(&body["amount"]),
        id: id.to_string(),
    });
    books.records.push(json!({
        "transactionId": id, "operatorTransactionId": null, "customIdentifier": reference.to_uppercase(),
        "recipientPhone": target.parse::<u64>().map_or(json!(target), |n| json!(n)),
        "operatorId": operator, "operatorName": "T-Mobile USA RTR", "countryCode": "US",
        "requestedAmount": body["amount"], "requestedAmountCurrencyCode": "USD",
        "deliveredAmount": body["amount"], "deliveredAmountCurrencyCode": "USD",
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
    let word = if record::look(row) > 0 { "PROCESSING" } else { "SUCCESSFUL" };
    (word, shown(row))
}

async fn status(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
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
    Query(query): Query<HashMap<String, String>>,
) -> Response {
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
