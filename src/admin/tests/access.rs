//! Who may come in, and how refusals look.

use super::{World, filled};
use crate::admin::{hook, routes};
use crate::store::{Grant, Role};
use axum::http::Method;

fn somewhere(path: &str) -> String {
    let known = path.starts_with("/api/v1/subscriptions/");
    let id = if known { "l0" } else { "t_0000" };
    filled(path, id)
}

#[tokio::test]
async fn every_route_asks_for_its_role_and_no_more() {
    let world = World::new().await;
    let proves_itself = |path: &str| path.starts_with(hook::PREFIX) || path.starts_with("/n/");
    for route in routes::all().into_iter().filter(|route| !proves_itself(route.path)) {
        let path = somewhere(route.path);
        for (word, role) in
            [("nobody", None)].into_iter().chain(Role::WORDS.map(|(w, r)| (w, Some(r))))
        {
            let answer = world.ask(route.method.as_str(), &path, word, "").await;
            let place = format!("{} {path} as {word}", route.method);
            match (role, route.needs) {
                (None, Some(_)) => {
                    assert!(answer.problem(401).contains("token"), "{place}");
                    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{place}");
                }
                (Some(role), Some(needs)) if role < needs => {
                    assert!(answer.problem(403).contains(needs.as_str()), "{place}");
                }
                _ => assert!(
                    ![401, 403, 404, 405, 500].contains(&answer.status)
                        || (answer.status == 404 && path.contains("t_0000")),
                    "{place}: {answer:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn lookers_look_and_only_actors_act() {
    for route in routes::all() {
        match route.method {
            _ if route.path.starts_with(hook::PREFIX) || route.path.starts_with("/n/") => {
                assert_eq!(route.needs, None);
            }
            Method::GET => {
                assert!(route.needs.is_none_or(|r| r != Role::Operator), "{}", route.path)
            }
            _ => assert!(route.needs.is_some_and(|r| r >= Role::Operator), "{}", route.path),
        }
        // What changes who may, what is declared, or lets money flow again is for admins.
        let declares = [Method::PUT, Method::PATCH, Method::DELETE].contains(&route.method);
        let of_admins = ["/money/on", "/fleet", "/tokens", "/audit", "/link"];
        // So are people, and codes that are money.
        let is_of_admins = declares
            || of_admins.iter().any(|end| route.path.ends_with(end))
            || ["/api/v1/users", "/api/v1/pins"].iter().any(|begin| route.path.starts_with(begin));
        assert_eq!(route.needs == Some(Role::Admin), is_of_admins, "{}", route.path);
    }
}

#[tokio::test]
async fn a_revoked_or_foreign_token_is_no_token() {
    let world = World::new().await;
    let store = world.engine().store();
    let now = world.engine().now();
    let (id, text) = store.create_token(&Grant::of(Role::Admin), "x", now).await.unwrap();
    let ask = async |scheme: &str| {
        let headers = [("Host", "localhost".into()), ("Authorization", format!("{scheme} {text}"))];
        world.send("GET", "/api/v1/money", &headers, "").await
    };
    assert_eq!(ask("bearer").await.status, 200);
    assert_eq!(ask("Basic").await.status, 401);
    assert!(store.revoke_token(&id, now).await.unwrap());
    let refused = ask("Bearer").await;
    assert!(refused.problem(401).contains("revoked"));
    assert!(refused.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test]
async fn other_names_are_misdirected_but_for_health() {
    let world = World::new().await;
    let ask = async |path: &str, hosts: &[&str]| {
        let headers: Vec<_> = hosts.iter().map(|host| ("Host", (*host).to_owned())).collect();
        world.send("GET", path, &headers, "").await
    };
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:7878"] {
        assert_eq!(ask("/", &[host]).await.status, 200, "{host}");
    }
    for path in ["/", "/api/v1/money", "/api/v1/openapi.json", "/nothing"] {
        assert!(ask(path, &["evil.example:7878"]).await.problem(421).contains("localhost"));
    }
    assert_eq!(ask("/", &["localhost", "evil.example"]).await.status, 421);
    assert_eq!(ask("/", &[]).await.status, 421);
    assert_eq!(ask("/healthz", &["monitor.example"]).await.status, 200);
    assert_eq!(ask("/metrics", &["monitor.example"]).await.status, 200);
}

#[tokio::test]
async fn refusals_are_problem_documents() {
    let world = World::new().await;
    assert!(world.get("/api/v1/nothing").await.problem(404).contains("/api/v1/nothing"));
    assert!(world.get("/api/v1/subscriptions/nobody").await.problem(404).contains("nobody"));
    assert!(world.get("/api/v1/subscriptions/a%20b").await.problem(404).contains("a b"));
    world.get("/api/v1/subscriptions/%FF").await.problem(400);
    let wrong = world.ask("DELETE", "/api/v1/subscriptions", "admin", "").await;
    assert!(wrong.problem(405).contains("Allow"));
    assert!(wrong.header("allow").contains("GET"));
    let path = "/api/v1/subscriptions/l0/topup";
    assert!(world.post(path, "{\"amount\":").await.problem(400).contains("not JSON"));
    assert!(world.post(path, "[]").await.problem(422).contains("object"));
    let headers = [
        ("Host", world.at.to_string()),
        ("Authorization", format!("Bearer {}", world.tokens["operator"])),
        ("Content-Type", "text/plain".into()),
    ];
    let foreign = world.send("POST", path, &headers, "{}").await;
    assert!(foreign.problem(415).contains("application/json"));
    let huge = format!("{{\"amount\":\"{}\"}}", "9".repeat((1 << 20) - 12));
    assert!(world.post(path, &huge).await.problem(413).contains("1 MiB"));
    // What the store says of itself stays inside.
    world.app.engine().store().close().await;
    let broken = world.get("/healthz").await;
    assert_eq!(broken.status, 200);
    assert!(!world.get("/api/v1/money").await.problem(500).contains("pool"));
    assert!(world.get("/readyz").await.body.contains("store"));
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_safety() {
    let world = World::new().await;
    for path in ["/", "/healthz", "/api/v1/money", "/api/v1/nothing", "/api/v1/openapi.json"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(policy.contains("script-src 'self'"), path == "/", "{path}");
    }
}
