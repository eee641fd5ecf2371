//! Who watches is told of what changes, of their own part, and of the loss of news, too.

use super::World;
use crate::admin::api::live::WATCHERS;
use crate::domain::{NoticeKind, State, SubscriptionId, SubscriptionStatus, fixtures};
use crate::store::{Grant, Polled, Role, Scope};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Somebody who watches.
struct Watcher {
    stream: TcpStream,
    text: String,
}

/// An event: its kind, its id, its data.
type Event = (String, Option<i64>, Json);

impl Watcher {
    async fn of(world: &World, token: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", world.at.port())).await.unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let host = world.at;
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { stream, text: String::new() }
    }

    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(start) = self.text.find("event: ")
                && let Some(length) = self.text.get(start..).unwrap().find("\n\n")
            {
                let event = self.text.get(start..start + length).unwrap().to_owned();
                self.text.drain(..start + length);
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let id = field("id: ").map(|id| id.parse().unwrap());
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return Some((field("event: ").unwrap(), id, data));
            }
            let mut bytes = [0; 4096];
            let patience = Duration::from_secs(20);
            let read = tokio::time::timeout(patience, self.stream.read(&mut bytes)).await;
            let count = read.expect("news in time").unwrap();
            if count == 0 {
                return None;
            }
            self.text.push_str(&String::from_utf8_lossy(bytes.get(..count).unwrap()));
        }
    }

    /// The next event of that kind.
    async fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.0 == kind {
                return event;
            }
        }
    }
}

async fn read(world: &World, line: &str, minute: i64) {
    let mut reading = fixtures::reading("7.77 USD", minute);
    reading.subscription = SubscriptionId::parse(line).unwrap();
    let polled = Polled { reading, next_poll_at: fixtures::at(360) };
    world.engine().store().apply_polls(&[polled], fixtures::at(minute)).await.unwrap();
}

#[tokio::test]
async fn news_of_top_ups_readings_acts_and_notices_come_as_they_are_in_the_lists() {
    let world = World::new().await;
    let mut watcher = Watcher::of(&world, &world.tokens["viewer"], None).await;
    assert_eq!(watcher.next().await.unwrap().0, "begin");

    let topup = world.topup("l1", &[State::Reserved]).await;
    let (_, seq, told) = watcher.next_of("topup").await;
    assert_eq!(
        told,
        world
            .get(&format!("/api/v1/topups?state={}", told["state"].as_str().unwrap()))
            .await
            .json()[0]
    );
    assert_eq!((told["id"].as_str(), seq.is_some()), (Some(topup.id.as_str()), true));

    read(&world, "l2", 1).await;
    let (_, _, told) = watcher.next_of("subscription").await;
    assert_eq!(told, world.get("/api/v1/subscriptions/l2").await.json());

    let l3 = SubscriptionId::parse("l3").unwrap();
    let store = world.engine().store();
    store.set_status(&l3, SubscriptionStatus::Paused, world.clock.now()).await.unwrap();
    let (_, _, told) = watcher.next_of("subscription").await;
    assert_eq!((told["id"].as_str(), told["status"].as_str()), (Some("l3"), Some("paused")));

    world.notice("li", Some("l2"), NoticeKind::LowBalance).await;
    let (_, _, told) = watcher.next_of("notice").await;
    assert_eq!(
        (told["kind"].as_str(), told["state"].as_str()),
        (Some("low_balance"), Some("queued"))
    );
}

#[tokio::test]
async fn who_comes_back_is_told_of_money_that_moved_meanwhile() {
    let world = World::new().await;
    let mut watcher = Watcher::of(&world, &world.tokens["viewer"], None).await;
    let (_, seq, _) = watcher.next().await.unwrap();
    drop(watcher);
    let topup = world.topup("l1", &[State::Reserved]).await;
    let seq = seq.unwrap().to_string();
    let mut again = Watcher::of(&world, &world.tokens["viewer"], Some(&seq)).await;
    let (_, _, told) = again.next_of("topup").await;
    assert_eq!(told["id"], topup.id.as_str());
    // An id from another life of the database means that everything has to be read anew.
    let mut lost = Watcher::of(&world, &world.tokens["viewer"], Some("999999")).await;
    assert_eq!(lost.next().await.unwrap().0, "resync");
    let refused = world
        .send(
            "GET",
            "/api/v1/events",
            &[
                ("Host", world.at.to_string()),
                ("Authorization", format!("Bearer {}", world.tokens["viewer"])),
                ("Last-Event-ID", "-1".into()),
            ],
            "",
        )
        .await;
    assert!(refused.problem(400).contains("Last-Event-ID: found \"-1\""));
}

#[tokio::test]
async fn nobody_is_told_of_lines_beyond_their_scope() {
    let world = World::new().await;
    let store = world.engine().store();
    let grant = Grant { role: Role::Viewer, scope: Scope::Tag("nobody-has-it".into()) };
    let token = store.create_token(&grant, "test", world.clock.now()).await.unwrap().1;
    let mut stranger = Watcher::of(&world, &token, None).await;
    assert_eq!(stranger.next().await.unwrap().0, "begin");
    let mut watcher = Watcher::of(&world, &world.tokens["viewer"], None).await;
    watcher.next().await.unwrap();
    world.topup("l1", &[State::Reserved]).await;
    read(&world, "l2", 1).await;
    world.notice("li", Some("l2"), NoticeKind::LowBalance).await;
    watcher.next_of("topup").await;
    watcher.next_of("notice").await;
    // The stranger's stream has ticked as often; its end comes before any event.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    world.stop.send(()).unwrap();
    assert_eq!(stranger.next().await, None);
}

#[tokio::test]
async fn a_storm_is_told_in_one_word_and_the_seats_are_counted() {
    let world = World::new().await;
    let mut watcher = Watcher::of(&world, &world.tokens["viewer"], None).await;
    watcher.next().await.unwrap();
    // One commit tells of them at once: no tick of the watcher, however slow the machine, falls
    // between.
    let polled: Vec<Polled> = (0..1200)
        .map(|n| {
            let mut reading = fixtures::reading("7.77 USD", 2);
            reading.subscription = SubscriptionId::parse("l0").unwrap();
            reading.at = fixtures::at(n);
            Polled { reading, next_poll_at: fixtures::at(9000) }
        })
        .collect();
    world.engine().store().apply_polls(&polled, fixtures::at(1)).await.unwrap();
    watcher.next_of("resync").await;
    read(&world, "l2", 9000).await;
    assert_eq!(watcher.next_of("subscription").await.2["id"], "l2");

    let mut others = Vec::new();
    for _ in 1..WATCHERS {
        let mut other = Watcher::of(&world, &world.tokens["viewer"], None).await;
        other.next().await.unwrap();
        others.push(other);
    }
    let full = world.get("/api/v1/events").await;
    assert!(full.problem(429).starts_with("64 watch already"));
    assert_eq!(full.header("retry-after"), "30");
    others.pop();
    // A seat is free once the server has seen that nobody sits there: at its next word.
    world.topup("l1", &[State::Reserved]).await;
    for _ in 0..100 {
        if world.get("/api/v1/events").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the seat of somebody who left stays taken");
}
