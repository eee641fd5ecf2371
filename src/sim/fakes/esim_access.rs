//! eSIM Access: signed requests, envelopes, one eSIM that top-ups prolong, packages, the wallet.
//!
//! A reference that was used before is answered with an error. `world`: `status` (of the eSIM),
//! `error` (a code that every answer then is).

use super::{FakeCharge, FakeKind, Shared, Trouble};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "esim_access",
    router,
    is_order: |_, path| path == "/api/v1/open/esim/topup",
    pays: true,
    product: Some("TOPUP_JC172"),
    iccid: Some("8943108170000775671"),
    alias: None,
    config: "base_url = \"{url}/api/v1/open\"\naccess_code = \"me-hush\"\nsecret_key = \"hush\"\n",
};

const ICCID: &str = "8943108170000775671";
const PACKAGE: &str = "TOPUP_JC172";
const GB: i64 = 1 << 30;

fn router(shared: Shared) -> Router {
    let open = Router::new()
        .route("/balance/query", post(balance))
        .route("/package/list", post(packages))
        .route("/esim/query", post(query))
        .route("/esim/topup", post(topup))
        .layer(middleware::from_fn_with_state(shared.clone(), only_signed))
        .with_state(shared);
    Router::new().nest("/api/v1/open", open)
}

fn done(obj: &Value) -> Response {
    // As found: the truth is a text here and there.
    Json(json!({"success": "true", "errorCode": "0", "errorMsg": null, "obj": obj})).into_response()
}

/// Errors have status 200, too.
fn failed(code: &str) -> Response {
    let body = json!({"success": false, "errorCode": code, "errorMsg": "no", "obj": null});
    (StatusCode::OK, Json(body)).into_response()
}

async fn only_signed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    if let Err(code) = check(&parts.headers, &bytes) {
        return failed(code);
    }
    let error = shared.books().world.get("error").and_then(Value::as_str).map(str::to_owned);
    if let Some(code) = error {
        return failed(&code);
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// What is wrong with a request's headers, by its code.
fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code = header("RT-AccessCode").ok_or("000101")?;
    let id = header("RT-RequestID").ok_or("000101")?;
    let timestamp = header("RT-Timestamp").ok_or("000101")?;
    let signature = header("RT-Signature").ok_or("000101")?;
    if timestamp.len() != 13 || timestamp.parse::<u64>().is_err() {
        return Err("101001");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").map_err(|_| "000001")?;
    mac.update(format!("{timestamp}{id}{code}").as_bytes());
    mac.update(body);
    let wanted = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    if code == "me-hush" && signature == wanted { Ok(()) } else { Err("101003") }
}

fn field<'v>(body: &'v Value, key: &str) -> &'v str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

async fn balance() -> Response {
    done(&json!({"balance": 1_254_321}))
}

async fn packages(Json(body): Json<Value>) -> Response {
    if field(&body, "type") != "TOPUP" {
        return failed("000104");
    }
    if field(&body, "iccid") != ICCID {
        return failed("310403");
    }
    done(&json!({"packageList": [{
        "packageCode": PACKAGE, "slug": "US_3_30", "name": "United States 3GB 30Days",
        "price": 95_000, "currencyCode": "USD", "volume": 3 * GB, "duration": 30,
        "durationUnit": "DAY", "location": "US", "supportTopUpType": 2, "activeType": 2,
        "dataType": 1,
    }]}))
}

/// The eSIM after `topups`: data and days are added to what is left.
fn esim(shared: &Shared) -> Value {
    let books = shared.books();
    let topups = books.records.len();
    let n = i64::try_from(topups).unwrap_or(0);
    let end = chrono::DateTime::from_timestamp(1_798_451_220 + n * 30 * 86_400, 0);
    let end = end.map(|at| at.format("%Y-%m-%dT%H:%M:%S%z").to_string());
    let status = books.world.get("status").and_then(Value::as_str).unwrap_or("IN_USE");
    let is_new = status == "GOT_RESOURCE";
    json!({
        "esimTranNo": "25030303480009", "orderNo": "B25030303480001",
        // Of the order by which the eSIM was bought, not of a top-up.
        "transactionId": "first-order", "imsi": "454006109846571", "iccid": ICCID,
        "smdpStatus": "ENABLED", "esimStatus": status, "totalVolume": 3 * GB * (n + 1),
        // Two to three hours late.
        "orderUsage": if is_new { 0 } else { GB }, "totalDuration": 30 * (n + 1),
        "durationUnit": "DAY", "expiredTime": if is_new { None } else { end },
        "supportTopUpType": 2,
        "packageList": vec![json!({"packageCode": PACKAGE, "volume": 3 * GB, "duration": 30}); topups + 1],
    })
}

async fn query(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    if !body
        .pointer("/pager/pageSize")
        .and_then(Value::as_i64)
        .is_some_and(|size| (5..=500).contains(&size))
    {
        return failed("000105");
    }
    let list = if field(&body, "iccid") == ICCID { vec![esim(&shared)] } else { Vec::new() };
    let total = list.len();
    done(&json!({"esimList": list, "pager": {"pageNum": 1, "pageSize": 50, "total": total}}))
}

async fn topup(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let reference = field(&body, "transactionId").to_owned();
    if reference.is_empty() || reference.len() > 50 {
        return failed("000105");
    }
    if field(&body, "iccid") != ICCID {
        return failed("310403");
    }
    if field(&body, "packageCode") != PACKAGE {
        return failed("310241");
    }
    let trouble = shared.trouble();
    let esim_status = field(&esim(&shared), "esimStatus").to_owned();
    let is_open = matches!(esim_status.as_str(), "GOT_RESOURCE" | "IN_USE" | "USED_UP");
    let (topups, is_known) = {
        let books = shared.books();
        (
            books.records.len(),
            books.records.iter().any(|row| field(row, "transactionId") == reference),
        )
    };
    if is_known {
        return failed("200009");
    }
    // An eSIM takes ten top-ups.
    if trouble == Trouble::Refused || !is_open || topups >= 10 {
        return failed("200002");
    }
    if trouble == Trouble::NoFunds {
        return failed("200007");
    }
    {
        let mut books = shared.books();
        books.charges.push(FakeCharge {
            reference: reference.clone(),
            target: ICCID.to_owned(),
            product: PACKAGE.to_owned(),
            minor: if trouble == Trouble::DearerNow { 1200 } else { 950 },
            id: reference.clone(),
        });
        books.records.push(json!({"transactionId": reference}));
    }
    let after = esim(&shared);
    done(&json!({
        "transactionId": reference,
        "iccid": if trouble == Trouble::OtherTarget { "8943108170000775689" } else { ICCID },
        "expiredTime": after.get("expiredTime"), "totalVolume": after.get("totalVolume"),
        "totalDuration": after.get("totalDuration"), "orderUsage": after.get("orderUsage"),
    }))
}
