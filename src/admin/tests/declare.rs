//! What is declared by program goes the way of fleet files: checked, planned, written, audited.

use super::World;
use crate::domain::{Msisdn, SubscriptionId, fixtures};
use crate::store::{FleetChanges, Role, Scope};

/// A world whose entries are stored as the documents that files would make.
async fn declared() -> World {
    let world = World::new().await;
    let (li, line) = (super::li(), fixtures::line("l0"));
    let mut fleet = FleetChanges::default();
    let mut owner = li.clone();
    owner.channels = Vec::new();
    let document = owner.to_document().to_string();
    fleet.subscribers.push((owner, document));
    for n in 0..5 {
        let mut line = line.clone();
        line.id = SubscriptionId::parse(&format!("l{n}")).unwrap();
        line.msisdn = Some(Msisdn::parse(&format!("+120255501{n:02}")).unwrap());
        line.products.clear();
        let document = line.to_document().to_string();
        fleet.subscriptions.push((line, document));
    }
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    world
}

#[tokio::test]
async fn an_entry_is_put_changed_and_taken_away_with_its_history() {
    let world = declared().await;
    let path = "/api/v1/subscriptions/l0";
    let as_admin =
        async |method: &str, path: &str, body: &str| world.ask(method, path, "admin", body).await;
    let changed = as_admin("PATCH", path, r#"{"label":"Oma","tags":["home"]}"#).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(
        (&changed.json()["label"], &changed.json()["tags"][0]),
        (&"Oma".into(), &"home".into())
    );
    assert_eq!(world.get(path).await.json()["label"], "Oma");
    let audit = as_admin("GET", "/api/v1/audit?target=l0", "").await.json();
    assert_eq!(audit[0]["act"], "patch subscriptions");
    assert!(audit[0]["after"].as_str().unwrap().contains("Oma"), "{audit}");
    assert!(!audit[0]["before"].as_str().unwrap().contains("Oma"), "{audit}");
    // Null takes a field away, a wrong value changes nothing.
    let gone = as_admin("PATCH", path, r#"{"tags":null}"#).await.json();
    assert_eq!(gone["tags"], serde_json::json!([]));
    let wrong = as_admin("PATCH", path, r#"{"reader":"nobody","colour":1}"#).await;
    let detail = wrong.problem(422);
    assert!(detail.contains("reader") && detail.contains("colour"), "{detail}");
    assert_eq!(world.get(path).await.json()["reader"], "carrier");
    // As a whole.
    let mut document = as_admin("PATCH", path, "{}").await.json();
    document["label"] = "Opa".into();
    let put = as_admin("PUT", path, &document.to_string()).await;
    assert_eq!((put.status, &put.json()["label"]), (200, &"Opa".into()));
    assert!(
        as_admin("PUT", "/api/v1/subscriptions/l1", &document.to_string())
            .await
            .problem(422)
            .contains("l1")
    );
    document.as_object_mut().unwrap().remove("id");
    document["msisdn"] = "+12025550199".into();
    let new = as_admin("PUT", "/api/v1/subscriptions/l9", &document.to_string()).await;
    assert_eq!(new.status, 201, "{new:?}");
    // Away, but not while others refer to it.
    let held = as_admin("DELETE", "/api/v1/subscribers/li", "").await.problem(409);
    assert!(held.contains("li"), "{held}");
    assert_eq!(as_admin("DELETE", "/api/v1/subscriptions/l9", "").await.status, 204);
    assert_eq!(world.get("/api/v1/subscriptions/l9").await.json()["status"], "closed");
    as_admin("DELETE", "/api/v1/subscriptions/l9", "").await.problem(404);
    as_admin("PATCH", "/api/v1/rules/none", "{}").await.problem(404);
}

#[tokio::test]
async fn a_fleet_file_is_planned_before_it_is_applied() {
    let world = declared().await;
    let rule = serde_json::json!({ "rules": [{
        "id": "low", "applies_to": { "all": true }, "mode": "notify",
        "any": [{ "metric": "balance", "at_most": "5.00 USD" }],
    }] });
    let plan = world.ask("POST", "/api/v1/fleet?plan=true", "admin", &rule.to_string()).await;
    assert_eq!(plan.status, 200, "{plan:?}");
    assert_eq!(plan.json()["create"], serde_json::json!([{ "kind": "rule", "id": "low" }]));
    assert_eq!(world.get("/api/v1/rules").await.body, "[]");
    let done = world.ask("POST", "/api/v1/fleet", "admin", &rule.to_string()).await;
    assert_eq!(done.json(), plan.json());
    assert_eq!(world.get("/api/v1/rules").await.json()[0]["id"], "low");
    let headers = [
        ("Host", world.at.to_string()),
        ("Authorization", format!("Bearer {}", world.tokens["admin"])),
        ("Content-Type", "application/toml".into()),
    ];
    let toml = "[[rules]]\nid = \"low\"\napplies_to = { all = true }\nmode = \"observe\"\n\
                any = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n";
    let same = world.send("POST", "/api/v1/fleet?plan=true", &headers, toml).await;
    let changes = same.json()["update"][0]["changes"].clone();
    assert_eq!(changes["mode"]["to"], "observe", "{changes}");
    assert!(
        world
            .send("POST", "/api/v1/fleet", &headers, "[[rules")
            .await
            .problem(400)
            .contains("TOML")
    );
}

#[tokio::test]
async fn tokens_are_made_shown_once_and_revoked() {
    let world = World::new().await;
    let body = r#"{"role":"operator","scope":"tag:home","note":"phone"}"#;
    let made = world.ask("POST", "/api/v1/tokens", "admin", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (id, text) = (made.json()["id"].clone(), made.json()["token"].clone());
    let (_, grant) =
        world.engine().store().token_grant(text.as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!((grant.role, grant.scope), (Role::Operator, Scope::Tag("home".into())));
    let listed = world.ask("GET", "/api/v1/tokens", "admin", "").await;
    assert!(listed.body.contains("tag:home") && !listed.body.contains(text.as_str().unwrap()));
    let path = format!("/api/v1/tokens/{}", id.as_str().unwrap());
    assert_eq!(world.ask("DELETE", &path, "admin", "").await.status, 204);
    world.ask("DELETE", &path, "admin", "").await.problem(404);
    let audit = world.ask("GET", "/api/v1/audit", "admin", "").await;
    assert!(!audit.body.contains(text.as_str().unwrap()), "{audit:?}");
}

#[tokio::test]
async fn lists_are_sent_as_tables_too() {
    let world = declared().await;
    let label = r#"{"label":"=1+1"}"#;
    world.ask("PATCH", "/api/v1/subscriptions/l0", "admin", label).await;
    for path in ["subscriptions", "topups", "ledger", "subscriptions/l0/readings"] {
        let table = world.get(&format!("/api/v1/{path}?format=csv")).await;
        assert_eq!(table.header("content-type"), "text/csv; charset=utf-8", "{path}");
        assert!(table.body.lines().next().unwrap().contains("subscription"), "{path}");
    }
    let lines = world.get("/api/v1/subscriptions?format=csv").await.body;
    assert_eq!(lines.lines().count(), 6);
    assert!(lines.contains("l0,li,'=1+1,"), "{lines}");
}
