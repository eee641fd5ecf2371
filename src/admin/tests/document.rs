//! The document says what the router does, and answers are what it says.

use super::{World, filled};
use crate::admin::{api::DOCUMENT, routes};
use crate::domain::{
    Facts, NoticeDraft, NoticeKind, Severity, Span, State, SubscriberId, SubscriptionId, fixtures,
};
use crate::store::{Discrepancy, Role};
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn document() -> Json {
    DOCUMENT.clone()
}

#[test]
fn it_has_every_route_with_its_role_and_no_other() {
    let document = document();
    let mut said = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let role = operation["x-role"].as_str().map(str::to_owned);
            assert_eq!(role.is_none(), operation["security"] == serde_json::json!([]), "{path}");
            said.insert((method.to_uppercase(), path.clone(), role));
        }
    }
    let is_described = |path: &str| {
        let begins = ["/api/", "/hooks/", "/healthz", "/readyz", "/metrics"];
        begins.iter().any(|begin| path.starts_with(begin))
    };
    let is = routes::all().into_iter().filter(|route| is_described(route.path)).map(|route| {
        let role = route.needs.map(|role: Role| role.as_str().to_owned());
        (route.method.to_string(), route.path.to_owned(), role)
    });
    assert_eq!(said, is.collect::<BTreeSet<_>>());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(json: &Json, document: &Json) {
        match json {
            Json::Object(fields) => {
                if let Some(place) = fields.get("$ref").and_then(Json::as_str) {
                    let found = document.pointer(place.strip_prefix('#').unwrap());
                    assert!(found.is_some(), "{place}");
                }
                fields.values().for_each(|json| walk(json, document));
            }
            Json::Array(items) => items.iter().for_each(|json| walk(json, document)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

/// All fields of a schema that is made of parts.
fn merged(schema: &Json, document: &Json) -> Json {
    let mut whole = serde_json::json!({ "properties": {} });
    for part in schema["allOf"].as_array().unwrap() {
        let part = part["$ref"]
            .as_str()
            .map_or(part, |reference| document.pointer(&reference[1..]).unwrap());
        for (key, schema) in part["properties"].as_object().unwrap() {
            whole["properties"][key] = schema.clone();
        }
    }
    whole
}

/// Why `json` is not of `schema`: the parts of JSON Schema that the document uses, and no field
/// that it does not name.
pub(super) fn misfit(json: &Json, schema: &Json, document: &Json, place: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.strip_prefix('#')?)?;
        return misfit(json, schema, document, place);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        // The fields of all parts are those of the whole.
        let mut whole = serde_json::json!({ "type": "object", "properties": {} });
        for part in parts {
            let part = part["$ref"].as_str().map_or(Some(part), |reference| {
                document.pointer(reference.strip_prefix('#').unwrap())
            })?;
            let part = part["allOf"].as_array().map_or(part.clone(), |_| merged(part, document));
            for (key, schema) in part["properties"].as_object()? {
                whole["properties"][key] = schema.clone();
            }
        }
        return misfit(json, &whole, document, place);
    }
    if schema.get("type").is_none() && schema.get("oneOf").is_none() {
        return None;
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let misfits: Option<Vec<String>> =
            choices.iter().map(|schema| misfit(json, schema, document, place)).collect();
        return misfits.map(|all| all.join(" and "));
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(json)).then(|| format!("{place}: {json}"));
    }
    let kind = match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let allowed = &schema["type"];
    if allowed != kind && !allowed.as_array().is_some_and(|kinds| kinds.contains(&kind.into())) {
        return Some(format!("{place}: {json} is no {allowed}"));
    }
    if let Some(items) = json.as_array() {
        let mut each = items.iter().enumerate();
        return each.find_map(|(n, item)| {
            misfit(item, &schema["items"], document, &format!("{place}[{n}]"))
        });
    }
    let (fields, known) = (json.as_object()?, schema["properties"].as_object()?);
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let missing = required
        .filter(|key| !fields.contains_key(*key))
        .map(|key| format!("{place}: no {key}"))
        .next();
    missing.or_else(|| {
        fields.iter().find_map(|(key, json)| match known.get(key) {
            None => Some(format!("{place}: {key} is not in the document")),
            Some(schema) => misfit(json, schema, document, &format!("{place}.{key}")),
        })
    })
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let (world, document) = (World::new().await, document());
    let body = r#"{"balance":"5.00 USD","service_end":"2026-12-01"}"#;
    assert_eq!(world.post("/api/v1/subscriptions/l0/readings", body).await.status, 201);
    let topup = world.topup("l0", &[State::Reserved, State::Submitting, State::Held]).await;
    let notice = NoticeDraft {
        subscriber: SubscriberId::parse("li").unwrap(),
        subscription: Some(SubscriptionId::parse("l0").unwrap()),
        topup: Some(topup.id.clone()),
        kind: NoticeKind::TopupHeld,
        severity: Severity::Critical,
        dedupe: "x".into(),
        at: fixtures::at(0),
        facts: Facts::default(),
    };
    world.engine().store().say(&[notice]).await.unwrap();
    let differs = Discrepancy::new("wallet", "carrier", "x", "it fell".into(), fixtures::at(0));
    assert!(world.engine().store().find_discrepancy(&differs).await.unwrap());
    world.engine().beat().await.unwrap();
    world.clock.advance(Span::minutes(1));
    for route in routes::all().into_iter().filter(|route| route.needs == Some(Role::Viewer)) {
        // The carrier names no prices; see the tests of what can be typed.
        if route.path.ends_with("/quote") {
            continue;
        }
        let id = if route.path.contains("/topups/") { topup.id.as_str() } else { "l0" };
        let answer = world.get(&filled(route.path, id)).await;
        assert_eq!(answer.status, 200, "{}", route.path);
        if answer.header("content-type") == "text/event-stream" {
            let told = document["paths"][route.path]["get"]["responses"]["200"]["content"]
                .as_object()
                .unwrap();
            assert!(told.contains_key("text/event-stream"), "{}", route.path);
            continue;
        }
        let json = answer.json();
        let is_bare =
            ["/rules", "/channels", "/products"].iter().any(|end| route.path.ends_with(end));
        assert!(is_bare || json.as_array().is_none_or(|items| !items.is_empty()), "{}", route.path);
        let place = format!(
            "/paths/{}/get/responses/200/content/application~1json/schema",
            route.path.replace('/', "~1")
        );
        let schema = document.pointer(&place).unwrap();
        assert_eq!(misfit(&json, schema, &document, route.path), None);
    }
    let problem = world.get("/api/v1/money?x=1").await.json();
    assert_eq!(
        misfit(&problem, &document["components"]["schemas"]["Problem"], &document, "problem"),
        None
    );
}

