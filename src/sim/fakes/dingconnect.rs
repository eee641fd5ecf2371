//! Ding: transfers, their list, the wallet, products, estimates, the look-up of numbers.
//!
//! It pays one reference as often as it is asked to, and the outcome of a transfer can be chosen
//! by the last three digits of the number, as with the test numbers of its products.

#![expect(clippy::indexing_slicing, reason = "a JSON value has null for what is not there")]

use super::{
    FakeCharge, FakeKind, Shared, Trouble,
    door::{guarded, has},
    record::{self, cents, shown},
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The fake and the provider that asks it.
pub const FAKE: FakeKind = FakeKind {
    kind: "dingconnect",
    router,
    is_order: |method, path| method == "POST" && path.ends_with("/SendTransfer"),
    pays: true,
    product: Some("US_TL_TopUp"),
    iccid: None,
    alias: None,
    config: "base_url = \"{url}/api/V1\"\napi_key = \"hush\"\ncurrency = \"USD\"\n",
};

fn router(shared: Shared) -> Router {
    let v1 = Router::new()
        .route("/GetBalance", get(balance))
        .route("/SendTransfer", post(order))
        .route("/ListTransferRecords", post(list))
        .route("/GetProducts", get(products))
        .route("/EstimatePrices", post(estimate))
        .route("/GetAccountLookup", get(lookup));
    let knows = |_: &Shared, headers: &HeaderMap| has(headers, "api_key", "hush");
    let stranger = || refused(StatusCode::UNAUTHORIZED, 4, "AuthenticationFailed", "");
    let v1 = guarded(v1, &shared, knows, stranger);
    Router::new().nest("/api/V1", v1).with_state(shared)
}

/// Ding's error shape.
fn refused(status: StatusCode, result: u8, code: &str, context: &str) -> Response {
    let error = json!({"Code": code, "Context": context});
    (status, Json(json!({"ResultCode": result, "ErrorCodes": [error]}))).into_response()
}

fn fine(mut body: Value) -> Response {
    body["ResultCode"] = json!(1);
    body["ErrorCodes"] = json!([]);
    Json(body).into_response()
}

async fn balance() -> Response {
    fine(json!({"Balance": 250.5, "CurrencyIso": "USD"}))
}

/// What the last three digits of a number choose: status, result, code, context.
fn chosen(number: &str) -> Option<(u16, u8, &'static str, &'static str)> {
    Some(match number.get(number.len().checked_sub(3)?..)? {
        "001" => (200, 3, "RateLimited", ""),
        "002" => (200, 3, "TransientProviderError", "ProviderTimedOut"),
        "003" => (200, 3, "TransientProviderError", "ProviderRefusedRequest"),
        "004" => (200, 5, "ProviderError", "ProductUnavailable"),
        "005" => (200, 4, "AccountNumberInvalid", "ProviderRefusedRequest"),
        "007" => (500, 5, "InsufficientBalance", ""),
        "008" => (400, 4, "AccountNumberInvalid", "AccountNumberFailedRegex"),
        "009" => (200, 5, "ProviderError", "RechargeNotAllowed"),
        _ => return None,
    })
}

async fn order(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let bad = |code, context| refused(StatusCode::BAD_REQUEST, 4, code, context);
    for key in ["SkuCode", "AccountNumber", "DistributorRef"] {
        if body[key].as_str().is_none_or(str::is_empty) {
            return bad("ParameterMissing", key);
        }
    }
    if !body["ValidateOnly"].is_boolean() {
        return bad("ParameterInvalid", "ValidateOnly");
    }
    let number = body["AccountNumber"].as_str().unwrap_or_default();
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return bad("AccountNumberInvalid", "AccountNumberFailedRegex");
    }
    let trouble = shared.trouble();
    if trouble == Trouble::NoFunds {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, 5, "InsufficientBalance", "");
    }
    if trouble == Trouble::Refused {
        return bad("AccountNumberInvalid", "InvalidRecipient");
    }
    if trouble == Trouble::DearerNow {
        return bad("ParameterOutOfRange", "SendValue");
    }
    let chosen = chosen(number);
    let mut books = shared.books();
    let reference = body["DistributorRef"].as_str().unwrap_or_default().to_owned();
    let id = (900_000_001 + books.records.len()).to_string();
    let nearest = books.world.get("nearest").cloned();
    let mut record = json!({
        "TransferId": {"TransferRef": id, "DistributorRef": reference},
        "SkuCode": body["SkuCode"],
        "Price": {
            "CustomerFee": 0.0, "DistributorFee": 0.25, "SendValue": body["SendValue"],
            "SendCurrencyIso": "USD", "ReceiveValue": nearest.clone().unwrap_or(json!(9.19)),
            "ReceiveCurrencyIso": "USD", "ReceiveValueExcludingTax": 9.19, "TaxRate": 0.0,
        },
        "CommissionApplied": 0.1, "StartedUtc": "2026-11-21T00:00:00Z",
        "CompletedUtc": "2026-11-21T00:00:01Z",
        "ProcessingState": "Complete", "ReceiptText": "", "ReceiptParams": {},
        "AccountNumber": if trouble == Trouble::OtherTarget { "12025550199" } else { number },
    });
    if body["SkuCode"].as_str().is_some_and(|sku| sku.contains("_PIN_")) {
        record["ReceiptText"] = json!("Dial *233*4711-0815# to redeem");
        record["ReceiptParams"] = json!({"pin": "4711-0815", "providerRef": "77"});
    }
    if body["ValidateOnly"] == true {
        // Nothing is bought, so there is no id.
        without(&mut record, "TransferId");
        return fine(json!({"TransferRecord": record}));
    }
    if let Some((status, result, code, context)) = chosen {
        if result == 3 {
            // What was begun is in the list, as failed.
            record["ProcessingState"] = json!("Failed");
            let error = json!([{"Code": code, "Context": context}]);
            books
                .records
                .push(json!({"TransferRecord": record, "ResultCode": result, "ErrorCodes": error}));
        }
        let status = StatusCode::from_u16(status).unwrap_or_default();
        return refused(status, result, code, context);
    }
    books.charges.push(FakeCharge {
        reference,
        target: number.to_owned(),
        product: body["SkuCode"].as_str().unwrap_or_default().to_owned(),
        minor: cents(&body["SendValue"]),
        id,
    });
    let result = if nearest.is_some() { 2 } else { 1 };
    let looks = if trouble == Trouble::Pending { 2 } else { 0 };
    let item = json!({
        "TransferRecord": record, "ResultCode": result, "ErrorCodes": [], "_looks": looks,
    });
    let (shown, item) = look(item);
    books.records.push(item);
    Json(shown).into_response()
}

