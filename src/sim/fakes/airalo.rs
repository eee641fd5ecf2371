//! Airalo: a token, usage that is told from a cache, packages with dates, top-ups, orders found by
//! what their description contains, the balance.
//!
//! `world`: `status` (of the eSIM), `is_unlimited`, `no_packages`, `price` of the 3 GB package.

use super::{FakeCharge, FakeKind, Shared, Trouble, door::guarded, record::cents};
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
    kind: "airalo",
    router,
    is_order: |method, path| method == "POST" && path == "/v2/orders/topups",
    pays: true,
    product: Some("bonbon-mobile-30days-3gb-topup"),
    iccid: Some("8943108170000775671"),
    alias: None,
    config: "base_url = \"{url}\"\nmode = \"sandbox\"\nclient_id = \"me\"\nclient_secret = \"hush\"\n",
};

const ICCID: &str = "8943108170000775671";
const PACKAGE: &str = "bonbon-mobile-30days-3gb-topup";

fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/v2/sims/{iccid}/usage", get(usage))
        .route("/v2/sims/{iccid}/packages", get(packages))
        .route("/v2/sims/{iccid}/topups", get(topups))
        .route("/v2/orders/topups", post(order))
        .route("/v2/orders", get(orders))
        .route("/v2/balance", get(balance));
    let stranger = || answer(401, &json!([]), "This action is unauthorized");
    guarded(api, &shared, Shared::knows_token, stranger)
        .route("/v2/token", post(token))
        .with_state(shared)
}

fn form(body: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn token(State(shared): State<Shared>, body: String) -> Response {
    let form = form(&body);
    let is = |key: &str, value: &str| form.get(key).is_some_and(|found| found == value);
    if !is("client_id", "me") {
        let data = json!({"client_id": "The selected client id is invalid."});
        return answer(422, &data, "the parameter is invalid");
    }
    if !is("client_secret", "hush") || !is("grant_type", "client_credentials") {
        return answer(401, &json!([]), "Client authentication failed");
    }
    let token = shared.give_token();
    let data = json!({"token_type": "Bearer", "expires_in": 31_622_400, "access_token": token});
    answer(200, &data, "success")
}

fn answer(status: u16, data: &Value, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({"data": data, "meta": {"message": message}}))).into_response()
}

/// The other error shape.
fn error(code: i64, reason: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"code": code, "reason": reason})))
        .into_response()
}

fn status_of(shared: &Shared) -> String {
    let books = shared.books();
    books.world.get("status").and_then(Value::as_str).unwrap_or("ACTIVE").to_owned()
}

/// An answer for eSIMs that are not ours, or no longer anybody's.
fn nobodys(shared: &Shared, iccid: &str) -> Option<Response> {
    if iccid != ICCID {
        return Some(answer(404, &json!([]), "messages.resource_not_found"));
    }
    (status_of(shared) == "RECYCLED").then(recycled)
}

fn recycled() -> Response {
    let why = format!(
        "The eSIM with iccid {ICCID} has been recycled. It can no longer be used or topped up."
    );
    error(73, &why)
}

async fn usage(State(shared): State<Shared>, Path(iccid): Path<String>) -> Response {
    let status = status_of(&shared);
    if iccid != ICCID {
        return answer(404, &json!([]), "messages.resource_not_found");
    }
    if status == "RECYCLED" {
        let gone = json!({
            "remaining": 0, "total": 0, "expired_at": null, "is_unlimited": null, "status": status,
            "remaining_voice": 0, "remaining_text": 0, "total_voice": 0, "total_text": 0,
        });
        return answer(200, &gone, "api.succes");
    }
    let mut books = shared.books();
    // For twenty minutes the same is told again, whatever was bought meanwhile.
    if let Some(cached) = books.world.get("cached") {
        return answer(200, cached, "api.succes");
    }
    let bought = i64::try_from(books.records.len()).unwrap_or(0);
    let told = json!({
        "remaining": 767 + 3072 * bought, "total": 2048 + 3072 * bought,
        "expired_at": "2026-12-28 09:47:00", "status": status,
        "is_unlimited": books.world.get("is_unlimited").is_some(),
        "remaining_voice": 0, "remaining_text": 0, "total_voice": 0, "total_text": 0,
    });
    books.world.insert("cached".to_owned(), told.clone());
    answer(200, &told, "api.succes")
}

async fn packages(State(shared): State<Shared>, Path(iccid): Path<String>) -> Response {
    if let Some(response) = nobodys(&shared, &iccid) {
        return response;
    }
    let books = shared.books();
    let row = |id: i64, status: &str, remaining: i64, amount: i64, until: Option<&str>| {
        json!({
            "id": id, "status": status, "remaining": remaining, "expired_at": until,
            "activated_at": until.map(|_| "2026-11-28T09:47:00+00:00"), "finished_at": null,
            "package": {
                "id": PACKAGE, "type": "topup", "price": 10, "net_price": 6, "amount": amount,
                "day": 30, "is_unlimited": false, "title": format!("{} GB - 30 Days", amount / 1024),
                "data": "", "short_info": null,
            },
        })
    };
    let mut rows = vec![
        row(700, "FINISHED", 0, 1024, Some("2026-10-01T00:00:00+00:00")),
        row(728, "ACTIVE", 767, 2048, Some("2026-12-28T11:47:00+02:00")),
    ];
    rows.extend(
        (729..).take(books.records.len()).map(|id| row(id, "NOT_ACTIVE", 3072, 3072, None)),
    );
    if books.world.get("no_packages").is_some() {
        rows.clear();
    }
    Json(json!({"data": rows})).into_response()
}

