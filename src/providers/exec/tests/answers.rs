//! What is written, word for word, and what it proves.

use super::*;
use crate::domain::{Metric, Quantity};

fn parsed(text: &str) -> Output {
    Output::parse(text).unwrap()
}

fn topup(text: &str) -> Answer {
    match Output::parse(text) {
        Ok(output) => output.topup(&order(), output.without_pins()),
        Err(why) => Answer::Unclear { why, raw: String::new() },
    }
}

#[test]
fn a_reading_has_every_value() {
    let read = parsed(
        r#"{"msisdn":"2025550123","balance":"4.50 USD","data_left":"1.5 GB","minutes_left":30,"sms_left":null,
        "service_end":"2026-12-10","number_loss":"2027-02-01T00:00:00Z","next_charge":"16.20 USD",
        "buckets":[{"name":"Bonus","left":"500 MB","expires":"2026-12-01"}]}"#,
    );
    let read = read.reading(&line()).unwrap();
    assert_eq!(read.quality, Quality::Ok);
    let values = read.values;
    assert_eq!((values.data_left, values.minutes_left), (Some(1_500_000_000), Some(30)));
    assert_eq!(values.service_end_at.map(Timestamp::rfc3339), Some("2026-12-10T05:00:00Z".into()));
    assert_eq!(values.number_loss_at.map(Timestamp::rfc3339), Some("2027-02-01T00:00:00Z".into()));
    assert_eq!(values.buckets[0].left, Quantity::Bytes(500_000_000));
    assert_eq!(values.buckets[0].metric, Metric::DataLeft);
}