#[test]
fn a_misfit_is_found() {
    let document = document();
    let money = &document["components"]["schemas"]["Money"];
    for bad in [
        r#"{"amount_minor":1}"#,
        r#"{"amount_minor":"1","currency":"USD"}"#,
        "[]",
        "null",
        r#"{"amount_minor":1,"currency":"USD","x":1}"#,
    ] {
        let json = serde_json::from_str(bad).unwrap();
        assert!(misfit(&json, money, &document, "").is_some(), "{bad}");
    }
}

#[tokio::test]
async fn bodies_are_read_as_the_document_says() {
    let (world, document) = (World::new().await, document());
    let topup = world.topup("l0", &[State::AwaitingApproval]).await;
    let mut read = 0;
    for route in routes::all() {
        let method = route.method.as_str().to_lowercase();
        let operation = &document["paths"][route.path][&method];
        let content = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(name) = content["$ref"].as_str().filter(|_| route.path.starts_with("/api/"))
        else {
            continue;
        };
        let schema = document.pointer(&name[1..]).unwrap();
        let id = if route.path.contains("/topups/") { topup.id.as_str() } else { "l0" };
        let mut path = route.path.replace("{id}", id);
        if path.ends_with("/simulate") {
            path.push_str("?from=2026-11-20");
        }
        let answer = world.ask(route.method.as_str(), &path, "admin", r#"{"nonsense":1}"#).await;
        if answer.status == 404 {
            continue;
        }
        answer.problem(422);
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let known = errors.iter().find(|e| e["field"].as_str().unwrap().ends_with("nonsense"));
        let known = known.unwrap();
        for field in schema["properties"].as_object().unwrap().keys() {
            let allowed = known["allowed"].as_str().unwrap();
            assert!(allowed.contains(field.as_str()), "{path}: {field} is not in {allowed}");
        }
        read += 1;
    }
    assert!(read > 5, "{read}");
}

#[tokio::test]
async fn the_page_shows_every_path_and_runs_nothing() {
    let world = World::new().await;
    let page = world.ask("GET", "/api/docs", "nobody", "").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.header("content-security-policy").contains("style-src 'sha256-"));
    assert!(!page.body.contains("<script") && !page.body.contains("http://"));
    for path in document()["paths"].as_object().unwrap().keys() {
        assert!(page.body.contains(&path.replace('/', "&#x2f;")), "{path}");
    }
    assert!(page.body.contains("id=\"Subscription\""));
}
