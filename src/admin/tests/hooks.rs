//! What phones post, and texts that people bring.

use super::{Answer, World};
use crate::domain::{Span, Subscription, SubscriptionId, fixtures};
use crate::flow::Beats;
use crate::input::{Intake, Origin, Section, from_toml};
use crate::providers::read_config;
use crate::store::FleetChanges;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use std::collections::BTreeMap;

const HOOK: &str = "/hooks/sms/phone";
const TEXT: &str = "Current plan active until 12/10/2026 and will renew for $15.00. Account Balance \
                    $4.50. Add money by dialing *233 or redeem a refill card.";

/// A world in which `l9` is read through the inbox `phone`.
async fn world() -> World {
    let config = "[phone.sms_inbox]\nfrom = [\"456\"]\nsecret = \"hush-hush\"\n\
                  [closed.sms_inbox]\noperator = \"t-mobile-us\"";
    let table = from_toml("a.toml", config).unwrap();
    let mut providers = BTreeMap::new();
    for name in ["phone", "closed"] {
        let intake = Intake::new();
        let mut root = Section::new(&table, "", &Origin::file("a.toml"), &intake);
        let config = read_config(root.section(name).unwrap()).unwrap();
        assert_eq!(intake.into_faults(), []);
        providers.insert(name.to_owned(), config.build(name).await.unwrap());
    }
    let world = World::with("127.0.0.1:0", Beats::default(), providers).await;
    save(&world, "l9", "+12025550199", "phone").await;
    world
}

async fn save(world: &World, id: &str, msisdn: &str, reader: &str) {
    let line = Subscription {
        msisdn: crate::domain::Msisdn::parse(msisdn).ok(),
        reader: reader.to_owned(),
        ..fixtures::line(id)
    };
    let fleet = FleetChanges { subscriptions: vec![(line, "{}".into())], ..Default::default() };
    world.engine().store().save_fleet(&fleet, world.engine().now()).await.unwrap();
}

fn event(id: &str, text: &str, from: &str, to: Option<&str>, at: &str) -> String {
    let payload = json!({ "messageId": id, "message": text, "phoneNumber": from, "recipient": to,
        "simNumber": 1, "receivedAt": at });
    json!({ "event": "sms:received", "id": "x", "payload": payload, "deviceId": "d" }).to_string()
}

