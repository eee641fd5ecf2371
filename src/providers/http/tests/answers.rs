//! What the answer to an order proves.

use super::super::Config;
use super::super::testing::{edited, order};
use crate::domain::Money;
use crate::providers::{Answer, Evidence};
use crate::transport::http::{CallError, Reply};

const OURS: &str = r#""msisdn":"+12025550123","amount":"10.00","currency":"USD""#;

fn plain() -> Config {
    edited(|text| {
        text.replace(
            "pending = [\"pending\"]",
            "pending = [\"pending\"]\nreversed = [\"returned\"]",
        )
    })
    .unwrap()
}

fn with(places: &str) -> Config {
    edited(|text| {
        text.replace("transaction_id = \"/id\"", &format!("transaction_id = \"/id\"\n{places}"))
    })
    .unwrap()
}

fn judge(config: &Config, status: u16, body: &str) -> Answer {
    let reply =
        Reply { status, retry_after: None, skew: None, location: None, body: body.to_owned() };
    config.topup.as_ref().unwrap().judge(Ok(reply), &order(), &config.secrets)
}

fn says(word: &str) -> String {
    format!(r#"{{"id":"T-1","status":"{word}",{OURS}}}"#)
}

/// The answer's kind, for tables.
fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Paid(_) => "paid",
        Answer::Pending(_) => "pending",
        Answer::Refused(_) => "refused",
        Answer::Reversed(_) => "reversed",
        Answer::Mismatch { .. } => "mismatch",
        Answer::NotSent { .. } => "not sent",
        Answer::Unclear { .. } => "unclear",
    }
}

