//! From answers to readings.

use super::super::Config;
use super::super::testing::{config, edited, example, line};
use crate::domain::{Currency, ErrorKind, Money, Quality, Span, Subscription, Timestamp};
use crate::providers::{ReadError, ReadOk};
use crate::transport::http::Reply;
use crate::transport::http::kind_of;

fn judge(
    config: &Config,
    status: u16,
    body: &str,
    line: &Subscription,
) -> Result<ReadOk, ReadError> {
    let reply = Reply {
        status,
        retry_after: Some(Span::seconds(9)),
        skew: None,
        location: None,
        body: body.to_owned(),
    };
    config.read.as_ref().unwrap().judge(&reply, line, &config.secrets)
}

fn example_says(body: &str) -> Result<ReadOk, ReadError> {
    judge(&edited(|text| text).unwrap(), 200, body, &line())
}

fn reading(section: &str) -> Config {
    let text = example("http://127.0.0.1:9");
    let head = text.split_once("[read]").unwrap().0;
    config(&format!("{head}[read]\npath = \"/l\"\n{section}")).unwrap()
}

const WHOLE: &str = r#"{"msisdn":"+12025550123","balance":{"amount":"5.009","currency":"usd"},
    "expires_at":"2026-12-01","data":{"left_mb":1.5}}"#;

#[test]
fn a_whole_answer_is_ok_and_rounded_down() {
    let read = example_says(WHOLE).unwrap();
    assert_eq!((read.quality, read.detail), (Quality::Ok, None));
    assert_eq!(read.values.balance, Some(Money::new(500, Currency::parse("USD").unwrap())));
    assert_eq!(read.values.data_left, Some(1_500_000));
    assert_eq!(read.values.service_end_at, Timestamp::parse_rfc3339("2026-12-01T05:00:00Z"));
    let number = example_says(&WHOLE.replace("\"5.009\"", "-0.001")).unwrap();
    assert_eq!(number.values.balance.map(Money::minor), Some(-1));
}

#[test]
fn what_is_missing_is_said() {
    for (from, to, detail) in [
        ("\"5.009\"", "null", "balance is missing"),
        ("\"5.009\"", "\"\"", "balance is missing"),
        ("\"5.009\"", "\"$5\"", "balance: `$5` is not an amount"),
        ("\"5.009\"", "1e30", "balance: "),
        ("\"usd\"", "\"credits\"", "currency: unknown currency `credits`"),
        ("\"2026-12-01\"", "\"soon\"", "service_end: `soon` is not a date"),
        ("1.5", "-3", "data_left: `-3` is not a number"),
    ] {
        let read = example_says(&WHOLE.replace(from, to)).unwrap();
        assert_eq!(read.quality, Quality::Partial, "{to}");
        assert!(
            read.detail.as_deref().is_some_and(|d| d.contains(detail)),
            "{to}: {:?}",
            read.detail
        );
    }
    let none = example_says(&WHOLE.replace("2026-12-01", "9999-12-31")).unwrap();
    assert_eq!((none.quality, none.values.service_end_at), (Quality::Ok, None));
    assert_eq!(example_says("{}").unwrap_err().quality, Quality::Unparseable);
}

#[test]
fn garbage_is_unparseable() {
    for body in ["", "<html><body>Sign in</body></html>", "{\"balance\":", "hello", "[]", "null"] {
        assert_eq!(example_says(body).unwrap_err().quality, Quality::Unparseable, "{body}");
    }
}

#[test]
fn every_status_has_its_kind() {
    let config = edited(|text| text).unwrap();
    for status in 100..=599_u16 {
        let expected = match status {
            200..=299 => None,
            401 | 403 => Some(ErrorKind::Authentication),
            404 | 410 => Some(ErrorKind::Permanent),
            429 => Some(ErrorKind::RateLimit),
            503 => Some(ErrorKind::Maintenance),
            300..=499 => Some(ErrorKind::Configuration),
            _ => Some(ErrorKind::Temporary),
        };
        assert_eq!(kind_of(status), expected, "{status}");
        let judged = judge(&config, status, WHOLE, &line());
        match expected {
            None => assert_eq!(judged.unwrap().quality, Quality::Ok, "{status}"),
            Some(kind) => {
                let error = judged.unwrap_err();
                assert_eq!(error.quality, Quality::Error(kind), "{status}");
                assert_eq!(error.retry_after, Some(Span::seconds(9)));
            }
        }
    }
}

