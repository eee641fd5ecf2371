//! The request, refusals, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
use super::*;

fn text(base: &str, callback: &str) -> String {
    let table = CASE.table(base).replace("MA1", "MAXXXXXXXXXXXXXXXXXX").replace("s3cret", "tok");
    format!("callback_url = {callback:?}\n{table}")
}

#[tokio::test]
async fn the_request_is_that_of_the_official_library() {
    let vendor = CASE.vendor().await;
    let plivo = channel("plivo", &text(&vendor.url, "https://example.com/cb"));
    plivo.send(&message(), &reader()).await;
    let seen = vendor.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/")
    );
    assert_eq!(seen.headers["authorization"], "Basic TUFYWFhYWFhYWFhYWFhYWFhYWFg6dG9r");
    assert_eq!(seen.headers["content-type"], "application/json");
    // The library writes out two defaults besides: `log` and `trackable`.
    let expected = json!({
        "dst": "12025550199", "text": message().short, "src": "15005550006", "type": "sms",
        "url": "https://example.com/cb", "method": "POST",
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), expected);
}

#[tokio::test]
async fn refusals_are_for_the_owner() {
    for status in [400, 401, 403, 404, 409, 422] {
        let answer = Answer::new(status, r#"{"api_id":"a","error":"tok is wrong"}"#);
        let vendor = Vendor::start([answer]).await;
        let plivo = channel("plivo", &text(&vendor.url, "https://example.com/cb"));
        let outcome = plivo.send(&message(), &reader()).await;
        let Outcome::BadConfig { why } = outcome else { panic!("{status}: {outcome:?}") };
        assert!(why.contains("<secret> is wrong"), "{why}");
    }
}

fn called(body: &str, signature: &str, nonce: &str) -> HookCall {
    let headers = [("x-plivo-signature-v3", signature), ("x-plivo-signature-v3-nonce", nonce)];
    call(&headers, body)
}

/// Signed by Plivo's own library.
const BODY: &str = "MessageUUID=db3ce55a-7f1d-11e1-8ea7-1231380bc196&Status=delivered\
    &To=447700900001&From=15005550006&ErrorCode=000";
const NONCE: &str = "05429567804466091622";

fn signed(callback: &str) -> Arc<dyn Channel> {
    let table = CASE.table("http://127.0.0.1:9").replace("s3cret", "12345");
    channel("plivo", &format!("callback_url = {callback:?}\n{table}"))
}

#[test]
fn reports_are_taken_from_plivo_alone() {
    let message = "db3ce55a-7f1d-11e1-8ea7-1231380bc196".to_owned();
    let delivered = Report { message, delivery: Delivery::Delivered };
    let bare = "+TIqtHnh6NJgrzswQFiiHVYXDNP+ZSrGNYeJTVcQjsQ=";
    let plivo = signed("https://example.com/cb/plivo");
    for signature in [bare.to_owned(), format!("AAAA,{bare}")] {
        let heard = plivo.hear(&called(BODY, &signature, NONCE));
        assert_eq!(heard, Ok(vec![delivered.clone()]));
    }
    let queried = signed("https://example.com/cb/plivo?line=42&a=b");
    let signature = "Wrk/y2w168RgofZ6IpH/v+Du+XD0xDhVfjn2wEP0Lmo=";
    assert_eq!(queried.hear(&called(BODY, signature, NONCE)), Ok(vec![delivered]));

    for (body, signature, nonce) in [
        (BODY.replace("delivered", "failed").as_str(), bare, NONCE),
        (BODY, bare, "1"),
        (BODY, signature, NONCE),
        (BODY, "", NONCE),
        (BODY, "?", NONCE),
    ] {
        let heard = plivo.hear(&called(body, signature, nonce));
        assert!(matches!(heard, Err(HookError::Unproven(_))), "{heard:?}");
    }
    let silent = CASE.alone();
    let heard = silent.hear(&called(BODY, bare, NONCE));
    assert!(matches!(heard, Err(HookError::Closed(_))));
}

#[test]
fn the_published_vector_of_the_signature_fits() {
    let url = Url::parse("https://example.com/cb/plivo").unwrap();
    let form = [("MessageUUID", "u"), ("Status", "delivered")].map(|(k, v)| (k.into(), v.into()));
    let signature = "sWZvx96JePfWX6VEDZhRDbFa0mwRTS2b1H0gwEycqnY=";
    let expected = "https://example.com/cb/plivo?MessageUUIDuStatusdelivered";
    assert_eq!(signed_text(url.clone(), &form), expected);
    let token = SecretString::from("tok");
    assert!(is_signed(url.as_str(), &form, &token, &called("", signature, "12345")));
}

#[tokio::test]
async fn plivo_can_be_asked_what_became_of_it() {
    for (body, expected) in [
        (r#"{"message_state":"sent"}"#, Some(Delivery::Underway)),
        (r#"{"message_state":"delivered","error_code":"000"}"#, Some(Delivery::Delivered)),
        (
            r#"{"message_state":"undelivered","error_code":"30"}"#,
            Some(Delivery::Failed { why: "undelivered (code 30)".to_owned() }),
        ),
        ("{}", None),
    ] {
        let vendor = Vendor::start([Answer::new(200, body)]).await;
        let plivo = channel("plivo", &text(&vendor.url, "https://example.com/cb"));
        assert_eq!(plivo.delivery("u1").await, Ok(expected));
        assert_eq!(vendor.only().path, "/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/u1/");
    }
}

#[test]
fn a_sender_is_one_of_two() {
    for sender in ["", "from = \"1\"\npowerpack_uuid = \"p\""] {
        let text = format!("auth_id = \"MA1\"\nauth_token = \"x\"\n{sender}");
        let faults = config("plivo", &text).unwrap_err();
        assert!(faults[0].contains("either `from` or `powerpack_uuid`"), "{faults:?}");
    }
}