#[test]
fn every_status_with_every_kind_of_body() {
    let config = plain();
    for status in 100..=599_u16 {
        let ok = (200..=299).contains(&status);
        let listed = matches!(status, 402 | 422);
        let table = [
            (says("done"), if ok { "paid" } else { "unclear" }),
            (says("pending"), if ok { "pending" } else { "unclear" }),
            (says("returned"), if ok { "reversed" } else { "unclear" }),
            (says("refused"), if status == 409 { "unclear" } else { "refused" }),
            (says("excellent"), if listed { "refused" } else { "unclear" }),
            ("{}".to_owned(), if listed { "refused" } else { "unclear" }),
            (String::new(), if listed { "refused" } else { "unclear" }),
            ("<html>502</html>".to_owned(), if listed { "refused" } else { "unclear" }),
            (r#"{"id":"T-1","stat"#.to_owned(), if listed { "refused" } else { "unclear" }),
        ];
        for (body, expected) in table {
            assert_eq!(kind(&judge(&config, status, &body)), expected, "{status} {body}");
        }
    }
}

#[test]
fn only_what_never_connected_was_not_sent() {
    let config = plain();
    let judge =
        |error| kind(&config.topup.as_ref().unwrap().judge(Err(error), &order(), &config.secrets));
    assert_eq!(judge(CallError::NotConnected("refused".into())), "not sent");
    assert_eq!(judge(CallError::Forbidden("private".into())), "not sent");
    assert_eq!(judge(CallError::Lost("reset".into())), "unclear");
}

#[test]
fn any_echo_that_differs_is_a_mismatch() {
    let config = plain();
    for (from, to) in [
        ("550123", "550124"),
        ("\"10.00\"", "\"100.00\""),
        ("\"10.00\"", "9.99"),
        ("\"USD\"", "\"EUR\""),
        ("\"msisdn\":", "\"line\":{\"phoneNumber\":\"+12025550199\"},\"x\":"),
    ] {
        for word in ["done", "pending", "returned"] {
            let answer = judge(&config, 200, &says(word).replace(from, to));
            assert_eq!(kind(&answer), "mismatch", "{word} {to}");
        }
        let refused = judge(&config, 200, &says("refused").replace(from, to));
        assert_eq!(kind(&refused), "unclear", "a refusal of something else proves nothing");
    }
    for same in ["10", "10.0", "\"10\"", "\"10.000\"", "null", "{\"value\":3}"] {
        let answer = judge(&config, 200, &says("done").replace("\"10.00\"", same));
        assert_eq!(kind(&answer), "paid", "{same}");
    }
}

#[test]
fn configured_echoes_are_the_only_ones_looked_at() {
    let config = with(
        "msisdn = \"/to\"\namount = \"/sum\"\ncurrency = \"/in\"\nreference = \"/ref\"\n\
         charged = \"/cost\"\ndelivered = \"/got\"",
    );
    let body = r#"{"id":7,"status":"DONE","to":"2025550123","sum":10,"in":"usd","amount":3,
        "ref":"abcdefghijklmnopqrstuvwx","cost":"10.501","got":9.5,"msisdn":"+12025550199"}"#;
    let Answer::Paid(evidence) = judge(&config, 200, body) else { panic!("not paid") };
    assert_eq!(
        evidence,
        Evidence {
            transaction_id: Some("7".to_owned()),
            charged: Money::parse("10.51 USD").ok(),
            delivered: Money::parse("9.50 USD").ok(),
            raw: body.to_owned(),
            ..Evidence::default()
        }
    );
    for (from, to) in
        [("5550123", "5550124"), ("\"sum\":10", "\"sum\":11"), ("usd", "eur"), ("abc", "xyz")]
    {
        assert_eq!(kind(&judge(&config, 200, &body.replace(from, to))), "mismatch", "{to}");
    }
    assert_eq!(
        kind(&judge(&config, 200, r#"{"status":"done"}"#)),
        "paid",
        "what is not echoed agrees"
    );
}

#[test]
fn evidence_has_no_secret_and_a_limit() {
    let body =
        format!(r#"{{"status":"done","debug":"Bearer s3cret","pad":"{}"}}"#, "x".repeat(9000));
    let Answer::Paid(evidence) = judge(&plain(), 200, &body) else { panic!("not paid") };
    assert!(evidence.raw.contains("Bearer <secret>") && evidence.raw.len() <= 4096);
}

#[test]
fn text_answers_are_understood_as_well() {
    let config = edited(|text| {
        text.replace(
            "transaction_id = \"/id\"\nstatus = \"/status\"",
            "pattern = '^(?P<status>\\w+);(?P<transaction_id>\\d+)'",
        )
        .split("[find]")
        .next()
        .unwrap()
        .to_owned()
    })
    .unwrap();
    let Answer::Paid(evidence) = judge(&config, 200, "done;4711") else { panic!("not paid") };
    assert_eq!(evidence.transaction_id.as_deref(), Some("4711"));
    assert_eq!(kind(&judge(&config, 200, "refused;1")), "refused");
    assert_eq!(kind(&judge(&config, 200, "ERR 17")), "unclear");
}

#[test]
fn refusals_are_sorted_by_their_code_then_by_their_word() {
    let config = with(
        "refusal_code = \"/error/code\"\nclasses = { declined_hard = [\"card_expired\"], invalid_target = [\"unknown_number\", \"422\"] }",
    );
    let class = |status: u16, body: &str| {
        let Answer::Refused(refusal) = judge(&config, status, body) else { panic!("{body}") };
        (refusal.code, refusal.class.as_str())
    };
    let hard = r#"{"status":"refused","error":{"code":"Card_Expired"}}"#;
    assert_eq!(class(200, hard), ("Card_Expired".into(), "declined_hard"));
    assert_eq!(class(402, hard), ("Card_Expired".into(), "declined_hard"));
    assert_eq!(class(422, "no JSON"), ("422".into(), "invalid_target"));
    assert_eq!(class(402, "{}"), ("402".into(), "declined_soft"));
    let unsorted = r#"{"status":"refused","error":{"code":"weather"}}"#;
    assert_eq!(class(200, unsorted), ("weather".into(), "declined_soft"));
    let twice = edited(|text| {
        let classes = "classes = { declined_hard = [\"x\"], invalid_target = [\"X\"] }";
        text.replace("transaction_id = \"/id\"", &format!("transaction_id = \"/id\"\n{classes}"))
    });
    assert!(twice.is_err());
}
