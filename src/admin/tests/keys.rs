//! Asking twice with the same key acts once.

use super::{Answer, World};
use crate::domain::{Span, State};
use crate::store::Keyed;

const PATH: &str = "/api/v1/subscriptions/l0/topup";
const ORDER: &str = r#"{"amount":"10.00 USD"}"#;

async fn keyed(world: &World, path: &str, role: &str, key: &str, body: &str) -> Answer {
    let headers = [
        ("Host", world.at.to_string()),
        ("Authorization", format!("Bearer {}", world.tokens[role])),
        ("Content-Type", "application/json".into()),
        ("Idempotency-Key", key.to_owned()),
    ];
    world.send("POST", path, &headers, body).await
}

async fn count(world: &World) -> usize {
    world.clock.advance(Span::from_ms(1));
    world.get("/api/v1/topups").await.json().as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_order_twice_is_one_order_with_one_answer() {
    let world = World::new().await;
    let first = keyed(&world, PATH, "operator", "k1", ORDER).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, ""), "{first:?}");
    let again = keyed(&world, PATH, "operator", "k1", ORDER).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, "true"));
    assert_eq!((again.json(), again.header("location")), (first.json(), first.header("location")));
    let other = keyed(&world, PATH, "operator", "k1", r#"{"amount":"20.00 USD"}"#).await;
    assert!(other.problem(422).contains("another request"));
    assert_eq!(count(&world).await, 1);
    // Another's key of the same name is another key: it is refused for what it asks.
    assert!(keyed(&world, PATH, "admin", "k1", ORDER).await.problem(409).contains("one at a time"));
    keyed(&world, PATH, "operator", "", ORDER).await.problem(400);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let world = World::new().await;
    assert_eq!(world.post("/api/v1/subscriptions/l0/pause", "").await.status, 200);
    keyed(&world, PATH, "operator", "k1", ORDER).await.problem(409);
    assert_eq!(world.post("/api/v1/subscriptions/l0/resume", "").await.status, 200);
    assert_eq!(keyed(&world, PATH, "operator", "k1", ORDER).await.status, 202);
    assert_eq!(count(&world).await, 1);
}

#[tokio::test]
async fn a_key_whose_request_died_is_looked_up_and_never_acts_twice() {
    let world = World::new().await;
    let (store, now) = (world.engine().store(), world.clock.now());
    let first = keyed(&world, PATH, "operator", "k1", ORDER).await;
    // As a crash between the order and its answer leaves it.
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let shown = world.get(&format!("/api/v1/topups/{id}")).await.json();
    let actor = shown["events"][0]["actor"].as_str().unwrap().to_owned();
    let Keyed::Known { request, .. } = store.take_key(&actor, "k1", "", now).await.unwrap() else {
        panic!("the key is not known");
    };
    assert_eq!(store.take_key(&actor, "k2", &request, now).await.unwrap(), Keyed::New);
    assert!(keyed(&world, PATH, "operator", "k2", ORDER).await.problem(409).contains("under way"));
    world.clock.advance(Span::minutes(2));
    let found = keyed(&world, PATH, "operator", "k2", ORDER).await;
    assert_eq!((found.status, &found.json()["id"]), (202, &id.as_str().into()), "{found:?}");
    assert_eq!(count(&world).await, 1);
    // Nothing was done with this one, so now it is.
    let path = "/api/v1/subscriptions/l1/topup";
    let probe = keyed(&world, path, "operator", "k3", ORDER).await;
    assert_eq!(probe.status, 202);
    assert_eq!(count(&world).await, 2);
    // A day later the key is forgotten.
    world.clock.advance(Span::hours(25));
    assert_eq!(store.take_key(&actor, "k1", "x", world.clock.now()).await.unwrap(), Keyed::New);
}

#[tokio::test]
async fn an_approval_with_a_key_is_given_once() {
    let world = World::new().await;
    let topup = world.topup("l0", &[State::AwaitingApproval]).await;
    let path = format!("/api/v1/topups/{}/approve", topup.id);
    let yes = keyed(&world, &path, "operator", "k", "").await;
    assert_eq!(yes.status, 200, "{yes:?}");
    let again = keyed(&world, &path, "operator", "k", "").await;
    assert_eq!((again.status, again.json()), (200, yes.json()));
    assert!(world.post(&path, "").await.problem(409).contains("nothing more"));
}
