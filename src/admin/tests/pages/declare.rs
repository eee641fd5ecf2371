//! Rules and new lines by form.

use super::World;
use crate::domain::Span;
use crate::store::Role;

const RULE: &str = "id = \"low\"\napplies_to = { all = true }\nmode = \"auto\"\n\
                    any = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\namount = { fixed = \"10.00 USD\" }\n";

#[tokio::test]
async fn a_rule_is_seen_before_it_is_saved() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Admin).await;
    assert!(ana.get("/rules").await.body.contains("There are no rules yet"));
    let page = ana.get("/rules/edit").await;
    assert!(page.status == 200 && page.body.contains("mode = &quot;notify&quot;"), "{}", page.body);
    let csrf = ana.csrf().await;
    let wrong = RULE.replace("10.00 USD", "ten");
    for (text, word) in [
        ("id = ", "TOML"),
        ("id = \"low\"\nmode = \"perhaps\"", "perhaps"),
        (wrong.as_str(), "ten"),
    ] {
        let form = [("csrf", csrf.as_str()), ("text", text), ("sure", "yes")];
        let page = ana.post("/rules/edit", &form).await;
        assert!(page.status == 422 && page.body.contains(word), "{text}: {}", page.body);
        assert!(page.body.contains("id = "), "what was typed is still there");
    }
    let look = [("csrf", csrf.as_str()), ("text", RULE)];
    let asked = ana.post("/rules/edit", &look).await;
    assert!(asked.status == 200 && asked.body.contains("name=\"sure\" value=\"yes\""), "{asked:?}");
    assert!(asked.body.contains("begins to pay by itself"), "{}", asked.body);
    assert!(
        ana.get("/rules").await.body.contains("There are no rules yet"),
        "a look stores nothing"
    );
    let save = [("csrf", csrf.as_str()), ("text", RULE), ("sure", "yes")];
    let saved = ana.post("/rules/edit", &save).await;
    assert_eq!((saved.status, saved.header("location")), (303, "/rules"));
    assert!(ana.get("/rules").await.body.contains("10.00 USD"));
    assert!(ana.get("/rules/edit?id=low").await.body.contains("10.00 USD"));
    let acts = world.engine().store().audit_page((None, None), None, 1).await.unwrap();
    assert!(acts[0].what.after.as_deref().is_some_and(|after| after.contains("low")), "{acts:?}");
    // Whoever typed their password long ago types it again before the form opens.
    world.clock.advance(Span::minutes(11));
    let away = ana.get("/rules/edit?id=low").await;
    assert_eq!(away.header("location"), "/confirm?next=%2Frules%2Fedit%3Fid%3Dlow");
    let late = ana.post("/rules/edit", &save).await;
    assert!(late.status == 422 && late.body.contains("typed too long ago"), "{late:?}");
}

#[tokio::test]
async fn a_line_is_added_by_form_with_every_fault_told() {
    let world = World::new().await;
    let ana = world.signed_in(Role::Admin).await;
    let csrf = ana.csrf().await;
    let page = ana.get("/lines/new").await;
    assert!(page.status == 200 && page.body.contains("<option value=\"carrier\""), "{page:?}");
    let form = |id, msisdn| {
        [
            ("csrf", csrf.as_str()),
            ("id", id),
            ("label", "Second phone"),
            ("msisdn", msisdn),
            ("subscriber", "li"),
            ("reader", "carrier"),
            ("payer", "carrier"),
        ]
    };
    let bad = ana.post("/lines/new", &form("new-line", "12345")).await;
    assert!(bad.status == 422 && bad.body.contains("12345"), "{}", bad.body);
    assert!(bad.body.contains("value=\"Second phone\""), "what was typed is still there");
    let there = ana.post("/lines/new", &form("l1", "+12025550177")).await;
    assert!(there.status == 422 && there.body.contains("is there already"), "{there:?}");
    let done = ana.post("/lines/new", &form("new-line", "+12025550177")).await;
    assert_eq!((done.status, done.header("location")), (303, "/lines/new-line"), "{done:?}");
    let page = ana.get("/lines/new-line").await;
    assert!(page.status == 200 && page.body.contains("+12025550177"), "{}", page.body);
}

#[tokio::test]
async fn only_admins_declare() {
    let world = World::new().await;
    let oli = world.signed_in(Role::Operator).await;
    let csrf = oli.csrf().await;
    for path in ["/rules/edit", "/lines/new"] {
        assert_eq!(oli.get(path).await.status, 403, "{path}");
        assert_eq!(oli.post(path, &[("csrf", csrf.as_str())]).await.status, 403, "{path}");
    }
    assert_eq!(oli.get("/rules").await.status, 200);
}

#[tokio::test]
async fn a_line_is_changed_as_text_and_the_audit_has_both_sides() {
    let world = World::new().await;
    let document = serde_json::json!({ "subscriptions": [{
        "id": "new-line", "subscriber": "li", "label": "Old name", "msisdn": "+12025550144", "reader": "carrier",
    }] });
    let path = "/api/v1/fleet";
    assert_eq!(world.ask("POST", path, "admin", &document.to_string()).await.status, 200);
    let ana = world.signed_in(Role::Admin).await;
    assert!(ana.get("/lines/new-line").await.body.contains("/lines/edit?id=new-line"));
    assert_eq!(ana.get("/lines/edit?id=nothing").await.status, 404);
    let page = ana.get("/lines/edit?id=new-line").await;
    assert!(page.status == 200 && page.body.contains("Old name"), "{}", page.body);
    let csrf = ana.csrf().await;
    let text = "id = \"new-line\"\nsubscriber = \"li\"\nlabel = \"New name\"\nmsisdn = \"+12025550144\"\nreader = \"carrier\"\n";
    let form =
        |text, sure| [("csrf", csrf.as_str()), ("id", "new-line"), ("text", text), ("sure", sure)];
    let other = text.replace("new-line", "other-line");
    let refused = ana.post("/lines/edit", &form(&other, "yes")).await;
    assert!(refused.status == 422 && refused.body.contains("other-line"), "{refused:?}");
    let seen = ana.post("/lines/edit", &form(text, "")).await;
    assert!(seen.status == 200 && seen.body.contains("New name"), "{}", seen.body);
    assert!(ana.get("/lines/new-line").await.body.contains("Old name"), "a look stores nothing");
    let saved = ana.post("/lines/edit", &form(text, "yes")).await;
    assert_eq!((saved.status, saved.header("location")), (303, "/lines/new-line"));
    assert!(ana.get("/lines/new-line").await.body.contains("New name"));
    let acts = world.engine().store().audit_page((None, None), None, 1).await.unwrap();
    let (before, after) = (acts[0].what.before.clone(), acts[0].what.after.clone());
    assert!(before.is_some_and(|before| before.contains("Old name")), "{acts:?}");
    assert!(after.is_some_and(|after| after.contains("New name")), "{acts:?}");
    // An operator acts on lines and does not change what they are.
    let oli = world.signed_in(Role::Operator).await;
    assert_eq!(oli.get("/lines/edit?id=new-line").await.status, 403);
    assert!(!oli.get("/lines/new-line").await.body.contains("/lines/edit"));
}