#[test]
fn an_answer_about_another_line_is_refused() {
    let kind = |result: Result<ReadOk, ReadError>| result.unwrap_err().quality;
    let foreign = WHOLE.replace("550123", "550124");
    assert_eq!(kind(example_says(&foreign)), Quality::Error(ErrorKind::Identity));
    let places = reading("balance = \"/b\"\ncurrency = { fixed = \"USD\" }\nmsisdn = \"/n\"");
    let says = |body: &str| judge(&places, 200, body, &line());
    assert_eq!(says(r#"{"b":1,"n":"2025550123"}"#).unwrap().quality, Quality::Ok);
    assert_eq!(kind(says(r#"{"b":1,"n":"2025550124"}"#)), Quality::Error(ErrorKind::Identity));
    assert_eq!(says(r#"{"b":1}"#).unwrap().quality, Quality::Partial);
}

#[test]
fn an_error_in_a_200_is_an_error_and_shows_no_secret() {
    let config = reading("balance = \"/b\"\ncurrency = { fixed = \"USD\" }\nerror = \"/error\"");
    let error =
        judge(&config, 200, r#"{"b":1,"error":{"why":"s3cret is bad"}}"#, &line()).unwrap_err();
    assert_eq!(error.quality, Quality::Error(ErrorKind::Temporary));
    assert!(error.detail.contains("<secret> is bad"), "{}", error.detail);
    for fine in ["null", "false", "\"\"", "{}", "[]"] {
        let body = format!("{{\"b\":1,\"error\":{fine}}}");
        assert_eq!(judge(&config, 200, &body, &line()).unwrap().quality, Quality::Ok, "{fine}");
    }
}

#[test]
fn text_answers_are_read_with_named_groups() {
    let config = reading(
        "pattern = '(?s)Guthaben (?P<balance>[\\d.]+) (?P<currency>\\w{3})(?:, (?P<sms>\\d+) SMS)?.* bis (?P<until>[\\d.]+)'\n\
         sms_left = \"sms\"\nservice_end = { at = \"until\", format = \"%d.%m.%Y\" }",
    );
    let says = |body: &str| judge(&config, 200, body, &line());
    let read = says("Ihr Guthaben 5.20 EUR, 30 SMS\ngilt bis 01.12.2026").unwrap();
    assert_eq!(read.values.balance, Money::parse("5.20 EUR").ok());
    assert_eq!(read.values.sms_left, Some(30));
    assert_eq!(read.values.service_end_at, Timestamp::parse_rfc3339("2026-12-01T05:00:00Z"));
    assert_eq!(
        says("Ihr Guthaben 5.20 EUR gilt bis 01.12.2026").unwrap().quality,
        Quality::Partial
    );
    assert_eq!(says("Dienst gest\u{f6}rt").unwrap_err().quality, Quality::Unparseable);
}

#[test]
fn buckets_are_a_list_each_with_its_own_expiry() {
    let config = reading(
        "next_charge = \"/next\"\ncurrency = { fixed = \"USD\" }\n\
         buckets = [{ items = \"/bundles\", name = \"/n\", left = { at = \"/mb\", unit = \"MB\" }, expires = \"/until\" },\n\
         { items = \"/credits\", name = \"/n\", left = \"/usd\", currency = { fixed = \"USD\" }, metric = \"balance\" }]",
    );
    let body = r#"{"next":"16.201","bundles":[{"n":"plan","mb":1.5,"until":"2026-12-01"},{"n":"gift","mb":"200"}],
        "credits":[{"n":"bonus","usd":"2.505"}]}"#;
    let read = judge(&config, 200, body, &line()).unwrap();
    assert_eq!((read.quality, read.detail), (Quality::Ok, None));
    assert_eq!(read.values.next_charge, Some(Money::parse("16.21 USD").unwrap()));
    let told: Vec<String> = read
        .values
        .buckets
        .iter()
        .map(|b| format!("{} {} {} {:?}", b.name, b.metric.as_str(), b.left, b.expires_at))
        .collect();
    let end = Timestamp::parse_rfc3339("2026-12-01T05:00:00Z").unwrap();
    assert_eq!(
        told,
        [
            format!("plan data_left 1.5 MB {:?}", Some(end)),
            "gift data_left 200 MB None".to_owned(),
            "bonus balance 2.50 USD None".to_owned()
        ]
    );
    for (from, to, detail) in [
        ("\"200\"", "\"lots\"", "buckets[2]: `lots` is not a number"),
        ("\"2026-12-01\"", "\"soon\"", "buckets[1]: its expiry is not a date"),
        ("\"credits\"", "\"other\"", "buckets: the list is missing"),
        ("\"2.505\"", "null", "buckets[1]: nothing says what is left"),
    ] {
        let read = judge(&config, 200, &body.replace(from, to), &line()).unwrap();
        assert_eq!(read.quality, Quality::Partial, "{to}");
        assert!(read.detail.as_deref().is_some_and(|d| d.contains(detail)), "{:?}", read.detail);
    }
}