/// Posted by the phone, signed now.
async fn post(world: &World, path: &str, body: &str) -> Answer {
    let stamp = (world.engine().now().ms() / 1000).to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush-hush").unwrap();
    mac.update(format!("{body}{stamp}").as_bytes());
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let headers = [
        ("Host", "tunnel.example".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("X-Signature", signature),
        ("X-Timestamp", stamp),
    ];
    world.send("POST", path, &headers, body).await
}

async fn readings(world: &World, id: &str) -> Vec<serde_json::Value> {
    let list = world.get(&format!("/api/v1/subscriptions/{id}/readings")).await.json();
    list.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_message_becomes_a_reading_once() {
    let world = world().await;
    let body = event("m1", TEXT, "456", None, "2026-11-20T18:00:00-05:00");
    let answer = post(&world, HOOK, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({ "stored": 1, "known": 0, "ignored": 0 }));
    let all = readings(&world, "l9").await;
    assert_eq!(all.len(), 1);
    let reading = &all[0];
    assert_eq!((&reading["quality"], &reading["provider"]), (&"ok".into(), &"phone".into()));
    assert_eq!(reading["at"], "2026-11-20T23:00:00Z");
    assert_eq!(reading["balance"]["amount_minor"], 450);
    assert_eq!(reading["next_charge"]["amount_minor"], 1500);
    assert_eq!(reading["service_end_at"], "2026-12-11T04:59:00Z");
    let due = world.engine().store().due_decisions(9, world.engine().now()).await.unwrap();
    assert!(due.contains(&"l9".to_owned()));
    // The phone tries again, signed anew.
    world.clock.advance(Span::minutes(1));
    let again = post(&world, HOOK, &body).await.json();
    assert_eq!(again, json!({ "stored": 0, "known": 1, "ignored": 0 }));
    // The same text a day later has the same id, and is another message.
    world.clock.advance(Span::days(1));
    let later = event("m1", TEXT, "456", None, "2026-11-21T18:00:00-05:00");
    assert_eq!(post(&world, HOOK, &later).await.json()["stored"], 1);
    assert_eq!(readings(&world, "l9").await.len(), 2);
    // An old one that comes late is not put in between.
    let late = event("m2", TEXT, "456", None, "2026-11-21T12:00:00-05:00");
    assert_eq!(post(&world, HOOK, &late).await.json()["ignored"], 1);
    // A phone's clock that is ahead makes no reading of the future, and no second one.
    world.clock.advance(Span::minutes(1));
    let ahead = event("m3", TEXT, "456", None, "2026-11-29T00:00:00Z");
    assert_eq!(post(&world, HOOK, &ahead).await.json()["stored"], 1);
    world.clock.advance(Span::minutes(1));
    assert_eq!(post(&world, HOOK, &ahead).await.json()["known"], 1);
    assert_eq!(readings(&world, "l9").await.len(), 3);
}

#[tokio::test]
async fn what_is_not_understood_is_kept_as_such_and_keeps_no_code() {
    let world = world().await;
    let body = event("m1", TEXT, "456", None, "2026-11-20T23:00:00Z");
    assert_eq!(post(&world, HOOK, &body).await.json()["stored"], 1);
    let text = "Your T-Mobile code is 482913. Plans from $15.00!";
    let body = event("m2", text, "456", None, "2026-11-20T23:10:00Z");
    assert_eq!(post(&world, HOOK, &body).await.json()["stored"], 1);
    let newest = &readings(&world, "l9").await[0];
    assert_eq!(newest["quality"], "unparseable");
    assert_eq!(newest["balance"], json!(null));
    let detail = newest["detail"].as_str().unwrap();
    assert!(detail.contains("Your T-Mobile code is …") && !detail.contains("482913"), "{detail}");
    let line = world.get("/api/v1/subscriptions/l9").await.json();
    assert_eq!(line["reading"]["balance"]["amount_minor"], 450, "{line}");
}

#[tokio::test]
async fn messages_that_are_none_of_ours_leave_no_trace() {
    let world = world().await;
    let at = "2026-11-20T23:00:00Z";
    for body in [
        event("a", TEXT, "+12025550142", None, at),
        event("b", TEXT, "", None, at),
        event("c", TEXT, "456", Some("+12025550142"), at),
    ] {
        assert_eq!(post(&world, HOOK, &body).await.json()["ignored"], 1, "{body}");
    }
    assert_eq!(post(&world, HOOK, r#"{"event":"system:ping"}"#).await.json()["ignored"], 0);
    // With a second line somebody has to say which.
    save(&world, "l8", "+12025550188", "phone").await;
    assert_eq!(post(&world, HOOK, &event("d", TEXT, "456", None, at)).await.json()["ignored"], 1);
    let named = event("e", TEXT, "456", Some("2025550188"), at);
    assert_eq!(post(&world, HOOK, &named).await.json()["stored"], 1);
    assert!(readings(&world, "l9").await.is_empty());
    assert_eq!(readings(&world, "l8").await.len(), 1);
    assert!(readings(&world, "l0").await.is_empty());
}

#[tokio::test]
async fn whoever_does_not_sign_is_not_heard() {
    let world = world().await;
    let body = event("m1", TEXT, "456", None, "2026-11-20T23:00:00Z");
    for name in ["nobody", "carrier", "closed"] {
        post(&world, &format!("/hooks/sms/{name}"), &body).await.problem(404);
    }
    post(&world, HOOK, "{}").await.problem(422);
    for role in ["nobody", "admin"] {
        let unsigned = world.ask("POST", HOOK, role, &body).await;
        assert!(unsigned.problem(401).contains("X-Signature"));
        assert!(unsigned.header("www-authenticate").starts_with("Signature"));
    }
    let twice =
        [("Host", "x".to_owned()), ("X-Signature", "00".into()), ("X-Signature", "00".into())];
    world.send("POST", HOOK, &twice, &body).await.problem(401);
    world.send("GET", HOOK, &[("Host", "x".to_owned())], "").await.problem(405);
    let stale = world.engine().now();
    let answer = {
        let answer = post(&world, HOOK, &body).await;
        assert_eq!(answer.json()["stored"], 1);
        world.clock.advance(Span::minutes(6));
        let stamp = (stale.ms() / 1000).to_string();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush-hush").unwrap();
        mac.update(format!("{body}{stamp}").as_bytes());
        let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        let headers =
            [("Host", "x".to_owned()), ("X-Signature", signature), ("X-Timestamp", stamp)];
        world.send("POST", HOOK, &headers, &body).await
    };
    assert!(answer.problem(401).contains("5 minutes"));
}

#[tokio::test]
async fn people_bring_texts_with_a_token() {
    let world = world().await;
    let sms = "/api/v1/subscriptions/l9/sms";
    let answer = world.post(sms, &json!({ "text": TEXT, "from": "456" }).to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["balance"]["amount_minor"], 450);
    world.clock.advance(Span::minutes(1));
    let body = json!({ "text": "Hello", "id": "7", "at": "2026-11-21T00:00:30Z" }).to_string();
    let answer = world.post(sms, &body).await;
    assert_eq!((answer.status, &answer.json()["quality"]), (201, &"unparseable".into()));
    assert!(world.post(sms, &body).await.problem(409).contains("before"));
    for (body, word) in [
        (json!({}), "text"),
        (json!({ "text": " " }), "text"),
        (json!({ "text": TEXT, "from": "789" }), "789"),
        (json!({ "text": TEXT, "at": "2027-01-01T00:00:00Z" }), "up to now"),
        (json!({ "text": TEXT, "at": "soon" }), "RFC 3339"),
        (json!({ "text": TEXT, "sim": 1 }), "unknown key"),
    ] {
        let detail = world.post(sms, &body.to_string()).await.problem(422);
        assert!(detail.contains(word), "{body}: {detail}");
    }
    let text = json!({ "text": TEXT }).to_string();
    let other = world.post("/api/v1/subscriptions/l0/sms", &text).await;
    assert!(other.problem(409).contains("carrier"));
    // Nothing has to be configured for texts that people bring.
    save(&world, "l7", "+12025550177", "closed").await;
    let answer = world.post("/api/v1/subscriptions/l7/sms", &text).await;
    assert_eq!(answer.json()["quality"], "ok");
    let close = FleetChanges {
        close_subscriptions: vec![SubscriptionId::parse("l9").unwrap()],
        ..Default::default()
    };
    world.engine().store().save_fleet(&close, world.engine().now()).await.unwrap();
    world.clock.advance(Span::minutes(1));
    let closed = world.post(sms, &text).await;
    assert!(closed.problem(409).contains("closed"));
}
