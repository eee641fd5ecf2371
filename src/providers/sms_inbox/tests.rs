//! Signatures, senders, SIMs, and what texts are and are not.

use super::super::http::testing::line;
use super::*;
use crate::domain::{Money, Span};
use crate::input::{Intake, Origin, from_toml};

const BODY: &str = r#"{"deviceId":"ffff","event":"sms:received","id":"Ey6ECgOkVVFjz3CL48B8C","payload":{"messageId":"abc123","message":"Current plan active until 08/10/2022 and will renew for $12.34. Account Balance $56.78. Add money by dialing *233 or redeem a refill card.","phoneNumber":"456","simNumber":1,"receivedAt":"2026-11-21T00:00:00.000-05:00"},"webhookId":"w"}"#;
/// Made with Python's hmac over BODY and STAMP with the key `hush-hush`.
const SIGNATURE: &str = "64a9dde67f5f0414c725c5ab192857cc7d3650bf50d914b7c6124fc03ffb7285";
const STAMP: &str = "1795219200";

fn read(text: &str) -> (Option<Config>, String) {
    let table = from_toml("a.toml", text).unwrap();
    let intake = Intake::new();
    let origin = Origin::file("a.toml");
    let config = Config::read(Section::new(&table, "providers.phone.sms_inbox", &origin, &intake));
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    (config, faults.join("\n"))
}

fn inbox(text: &str) -> SmsInbox {
    let (config, faults) = read(text);
    assert_eq!(faults, "");
    let config = config.unwrap();
    SmsInbox { declares: config.declares(), config }
}

fn posted(text: &str) -> SmsInbox {
    inbox(&format!("from = [\"456\"]\nsecret = \"hush-hush\"\n{text}"))
}

fn now() -> Timestamp {
    Timestamp::from_ms(1_795_219_200_000)
}

fn open(body: &str, signature: &str, timestamp: &str) -> Result<Vec<Sms>, PostError> {
    let post =
        Post { body: body.as_bytes(), signature: Some(signature), timestamp: Some(timestamp) };
    posted("").open(&post, now())
}

/// The signature of `body`, as the phone makes it.
fn sign(body: &str, timestamp: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush-hush").unwrap();
    mac.update(format!("{body}{timestamp}").as_bytes());
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

#[test]
fn a_signed_message_is_read() {
    let sms = open(BODY, SIGNATURE, STAMP).unwrap();
    assert_eq!(sms.len(), 1);
    assert_eq!(sms[0].from.as_deref(), Some("456"));
    assert_eq!((sms[0].sim, sms[0].to.as_deref()), (Some(1), None));
    assert_eq!(sms[0].at.map(Timestamp::rfc3339), Some("2026-11-21T05:00:00Z".into()));
    assert_eq!(sms[0].key().as_deref(), Some("abc123|456|2026-11-21T05:00:00Z"));
    let read = posted("").understand(&line(), &sms[0].text).unwrap();
    assert_eq!(read.quality, Quality::Ok);
    assert_eq!(read.values.balance, Money::parse("56.78 USD").ok());
    assert_eq!(open(BODY, &SIGNATURE.to_uppercase(), STAMP).unwrap(), sms);
    assert_eq!(sign(BODY, STAMP), SIGNATURE);
}

#[test]
fn whatever_is_not_signed_now_is_refused() {
    let refused = |body: &str, signature: &str, timestamp: &str| {
        let error = open(body, signature, timestamp).unwrap_err();
        assert!(matches!(error, PostError::Unproven(_)), "{error:?}");
        error.to_string()
    };
    for (body, signature, timestamp) in [
        (BODY.replace("56.78", "96.78").as_str(), SIGNATURE, STAMP),
        (BODY, &SIGNATURE.replacen('6', "7", 1), STAMP),
        (BODY, "", STAMP),
        (BODY, "zz", STAMP),
        (BODY, &SIGNATURE[..62], STAMP),
        (BODY, SIGNATURE, "1795219201"),
        (BODY, SIGNATURE, ""),
        (BODY, SIGNATURE, "-5"),
        (BODY, SIGNATURE, "soon"),
    ] {
        refused(body, signature, timestamp);
    }
    for (offset, is_fine) in [(-300, true), (300, true), (-301, false), (301, false)] {
        let stamp = (1_795_219_200_i64 + offset).to_string();
        let answer = open(BODY, &sign(BODY, &stamp), &stamp);
        assert_eq!(answer.is_ok(), is_fine, "{offset}");
    }
    let without = Post { body: BODY.as_bytes(), signature: None, timestamp: Some(STAMP) };
    assert!(matches!(posted("").open(&without, now()), Err(PostError::Unproven(_))));
    let closed = inbox("").open(&without, now());
    assert_eq!(closed, Err(PostError::Closed));
}

#[test]
fn bodies_are_events_with_or_without_messages() {
    let signed = |body: &str| open(body, &sign(body, STAMP), STAMP);
    let ping = r#"{"event":"system:ping","payload":{}}"#;
    assert_eq!(signed(ping), Ok(Vec::new()));
    let newer = r#"{"event":"sms:received","payload":{"messageId":"m","phoneNumber":"+12025550123","sender":"T-Mobile","recipient":"+12025550123","message":"hi"}}"#;
    let sms = signed(newer).unwrap();
    assert_eq!(sms[0].from.as_deref(), Some("T-Mobile"));
    assert_eq!(sms[0].to.as_deref(), Some("+12025550123"));
    let batch = r#"{"event":"sms:batch:received","payload":{"messages":[{"messageId":"a","phoneNumber":"1","message":"x"},{"messageId":"b","phoneNumber":"1","message":"y"}]}}"#;
    assert_eq!(signed(batch).unwrap().len(), 2);
    let many = format!(
        r#"{{"event":"sms:batch:received","payload":{{"messages":[{}{{}}]}}}}"#,
        "{},".repeat(100)
    );
    for body in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"event":"sms:received"}"#,
        r#"{"event":"sms:received","payload":{"messageId":" "}}"#,
        r#"{"event":"sms:received","payload":{"messageId":"m","receivedAt":"today"}}"#,
        r#"{"event":"sms:batch:received","payload":{}}"#,
        &many,
    ] {
        assert!(matches!(signed(body), Err(PostError::Malformed(_))), "{body}");
    }
}

