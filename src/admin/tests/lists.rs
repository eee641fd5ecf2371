//! Lists are paged without gaps or doubles, narrowed, sorted, and not sent twice.

use super::{Answer, World};
use crate::domain::{Span, State, SubscriptionId, SubscriptionStatus, fixtures};
use crate::store::{FleetChanges, Grant, Polled, Role, Scope};
use std::collections::BTreeSet;

/// Every row of a list, by following its links; `key` tells rows apart.
async fn walk(world: &World, path: &str, key: fn(&serde_json::Value) -> String) -> Vec<String> {
    let (mut path, mut found) = (path.to_owned(), Vec::new());
    loop {
        let page = world.ask("GET", &path, "admin", "").await;
        assert_eq!(page.status, 200, "{page:?}");
        let rows = page.json().as_array().unwrap().clone();
        found.extend(rows.iter().map(key));
        let link = page.header("link");
        if link.is_empty() {
            assert_eq!(page.header("x-next-after"), "");
            return found;
        }
        assert_eq!(rows.len(), 2, "{path}");
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
    }
}

fn id(row: &serde_json::Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

fn at(row: &serde_json::Value) -> String {
    row["at"].as_str().unwrap().to_owned()
}

async fn read(world: &World, line: &str, ends_in: Option<Span>, minute: i64) {
    let mut reading = fixtures::reading("7.77 USD", minute);
    reading.subscription = SubscriptionId::parse(line).unwrap();
    reading.values.service_end_at = ends_in.map(|span| fixtures::at(0).plus(span));
    let polled = Polled { reading, next_poll_at: fixtures::at(360) };
    world.engine().store().apply_polls(&[polled], fixtures::at(minute)).await.unwrap();
}

#[tokio::test]
async fn no_page_skips_or_repeats_a_row() {
    let world = World::new().await;
    for minute in 0..5 {
        read(&world, "l0", None, minute).await;
    }
    for n in 0..5 {
        world.topup(&format!("l{n}"), &[State::Reserved]).await;
        assert_eq!(world.post(&format!("/api/v1/subscriptions/l{n}/poll"), "").await.status, 202);
    }
    world.clock.advance(Span::minutes(9));
    let readings = walk(&world, "/api/v1/subscriptions/l0/readings?limit=2", at).await;
    assert_eq!(readings.len(), 5);
    assert!(readings.is_sorted_by(|a, b| a > b));
    for day in 1..5 {
        read(&world, "l0", None, day * 1440).await;
    }
    let of_day = |row: &serde_json::Value| row["day"].as_str().unwrap().to_owned();
    let days = walk(&world, "/api/v1/subscriptions/l0/days?limit=2", of_day).await;
    assert_eq!(days.len(), 5);
    assert!(days.is_sorted_by(|a, b| a > b));
    let topups = walk(&world, "/api/v1/topups?limit=2", id).await;
    assert_eq!((topups.len(), topups.iter().collect::<BTreeSet<_>>().len()), (5, 5));
    let ledger =
        walk(&world, "/api/v1/ledger?limit=2", |row| format!("{}{}", row["topup"], row["kind"]));
    assert_eq!(ledger.await.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[tokio::test]
async fn lines_are_sorted_by_what_goes_dark_first_or_by_label() {
    let world = World::new().await;
    let mut fleet = FleetChanges::default();
    for (n, label) in ["Dora", "anna", "Cleo", "Bert", "Bert"].into_iter().enumerate() {
        let mut line = fixtures::line(&format!("l{n}"));
        line.label = label.into();
        fleet.subscriptions.push((line, "{}".into()));
    }
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    read(&world, "l3", Some(Span::days(5)), 0).await;
    read(&world, "l1", Some(Span::days(1)), 0).await;
    read(&world, "l2", None, 0).await;
    let by_end = walk(&world, "/api/v1/subscriptions?limit=2&sort=service_end", id).await;
    assert_eq!(by_end, ["l1", "l3", "l0", "l2", "l4"]);
    let by_label = walk(&world, "/api/v1/subscriptions?limit=2&sort=label", id).await;
    assert_eq!(by_label, ["l3", "l4", "l2", "l0", "l1"]);
    let wrong = world.get("/api/v1/subscriptions?sort=label&after=l1").await.problem(422);
    assert!(wrong.contains("X-Next-After"), "{wrong}");
}

#[tokio::test]
async fn lists_are_narrowed() {
    let world = World::new().await;
    let mut line = fixtures::line("l0");
    line.label = "100% Oma".into();
    line.tags = vec!["home".into(), "a\"b".into()];
    line.operator = Some("tello".into());
    let fleet = FleetChanges {
        subscriptions: vec![(line, "{}".into())],
        close_subscriptions: vec![SubscriptionId::parse("l4").unwrap()],
        ..Default::default()
    };
    world.engine().store().save_fleet(&fleet, world.clock.now()).await.unwrap();
    assert_eq!(world.post("/api/v1/subscriptions/l1/pause", "").await.status, 200);
    world.topup("l2", &[State::Reserved, State::Submitting, State::Held]).await;
    world.topup("l3", &[State::AwaitingApproval]).await;
    world.clock.advance(Span::minutes(1));
    let lines = async |query: &str| {
        let answer = world.get(&format!("/api/v1/subscriptions?{query}")).await;
        answer.json().as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(lines("").await, ["l0", "l1", "l2", "l3"]);
    assert_eq!(lines("tag=home").await, ["l0"]);
    assert_eq!(lines("tag=a%22b").await, ["l0"]);
    assert!(lines("tag=hom").await.is_empty());
    assert_eq!(lines("operator=tello").await, ["l0"]);
    assert_eq!(lines("q=0%25%20oma").await, ["l0"]);
    assert!(lines("q=0_%25").await.is_empty());
    assert_eq!(lines("status=paused").await, ["l1"]);
    assert_eq!(lines("status=held").await, ["l2"]);
    assert_eq!(lines("status=closed").await, ["l4"]);
    assert_eq!(lines("status=active&reader=carrier").await, ["l0", "l3"]);
    let topups = async |query: &str| {
        let answer = world.get(&format!("/api/v1/topups?{query}")).await;
        answer.json().as_array().unwrap().len()
    };
    assert_eq!(topups("").await, 2);
    assert_eq!(topups("state=held&payer=carrier").await, 1);
    assert_eq!(topups("payer=nobody").await, 0);
    assert_eq!(topups("to=2020-01-01").await, 0);
    assert!(world.get("/api/v1/topups?state=lost").await.problem(422).contains("held"));
    assert!(world.get("/api/v1/notices?kind=lost").await.problem(422).contains("topup_held"));
    for query in ["state=queued", "kind=topup_held", "channel=mail", "subscription=l0"] {
        assert_eq!(world.get(&format!("/api/v1/notices?{query}")).await.body, "[]", "{query}");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let world = World::new().await;
    let ask = async |known: &str| -> Answer {
        let headers = [
            ("Host", world.at.to_string()),
            ("Authorization", format!("Bearer {}", world.tokens["viewer"])),
            ("If-None-Match", known.to_owned()),
        ];
        world.send("GET", "/api/v1/subscriptions?limit=3", &headers, "").await
    };
    let first = ask("").await;
    let tag = first.header("etag").to_owned();
    assert!(first.status == 200 && tag.starts_with("W/\""), "{first:?}");
    let same = ask(&format!("\"x\", {tag}")).await;
    assert_eq!((same.status, same.body.as_str()), (304, ""));
    assert_eq!(same.header("etag"), tag);
    assert_eq!(same.header("x-next-after"), "l2");
    let id = SubscriptionId::parse("l0").unwrap();
    world
        .engine()
        .store()
        .set_status(&id, SubscriptionStatus::Paused, world.clock.now())
        .await
        .unwrap();
    assert_eq!(ask(&tag).await.status, 200);
}

#[tokio::test]
async fn an_answer_is_given_again_only_while_nothing_changed_for_anybody() {
    let world = World::new().await;
    let path = "/api/v1/subscriptions?limit=2";
    let first = world.get(path).await;
    for _ in 0..3 {
        let again = world.get(path).await;
        assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
        assert_eq!(again.header("x-next-after"), first.header("x-next-after"));
        assert_eq!(again.header("content-type"), "application/json");
    }
    // Another process writes: the very next answer knows it.
    let url = world.engine().settings().database.url().to_owned();
    let other = crate::store::Store::open(&url).await.unwrap();
    for n in 0..3 {
        let status =
            if n % 2 == 0 { SubscriptionStatus::Paused } else { SubscriptionStatus::Active };
        let id = SubscriptionId::parse("l0").unwrap();
        other.set_status(&id, status, world.clock.now()).await.unwrap();
        let now = world.get(path).await;
        assert_eq!(now.json()[0]["status"], status.as_str());
        assert_eq!(world.get(path).await.body, now.body);
        // And whoever has an older one is given the new one.
        let has = |tag: &str| {
            let token = format!("Bearer {}", world.tokens["viewer"]);
            vec![
                ("Host", world.at.to_string()),
                ("Authorization", token),
                ("If-None-Match", tag.to_owned()),
            ]
        };
        // Rows that are as they were make the answer that they made.
        let expected = if n % 2 == 0 { 200 } else { 304 };
        let old = world.send("GET", path, &has(first.header("etag")), "").await;
        assert_eq!(old.status, expected);
        let same = world.send("GET", path, &has(now.header("etag")), "").await;
        assert_eq!((same.status, same.body.as_str()), (304, ""));
    }
    // The same question within another scope is another question.
    let grant = Grant { role: Role::Viewer, scope: Scope::Tag("nobody-has-it".into()) };
    let token = world.engine().store().create_token(&grant, "test", world.clock.now()).await;
    let headers =
        [("Host", world.at.to_string()), ("Authorization", format!("Bearer {}", token.unwrap().1))];
    for _ in 0..3 {
        assert_eq!(world.get(path).await.json().as_array().unwrap().len(), 2);
        assert_eq!(world.send("GET", path, &headers, "").await.body, "[]");
    }
}

#[tokio::test]
async fn questions_without_number_are_not_all_remembered() {
    let world = World::new().await;
    for round in 0..2 {
        for limit in 1..150 {
            let answer = world.get(&format!("/api/v1/subscriptions?limit={limit}")).await;
            assert_eq!(answer.status, 200, "{round} {limit}");
        }
    }
    let same = world.get("/api/v1/subscriptions?limit=149").await;
    assert_eq!(same.json().as_array().unwrap().len(), 5);
}
