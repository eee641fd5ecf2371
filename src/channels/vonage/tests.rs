//! The request, the table of statuses, reports and their proof.

use super::super::testing::{Answer, Vendor, call, channel, config, english, message, reader};
use super::*;

fn text(base: &str) -> String {
    let table = CASE.table(base).replace("s3cret", "secret");
    format!("callback_url = \"https://example.com/cb\"\nsignature_secret = \"hush\"\n{table}")
}

#[tokio::test]
async fn the_request_is_that_of_the_official_library() {
    let vendor = CASE.vendor().await;
    let vonage = channel("vonage", &text(&vendor.url));
    vonage.send(&message(), &reader()).await;
    vonage.send(&english(), &reader()).await;
    let [chinese, english] = &vendor.seen()[..] else { panic!("two requests") };
    assert_eq!((chinese.method.as_str(), chinese.path.as_str()), ("POST", "/sms/json"));
    assert_eq!(chinese.headers["authorization"], "Basic YWJjZDEyMzQ6c2VjcmV0");
    assert_eq!(chinese.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(
        chinese.body,
        "to=12025550199&from=topupd&text=topupd%3A+%E9%93%B6%E8%A1%8C%E5%8D%A1%28..0123%29+%E4%BD%99%E9%A2%9D+3.20+USD\
         &client-ref=n-42&type=unicode&ttl=14400000&callback=https%3A%2F%2Fexample.com%2Fcb"
    );
    assert!(english.body.contains("&type=text&"), "{}", english.body);
}

#[tokio::test]
async fn every_answer_is_200_and_the_status_tells() {
    for (status, expected) in [
        ("0", "Accepted"),
        ("1", "Retry"),
        ("2", "BadConfig"),
        ("3", "BadConfig"),
        ("4", "BadConfig"),
        ("5", "Ambiguous"),
        ("6", "BadRecipient"),
        ("7", "BadRecipient"),
        ("8", "BadConfig"),
        ("9", "BadConfig"),
        ("10", "Retry"),
        ("15", "BadConfig"),
        ("29", "BadConfig"),
        ("33", "BadRecipient"),
        ("99", "BadConfig"),
    ] {
        let body = format!(
            r#"{{"message-count":"1","messages":[{{"status":"{status}","message-id":"m","error-text":"no secret"}}]}}"#
        );
        let vendor = Vendor::start([Answer::new(200, &body)]).await;
        let outcome = channel("vonage", &text(&vendor.url)).send(&message(), &reader()).await;
        let said = format!("{outcome:?}");
        assert!(said.starts_with(expected) && !said.contains("no secret"), "{status}: {said}");
    }
}

/// Signed by Vonage's own library, with the secret `hush`.
const REPORT: &str = "msisdn=447700900000&to=topupd&network-code=12345&messageId=0A0000001234567B\
    &price=0.03330000&status=delivered&scts=2611201804&err-code=0&api-key=abcd1234\
    &client-ref=n-42+a%26b%3Dc&message-timestamp=2026-11-20+18%3A04%3A05&timestamp=1795197845\
    &nonce=ec11dd3e-1e7f-4db5-9467-82b02cd223b9";
const SHA256: &str = "01508e761e7a4e503f586f78408ac2e712bd5f3d0245a8c4855ee922f8911fa7";
const SHA512: &str = "506833a5975a35712d948c628ea3e516f0ef33a7df60067a48ef473aa8f14d5d\
    ae937e2522cea4782f9c0d6e6187c9edc8debb05a7ac366cf50b3a9a727ab161";

fn posted(body: &str) -> HookCall {
    call(&[], body)
}

#[test]
fn reports_are_taken_from_vonage_alone() {
    let vonage = channel("vonage", &text("http://127.0.0.1:9"));
    let delivered =
        Report { message: "0A0000001234567B".to_owned(), delivery: Delivery::Delivered };
    let form = posted(&format!("{REPORT}&sig={}", SHA256.to_uppercase()));
    let query = HookCall { query: form.form(), ..HookCall::default() };
    let object: serde_json::Map<String, Value> =
        form.form().into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    let json = posted(&Value::Object(object).to_string());
    for call in [form, query, json] {
        assert_eq!(vonage.hear(&call), Ok(vec![delivered.clone()]));
    }
    let config = format!("signature_method = \"sha512\"\n{}", text("http://127.0.0.1:9"));
    let longer = channel("vonage", &config);
    let call = posted(&format!("{REPORT}&sig={SHA512}"));
    assert_eq!(longer.hear(&call), Ok(vec![delivered]));

    for body in [
        format!("{}&sig={SHA256}", REPORT.replace("delivered", "failed")),
        format!("{REPORT}&sig={SHA256}0"),
        format!("{REPORT}&sig={SHA512}"),
        format!("{REPORT}&sig="),
        REPORT.to_owned(),
        String::new(),
    ] {
        let heard = vonage.hear(&posted(&body));
        assert!(matches!(heard, Err(HookError::Unproven(_))), "{body}: {heard:?}");
    }
    let silent = CASE.alone();
    assert!(matches!(silent.hear(&call), Err(HookError::Closed(_))));
}

#[test]
fn states_are_sorted() {
    assert_eq!(delivery("accepted", Some("0")), Delivery::Underway);
    assert_eq!(delivery("buffered", None), Delivery::Underway);
    assert_eq!(delivery("unknown", Some("1")), Delivery::Underway);
    let failed = Delivery::Failed { why: "expired (code 3)".to_owned() };
    assert_eq!(delivery("expired", Some("3")), failed);
}

#[test]
fn reports_without_a_proof_are_not_configured() {
    let table = CASE.table("http://127.0.0.1:9");
    let faults = config("vonage", &format!("callback_url = \"https://e.com/h\"\n{table}"));
    let faults = faults.unwrap_err();
    assert!(faults[0].contains("go together"), "{faults:?}");
}
