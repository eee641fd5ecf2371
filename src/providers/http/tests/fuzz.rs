//! Whatever comes over the wire: no panic, and nothing becomes more than it says.

use super::super::testing::{config, edited, example, line, order};
use super::super::{Config, dates};
use crate::providers::{Answer, Booked, Found};
use crate::transport::http::{CallError, Reply};
use proptest::prelude::*;

fn reply(status: u16, body: String) -> Reply {
    Reply { status, retry_after: None, skew: None, location: None, body }
}

fn with_list() -> Config {
    let head = "path = \"/list\"\nitems = \"/items\"\nat = \"/at\"\nmsisdn = \"/msisdn\"\namount = \"/amount\"\n\
                currency = \"/currency\"\nreference = \"/ref\"\n";
    let wallet = "[wallet]\npath = \"/w\"\nbalance = \"/balance\"\ncurrency = \"/currency\"\n";
    config(&format!("{}[list]\n{head}{wallet}", example("http://127.0.0.1:9"))).unwrap()
}

/// A healthy record with a few bytes, or a few values, put wrong.
fn broken(record: &'static str) -> impl Strategy<Value = String> {
    let bytes = proptest::collection::vec((0..record.len(), any::<u8>()), 0..6);
    let values = prop_oneof![
        Just("null"),
        Just("0"),
        Just("-1"),
        Just("1e400"),
        Just("\"\""),
        Just("[]"),
        Just("{}"),
        Just("99999999999999999999"),
        Just("\"NaN\""),
        Just("true"),
        Just("\"10.00\""),
        Just("\"done\""),
        Just("\"9999-12-31\""),
        Just("\"\u{202e}\u{0}\""),
    ];
    (bytes, proptest::option::of((0..8_usize, values)), 0..=record.len()).prop_map(
        move |(bytes, value, cut)| {
            let mut text = record.as_bytes().to_vec();
            for (at, byte) in bytes {
                text[at] = byte;
            }
            let mut text = String::from_utf8_lossy(&text).into_owned();
            if let Some((nth, value)) = value {
                // The nth value of the record becomes another.
                let places: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
                if let Some(at) = places.get(nth) {
                    let end = text[at + 1..].find([',', '}']).map_or(text.len(), |n| at + 1 + n);
                    text.replace_range(at + 1..end, value);
                }
            }
            if cut % 7 == 0 {
                text = text.chars().take(cut).collect();
            }
            text
        },
    )
}