fn price(shared: &Shared) -> Value {
    let dearer = shared.trouble() == Trouble::DearerNow;
    let books = shared.books();
    books.world.get("price").cloned().unwrap_or_else(|| if dearer { json!(12) } else { json!(9.5) })
}

async fn topups(State(shared): State<Shared>, Path(iccid): Path<String>) -> Response {
    if let Some(response) = nobodys(&shared, &iccid) {
        return response;
    }
    let small = json!({
        "id": PACKAGE, "type": "topup", "price": price(&shared), "amount": 3072, "day": 30,
        "is_unlimited": false, "title": "3 GB - 30 Days", "data": "3 GB", "short_info": "",
        "voice": 0, "text": 0, "net_price": 6,
        "prices": {"net_price": {"USD": 6}, "recommended_retail_price": {"USD": 9.5}},
    });
    let unlimited = json!({
        "id": "bonbon-mobile-10days-unlimited-topup", "type": "topup", "price": 22.5,
        "amount": 0, "day": 10, "is_unlimited": true, "title": "Unlimited - 10 Days",
        "data": "Unlimited", "short_info": "", "voice": 0, "text": 0,
    });
    Json(json!({"data": [small, unlimited]})).into_response()
}

async fn order(State(shared): State<Shared>, body: String) -> Response {
    let form = form(&body);
    let field = |key: &str| form.get(key).cloned().unwrap_or_default();
    let (package, iccid, description) = (field("package_id"), field("iccid"), field("description"));
    let invalid = |data: &Value| answer(422, data, "the parameter is invalid");
    if iccid.is_empty() || package.is_empty() {
        return invalid(&json!({
            "iccid": "The iccid field is required.",
            "package_id": "The package id field is required.",
        }));
    }
    if iccid != ICCID {
        return invalid(&json!({"iccid": "The selected iccid is invalid."}));
    }
    if package != PACKAGE {
        return invalid(&json!({"package_id": "invalid topup package"}));
    }
    let trouble = shared.trouble();
    if trouble == Trouble::NoFunds {
        return error(11, "Insufficient Airalo credit. Please top up your Airalo credit.");
    }
    if trouble == Trouble::Refused || status_of(&shared) == "RECYCLED" {
        return recycled();
    }
    let price = price(&shared);
    let mut books = shared.books();
    let id = 174 + books.records.len();
    // No copy is ever refused.
    books.charges.push(FakeCharge {
        reference: description.clone(),
        target: iccid,
        product: package.clone(),
        minor: cents(&price),
        id: id.to_string(),
    });
    let other = json!([{
        "id": 11047, "created_at": "2026-11-21 14:24:03", "iccid": "8943108170000775689",
        "lpa": "x", "imsis": null, "matching_id": "SECRET", "qrcode": "LPA:1$x$SECRET",
        "qrcode_url": "https://example.com/qr", "airalo_code": null, "apn_type": "automatic",
        "apn_value": null, "is_roaming": true, "confirmation_code": null,
    }]);
    let row = json!({
        "id": id, "created_at": "2026-11-21 14:24:03", "code": format!("20261121-{id:06}"),
        "description": description, "type": "topup", "package_id": package, "quantity": 1,
        "package": "Bonbon Mobile-3 GB - 30 Days", "esim_type": "Prepaid", "validity": "30",
        // A text in the list, a number in the answer to the order.
        "price": price.to_string(), "data": "3 GB", "currency": "USD", "manual_installation": "",
        "qrcode_installation": "", "installation_guides": {"en": "https://example.com/guide"},
        "sims": if trouble == Trouble::OtherTarget { other } else { json!([]) },
        "status": {"name": "Completed", "slug": "completed"},
    });
    let mut made = row.clone();
    if let Some(members) = made.as_object_mut() {
        members.insert("price".to_owned(), price);
        members.insert("quantity".to_owned(), json!("1"));
        members.insert("validity".to_owned(), json!(30));
        members.retain(|key, _| key != "sims" && key != "status");
    }
    books.records.push(row);
    answer(200, &made, "success")
}

async fn orders(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let wanted = query.get("filter[description]").cloned().unwrap_or_default();
    let include = query.get("include").cloned().unwrap_or_default();
    let mut rows: Vec<Value> = shared
        .books()
        .records
        .iter()
        .filter(|row| row["description"].as_str().is_some_and(|text| text.contains(&wanted)))
        .cloned()
        .collect();
    for key in ["sims", "status"].iter().filter(|key| !include.contains(**key)) {
        for members in rows.iter_mut().filter_map(Value::as_object_mut) {
            members.remove(*key);
        }
    }
    Json(json!({
        "data": rows,
        "links": {"first": "…", "last": "…", "prev": null, "next": null},
        "meta": {
            "message": "success", "current_page": 1, "from": 1, "last_page": 1, "path": "…",
            "per_page": "50", "to": rows.len(), "total": rows.len(),
        },
    }))
}

async fn balance() -> Json<Value> {
    Json(json!({
        "data": {"balances": {"name": "balance", "availableBalance": {"amount": 225.35, "currency": "USD"}}},
        "meta": {"message": "success"},
    }))
}
