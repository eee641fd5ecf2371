//! The request, refusals, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
use super::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const NOW: i64 = 1_795_197_600;

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn text(base: &str) -> String {
    let public_key = data_encoding::BASE64.encode(key().public_key().as_ref());
    format!(
        "callback_url = \"https://example.com/cb\"\npublic_key = {public_key:?}\n{}",
        CASE.table(base).replace("s3cret", "KEYabc")
    )
}

#[tokio::test]
async fn the_request_is_that_of_the_official_library() {
    let vendor = CASE.vendor().await;
    channel("telnyx", &text(&vendor.url)).send(&message(), &reader()).await;
    let seen = vendor.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v2/messages"));
    assert_eq!(seen.headers["authorization"], "Bearer KEYabc");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["idempotency-key"], "n-42");
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let expected = json!({
        "to": "+12025550199", "encoding": "auto", "from": "+15005550006",
        "text": message().short, "webhook_url": "https://example.com/cb",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn refusals_are_sorted_by_what_they_are_about() {
    let refused = async |status, body: &str| {
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        let telnyx = channel("telnyx", &text(&vendor.url));
        assert!(telnyx.repeats_safely());
        telnyx.send(&message(), &reader()).await
    };
    for (status, body) in [
        (400, r#"{"errors":[{"code":"40001","title":"Not routable"}]}"#),
        (422, r#"{"errors":[{"code":10016,"source":{"pointer":"/to"}}]}"#),
    ] {
        let outcome = refused(status, body).await;
        assert!(matches!(outcome, Outcome::BadRecipient { .. }), "{outcome:?}");
    }
    for (status, body) in [
        (400, r#"{"errors":[{"code":"10015","title":"Bad Request"}]}"#),
        (422, r#"{"errors":[{"code":10016,"source":{"pointer":"/from"}}]}"#),
        (401, r#"{"errors":[{"code":"10009","title":"Authentication failed"}]}"#),
    ] {
        let outcome = refused(status, body).await;
        assert!(matches!(outcome, Outcome::BadConfig { .. }), "{outcome:?}");
    }
    for (status, body) in [
        (409, r#"{"errors":[{"code":"10012","title":"locked"}]}"#),
        (422, r#"{"errors":[{"code":"10015","title":"Idempotency-Key reused"}]}"#),
    ] {
        let outcome = refused(status, body).await;
        assert!(matches!(outcome, Outcome::Ambiguous { .. }), "{outcome:?}");
    }
}

fn called(body: &str, at: i64) -> HookCall {
    let signed = key().sign(format!("{NOW}|{body}").as_bytes());
    let signature = data_encoding::BASE64.encode(signed.as_ref());
    let stamp = NOW.to_string();
    let headers =
        [("telnyx-signature-ed25519", signature.as_str()), ("telnyx-timestamp", stamp.as_str())];
    HookCall { at, ..call(&headers, body) }
}

fn event(kind: &str, status: &str) -> String {
    json!({ "data": {
        "event_type": kind, "id": "e",
        "payload": {
            "id": "40385f64-5717", "to": [{ "status": status }],
            "errors": [{ "code": "40008", "title": "Undeliverable" }],
        },
    }})
    .to_string()
}

#[test]
fn reports_are_taken_from_telnyx_alone_and_now() {
    let telnyx = channel("telnyx", &text("http://127.0.0.1:9"));
    let hear = |kind: &str, status: &str| telnyx.hear(&called(&event(kind, status), NOW)).unwrap();
    let failed = Delivery::Failed { why: "delivery_failed (code 40008)".to_owned() };
    for (status, delivery) in [
        ("sent", Delivery::Underway),
        ("delivery_unconfirmed", Delivery::Underway),
        ("delivered", Delivery::Delivered),
        ("delivery_failed", failed),
    ] {
        let message = "40385f64-5717".to_owned();
        assert_eq!(hear("message.finalized", status), [Report { message, delivery }]);
    }
    assert_eq!(hear("message.received", "delivered"), []);

    let good = called(&event("message.finalized", "delivered"), NOW + 300);
    assert!(telnyx.hear(&good).is_ok());
    let mut other_body = good.clone();
    other_body.body.push(b' ');
    let mut other_time = good.clone();
    other_time.headers.insert("telnyx-timestamp".to_owned(), (NOW + 1).to_string());
    let mut unsigned = good.clone();
    unsigned.headers.clear();
    for bad in [other_body, other_time, unsigned, HookCall { at: NOW + 301, ..good.clone() }] {
        assert!(matches!(telnyx.hear(&bad), Err(HookError::Unproven(_))), "{bad:?}");
    }
    let silent = CASE.alone();
    assert!(matches!(silent.hear(&good), Err(HookError::Closed(_))));
    let empty = telnyx.hear(&called(r#"{"data":{"event_type":"message.sent"}}"#, NOW));
    assert!(matches!(empty, Err(HookError::Malformed(_))));
}

#[tokio::test]
async fn telnyx_can_be_asked_what_became_of_it() {
    let body = r#"{"data":{"id":"m","to":[{"status":"delivered"}]}}"#;
    let vendor = Vendor::start([Answer::new(200, body)]).await;
    let telnyx = channel("telnyx", &text(&vendor.url));
    assert!(telnyx.can_be_asked());
    assert_eq!(telnyx.delivery("m").await, Ok(Some(Delivery::Delivered)));
    assert_eq!(vendor.only().path, "/v2/messages/m");
}

#[test]
fn a_sender_and_a_whole_key_are_needed() {
    for (text, word) in [
        ("api_key = \"k\"", "messaging_profile_id"),
        ("api_key = \"k\"\nfrom = \"x\"\ncallback_url = \"https://e.com/h\"", "go together"),
        ("api_key = \"k\"\nfrom = \"x\"\npublic_key = \"AAAA\"", "32 bytes"),
    ] {
        let faults = config("telnyx", text).unwrap_err();
        assert!(faults.join("\n").contains(word), "{faults:?}");
    }
}