const LINE: &str = r#"{"msisdn":"+12025550123","balance":{"amount":"5.00","currency":"USD"},"expires_at":"2026-12-01","data":{"left_mb":1.5}}"#;
const RECORD: &str = r#"{"id":"T-1","ref":"abcdefghijklmnopqrstuvwx","status":"done","msisdn":"+12025550123","amount":"10.00","currency":"USD"}"#;
const LIST: &str = r#"{"items":[{"id":"T-1","ref":"abcdefghijklmnopqrstuvwx","status":"done","msisdn":"+12025550123","amount":"10.00","currency":"USD","at":1800000000}]}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn readings(status in 0..600_u16, body in prop_oneof![any::<String>(), broken(LINE)]) {
        let config = edited(|text| text).unwrap();
        let read = config.read.as_ref().unwrap().judge(&reply(status, body.clone()), &line(), &config.secrets);
        if let Ok(read) = read {
            prop_assert!((200..300).contains(&status), "{status} became a reading");
            // Whatever balance is read stands there in so many digits.
            if let Some(balance) = read.values.balance {
                prop_assert!(body.contains("amount"), "{balance} out of {body}");
            }
        }
    }

    #[test]
    fn answers_to_orders(status in 0..600_u16, body in prop_oneof![any::<String>(), broken(RECORD)]) {
        let config = edited(|text| text).unwrap();
        let answer = config.topup.as_ref().unwrap().judge(Ok(reply(status, body.clone())), &order(), &config.secrets);
        match answer {
            Answer::Paid(_) => {
                prop_assert!((200..300).contains(&status) && body.to_ascii_lowercase().contains("done"), "{status} {body}");
                // A foreign number or amount in plain sight is never paid.
                let document: serde_json::Value = serde_json::from_str(&body).unwrap();
                if let Some(amount) = document.get("amount").and_then(|a| a.as_str()).and_then(|a| a.parse::<rust_decimal::Decimal>().ok()) {
                    prop_assert!(amount == rust_decimal::Decimal::TEN, "{body}");
                }
            }
            Answer::Refused(_) => prop_assert!(
                [402, 422].contains(&status) || body.to_ascii_lowercase().contains("refused"), "{status} {body}"
            ),
            Answer::NotSent { .. } => prop_assert!(false, "an answer proves that something was sent"),
            Answer::Pending(_) | Answer::Reversed(_) | Answer::Mismatch { .. } | Answer::Unclear { .. } => {}
        }
    }

    #[test]
    fn what_look_ups_find(status in 0..600_u16, body in prop_oneof![any::<String>(), broken(LIST)]) {
        let config = edited(|text| text).unwrap();
        let found = config.find.as_ref().unwrap().judge(Ok(reply(status, body.clone())), &order(), &config.secrets);
        match found {
            // "Not there" needs a whole list, or a plain 404 of a record.
            Found::Nothing => prop_assert!((200..300).contains(&status) && body.contains("items"), "{status} {body}"),
            Found::One(Answer::Paid(_)) => prop_assert!(body.to_ascii_lowercase().contains("done")),
            Found::One(_) | Found::Several { .. } | Found::Blind { .. } => {}
        }
    }

    #[test]
    fn lists_and_wallets(status in 0..600_u16, body in prop_oneof![any::<String>(), broken(LIST), broken(r#"{"balance":"10.00","currency":"USD"}"#)]) {
        let config = with_list();
        let listed = config.list.as_ref().unwrap().judge(&reply(status, body.clone()), &config.secrets);
        for one in listed.unwrap_or_default() {
            prop_assert!((200..300).contains(&status));
            prop_assert!(one.booked != Booked::Paid || body.to_ascii_lowercase().contains("done"));
        }
        if config.wallet.as_ref().unwrap().judge(&reply(status, body.clone())).is_ok() {
            prop_assert!((200..300).contains(&status) && body.contains("balance"));
        }
    }

    #[test]
    fn dates_of_every_kind(text in any::<String>(), format in proptest::option::of("[%a-zA-Z /:.-]{0,12}")) {
        let format = format.filter(|format| dates::check_format(format).is_ok());
        dates::read(&text, format.as_deref(), chrono_tz::America::New_York);
    }

    #[test]
    fn dates_near_the_edges(year in -300_000..300_000_i64, day in 0..40, hour in 0..30) {
        for text in [format!("{year:04}-02-{day:02}T{hour:02}:59:60Z"), format!("{year:04}-12-{day:02}"), year.to_string()] {
            dates::read(&text, None, chrono_tz::Pacific::Apia);
        }
    }
}

#[test]
fn a_lost_call_is_never_an_answer() {
    let config = edited(|text| text).unwrap();
    let lost = config.topup.as_ref().unwrap().judge(
        Err(CallError::Lost("reset".into())),
        &order(),
        &config.secrets,
    );
    assert!(matches!(lost, Answer::Unclear { .. }));
}

#[test]
fn a_list_is_read_and_fits_by_reference_or_by_what_is_paid_for_whom() {
    let config = with_list();
    let list = config.list.as_ref().unwrap();
    let listed = list.judge(&reply(200, LIST.to_owned()), &config.secrets).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].booked, Booked::Paid);
    assert_eq!(listed[0].at.unwrap().ms(), 1_800_000_000_000);
    assert!(listed[0].is_like(&order()));
    let other = list.judge(&reply(200, LIST.replace("abcdef", "zzzzzz")), &config.secrets).unwrap();
    assert!(!other[0].is_like(&order()), "another reference fits nobody");
    let none = |text: &str| {
        let text = LIST.replace("\"ref\":\"abcdefghijklmnopqrstuvwx\",", "").replace("10.00", text);
        list.judge(&reply(200, text), &config.secrets).unwrap()[0].is_like(&order())
    };
    assert!(none("10.00") && !none("10.01"));
    assert!(list.judge(&reply(500, LIST.to_owned()), &config.secrets).is_err());
    assert!(list.judge(&reply(200, "{}".to_owned()), &config.secrets).is_err());
}
