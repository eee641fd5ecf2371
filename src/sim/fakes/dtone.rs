//! DT One DVS: transactions that are created, confirmed, cancelled or left to expire; their list,
//! the wallet, products, the look-ups of numbers and of what is left on an eSIM.
//!
//! The last two digits of the number or serial choose how a transaction ends, as in the sandbox.

#![expect(clippy::indexing_slicing, reason = "a JSON value has null for what is not there")]

use super::{
    FakeCharge, FakeKind, Shared, Trouble,
    door::{guarded, has},
    record::{look, shown},
};
use crate::{clock::Clock, domain::Span};
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
    kind: "dtone",
    router,
    // Confirming what is there already is no order of its own.
    is_order: |method, path| method == "POST" && path.ends_with("/async/transactions"),
    pays: true,
    product: Some("123:ranged"),
    iccid: None,
    alias: None,
    config: "base_url = \"{url}/v1\"\napi_key = \"me\"\napi_secret = \"hush\"\ncurrency = \"USD\"\n",
};

fn router(shared: Shared) -> Router {
    let v1 = Router::new()
        .route("/async/transactions", post(create))
        .route("/async/transactions/{id}/confirm", post(confirm))
        .route("/transactions/{id}/cancel", post(cancel))
        .route("/transactions", get(list))
        .route("/balances", get(balances))
        .route("/products", get(products))
        .route("/products/{id}", get(one_product))
        .route("/lookup/mobile-number", post(operator))
        .route("/lookup/credit-party-benefits", post(benefits));
    // me:hush
    let knows =
        |_: &Shared, headers: &HeaderMap| has(headers, "authorization", "Basic bWU6aHVzaA==");
    let v1 = guarded(v1, &shared, knows, || refused(401, 1_000_401));
    Router::new().nest("/v1", v1).with_state(shared)
}

/// DT One's error shape.
fn refused(status: u16, code: u32) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let body = json!({"errors": [{"code": code, "message": format!("error {code}")}]});
    (status, Json(body)).into_response()
}

