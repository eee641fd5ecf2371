//! The past replayed and put on receipts; the people; the fleet as it was declared.

use super::{
    World,
    others::{fits, world},
};
use crate::domain::{Span, State, fixtures};
use crate::store::{Grant, Role};

#[tokio::test]
async fn the_past_is_replayed_within_reach_and_nothing_is_written() {
    let world = world().await;
    let path = "/api/v1/subscriptions/l0/readings";
    assert_eq!(world.post(path, r#"{"balance":"4.00 USD"}"#).await.status, 201);
    world.clock.advance(Span::days(1));
    let from = fixtures::at(0).rfc3339();
    let simulate = format!("/api/v1/simulate?from={from}&story=true");
    let active = world.post(&simulate, "").await;
    fits(&active, "post", "/api/v1/simulate");
    assert_eq!(active.json()["total"]["orders"], 0, "{}", active.body);
    let mut rule = fixtures::keep_alive().to_document();
    rule["id"] = "keep-alive".into();
    let draft = serde_json::json!({ "rules": [rule] }).to_string();
    let drafted = world.post(&format!("{simulate}&lines=l0"), &draft).await;
    fits(&drafted, "post", "/api/v1/simulate");
    let drafted = drafted.json();
    assert_eq!(drafted["lines"].as_array().unwrap().len(), 1, "{drafted}");
    assert!(drafted["active"].is_object() && !drafted["story"].as_array().unwrap().is_empty());
    for (rest, why) in [
        ("", "from"),
        ("?from=2099-01-01", "before"),
        ("?from=2026-01-01&prune=true", "body"),
        ("?from=1026-01-01", "400 days"),
    ] {
        let refused = world.post(&format!("/api/v1/simulate{rest}"), "").await.problem(422);
        assert!(refused.contains(why), "{refused}");
    }
    let bad = world.post(&simulate, r#"{"rules":[{"id":"x"}]}"#).await;
    assert!(!bad.problem(422).is_empty());
    world.post(&format!("{simulate}&lines=nobody"), "").await.problem(404);
    world.ask("POST", &simulate, "viewer", "").await.problem(403);
    assert_eq!(world.get("/api/v1/rules").await.body, "[]");
    assert_eq!(world.get("/api/v1/topups").await.body, "[]");
}

#[tokio::test]
async fn people_are_listed_disabled_linked_and_told() {
    let world = world().await;
    let (store, now) = (world.engine().store(), world.clock.now());
    store.save_user("ana", &Grant::of(Role::Admin), "$argon2id$x", now).await.unwrap();
    let admin = async |method: &str, path: &str| world.ask(method, path, "admin", "").await;
    let users = admin("GET", "/api/v1/users").await;
    fits(&users, "get", "/api/v1/users");
    assert!(users.body.contains("ana") && !users.body.contains("argon2"), "{}", users.body);
    assert_eq!(admin("POST", "/api/v1/users/ana/disable").await.status, 204);
    assert!(admin("POST", "/api/v1/users/ana/disable").await.problem(404).contains("ana"));
    assert!(admin("GET", "/api/v1/users").await.json()[0]["disabled_at"].is_string());
    let link = admin("POST", "/api/v1/subscribers/li/link").await;
    fits(&link, "post", "/api/v1/subscribers/{id}/link");
    let link = link.json()["link"].as_str().unwrap().to_owned();
    let path = link.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
    let page = world.send("GET", &format!("/{path}"), &[("Host", "localhost".into())], "").await;
    assert!(page.status == 200 && page.body.contains("Li &lt;Wei&gt;"), "{page:?}");
    admin("POST", "/api/v1/subscribers/nobody/link").await.problem(404);
    let sent = world.post("/api/v1/notices/test", r#"{"subscriber":"li"}"#).await;
    fits(&sent, "post", "/api/v1/notices/test");
    assert_eq!(sent.json()["state"], "sent", "{}", sent.body);
    world.post("/api/v1/notices/test", r#"{"subscriber":"nobody"}"#).await.problem(404);
    assert!(world.post("/api/v1/notices/test", "").await.problem(422).contains("subscriber"));
    let one = world.get("/api/v1/notices/preview?kind=topup_held&locale=zh-CN").await.json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert!(world.get("/api/v1/notices/preview?locale=xx").await.problem(422).contains("zh-CN"));
}

#[tokio::test]
async fn receipts_come_page_by_page_and_the_fleet_can_be_applied_again() {
    let world = World::new().await;
    for line in ["l0", "l1", "l2"] {
        world.topup(line, &[State::Reserved, State::Submitting, State::Held]).await;
        world.clock.advance(Span::minutes(1));
    }
    // It was never sent, so there is nothing to show of it.
    world.topup("l3", &[State::AwaitingApproval]).await;
    world.clock.advance(Span::minutes(1));
    let first = world.get("/api/v1/receipts?limit=2").await;
    let lines = |answer: &super::Answer| -> Vec<String> {
        let found = answer.json();
        let lines = found.as_array().unwrap().iter();
        lines.map(|r| r["subscription"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(lines(&first), ["l2", "l1"]);
    let next = format!("/api/v1/receipts?limit=2&after={}", first.header("x-next-after"));
    let next = world.get(&next).await;
    assert_eq!((lines(&next), next.header("link")), (vec!["l0".to_owned()], ""));
    let csv = world.get("/api/v1/receipts?format=csv").await;
    assert_eq!((csv.status, csv.body.lines().count()), (200, 4), "{}", csv.body);

    let fleet = serde_json::json!({ "subscribers": [{ "id": "zhang", "name": "Zhang" }] });
    let applied = world.ask("POST", "/api/v1/fleet?prune=true", "admin", &fleet.to_string()).await;
    assert_eq!(applied.status, 200, "{applied:?}");
    let stored = world.ask("GET", "/api/v1/fleet", "admin", "").await;
    fits(&stored, "get", "/api/v1/fleet");
    assert_eq!(stored.json()["subscribers"][0]["id"], "zhang", "{}", stored.body);
    let again =
        world.ask("POST", "/api/v1/fleet?plan=true&prune=true", "admin", &stored.body).await;
    let plan = again.json();
    for what in ["create", "update", "delete"] {
        assert_eq!(plan[what], serde_json::json!([]), "{plan}");
    }
}