#[test]
fn the_same_text_of_another_day_is_another_message() {
    let sms = open(BODY, SIGNATURE, STAMP).unwrap().remove(0);
    let later = Sms { at: sms.at.map(|at| at.plus(Span::days(1))), ..sms.clone() };
    assert_ne!(later.key(), sms.key());
    assert_eq!(Sms::default().key(), None);
}

#[test]
fn only_allowed_senders_count() {
    let phone = inbox("from = [\"456\", \"T-Mobile\", \"+1 888 878 1488\"]\nsecret = \"x\"");
    for sender in ["456", " 456 ", "t-mobile", "T Mobile", "8888781488", "+18888781488"] {
        assert!(phone.is_sender(sender), "{sender}");
    }
    for sender in ["", "4567", "1456", "56", "T-Mobile2", "+18888781489", "mobile"] {
        assert!(!phone.is_sender(sender), "{sender}");
    }
}

#[test]
fn a_message_is_for_the_number_or_sim_it_names() {
    let sms = |to: Option<&str>, sim| Sms { to: to.map(str::to_owned), sim, ..Sms::default() };
    let one = inbox("");
    assert_eq!(one.is_for(&line(), &sms(Some("2025550123"), None)), IsFor::This);
    assert_eq!(one.is_for(&line(), &sms(Some("+12025550199"), None)), IsFor::Other);
    assert_eq!(one.is_for(&line(), &sms(None, Some(2))), IsFor::Unsaid);
    let two = inbox("sims = { 1 = \"+12025550123\", 2 = \"+12025550199\" }");
    assert_eq!(two.is_for(&line(), &sms(None, Some(1))), IsFor::This);
    assert_eq!(two.is_for(&line(), &sms(None, Some(2))), IsFor::Other);
    assert_eq!(two.is_for(&line(), &sms(None, Some(3))), IsFor::Other);
    assert_eq!(two.is_for(&line(), &sms(None, None)), IsFor::Unsaid);
}

#[test]
fn what_is_not_understood_shows_its_beginning_and_no_code() {
    let phone = posted("operator = \"t-mobile-us\"");
    let text = format!("Your code is 123456.\nIt costs $5.00, until 2026 {}", "x".repeat(200));
    let error = phone.understand(&line(), &text).unwrap_err();
    assert_eq!(error.quality, Quality::Unparseable);
    assert!(error.detail.contains("T-Mobile US prepaid: Your code is …. It costs $5.00, until …"));
    assert!(!error.detail.contains("123456") && error.detail.len() < 200, "{}", error.detail);
    let nobody = Subscription { operator: Some("Nobody".to_owned()), ..line() };
    let error = posted("").understand(&nobody, &text).unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Configuration));
}

#[test]
fn texts_of_one_s_own_come_first() {
    let phone = posted(
        "replies = [{ pattern = 'Saldo <balance> USD bis <service_end>', currency = \"USD\", \
         date = \"%d.%m.%Y\", decimal_comma = true }]",
    );
    let read = phone.understand(&line(), "Saldo 1.234,50 USD bis 01.12.2026").unwrap();
    assert_eq!(read.values.balance, Money::parse("1234.50 USD").ok());
    assert!(read.values.service_end_at.is_some());
}

#[test]
fn faults_name_the_key() {
    for (text, word) in [
        ("operator = \"Nobody\"", "operator"),
        ("secret = \"hush\"", "from"),
        ("secret = \" \"\nfrom = [\"1\"]", "secret"),
        ("from = [\"-\"]", "from"),
        ("sims = { one = \"+12025550123\" }", "one"),
        ("sims = { 1 = \"x\" }", "E.164"),
        ("replies = [{ pattern = 'x', currency = \"USD\" }]", "holes"),
        ("replies = [{ currency = \"USD\" }]", "pattern"),
        ("replies = [{ pattern = '<balance>' }]", "currency"),
        ("balance = 1", "unknown key"),
    ] {
        let (_, faults) = read(text);
        assert!(faults.contains(word) && !faults.contains("hush"), "{text}: {faults}");
    }
}

#[tokio::test]
async fn it_neither_asks_nor_pays() {
    let provider = posted("");
    let declares = provider.declares();
    assert!(declares.reads && !declares.polled && !declares.tops_up);
    assert!(provider.read(&line()).await.is_err());
    let order = super::super::http::testing::order();
    assert!(provider.freeze(&order).is_err());
    assert!(matches!(provider.topup(&order, "").await, Answer::NotSent { .. }));
    assert!(matches!(provider.find(&order).await, Found::Blind { .. }));
    assert!(provider.test().await.unwrap().detail.contains("/hooks/sms/"));
    assert!(!format!("{provider:?}").contains("hush"));
}
