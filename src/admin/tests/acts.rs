//! What people do through the API, and what is refused.

use super::World;
use crate::domain::{NoticeKind, Span, State, SubscriptionId, fixtures};
use crate::store::FleetChanges;

const READINGS: &str = "/api/v1/subscriptions/l0/readings";

#[tokio::test]
async fn a_reading_by_hand_becomes_the_newest() {
    let world = World::new().await;
    let body = r#"{"balance":"5.00 USD","data_left":"500 MB","minutes_left":"30","sms_left":7.0,
        "service_end":"2026-12-01","number_loss":"2027-01-01T00:00:00Z","at":"2026-11-20T23:00:00Z"}"#;
    let answer = world.post(READINGS, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let reading = answer.json();
    assert_eq!(reading["provider"], "carrier");
    assert_eq!(reading["quality"], "ok");
    assert_eq!(reading["at"], "2026-11-20T23:00:00Z");
    assert_eq!(reading["balance"]["amount_minor"], 500);
    assert_eq!(reading["data_left_bytes"], 500_000_000);
    assert_eq!((&reading["minutes_left"], &reading["sms_left"]), (&30.into(), &7.into()));
    // A date is the start of that day where the operator is.
    assert_eq!(reading["service_end_at"], "2026-12-01T05:00:00Z");
    assert_eq!(reading["number_loss_at"], "2027-01-01T00:00:00Z");
    let line = world.get("/api/v1/subscriptions/l0").await.json();
    assert_eq!(line["reading"]["ok_at"], reading["at"]);
    let due = world.engine().store().due_decisions(9, world.engine().now()).await.unwrap();
    assert!(due.contains(&"l0".to_owned()));
    let next =
        world.engine().store().snapshot(&SubscriptionId::parse("l0").unwrap()).await.unwrap();
    assert!(next.snapshot.next_poll_at > Some(world.engine().now()));

    // Only a balance: the dates stay as they were told.
    let later = world.post(READINGS, r#"{"balance":"4 USD","at":null}"#).await.json();
    assert_eq!(later["service_end_at"], reading["service_end_at"]);
    assert_eq!(later["number_loss_at"], reading["number_loss_at"]);
    assert_eq!(later["minutes_left"], serde_json::Value::Null);
    assert_eq!(world.get(READINGS).await.json().as_array().unwrap().len(), 2);
    assert_eq!(world.get(&format!("{READINGS}?limit=1")).await.json()[0], later);
}

#[tokio::test]
async fn bad_readings_name_field_value_and_what_is_allowed() {
    let world = World::new().await;
    for (body, parts) in [
        (r#"{"balance":"5"}"#, ["balance", "\"5\"", "10.00 USD"]),
        (r#"{"balance":5.5}"#, ["balance", "5.5", "10.00 USD"]),
        (r#"{"balance":"5 EUR"}"#, ["balance", "EUR", "USD"]),
        (r#"{"data_left":"500"}"#, ["data_left", "500", "500 MB"]),
        (r#"{"minutes_left":-1}"#, ["minutes_left", "-1", "from 0"]),
        (r#"{"sms_left":"many"}"#, ["sms_left", "many", "whole number"]),
        (r#"{"service_end":"soon"}"#, ["service_end", "soon", "RFC 3339"]),
        (r#"{"sms_left":1,"at":"2026-11-21T00:00:01Z"}"#, ["at", "00:00:01Z", "up to now"]),
        (r#"{"credit":"5 USD"}"#, ["credit", "unknown key", "balance"]),
        (r#"{"buckets":[{"name":"x","left":"lots"}]}"#, ["left", "lots", "500 MB"]),
        (r#"{"buckets":[{"left":"1 MB"}]}"#, ["name", "missing", "called"]),
        (r#"{"next_charge":"0 USD"}"#, ["next_charge", "0 USD", "above zero"]),
        ("{}", ["empty", "at least one", "number_loss"]),
        (r#"{"at":"2026-11-20T00:00:00Z"}"#, ["empty", "at least one", "balance"]),
    ] {
        let detail = world.post(READINGS, body).await.problem(422);
        assert!(parts.iter().all(|part| detail.contains(part)), "{body}: {detail}");
    }
    let both = world.post(READINGS, r#"{"balance":"x","sms_left":"y"}"#).await;
    both.problem(422);
    assert_eq!(both.json()["errors"].as_array().unwrap().len(), 2);
    assert_eq!(world.get(READINGS).await.body, "[]");
    // Never in between, never on what is no longer watched.
    assert_eq!(world.post(READINGS, r#"{"sms_left":1}"#).await.status, 201);
    let same = world.post(READINGS, r#"{"sms_left":2}"#).await.problem(409);
    assert!(same.contains("later than that"), "{same}");
    let close = FleetChanges {
        close_subscriptions: vec![SubscriptionId::parse("l1").unwrap()],
        ..Default::default()
    };
    world.engine().store().save_fleet(&close, world.engine().now()).await.unwrap();
    let closed = world.post("/api/v1/subscriptions/l1/readings", r#"{"sms_left":1}"#).await;
    assert!(closed.problem(409).contains("closed"));
    world.post("/api/v1/subscriptions/no/readings", r#"{"sms_left":1}"#).await.problem(404);
}

#[tokio::test]
async fn an_order_by_hand_is_written_down_under_the_token_s_name() {
    let world = World::new().await;
    let path = "/api/v1/subscriptions/l0/topup";
    for (body, part) in [
        ("", "amount: missing"),
        (r#"{"product":"P"}"#, "amount: missing"),
        (r#"{"amount":"0 USD"}"#, "above zero"),
        (r#"{"amount":"10.001 USD"}"#, "10.001"),
        (r#"{"amount":"10 USD","reference":"x"}"#, "unknown key"),
    ] {
        let detail = world.post(path, body).await.problem(422);
        assert!(detail.contains(part), "{body}: {detail}");
    }
    let answer = world.post(path, r#"{"amount":"10.00 USD","product":"P10"}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let topup = answer.json();
    assert_eq!((&topup["state"], &topup["product"]), (&"proposed".into(), &"P10".into()));
    let shown = world.get(answer.header("location")).await.json();
    let actor = shown["events"][0]["actor"].as_str().unwrap();
    assert!(actor.starts_with("api:k_"), "{actor}");
    let again = world.post(path, r#"{"amount":"10.00 USD"}"#).await;
    assert!(again.problem(409).contains("one at a time"));
    let listed = world.get("/api/v1/topups?subscription=l0").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/v1/topups?subscription=l1").await.body, "[]");
    world.post("/api/v1/subscriptions/no/topup", r#"{"amount":"1 USD"}"#).await.problem(404);
}

#[tokio::test]
async fn an_approval_is_of_exactly_one_order() {
    let world = World::new().await;
    let topup = world.topup("l0", &[State::AwaitingApproval]).await;
    let path = format!("/api/v1/topups/{}/approve", topup.id);
    let other = world.post(&path, r#"{"hash":"another"}"#).await;
    assert!(other.problem(409).contains(&topup.order_hash));
    let yes = world.post(&path, &format!(r#"{{"hash":"{}"}}"#, topup.order_hash)).await;
    assert!(yes.json()["approved_by"].as_str().unwrap().starts_with("api:k_"), "{yes:?}");

    let topup = world.topup("l1", &[State::AwaitingApproval]).await;
    let path = format!("/api/v1/topups/{}/reject", topup.id);
    assert!(world.post(&path, r#"{"why":"x"}"#).await.problem(422).contains("unknown key"));
    assert_eq!(world.post(&path, "").await.json()["state"], "cancelled");
    assert!(world.post(&path, "").await.problem(409).contains("cancelled"));
    world.post("/api/v1/topups/t_nothing/approve", "").await.problem(404);
}

#[tokio::test]
async fn an_open_case_needs_a_note_and_time() {
    let world = World::new().await;
    let topup = world.topup("l0", &[State::Reserved, State::Submitting, State::Unknown]).await;
    let path = format!("/api/v1/topups/{}/resolve", topup.id);
    for (body, part) in [
        ("", "as: missing"),
        (r#"{"as":"paid"}"#, "note: missing"),
        (r#"{"as":"done","note":"x"}"#, "paid, failed"),
        (r#"{"as":"failed","note":"x","checked":"perhaps"}"#, "true, false"),
    ] {
        let detail = world.post(&path, body).await.problem(422);
        assert!(detail.contains(part), "{body}: {detail}");
    }
    let failed = r#"{"as":"failed","note":"not in the console","checked":true}"#;
    assert!(world.post(&path, failed).await.problem(409).contains("may still arrive"));
    world.clock.advance(Span::hours(1));
    assert_eq!(world.post(&path, failed).await.json()["state"], "failed");
    assert!(world.post(&path, failed).await.problem(409).contains("failed"));

    let topup = world.topup("l1", &[State::Reserved, State::Submitting, State::Held]).await;
    let path = format!("/api/v1/topups/{}/resolve", topup.id);
    let paid = world.post(&path, r#"{"as":"paid","note":"it is in the console"}"#).await;
    assert_eq!(paid.json()["state"], "paid");
    let ledger = world.get("/api/v1/ledger").await.json();
    let kinds: Vec<_> = ledger
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["subscription"] == "l1")
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["reserve", "release", "settle"]);
    assert_eq!(world.get("/api/v1/ledger?to=2026-11-21").await.body, "[]");
}

#[tokio::test]
async fn a_paused_line_is_left_alone_until_it_is_resumed() {
    let world = World::new().await;
    let path = |what| format!("/api/v1/subscriptions/l0/{what}");
    assert_eq!(world.post(&path("pause"), "").await.json()["status"], "paused");
    assert!(world.post(&path("poll"), "").await.problem(409).contains("paused"));
    assert!(
        world.post(&path("topup"), r#"{"amount":"1 USD"}"#).await.problem(409).contains("paused")
    );
    assert_eq!(world.post(&path("resume"), "{}").await.json()["status"], "active");
    // A line that is not due becomes due.
    assert_eq!(world.post(&path("readings"), r#"{"sms_left":1}"#).await.status, 201);
    let store = world.engine().store();
    let due = async || store.next_poll_due("carrier").await.unwrap().unwrap();
    for line in 1..5 {
        world.post(&format!("/api/v1/subscriptions/l{line}/pause"), "").await;
    }
    assert!(due().await > world.engine().now());
    assert_eq!(world.post(&path("poll"), "").await.status, 202);
    assert_eq!(due().await, world.engine().now());
}

#[tokio::test]
async fn money_off_works_at_once_and_on_clears_what_tripped() {
    let world = World::new().await;
    let flag = crate::app::money_off_file(world.engine().settings());
    let off = world.post("/api/v1/money/off", r#"{"reason":"charged\ntwice"}"#).await.json();
    assert_eq!(off["paying"], false);
    let why = off["off"].as_str().unwrap();
    assert!(why.contains("charged twice (api:k_"), "{why}");
    assert!(std::fs::read_to_string(&flag).unwrap().starts_with("charged twice"));
    assert!(world.get("/").await.body.contains("charged twice"));
    world.engine().store().trip("storm", "too many", fixtures::at(0)).await.unwrap();
    assert_eq!(world.get("/api/v1/money").await.json()["storm"], "too many");
    let due = world.engine().store().due_decisions(9, world.engine().now()).await.unwrap();
    assert_eq!(due.len(), 5);
    let on = world.ask("POST", "/api/v1/money/on", "admin", "").await.json();
    assert_eq!(
        (&on["paying"], &on["off"], &on["storm"]),
        (&true.into(), &None::<&str>.into(), &None::<&str>.into())
    );
    assert!(!flag.exists());
    assert_eq!(world.get("/api/v1/money").await.json(), on);
}

#[tokio::test]
async fn every_act_is_written_down_with_how_it_was_and_is() {
    let world = World::new().await;
    let topup = world.topup("l0", &[State::AwaitingApproval]).await;
    let notice = world.notice("li", Some("l0"), NoticeKind::LowBalance).await;
    let acts = [
        ("/api/v1/subscriptions/l1/pause".to_owned(), "", "active", "paused"),
        ("/api/v1/subscriptions/l1/resume".to_owned(), "", "paused", "active"),
        (
            "/api/v1/subscriptions/l2/topup".to_owned(),
            r#"{"amount":"10.00 USD"}"#,
            "null",
            "proposed",
        ),
        (format!("/api/v1/topups/{}/reject", topup.id), "", "awaiting_approval", "cancelled"),
        (format!("/api/v1/notices/{}/acknowledge", notice.id), "", "null", "2026"),
        ("/api/v1/money/off".to_owned(), r#"{"reason":"on holiday"}"#, "true", "on holiday"),
    ];
    for (path, body, was, is) in acts {
        let answer = world.post(&path, body).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        let store = world.engine().store();
        let written = store.audit_page((None, None), None, 1).await.unwrap().remove(0).what;
        let (before, after) = (written.before.unwrap(), written.after.unwrap());
        assert!(before.contains(was) && after.contains(is), "{path}: {before} -> {after}");
        assert_ne!(before, after, "{path}");
    }
    // What was refused is written down, too, and changed nothing.
    assert_eq!(world.post(&format!("/api/v1/topups/{}/approve", topup.id), "").await.status, 409);
    let store = world.engine().store();
    let refused = store.audit_page((None, None), None, 1).await.unwrap().remove(0).what;
    assert_eq!((refused.status, refused.before, refused.after), (409, None, None));
}
