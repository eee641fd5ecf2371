//! Zendit: purchases of airtime and plans under the caller's id, accepted first and decided later;
//! plans of an eSIM, offers, the wallet.
//!
//! `world.duplicate` is how a known id is answered (`invalid`, `conflict`, `original`: nobody
//! knows); `world.fails` is the error code with which purchases end; `world.plans` replaces the
//! plans.

#![expect(clippy::indexing_slicing, reason = "what JSON does not have is null")]

use super::{
    FakeCharge, FakeKind, Shared, Trouble,
    door::{guarded, has},
    record::{look, shown},
};
use crate::{clock::Clock, domain::Span};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "zendit",
    router,
    is_order: |method, path| method == "POST" && path.ends_with("/purchases"),
    pays: true,
    product: Some("TMOBILE_US_010"),
    iccid: None,
    alias: None,
    config: "base_url = \"{url}\"\napi_key = \"hush\"\n",
};

fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/balance", get(balance))
        .route("/topups/purchases", post(order))
        .route("/topups/purchases/{id}", get(topup))
        .route("/topups/offers", get(airtime_offers))
        .route("/topups/offers/{id}", get(offer))
        .route("/esim/purchases", post(order))
        .route("/esim/purchases/{id}", get(esim))
        .route("/esim/offers", get(esim_offers))
        .route("/esim/offers/{id}", get(offer))
        .route("/esim/{iccid}/plans", get(plans));
    let knows = |_: &Shared, headers: &HeaderMap| has(headers, "authorization", "Bearer hush");
    let stranger = || refused(StatusCode::UNAUTHORIZED, "NOT_AUTHORIZED", None);
    guarded(api, &shared, knows, stranger).with_state(shared)
}

/// Zendit's error shape.
fn refused(status: StatusCode, code: &str, field: Option<&str>) -> Response {
    let mut body = json!({"errorCode": code, "message": code.to_lowercase(), "fields": {}});
    if let Some(field) = field {
        body["fields"][field] = json!("is not valid");
    }
    (status, Json(body)).into_response()
}

async fn balance() -> Json<Value> {
    Json(json!({"availableBalance": 12_345, "currency": "USD", "currencyDivisor": 100}))
}

async fn order(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let (id, offer) = (word("transactionId"), word("offerId"));
    let (number, iccid) = (word("recipientPhoneNumber"), word("iccid"));
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return refused(StatusCode::BAD_REQUEST, "INVALID_REQUEST", Some("transactionId"));
    }
    if offer.is_empty() || (number.is_empty() && iccid.is_empty()) {
        return refused(StatusCode::BAD_REQUEST, "INVALID_REQUEST", Some("offerId"));
    }
    let trouble = shared.trouble();
    let mut books = shared.books();
    if let Some(known) = books.records.iter().find(|row| row["transactionId"] == id) {
        return match books.world.get("duplicate").and_then(Value::as_str) {
            Some("conflict") => refused(StatusCode::CONFLICT, "CONFLICT", None),
            Some("original") => {
                Json(json!({"status": known["status"], "transactionId": id})).into_response()
            }
            _ => refused(StatusCode::BAD_REQUEST, "INVALID_REQUEST", Some("transactionId")),
        };
    }
    let field = if number.is_empty() { "iccid" } else { "recipientPhoneNumber" };
    if trouble == Trouble::Refused {
        return refused(StatusCode::BAD_REQUEST, "INVALID_REQUEST", Some(field));
    }
    let fails = match (trouble, books.world.get("fails")) {
        (Trouble::NoFunds, _) => json!("INSUFFICIENT_FUNDS"),
        (_, Some(code)) => code.clone(),
        (_, None) => Value::Null,
    };
    let value = body["value"]["value"].as_i64().unwrap_or(1000);
    let mut row = json!({
        "transactionId": id, "offerId": offer, "status": "ACCEPTED", "brand": "synthetic",
        "cost": value - 50, "costBase": value - 50, "costFee": 0, "costCurrency": "USD",
        "costCurrencyDivisor": 100, "price": value, "priceCurrency": "USD",
        "priceCurrencyDivisor": 100, "log": [], "createdAt": "2026-11-21T00:00:00Z",
        "_fails": fails, "_target": if number.is_empty() { &iccid } else { &number },
        // At how many looks from now it becomes final.
        "_looks": if trouble == Trouble::Pending { 2 } else { 0 },
    });
    if body["value"]["type"] == "COST" {
        row["cost"] = json!(value);
    }
    if !number.is_empty() {
        let other = trouble == Trouble::OtherTarget;
        row["recipientPhoneNumber"] = json!(if other { "+12025550199" } else { &number });
        row["send"] = json!(value);
        row["sendCurrency"] = json!("USD");
        row["sendCurrencyDivisor"] = json!(100);
    } else if trouble == Trouble::OtherTarget {
        row["_target"] = json!("8901260880000000001");
    }
    if row["_fails"].is_null() {
        books.charges.push(FakeCharge {
            reference: id.clone(),
            target: if number.is_empty() { iccid } else { number },
            product: offer,
            minor: row["cost"].as_i64().unwrap_or(0),
            id: id.clone(),
        });
    }
    books.records.push(row);
    Json(json!({"status": "ACCEPTED", "transactionId": id})).into_response()
}