/// An error that a test wants, as `{"status": …, "code": …}`.
fn wanted(shared: &Shared, key: &str) -> Option<Response> {
    let error = shared.books().world.get(key).cloned()?;
    let code = error["code"].as_u64().and_then(|code| u32::try_from(code).ok());
    let status = error["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    Some(refused(status?, code?))
}

fn status(class: u8, word: &str) -> Value {
    // What the ids of five digits mean is not known; the class's counts.
    let name = word.split('-').next().unwrap_or(word);
    json!({"id": u32::from(class) * 10_000, "message": word, "class": {"id": class, "message": name}})
}

/// How a transaction for a number or serial ends.
fn fate(target: &str) -> (u8, &'static str) {
    match target.get(target.len().saturating_sub(2)..).unwrap_or_default() {
        "02" => (9, "DECLINED-INVALID-CREDIT-PARTY"),
        "03" => (9, "DECLINED-BARRED-CREDIT-PARTY"),
        "04" => (9, "DECLINED-OPERATOR-CURRENTLY-UNAVAILABLE"),
        "05" if !target.starts_with("89") => (9, "DECLINED-DUPLICATED-TRANSACTION"),
        "06" => (9, "DECLINED"),
        "07" => (9, "DECLINED-EXCEPTION"),
        _ => (7, "COMPLETED"),
    }
}

async fn create(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if let Some(response) = wanted(&shared, "create_error") {
        return response;
    }
    let trouble = shared.trouble();
    let reference = body["external_id"].as_str().unwrap_or_default().to_owned();
    let party = &body["credit_party_identifier"];
    let serial = party["account_number"].as_str();
    let Some(target) = serial.or(party["mobile_number"].as_str()).map(str::to_owned) else {
        return refused(400, 1_000_400);
    };
    let Some(product) = body["product_id"].as_u64().and_then(product) else {
        return refused(404, 1_003_001);
    };
    if !(1..=40).contains(&reference.len()) {
        return refused(400, 1_000_400);
    }
    let is_ranged = product["type"].as_str().is_some_and(|kind| kind.starts_with("RANGED"));
    if is_ranged != body["source"].is_object() || is_ranged != body["calculation_mode"].is_string()
    {
        return refused(400, 1_000_400);
    }
    let mut books = shared.books();
    if books.records.iter().any(|row| row["external_id"] == reference.as_str()) {
        return refused(400, 1_007_001);
    }
    if trouble == Trouble::NoFunds {
        return refused(400, 1_006_001);
    }
    let id = 900_000_001 + books.records.len();
    let (class, word) = if trouble == Trouble::Refused {
        (9, "DECLINED-INVALID-CREDIT-PARTY")
    } else {
        fate(&target)
    };
    let is_esim = product["service"]["id"] == 13;
    let echoed = match (trouble, serial) {
        (Trouble::OtherTarget, Some(_)) => json!({"account_number": "8944500102102198413"}),
        (Trouble::OtherTarget, None) => json!({"mobile_number": "+12025550199"}),
        _ => party.clone(),
    };
    let expiry = match books.world.get("expired") {
        Some(_) => Clock::System.now().minus(Span::hours(2)),
        None => Clock::System.now().plus(Span::hours(1)),
    };
    let price = if trouble == Trouble::DearerNow { json!(12.5) } else { json!(9.5) };
    let mut row = json!({
        "id": id, "external_id": reference, "creation_date": "2026-11-21T00:00:00.000000000Z",
        "confirmation_expiration_date": expiry.rfc3339(), "confirmation_date": null,
        "status": status(1, "CREATED"), "operator_reference": null, "pin": null,
        "product": product, "promotions": [], "benefits": [],
        "prices": {
            "wholesale": {"unit_type": "CURRENCY", "unit": "USD", "amount": price, "fee": 0.25},
            "retail": null,
        },
        "rates": {"base": 1, "wholesale": 1.05, "retail": null},
        "requested_values": null, "adjusted_values": null, "callback_url": null, "metadata": null,
        "credit_party_identifier": echoed,
        "_looks": if trouble == Trouble::Pending { 2 } else { 0 },
        "_end": status(class, word),
        // Without a serial an eSIM's plan comes on an eSIM of its own.
        "_target": if is_esim && serial.is_none() { "a new eSIM" } else { target.as_str() },
    });
    if is_ranged {
        let values = json!({"source": body["source"], "destination": body["source"]});
        row["requested_values"] = values;
    }
    for (key, value) in books.world.get("created").and_then(Value::as_object).into_iter().flatten()
    {
        row[key] = value.clone();
    }
    if body["auto_confirm"] == true {
        carry_out(&mut row, &mut books.charges);
    }
    let shown = shown(&row);
    books.records.push(row);
    (StatusCode::CREATED, Json(shown)).into_response()
}

/// Hands a transaction to the operator; what will be completed is charged.
fn carry_out(row: &mut Value, charges: &mut Vec<FakeCharge>) {
    row["status"] = status(5, "SUBMITTED");
    row["confirmation_date"] = json!("2026-11-21T00:00:01.000000000Z");
    if row["_end"]["class"]["id"] == 7 {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        charges.push(FakeCharge {
            reference: text(&row["external_id"]),
            target: text(&row["_target"]),
            product: text(&row["product"]["id"]),
            minor: 975,
            id: text(&row["id"]),
        });
        if row["product"]["type"].as_str().is_some_and(|kind| kind.contains("PIN")) {
            row["pin"] = json!({"code": "4711-0815", "serial": "77"});
        }
    }
}

fn is_class(row: &Value, class: u8) -> bool {
    row["status"]["class"]["id"] == class
}

async fn confirm(State(shared): State<Shared>, Path(id): Path<u64>) -> Response {
    if let Some(response) = wanted(&shared, "confirm_error") {
        return response;
    }
    let mut books = shared.books();
    let books = &mut *books;
    let Some(row) = books.records.iter_mut().find(|row| row["id"] == id) else {
        return refused(404, 1_008_004);
    };
    if is_class(row, 4) || books.world.contains_key("expired") {
        return refused(400, 1_007_004);
    }
    if !is_class(row, 1) {
        return refused(400, 1_007_002);
    }
    carry_out(row, &mut books.charges);
    (StatusCode::ACCEPTED, Json(shown(row))).into_response()
}

async fn cancel(State(shared): State<Shared>, Path(id): Path<u64>) -> Response {
    if let Some(response) = wanted(&shared, "cancel_error") {
        return response;
    }
    let mut books = shared.books();
    let Some(row) = books.records.iter_mut().find(|row| row["id"] == id) else {
        return refused(404, 1_008_004);
    };
    if is_class(row, 4) {
        return refused(400, 1_007_005);
    }
    if !is_class(row, 1) {
        return refused(400, 1_007_007);
    }
    row["status"] = status(4, "CANCELLED");
    (StatusCode::ACCEPTED, Json(shown(row))).into_response()
}

async fn list(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let wanted = query.get("external_id").cloned().unwrap_or_default();
    let mut books = shared.books();
    let mut rows = Vec::new();
    for row in books.records.iter_mut().filter(|row| row["external_id"] == wanted.as_str()) {
        if look(row) <= 0 && is_class(row, 5) {
            row["status"] = row["_end"].clone();
        }
        rows.push(shown(row));
    }
    // Both are documented.
    if rows.is_empty() && books.world.contains_key("empty_is_404") {
        return refused(404, 1_008_004);
    }
    Json(rows).into_response()
}

async fn balances() -> Json<Value> {
    Json(json!([
        {"id": 1, "unit_type": "CURRENCY", "unit": "EUR", "available": 1, "holding": 0, "credit_limit": 0},
        {"id": 2, "unit_type": "CURRENCY", "unit": "USD", "available": 250.5, "holding": 9.5, "credit_limit": 0},
    ]))
}

const PRODUCTS: [u64; 6] = [123, 124, 125, 126, 127, 777];

fn product(id: u64) -> Option<Value> {
    let (kind, service, subservice, field) = match id {
        123 => ("RANGED_VALUE_RECHARGE", 1, 11, "mobile_number"),
        124 => ("FIXED_VALUE_RECHARGE", 1, 12, "mobile_number"),
        125 => ("FIXED_VALUE_PIN_PURCHASE", 1, 11, "mobile_number"),
        // Bills, and what wants the buyer's name, are beyond an order of ours.
        126 => ("RANGED_VALUE_PAYMENT", 2, 21, "account_number"),
        127 => ("FIXED_VALUE_RECHARGE", 1, 11, "mobile_number"),
        777 => ("FIXED_VALUE_PIN_PURCHASE", 13, 131, "account_number"),
        _ => return None,
    };
    let is_ranged = kind.starts_with("RANGED");
    let range =
        |min: u64, max: f64| if is_ranged { json!({"min": min, "max": max}) } else { json!(10) };
    let price = if is_ranged { json!({"min": 4.75, "max": 90.25}) } else { json!(9.5) };
    let data = json!({"base": 1, "promotion_bonus": 0, "total_excluding_tax": 1, "total_including_tax": 1});
    let benefits = json!([{
        "type": "DATA", "unit_type": "DATA", "unit": "GB", "amount": data,
        "additional_information": null,
    }]);
    let mut listed = json!({
        "id": id, "name": format!("Product {id}"), "description": "synthetic", "type": kind,
        "tags": null, "regions": null,
        "service": {"id": service, "name": "S", "subservice": {"id": subservice, "name": "T"}},
        "operator": served_by(1, "T-Mobile USA"),
        "validity": {"unit": "DAY", "quantity": if id == 124 || id == 777 { 30 } else { -1 }},
        "required_debit_party_identifier_fields": null,
        "required_credit_party_identifier_fields": [[field]],
        "required_sender_fields": if id == 127 { json!([["last_name"]]) } else { Value::Null },
        "required_beneficiary_fields": null, "required_statement_identifier_fields": null,
        "required_additional_identifier_fields": null, "availability_zones": ["INTERNATIONAL"],
        "source": {"unit_type": "CURRENCY", "unit": "USD", "amount": range(5, 95.0)},
        "destination": {"unit_type": "CURRENCY", "unit": "USD", "amount": range(5, 95.0)},
        "prices": {"wholesale": {"unit_type": "CURRENCY", "unit": "USD", "amount": price, "fee": 0.25}, "retail": null},
        "rates": {"base": 1, "wholesale": 1.05, "retail": null},
        "benefits": if id == 124 || id == 777 { benefits } else { json!([]) }, "promotions": null,
    });
    // Each kind has members that the others do not have.
    if is_ranged {
        listed["accepted_calculation_modes"] = json!(["SOURCE_AMOUNT", "DESTINATION_AMOUNT"]);
    }
    if kind.contains("PIN") {
        let how = json!(["Dial *233*", "then the code"]);
        listed["pin"] = json!({"usage_info": how, "validity": null, "terms": null});
    }
    if kind.ends_with("PAYMENT") {
        listed["payment"] =
            json!({"modes": null, "posting_period": null, "supports_statement_inquiry": false});
    }
    Some(listed)
}

fn served_by(id: u64, name: &str) -> Value {
    let country = json!({"name": "United States", "iso_code": "USA", "regions": null});
    json!({"id": id, "name": name, "country": country, "regions": null})
}

async fn products(Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let is_wanted = |product: &Value| {
        let is = |key: &str, at: &Value| {
            query.get(key).is_none_or(|id| id.parse::<u64>().is_ok_and(|id| *at == id))
        };
        is("operator_id", &product["operator"]["id"]) && is("service_id", &product["service"]["id"])
    };
    Json(PRODUCTS.into_iter().filter_map(product).filter(is_wanted).collect())
}

async fn one_product(Path(id): Path<u64>) -> Response {
    product(id).map_or_else(|| refused(404, 1_003_001), |product| Json(product).into_response())
}

async fn operator(Json(body): Json<Value>) -> Json<Value> {
    let is_sure = body["mobile_number"].as_str().is_some_and(|number| !number.ends_with("0000"));
    let (mut other, mut sure) = (served_by(2, "Lycamobile USA"), served_by(1, "T-Mobile USA"));
    other["identified"] = json!(false);
    sure["identified"] = json!(is_sure);
    Json(json!([other, sure]))
}

async fn benefits(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if body["credit_party_identifier"]["account_number"].is_null() {
        return refused(400, 1_000_400);
    }
    if let Some(list) = shared.books().world.get("benefits") {
        return Json(list.clone()).into_response();
    }
    let expiry = Clock::System.now().plus(Span::days(20)).rfc3339();
    Json(json!([{
        "type": "DATA", "unit_type": "DATA", "unit": "MB", "amount": 512,
        "expiration_date": expiry, "country": null,
    }]))
    .into_response()
}
