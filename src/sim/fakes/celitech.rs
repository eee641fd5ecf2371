//! CELITECH: a token, eSIMs, purchases with what is left of them, packages, top-ups under an
//! idempotency key that is remembered for a while.
//!
//! `world.esim` is merged into the eSIM; `world.purchases` replaces the purchases that were there
//! before; `world.left` is what is left of them by id; `world.key` is `running`, `down` or
//! `forgotten`.

#![expect(clippy::indexing_slicing, reason = "what JSON does not have is null")]

use super::{
    Books, FakeCharge, FakeKind, Shared, Trouble,
    door::guarded,
    record::{look, shown},
};
use crate::{
    clock::Clock,
    domain::{Span, Timestamp},
};
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
    kind: "celitech",
    router,
    is_order: |method, path| method == "POST" && path == "/purchases/topup",
    pays: true,
    product: Some("1GB/7d"),
    iccid: Some("1111222233334444555003"),
    alias: None,
    config: "base_url = \"{url}\"\nauth_url = \"{url}\"\nclient_id = \"me\"\nclient_secret = \"hush\"\n",
};

/// Decimal gigabytes.
const GB: i64 = 1_000_000_000;

fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/esim", get(esim))
        .route("/packages", get(packages))
        .route("/purchases", get(purchases))
        .route("/purchases/topup", post(order))
        .route("/purchases/{id}/consumption", get(consumption));
    guarded(api, &shared, has_token, || refused(StatusCode::UNAUTHORIZED, "Unauthorized"))
        .route("/oauth2/token", post(token))
        .with_state(shared)
}

/// CELITECH's error shape.
fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message}))).into_response()
}

async fn token(State(shared): State<Shared>, body: String) -> Response {
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let has = |key: &str, value: &str| form.get(key).is_some_and(|given| given == value);
    if !has("grant_type", "client_credentials") || !has("client_secret", "hush") {
        return refused(StatusCode::UNAUTHORIZED, "invalid client");
    }
    Json(json!({"access_token": shared.give_token(), "expires_in": 3600})).into_response()
}

/// Every token that was handed out is good.
fn has_token(shared: &Shared, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let number = given.and_then(|given| given.strip_prefix("Bearer token-")?.parse::<u64>().ok());
    number.is_some_and(|n| (1..=shared.books().tokens).contains(&n))
}

async fn esim(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let mut esim = json!({
        "iccid": query.get("iccid"), "smdpAddress": "rsp.example", "manualActivationCode": "LPA:1$x",
        "activationCode": "x".repeat(1000), "status": "ENABLED", "connectivityStatus": "ACTIVE",
        "isTopUpAllowed": true,
    });
    if let Some(Value::Object(changes)) = shared.books().world.get("esim") {
        for (key, value) in changes {
            esim[key] = value.clone();
        }
    }
    Json(json!({ "esim": esim })).into_response()
}

fn package(size: &Value, days: i64) -> Value {
    let size = size.to_string().parse::<rust_decimal::Decimal>().unwrap_or_default();
    let bytes = (size * rust_decimal::Decimal::from(GB)).normalize().to_string();
    let price = (size * rust_decimal::Decimal::from(450)).trunc().normalize().to_string();
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    json!({
        "id": format!("package-{size}-{days}"), "destination": "FRA", "destinationISO2": "FR",
        "dataLimitInBytes": number(&bytes), "dataLimitInGB": number(&size.to_string()),
        "minDays": 1, "maxDays": days, "priceInCents": number(&price),
    })
}

fn purchase(id: &str, iccid: &str, size: &Value, days: i64) -> Value {
    let mut package = package(size, days);
    package["destinationName"] = json!("France");
    json!({
        "id": id, "startDate": null, "endDate": null, "duration": days,
        "createdDate": "2026-11-01T12:00:00+0000", "createdAt": 1_793_534_400,
        "package": package, "esim": {"iccid": iccid}, "source": "API",
        "purchaseType": "Top-up Purchase", "referenceId": "",
    })
}

/// The purchases that were there before anybody came: one that is over and two that last.
fn before(books: &mut Books, iccid: &str) -> Vec<Value> {
    let now = Clock::System.now().ms();
    // Their dates stay what they were when somebody first looked.
    let now = books.world.entry("_first").or_insert_with(|| json!(now)).as_i64().unwrap_or(now);
    let now = Timestamp::from_ms(now);
    let date =
        |days| now.plus(Span::days(days)).to_utc().map(|at| at.format("%FT%T%z").to_string());
    let dated = |id: &str, size: Value, from: i64, to: i64| {
        let mut row = purchase(id, iccid, &size, 30);
        row["startDate"] = json!(date(from));
        row["endDate"] = json!(date(to));
        row
    };
    let mut first = dated("over", json!(1), -60, -30);
    first["purchaseType"] = json!("First Purchase");
    vec![first, dated("small", json!(0.5), -20, 10), dated("large", json!(3), -5, 25)]
}