/// An item as it is shown now, and as it is kept for later.
fn look(mut item: Value) -> (Value, Value) {
    let mut shown = shown(&item);
    if record::look(&mut item) > 0 {
        shown["TransferRecord"]["ProcessingState"] = json!("Processing");
        without(&mut shown["TransferRecord"], "CompletedUtc");
    }
    (shown, item)
}

/// What has no value is left out: null is published nowhere.
fn without(record: &mut Value, key: &str) {
    if let Some(members) = record.as_object_mut() {
        members.remove(key);
    }
}

async fn list(State(shared): State<Shared>, Json(body): Json<Value>) -> Response {
    let Some(take) = body["Take"].as_u64().and_then(|n| usize::try_from(n).ok()) else {
        return refused(StatusCode::BAD_REQUEST, 4, "ParameterMissing", "Take");
    };
    let wanted = body["DistributorRef"].clone();
    let mut books = shared.books();
    let mut found = Vec::new();
    for item in &mut books.records {
        if item["TransferRecord"]["TransferId"]["DistributorRef"] == wanted {
            let (shown, kept) = look(item.clone());
            found.push(shown);
            *item = kept;
        }
    }
    let more = found.len() > take || books.world.contains_key("more");
    found.truncate(take);
    fine(json!({"Items": found, "ThereAreMoreItems": more}))
}

fn price(value: &str) -> Value {
    let value: Value = serde_json::from_str(value).unwrap_or_default();
    json!({
        "CustomerFee": 0.0, "DistributorFee": 0.25, "SendValue": value, "SendCurrencyIso": "USD",
        "ReceiveValue": value, "ReceiveCurrencyIso": "USD", "ReceiveValueExcludingTax": value,
        "TaxRate": 0.0, "TaxName": "", "TaxCalculation": "",
    })
}

async fn products(Query(query): Query<HashMap<String, String>>) -> Response {
    if query.values().any(String::is_empty) {
        return refused(StatusCode::BAD_REQUEST, 4, "ParameterInvalid", "countryIsos");
    }
    let sku = |id: &str, min: &str, max: &str| {
        json!({
            "ProviderCode": "TLUS", "SkuCode": id, "LocalizationKey": id, "SettingDefinitions": [],
            "Minimum": price(min), "Maximum": price(max), "CommissionRate": 0.1,
            "ProcessingMode": "Instant", "RedemptionMechanism": "Immediate",
            "Benefits": ["Mobile", "Minutes"], "UatNumber": "12025550000",
            "DefaultDisplayText": id, "RegionCode": "US", "PaymentTypes": ["Prepaid"],
            "LookupBillsRequired": false,
        })
    };
    let mut pin = sku("US_T9_PIN_10.00", "10.01", "10.01");
    pin["RedemptionMechanism"] = json!("ReadReceipt");
    let mut bundle = sku("US_LY_30", "20.00", "20.00");
    bundle["Benefits"] = json!(["Data", "Mobile"]);
    bundle["ValidityPeriodIso"] = json!("P30D");
    let mut bill = sku("US_BILL", "5.00", "50.00");
    bill["LookupBillsRequired"] = json!(true);
    let mut setting = sku("US_SETTING", "5.00", "50.00");
    setting["SettingDefinitions"] =
        json!([{"Name": "Zip", "Description": "ZIP code", "IsMandatory": true}]);
    fine(json!({"Items": [sku("US_TL_TopUp", "10.01", "91.78"), pin, bundle, bill, setting]}))
}

async fn estimate(Json(body): Json<Value>) -> Response {
    let Some(wanted) = body.as_array() else {
        return refused(StatusCode::BAD_REQUEST, 4, "RequestInvalid", "");
    };
    let items: Vec<Value> = wanted
        .iter()
        .map(|one| {
            json!({
                "Price": price(&one["SendValue"].to_string()), "SkuCode": one["SkuCode"],
                "BatchItemRef": one["BatchItemRef"], "ResultCode": 1, "ErrorCodes": [],
            })
        })
        .collect();
    fine(json!({"Items": items}))
}

async fn lookup(Query(query): Query<HashMap<String, String>>) -> Response {
    let number = query.get("accountNumber").cloned().unwrap_or_default();
    if number.ends_with("0000") {
        // Errors with status 200 have the list, too.
        let error = json!({"Code": "AccountNumberInvalid", "Context": "AccountNumberFailedRegex"});
        return Json(json!({"ResultCode": 4, "ErrorCodes": [error], "Items": []})).into_response();
    }
    let item = json!({"ProviderCode": "TLUS", "RegionCode": "US"});
    fine(json!({"CountryIso": "US", "AccountNumberNormalized": number, "Items": [item]}))
}