async fn topup(state: State<Shared>, id: Path<String>) -> Response {
    purchase(&state, &id, true)
}

async fn esim(state: State<Shared>, id: Path<String>) -> Response {
    purchase(&state, &id, false)
}

/// A purchase, which time brings forward.
fn purchase(shared: &Shared, id: &str, airtime: bool) -> Response {
    let mut books = shared.books();
    let found = books.records.iter_mut().find(|row| {
        row["transactionId"] == id && row.get("recipientPhoneNumber").is_some() == airtime
    });
    let Some(row) = found else { return refused(StatusCode::NOT_FOUND, "NOT_FOUND", None) };
    if look(row) > 0 {
        row["status"] = json!("IN_PROGRESS");
    } else if let Some(code) = row["_fails"].as_str() {
        let error = json!({"code": code, "description": code.to_lowercase(), "message": ""});
        row["error"] = error;
        row["status"] = json!("FAILED");
    } else {
        row["confirmation"] = if airtime {
            json!({"confirmationNumber": "000", "externalReferenceId": "000"})
        } else {
            json!({"iccid": row["_target"], "smdpAddress": "rsp.example", "activationCode": ""})
        };
        row["status"] = json!("DONE");
    }
    Json(shown(row)).into_response()
}

fn fixed(id: &str, cost: i64) -> Value {
    let money = |fixed: i64| json!({"currency": "USD", "currencyDivisor": 100, "fixed": fixed});
    json!({
        "offerId": id, "brand": "synthetic", "brandName": "Synthetic", "country": "US",
        "enabled": true, "priceType": "FIXED", "cost": money(cost), "price": money(cost + 50),
        "shortNotes": "synthetic", "subTypes": ["Mobile Top Up"], "durationDays": 30,
        "dataGB": 0, "dataUnlimited": false,
    })
}

async fn offer(Path(id): Path<String>) -> Json<Value> {
    Json(fixed(&id, 950))
}

fn page(list: &[Value]) -> Json<Value> {
    Json(json!({"limit": 100, "offset": 0, "total": list.len(), "list": list}))
}

async fn airtime_offers() -> Json<Value> {
    let mut open = fixed("TMOBILE_US_OPEN", 0);
    open["priceType"] = json!("RANGE");
    open["send"] = json!({"currency": "USD", "currencyDivisor": 100, "min": 500, "max": 10_000});
    let mut off = fixed("GONE_US_005", 450);
    off["enabled"] = json!(false);
    page(&[fixed("TMOBILE_US_010", 950), open, off])
}

async fn esim_offers() -> Json<Value> {
    let mut plan = fixed("ESIM-US-30D-3GB", 700);
    plan["dataGB"] = json!(3);
    page(&[plan])
}

async fn plans(State(shared): State<Shared>, Path(iccid): Path<String>) -> Response {
    if let Some(list) = shared.books().world.get("plans") {
        return Json(json!({"list": list, "total": list.as_array().map_or(0, Vec::len)}))
            .into_response();
    }
    let ends = Clock::System.now().plus(Span::days(10)).rfc3339();
    let list = json!([
        {"offerId": "ESIM-US-30D-3GB", "iccid": iccid, "description": "3 GB", "initialDataGB": 3,
         "remainingDataGB": 1.25, "startAt": "2026-11-01T00:00:00Z", "endAt": ends,
         "status": "ACTIVE", "unlimited": false},
        {"offerId": "ESIM-US-30D-1GB", "iccid": iccid, "description": "1 GB", "initialDataGB": 1,
         "remainingDataGB": 1, "status": "QUEUED", "unlimited": false},
    ]);
    Json(json!({"list": list, "total": 2, "firstInstalledAt": "2026-11-01T00:00:00Z"}))
        .into_response()
}