async fn purchases(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let mut books = shared.books();
    let iccid = query.get("iccid").map_or("", String::as_str);
    let mut rows = match books.world.get("purchases") {
        Some(rows) => rows.as_array().cloned().unwrap_or_default(),
        None => before(&mut books, iccid),
    };
    for row in &mut books.records {
        // At how many looks from now it can be seen.
        if look(row) == 0 {
            rows.push(shown(row));
        }
    }
    for (key, place) in [("iccid", "/esim/iccid"), ("referenceId", "/referenceId")] {
        if let Some(wanted) = query.get(key) {
            rows.retain(|row| row.pointer(place).is_some_and(|value| value == wanted));
        }
    }
    // The cursor is the place in the list; the SDK writes its limit as a fraction.
    let whole = |key: &str| query.get(key)?.split('.').next()?.parse::<usize>().ok();
    let (from, limit) = (whole("afterCursor").unwrap_or(0), whole("limit").unwrap_or(20));
    let next = from.saturating_add(limit);
    let cursor = (next < rows.len()).then(|| next.to_string());
    let page: Vec<Value> = rows.into_iter().skip(from).take(limit).collect();
    Json(json!({"purchases": page, "afterCursor": cursor})).into_response()
}

async fn consumption(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let books = shared.books();
    let bought = books.records.iter().find(|row| row["id"] == id);
    let usual = match (bought, id.as_str()) {
        (Some(row), _) => row["package"]["dataLimitInBytes"].clone(),
        (None, "small") => json!(125_000_000),
        (None, "large") => json!(2 * GB),
        (None, _) => json!(0),
    };
    let left = books.world.get("left").and_then(|left| left.get(&id)).unwrap_or(&usual);
    let gb = left.as_i64().map_or(0, |left| if left < 0 { -1 } else { left / GB });
    Json(json!({
        "dataUsageRemainingInBytes": left, "dataUsageRemainingInGB": gb, "status": "ACTIVE",
    }))
    .into_response()
}

async fn packages(Query(query): Query<HashMap<String, String>>) -> Response {
    let mut list: Vec<Value> = [json!(0.5), json!(1), json!(3)]
        .iter()
        .flat_map(|size| [package(size, 7), package(size, 30)])
        .collect();
    list.retain(|one| query.get("destination").is_none_or(|d| one["destination"] == *d));
    Json(json!({"packages": list, "afterCursor": null})).into_response()
}

/// What a repeated request must have in common with the first.
fn essence(body: &Value) -> [String; 4] {
    ["iccid", "dataLimitInGB", "duration", "referenceId"].map(|key| {
        let written = body[key].to_string();
        let number = written.parse::<rust_decimal::Decimal>();
        number.map_or(written, |number| number.normalize().to_string())
    })
}

async fn order(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let trouble = shared.trouble();
    let mut books = shared.books();
    let state = books.world.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    match state.as_str() {
        "running" => return refused(StatusCode::CONFLICT, "request in progress"),
        "down" => return refused(StatusCode::SERVICE_UNAVAILABLE, "try again"),
        _ => {}
    }
    let known = books.records.iter().find(|row| !key.is_empty() && row["_key"] == key);
    if let Some(known) = known.filter(|_| state != "forgotten") {
        if known["_essence"] != json!(essence(&body)) {
            return refused(StatusCode::UNPROCESSABLE_ENTITY, "the key was used otherwise");
        }
        return ([("Idempotent-Replayed", "true")], Json(known["_answer"].clone())).into_response();
    }
    buy(&mut books, trouble, key, &body)
}

fn buy(books: &mut Books, trouble: Trouble, key: &str, body: &Value) -> Response {
    let iccid = body["iccid"].as_str().unwrap_or_default();
    let days = body["duration"].to_string();
    let days = days.split('.').next().and_then(|days| days.parse().ok()).unwrap_or(0);
    if !(18..=22).contains(&iccid.len()) || ![1, 2, 7, 14, 30, 90].contains(&days) {
        return refused(StatusCode::BAD_REQUEST, "iccid or duration is not valid");
    }
    if trouble == Trouble::NoFunds {
        return refused(StatusCode::BAD_REQUEST, "Insufficient balance");
    }
    if trouble == Trouble::Refused {
        books.world.insert("esim".to_owned(), json!({"isTopUpAllowed": false}));
        return refused(StatusCode::BAD_REQUEST, "eSIM is not eligible");
    }
    let id = format!("purchase-{}", books.records.len() + 1);
    let told = if trouble == Trouble::OtherTarget { "8901260880000000001" } else { iccid };
    let mut row = purchase(&id, told, &body["dataLimitInGB"], days);
    let reference = body["referenceId"].as_str().unwrap_or_default();
    let answer = json!({
        "purchase": {"id": id, "packageId": row["package"]["id"], "startDate": null,
            "endDate": null, "createdDate": row["createdDate"]},
        "profile": {"iccid": told},
    });
    row["referenceId"] = json!(reference);
    row["_key"] = json!(key);
    row["_essence"] = json!(essence(body));
    row["_answer"] = answer.clone();
    row["_looks"] = json!(if trouble == Trouble::Pending { 2 } else { 0 });
    books.charges.push(FakeCharge {
        reference: reference.to_owned(),
        target: iccid.to_owned(),
        product: row["package"]["id"].as_str().unwrap_or_default().to_owned(),
        minor: row["package"]["priceInCents"].as_i64().unwrap_or(0),
        id,
    });
    books.records.push(row);
    Json(answer).into_response()
}