#[test]
fn what_is_not_as_described_is_no_reading() {
    for text in [
        "{}",
        r#"{"msisdn":"+12025550123"}"#,
        r#"{"balance":"4.50"}"#,
        r#"{"balance":4.5}"#,
        r#"{"balance":{"amount":"4.50","currency":"USD"}}"#,
        r#"{"balance":"4.505 USD"}"#,
        r#"{"balance":"4.50 USD","data":"1 GB"}"#,
        r#"{"balance":"4.50 USD","data_left":-1}"#,
        r#"{"balance":"4.50 USD","service_end":"12/10/2026"}"#,
        r#"{"balance":"4.50 USD","at":"2026-11-21T00:00:00Z"}"#,
        r#"{"error":"busy"}"#,
        r#"{"error":{"kind":"weather"}}"#,
        r#"{"error":{"detail":"x"}}"#,
        r#"{"error":{"kind":"temporary"},"balance":"4.50 USD"}"#,
    ] {
        let error = parsed(text).reading(&line()).unwrap_err();
        assert_eq!(error.quality, Quality::Unparseable, "{text}: {error:?}");
    }
    for text in ["", "null", "[]", "\"x\"", "5", "{", "{} {}", "{}x", "<html>", "\u{feff}{}"] {
        assert!(Output::parse(text).is_err(), "{text}");
    }
    let other = parsed(r#"{"balance":"4.50 USD","msisdn":"+12025550199"}"#).reading(&line());
    assert_eq!(other.unwrap_err().quality, Quality::Error(ErrorKind::Identity));
}

#[test]
fn errors_have_kinds() {
    let error =
        parsed(r#"{"error":{"kind":"rate_limit","detail":"slow down","retry_after":"60s"}}"#);
    let error = error.reading(&line()).unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::RateLimit));
    assert_eq!((error.detail.as_str(), error.retry_after), ("slow down", Some(Span::minutes(1))));
    let gone = parsed(r#"{"error":{"kind":"permanent"}}"#);
    assert_eq!(gone.reading(&line()).unwrap_err().quality, Quality::Error(ErrorKind::Permanent));
    assert!(gone.wallet().is_err() && gone.test().is_err() && gone.list(str::to_owned).is_err());
    assert!(matches!(gone.found(&order(), String::new()), Found::Blind { .. }));
    assert!(matches!(gone.topup(&order(), String::new()), Answer::Unclear { .. }));
}

#[test]
fn every_outcome_has_its_answer() {
    let full = r#"{"outcome":"paid","transaction_id":99,"reference":"ABCDEFGHIJKLMNOPQRSTUVWX","msisdn":"12025550123",
        "amount":"10.00 USD","charged":"9.50 USD","delivered":"10.00 USD","product":"whatever"}"#;
    let Answer::Paid(evidence) = topup(full) else { panic!("{:?}", topup(full)) };
    assert_eq!(evidence.transaction_id.as_deref(), Some("99"));
    assert_eq!(evidence.charged, Money::parse("9.50 USD").ok());
    assert!(matches!(topup(r#"{"outcome":"pending"}"#), Answer::Pending(_)));
    assert!(matches!(topup(r#"{"outcome":"reversed"}"#), Answer::Reversed(_)));
    let not_sent = topup(r#"{"outcome":"not_sent","why":"no route"}"#);
    assert_eq!(not_sent, Answer::NotSent { why: "no route".to_owned() });
    assert!(matches!(topup(r#"{"outcome":"unclear"}"#), Answer::Unclear { .. }));
    let class = |text: &str| {
        let Answer::Refused(refusal) = topup(text) else { panic!("{text}: {:?}", topup(text)) };
        refusal.class
    };
    assert_eq!(class(r#"{"outcome":"refused"}"#), FailureClass::Internal);
    for (word, expected) in FailureClass::WORDS {
        let text = format!("{{\"outcome\":\"refused\",\"code\":\"x\",\"class\":\"{word}\"}}");
        assert_eq!(class(&text), expected);
    }
}

#[test]
fn what_is_not_as_described_is_unclear() {
    for text in [
        "{}",
        r#"{"outcome":""}"#,
        r#"{"outcome":"ok"}"#,
        r#"{"outcome":"PAID"}"#,
        r#"{"outcome":true}"#,
        r#"{"outcome":"paid","status":"paid"}"#,
        r#"{"outcome":"paid","charged":"9.50"}"#,
        r#"{"outcome":"paid","charged":"-9.50 USD"}"#,
        r#"{"outcome":"paid","pin":"1234"}"#,
        r#"{"outcome":"refused","class":"declined"}"#,
        r#"{"outcome":"refused","error":{"kind":"temporary"}}"#,
        r#"{"error":{"kind":"temporary","detail":"down"}}"#,
        // A refusal of another order says nothing about this one.
        r#"{"outcome":"refused","reference":"zzz"}"#,
        r#"{"outcome":"not_sent","msisdn":"+12025550199"}"#,
        "{\"outcome\":\"paid\"",
        "",
    ] {
        assert!(matches!(topup(text), Answer::Unclear { .. }), "{text}: {:?}", topup(text));
    }
}

#[test]
fn an_echo_that_differs_is_a_mismatch() {
    for echo in [
        r#""reference":"zzz""#,
        r#""msisdn":"+12025550199""#,
        r#""amount":"20.00 USD""#,
        r#""amount":"10.00 CAD""#,
    ] {
        for outcome in ["paid", "pending", "reversed"] {
            let answer = topup(&format!("{{\"outcome\":\"{outcome}\",{echo}}}"));
            assert!(matches!(answer, Answer::Mismatch { .. }), "{echo}: {answer:?}");
        }
    }
    let picky = Order { product: Some("TEN".into()), ..order() };
    let other = parsed(r#"{"outcome":"paid","product":"TWENTY"}"#);
    assert!(matches!(other.topup(&picky, String::new()), Answer::Mismatch { .. }));
}

#[test]
fn codes_are_handed_over_and_kept_nowhere_else() {
    for pin in [
        r#"{"code":"1234-5678-9012","serial":"S-1","how":"dial *611*CODE#"}"#,
        r#"{"code":123456789012}"#,
    ] {
        let text = format!("{{\"outcome\":\"paid\",\"transaction_id\":\"t1\",\"pin\":{pin}}}");
        let Answer::Paid(evidence) = topup(&text) else { panic!("{:?}", topup(&text)) };
        let code = evidence.pin.unwrap().code;
        assert!(code.ends_with("9012"));
        assert!(!evidence.raw.contains(&code) && evidence.raw.contains("t1"), "{}", evidence.raw);
        let odd =
            text.replace("\"paid\"", "\"1234-5678-9012\"").replace("\"t1\"", "[123456789012]");
        let Answer::Unclear { why, raw } = topup(&odd) else { panic!("{:?}", topup(&odd)) };
        assert!(!why.contains(&code) && !raw.contains(&code), "{why}\n{raw}");
        let list = format!("{{\"topups\":[{text}]}}");
        assert!(!parsed(&list).without_pins().contains(&code));
    }
    // A whole answer that breaks off has no code after the cut.
    let exec = Exec(read("command = [\"/bin/true\"]\nverbs = [\"topup\"]").unwrap());
    assert_eq!(
        exec.raw("{\"outcome\":\"paid\",\"pin\":{\"code\":\"1234-56"),
        "{\"outcome\":\"paid\","
    );
}

#[test]
fn look_ups_are_lists() {
    let found = |text: &str| parsed(text).found(&order(), String::new());
    assert_eq!(found(r#"{"topups":[]}"#), Found::Nothing);
    assert!(matches!(found(r#"{"topups":[{"outcome":"paid"}]}"#), Found::One(Answer::Paid(_))));
    let two = found(r#"{"topups":[{"outcome":"paid"},{"outcome":"refused"}]}"#);
    assert!(matches!(two, Found::Several { count: 2, .. }), "{two:?}");
    let other = found(r#"{"topups":[{"outcome":"paid","reference":"zzz"}]}"#);
    assert!(matches!(other, Found::One(Answer::Mismatch { .. })), "{other:?}");
    for text in [
        "{}",
        r#"{"topups":null}"#,
        r#"{"topups":{}}"#,
        r#"{"topups":"none"}"#,
        r#"{"topups":[{}]}"#,
        r#"{"topups":[null]}"#,
        r#"{"topups":[{"outcome":"paid"},5]}"#,
        r#"{"topups":[{"outcome":"not_sent"}]}"#,
        r#"{"topups":[],"more":true}"#,
        r#"{"outcome":"paid"}"#,
    ] {
        assert!(matches!(found(text), Found::Blind { .. }), "{text}: {:?}", found(text));
    }
}

#[test]
fn books_and_wallet() {
    let list = parsed(
        r#"{"transactions":[{"transaction_id":"1","reference":"r","at":"2026-11-21T00:00:00Z","target":"+12025550123",
        "amount":"10.00 USD","charged":"9.50 USD","booked":"paid"},{"booked":"unclear"}]}"#,
    );
    let list = list.list(|text| text.replace('1', "*")).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].amount, Money::parse("10.00 USD").ok());
    assert!(list[0].raw.contains('*') && !list[0].raw.contains('1'));
    assert_eq!(parsed(r#"{"transactions":[]}"#).list(str::to_owned).unwrap(), []);
    for text in
        ["{}", r#"{"transactions":[{}]}"#, r#"{"transactions":[{"booked":"paid","at":"x"}]}"#]
    {
        assert!(parsed(text).list(str::to_owned).is_err(), "{text}");
    }
    assert_eq!(parsed(r#"{"balance":"1.00 USD"}"#).wallet(), Ok(Money::parse("1 USD").unwrap()));
    assert!(parsed("{}").wallet().is_err() && parsed(r#"{"balance":"1"}"#).wallet().is_err());
    assert!(parsed(r#"{"detail":" "}"#).test().is_err());
}
