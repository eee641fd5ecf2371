//! The request, ids that come twice, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
use super::*;

/// Made with Python's hmac over BODY and STAMP with the key `hush-hush`.
const BODY: &str = r#"{"deviceId":"ffff","event":"sms:delivered","id":"Ey6ECgOkVVFjz3CL48B8C","payload":{"messageId":"n-42","phoneNumber":"+12025550199","simNumber":1,"deliveredAt":"2026-11-21T00:00:00.000-05:00"},"webhookId":"w"}"#;
const STAMP: &str = "1795219200";
const SIGNATURE: &str = "c80ab87602a1b24788a95ef531cda5ed30808a3859fc75df05d76c4704adf3e6";

fn text(base: &str) -> String {
    let more = "device_id = \"D1\"\nsim_number = 2\nsecret = \"hush-hush\"";
    format!("{}\n{more}", CASE.table(base))
}

#[tokio::test]
async fn the_request_has_our_id_and_dies_in_time() {
    let vendor = CASE.vendor().await;
    let phone = channel("android_gateway", &text(&vendor.url));
    let urgent = Message { severity: Severity::Critical, ..message() };
    phone.send(&message(), &reader()).await;
    phone.send(&urgent, &reader()).await;
    let [seen, urgent] = &vendor.seen()[..] else { panic!("two requests") };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/3rdparty/v1/messages"));
    assert_eq!(seen.headers["authorization"], "Basic QUJDOnMzY3JldA==");
    let mut expected = json!({
        "id": "n-42", "textMessage": { "text": message().short },
        "phoneNumbers": ["+12025550199"], "ttl": 14400, "withDeliveryReport": true,
        "deviceId": "D1", "simNumber": 2,
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
    expected["priority"] = json!(100);
    assert_eq!(serde_json::from_str::<Value>(&urgent.body).unwrap(), expected);
}

#[tokio::test]
async fn the_same_id_again_was_accepted_before() {
    let said = r#"{"code":0,"message":"no"}"#;
    for (status, body, expected) in [
        (409, said, "Accepted"),
        (503, said, "Retry"),
        (503, "<html>proxy</html>", "Ambiguous"),
        (500, said, "Ambiguous"),
        (400, said, "BadConfig"),
        (202, r#"{"id":"other"}"#, "Ambiguous"),
    ] {
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        let phone = channel("android_gateway", &text(&vendor.url));
        assert!(phone.repeats_safely());
        let outcome = format!("{:?}", phone.send(&message(), &reader()).await);
        assert!(outcome.starts_with(expected), "{status} {body}: {outcome}");
    }
}

fn called(body: &str, signature: &str, at: i64) -> HookCall {
    HookCall { at, ..call(&[("x-signature", signature), ("x-timestamp", STAMP)], body) }
}

#[test]
fn reports_are_taken_from_the_phone_alone_and_now() {
    let phone = channel("android_gateway", &text("http://127.0.0.1:9"));
    let now = STAMP.parse().unwrap();
    let delivered = Report { message: "n-42".to_owned(), delivery: Delivery::Delivered };
    assert_eq!(phone.hear(&called(BODY, SIGNATURE, now)), Ok(vec![delivered]));
    for bad in [
        called(&BODY.replace("delivered", "failed"), SIGNATURE, now),
        called(BODY, "", now),
        called(BODY, &SIGNATURE.replacen('a', "b", 1), now),
        called(BODY, SIGNATURE, now + 301),
    ] {
        let heard = phone.hear(&bad);
        assert!(matches!(heard, Err(HookError::Unproven(_))), "{heard:?}");
    }
    let silent = CASE.alone();
    let heard = silent.hear(&called(BODY, SIGNATURE, now));
    assert!(matches!(heard, Err(HookError::Closed(_))));
}

#[test]
fn events_are_sorted() {
    let phone = channel("android_gateway", &text("http://127.0.0.1:9"));
    let hear = |event: &str, payload: Value| {
        let body = json!({ "event": event, "payload": payload }).to_string();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"hush-hush");
        let tag = ring::hmac::sign(&key, format!("{body}{STAMP}").as_bytes());
        let signature = data_encoding::HEXLOWER.encode(tag.as_ref());
        phone.hear(&called(&body, &signature, STAMP.parse().unwrap()))
    };
    let report = |delivery| Ok(vec![Report { message: "m".to_owned(), delivery }]);
    assert_eq!(hear("sms:sent", json!({ "messageId": "m" })), report(Delivery::Underway));
    let why = "Failed: RESULT_ERROR_GENERIC_FAILURE".to_owned();
    let payload = json!({ "messageId": "m", "reason": "RESULT_ERROR_GENERIC_FAILURE" });
    assert_eq!(hear("sms:failed", payload), report(Delivery::Failed { why }));
    let why = "Cancelled: no reason given".to_owned();
    let cancelled = hear("sms:cancelled", json!({ "messageId": "m" }));
    assert_eq!(cancelled, report(Delivery::Failed { why }));
    assert_eq!(hear("sms:received", json!({ "messageId": "m" })), Ok(Vec::new()));
    assert!(matches!(hear("sms:sent", json!({})), Err(HookError::Malformed(_))));
    assert!(matches!(hear("", json!({})), Err(HookError::Malformed(_))));
}

#[tokio::test]
async fn the_phone_can_be_asked_what_became_of_it() {
    let failed = Delivery::Failed { why: "Failed: timeout".to_owned() };
    for (status, body, expected) in [
        (200, r#"{"state":"Processed","recipients":[{}]}"#, Ok(Some(Delivery::Underway))),
        (200, r#"{"state":"Delivered","recipients":[{}]}"#, Ok(Some(Delivery::Delivered))),
        (200, r#"{"state":"Failed","recipients":[{"error":"timeout"}]}"#, Ok(Some(failed))),
        (404, "{}", Ok(None)),
        (401, "s3cret", Err("HTTP status 401: <secret>".to_owned())),
    ] {
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        let phone = channel("android_gateway", &text(&vendor.url));
        assert_eq!(phone.delivery("n-42").await, expected);
        assert_eq!(vendor.only().path, "/3rdparty/v1/messages/n-42");
    }
}

#[test]
fn faults_name_the_key_and_no_secret() {
    for (text, word) in [
        ("username = \"u\"", "password"),
        ("username = \"u\"\npassword = \"s3cret\"\nsim_number = 4", "from 1 to 3"),
        ("username = \"u\"\npassword = \"s3cret\"\nsecret = \" \"", "signing key"),
    ] {
        let faults = config("android_gateway", text).unwrap_err().join("\n");
        assert!(faults.contains(word) && !faults.contains("s3cret"), "{faults}");
    }
}
