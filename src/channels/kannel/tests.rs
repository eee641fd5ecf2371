//! The request, what Kannel answers, reports and their proof.

use super::super::testing::{Answer, Vendor, channel, config, english, message, reader};
use super::*;
use url::Url;

fn text(base: &str) -> String {
    format!(
        "from = \"13013\"\ncallback_url = \"http://127.0.0.1:13099/h\"\n\
         secret = \"s3cret-0123456789\"\n{}",
        CASE.table(base).replace("\"s3cret\"", "\"s3cret & more\"")
    )
}

/// The query of a request or of an address.
fn pairs(address: &str) -> Vec<(String, String)> {
    let url = Url::parse("http://h").unwrap().join(address).unwrap();
    url.query_pairs().into_owned().collect()
}

fn value(pairs: &[(String, String)], key: &str) -> String {
    pairs.iter().find(|(name, _)| name == key).unwrap().1.clone()
}

#[tokio::test]
async fn the_request_is_what_a_real_kannel_takes() {
    let vendor = CASE.vendor().await;
    let kannel = channel("kannel", &text(&vendor.url));
    kannel.send(&message(), &reader()).await;
    kannel.send(&english(), &reader()).await;
    let [chinese, english] = &vendor.seen()[..] else { panic!("two requests") };
    assert_eq!(chinese.method, "GET");
    assert!(chinese.path.starts_with("/cgi-bin/sendsms?username=tester&password=s3cret+%26+more&"));
    let query = pairs(&chinese.path);
    for (key, expected) in [
        ("to", "+12025550199"),
        ("text", message().short.as_str()),
        ("charset", "UTF-8"),
        ("coding", "2"),
        ("validity", "240"),
        ("from", "13013"),
        ("dlr-mask", "31"),
    ] {
        assert_eq!(value(&query, key), expected, "{key}");
    }
    let dlr_url = value(&query, "dlr-url");
    assert!(dlr_url.starts_with("http://127.0.0.1:13099/h?message=n-42&token="), "{dlr_url}");
    assert!(dlr_url.ends_with("&type=%d&answer=%A") && !dlr_url.contains("s3cret"), "{dlr_url}");
    assert_eq!(value(&pairs(&english.path), "coding"), "0");
}

#[test]
fn the_address_of_reports_is_one_that_a_real_kannel_called() {
    let reports = Reports {
        callback_url: "http://127.0.0.1:23099/h?a=b".to_owned(),
        secret: SecretString::from("0123456789abcdef"),
    };
    assert_eq!(
        reports.dlr_url("n-42"),
        "http://127.0.0.1:23099/h?a=b&message=n-42\
         &token=f0816d938bade7b2b716d9ea1d2bfd63b1c0c45a35e879a07aa227347cd5caa7&type=%d&answer=%A"
    );
}

#[tokio::test]
async fn answers_are_sorted() {
    for (status, body, expected) in [
        (202, "0: Accepted for delivery", "Accepted"),
        (202, "3: Queued for later delivery", "Accepted"),
        (202, "Sent.", "Ambiguous"),
        (403, "Authorization failed for sendsms", "BadConfig"),
        (403, "Not routable. Do not try again.", "BadConfig"),
        (400, "Missing receiver number, rejected", "BadConfig"),
        (400, "Number(s) has/have been denied by white- and/or black-lists.", "BadRecipient"),
        (503, "Temporal failure, try again later.", "Retry"),
        (503, "no s3cret+%26+more nor s3cret & more", "Ambiguous"),
    ] {
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        let outcome = channel("kannel", &text(&vendor.url)).send(&message(), &reader()).await;
        let said = format!("{outcome:?}");
        assert!(said.starts_with(expected) && !said.contains("s3cret"), "{body}: {said}");
    }
}

/// What Kannel calls after it filled in the values.
async fn called(kind: &str, answer: &str) -> (Arc<dyn Channel>, HookCall) {
    let vendor = CASE.vendor().await;
    let kannel = channel("kannel", &text(&vendor.url));
    kannel.send(&message(), &reader()).await;
    let url = value(&pairs(&vendor.only().path), "dlr-url");
    let url = url.replace("%d", kind).replace("%A", answer);
    (kannel, HookCall { query: pairs(&url), ..HookCall::default() })
}

#[tokio::test]
async fn reports_come_under_our_id() {
    let failed = |why: &str| Delivery::Failed { why: why.to_owned() };
    for (kind, answer, delivery) in [
        ("8", "ACK%2F", Delivery::Underway),
        ("4", "", Delivery::Underway),
        ("1", "stat%3ADELIVRD", Delivery::Delivered),
        ("2", "stat%3AUNDELIV+err%3A000", failed("not delivered: stat:UNDELIV err:000")),
        ("16", "NACK%2F0x0000000b", failed("the SMSC rejects it: NACK/0x0000000b")),
    ] {
        let (kannel, call) = called(kind, answer).await;
        let message = "n-42".to_owned();
        assert_eq!(kannel.hear(&call), Ok(vec![Report { message, delivery }]), "{kind}");
    }
    let (kannel, call) = called("99", "").await;
    assert!(matches!(kannel.hear(&call), Err(HookError::Malformed(_))));
}

#[tokio::test]
async fn reports_without_their_token_are_nobody_s() {
    let (kannel, good) = called("1", "").await;
    let with = |key: &str, value: &str| {
        let mut call = good.clone();
        for (name, found) in &mut call.query {
            if name == key {
                value.clone_into(found);
            }
        }
        call
    };
    for call in
        [with("message", "n-43"), with("token", ""), with("token", "00"), HookCall::default()]
    {
        assert!(matches!(kannel.hear(&call), Err(HookError::Unproven(_))), "{call:?}");
    }
    let silent = CASE.alone();
    assert!(matches!(silent.hear(&good), Err(HookError::Closed(_))));
}

#[tokio::test]
async fn the_password_is_tried_without_a_message() {
    for (status, body, is_fine) in [
        (400, "Missing receiver number, rejected", true),
        (403, "Authorization failed for sendsms", false),
        (202, "0: Accepted for delivery", false),
    ] {
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        assert_eq!(channel("kannel", &text(&vendor.url)).test().await.is_ok(), is_fine, "{body}");
        assert!(!vendor.only().path.contains("to="));
    }
}

#[test]
fn reports_need_a_secret_and_a_plain_address() {
    let bare = CASE.table("http://127.0.0.1:9");
    for (more, word) in [
        ("callback_url = \"https://e.com/h\"", "at least 16 characters"),
        ("secret = \"0123456789abcdef\"", "together with"),
        ("callback_url = \"https://e.com/h\"\nsecret = \"short\"", "at least 16 characters"),
        ("callback_url = \"https://e.com/%41\"\nsecret = \"0123456789abcdef\"", "without %"),
    ] {
        let faults = config("kannel", &format!("{more}\n{bare}")).unwrap_err().join("\n");
        assert!(faults.contains(word), "{faults}");
    }
}
