//! What look-ups find, and when they are blind.

use super::super::Config;
use super::super::testing::{edited, order};
use crate::providers::{Answer, Found};
use crate::transport::http::{CallError, Reply};

fn judge(config: &Config, status: u16, body: &str) -> Found {
    let reply =
        Reply { status, retry_after: None, skew: None, location: None, body: body.to_owned() };
    config.find.as_ref().unwrap().judge(Ok(reply), &order(), &config.secrets)
}

fn lists() -> Config {
    edited(|text| text).unwrap()
}

fn records() -> Config {
    edited(|text| text.replace("items = \"/items\"\n", "")).unwrap()
}

fn item(reference: &str, status: &str) -> String {
    format!(r#"{{"id":"T","ref":"{reference}","status":"{status}"}}"#)
}

const OURS: &str = "abcdefghijklmnopqrstuvwx";

#[test]
fn a_list_has_none_one_or_several_of_ours() {
    let list =
        |items: &[String]| judge(&lists(), 200, &format!("{{\"items\":[{}]}}", items.join(",")));
    assert_eq!(list(&[]), Found::Nothing);
    assert_eq!(list(&[item("other", "done")]), Found::Nothing);
    assert!(matches!(
        list(&[item(OURS, "done"), item("other", "done")]),
        Found::One(Answer::Paid(_))
    ));
    assert!(matches!(list(&[item(OURS, "pending")]), Found::One(Answer::Pending(_))));
    assert!(matches!(list(&[item(OURS, "refused")]), Found::One(Answer::Refused(_))));
    assert!(matches!(list(&[item(OURS, "lost")]), Found::One(Answer::Unclear { .. })));
    assert!(matches!(list(&[r#"{"status":"done"}"#.to_owned()]), Found::One(Answer::Paid(_))));
    let twice = list(&[item(OURS, "done"), item(OURS, "refused")]);
    assert!(matches!(twice, Found::Several { count: 2, .. }), "{twice:?}");
    let foreign = format!(r#"{{"ref":"{OURS}","status":"done","amount":"99"}}"#);
    assert!(matches!(list(&[foreign]), Found::One(Answer::Mismatch { .. })));
}

#[test]
fn only_a_clean_answer_proves_that_there_is_nothing() {
    for status in 100..=599_u16 {
        let found = judge(&lists(), status, r#"{"items":[]}"#);
        let clean = (200..=299).contains(&status);
        assert_eq!(found == Found::Nothing, clean, "{status}: {found:?}");
        assert_eq!(matches!(found, Found::Blind { .. }), !clean, "{status}: {found:?}");
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"items":null}"#,
        r#"{"items":{}}"#,
        r#"{"items":[1]}"#,
        "<html>",
        "{\"items\":[",
    ] {
        let found = judge(&lists(), 200, body);
        assert!(matches!(found, Found::Blind { .. }), "{body}: {found:?}");
    }
    let config = lists();
    let lost = Err(CallError::Lost("reset".into()));
    let found = config.find.as_ref().unwrap().judge(lost, &order(), &config.secrets);
    assert!(matches!(found, Found::Blind { .. }));
}

#[test]
fn a_single_record_may_be_absent() {
    let config = records();
    assert!(matches!(judge(&config, 200, &item(OURS, "done")), Found::One(Answer::Paid(_))));
    assert_eq!(judge(&config, 404, r#"{"error":"none"}"#), Found::Nothing);
    assert_eq!(judge(&config, 404, ""), Found::Nothing);
    assert!(matches!(judge(&config, 404, "<h1>nginx</h1>"), Found::Blind { .. }));
    assert!(matches!(judge(&config, 200, &item("other", "done")), Found::Blind { .. }));
    assert!(matches!(judge(&config, 410, "{}"), Found::Blind { .. }));
}

#[test]
fn look_ups_may_speak_otherwise_than_orders() {
    let config = edited(|text| {
        text.replace(
            "items = \"/items\"",
            "items = \"$.list\"\nstatus = \"/state\"\npaid = [\"ok\"]\nreference = \"/mine\"",
        )
    })
    .unwrap();
    let list = |item: &str| judge(&config, 200, &format!("{{\"list\":[{item}]}}"));
    let paid = format!(r#"{{"mine":"{OURS}","ref":"theirs","state":"ok","id":"T-9"}}"#);
    let Found::One(Answer::Paid(evidence)) = list(&paid) else { panic!("{:?}", list(&paid)) };
    assert_eq!(evidence.transaction_id.as_deref(), Some("T-9"));
    assert!(matches!(list(&paid.replace("ok", "done")), Found::One(Answer::Unclear { .. })));
    assert!(matches!(list(&paid.replace("ok", "refused")), Found::One(Answer::Refused(_))));
    assert_eq!(list(&paid.replace("abc", "xyz")), Found::Nothing);
}
