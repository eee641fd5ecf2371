//! Lists and their pages, health, metrics, the overview.

use super::World;
use crate::domain::{Span, State, SubscriptionId, Timestamp, fixtures};
use crate::flow::{Beats, Daemon};
use crate::store::Polled;

#[tokio::test]
async fn lines_come_page_by_page() {
    let world = World::new().await;
    let mut path = "/api/v1/subscriptions?limit=2&subscriber=li".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = world.get(&path).await;
        let ids: Vec<String> = page
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect();
        let last = ids.last().cloned().unwrap();
        pages.push(ids);
        let after = page.header("x-next-after").to_owned();
        let link = page.header("link");
        if after.is_empty() {
            assert_eq!(link, "");
            break;
        }
        assert_eq!(after, last);
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        assert!(link.ends_with("; rel=\"next\"") && path.contains("subscriber=li"), "{link}");
    }
    assert_eq!(pages, [vec!["l0", "l1"], vec!["l2", "l3"], vec!["l4"]]);
    assert_eq!(world.get("/api/v1/subscriptions?subscriber=x").await.body, "[]");
}

#[tokio::test]
async fn bad_queries_are_named_all_at_once() {
    let world = World::new().await;
    for path in
        ["/api/v1/subscriptions?limit=0&order=up", "/api/v1/subscriptions?limit=501&order=up"]
    {
        let answer = world.get(path).await;
        let detail = answer.problem(422);
        assert!(detail.contains("limit") && detail.contains("1 to 500"), "{detail}");
        let fields: Vec<_> = answer.json()["errors"].as_array().unwrap().clone();
        assert_eq!(
            fields.iter().map(|e| e["field"].as_str().unwrap()).collect::<Vec<_>>(),
            ["limit", "order"]
        );
    }
    assert!(world.get("/api/v1/ledger?from=yesterday").await.problem(422).contains("RFC 3339"));
    assert!(world.get("/api/v1/money?x=1").await.problem(422).contains('x'));
}

#[tokio::test]
async fn rules_are_the_documents_as_applied() {
    let world = World::new().await;
    let fleet = crate::store::FleetChanges {
        rules: vec![(fixtures::keep_alive(), "{\"mode\":\"auto\"}".into())],
        ..Default::default()
    };
    world.engine().store().save_fleet(&fleet, world.engine().now()).await.unwrap();
    let rules = world.get("/api/v1/rules").await.json();
    assert_eq!(rules, serde_json::json!([{ "id": "keep-alive", "mode": "auto" }]));
}

#[tokio::test]
async fn ready_means_that_every_loop_comes_round() {
    let idle = World::new().await;
    let answer = idle.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "no loop has started\n"));
    let daemon = Daemon::start(idle.engine().clone()).await.unwrap();
    let world = World::on("127.0.0.1:0", daemon.beats()).await;
    // However busy the machine is, the loops come round at some time.
    let mut answer = world.get("/readyz").await;
    while answer.status != 200 || daemon.beats().all().len() < 6 {
        tokio::task::yield_now().await;
        answer = world.get("/readyz").await;
    }
    let metrics = world.get("/metrics").await.body;
    assert!(
        metrics.contains("round_age_seconds{stage=\"poll\",provider=\"carrier\"} 0.000\n"),
        "{metrics}"
    );
    assert!(metrics.contains("age_seconds{stage=\"decide\"} 0.000\n"), "{metrics}");
    // The clock goes on and nobody comes round any more.
    daemon.stop(Span::minutes(1)).await;
    world.clock.advance(Span::minutes(6));
    let answer = world.get("/readyz").await;
    assert!(answer.status == 503 && answer.body.contains("made no progress"), "{answer:?}");
}

#[tokio::test]
async fn metrics_count_every_word_also_at_zero() {
    let world = World::new().await;
    world.topup("l0", &[State::Reserved, State::Submitting, State::Held]).await;
    world.clock.advance(Span::from_ms(90_500));
    let flag = crate::app::money_off_file(world.engine().settings());
    let before = world.get("/metrics").await;
    assert!(before.header("content-type").contains("version=0.0.4"));
    for line in [
        "topupd_subscriptions{status=\"active\"} 4",
        "topupd_subscriptions{status=\"held\"} 1",
        "topupd_subscriptions{status=\"closed\"} 0",
        "topupd_topups{provider=\"carrier\",state=\"held\"} 1",
        "topupd_topups{provider=\"carrier\",state=\"unknown\"} 0",
        "topupd_notices{state=\"queued\"} 0",
        "topupd_oldest_due_poll_seconds{provider=\"carrier\"} 90.500",
        "topupd_money_off 0",
    ] {
        assert!(before.body.lines().any(|found| found == line), "{line} in {}", before.body);
    }
    crate::flow::raise_flag(&flag, "test").unwrap();
    assert!(world.get("/metrics").await.body.contains("\ntopupd_money_off 1\n"));
}

async fn read(world: &World, line: &str, ends_in: Option<Span>) {
    let mut reading = fixtures::reading("7.77 USD", 0);
    reading.subscription = SubscriptionId::parse(line).unwrap();
    reading.values.service_end_at = ends_in.map(|span| fixtures::at(0).plus(span));
    let polled = Polled { reading, next_poll_at: fixtures::at(360) };
    world.engine().store().apply_polls(&[polled], fixtures::at(0)).await.unwrap();
}

#[tokio::test]
async fn the_overview_shows_first_what_goes_dark_first() {
    let world = World::new().await;
    read(&world, "l3", Some(Span::days(5))).await;
    read(&world, "l1", Some(Span::days(1))).await;
    read(&world, "l2", None).await;
    let held = world.topup("l4", &[State::Reserved, State::Submitting, State::Held]).await;
    let page = world.ask("GET", "/", "nobody", "").await;
    assert!(page.status == 200 && page.header("content-type").starts_with("text/html"));
    let html = page.body;
    let at = |id: &str| {
        html.find(&format!("<small>{id}, Li &lt;Wei&gt;"))
            .unwrap_or_else(|| panic!("{id} in {html}"))
    };
    assert!(at("l1") < at("l3") && at("l3") < at("l0") && at("l0") < at("l2"));
    for part in [
        "class=\"urgent\"",
        "class=\"soon\"",
        "7.77 USD",
        "…0123",
        "Paying is on",
        held.id.as_str(),
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    // Times are those of the owner's zone; numbers are masked; nothing runs.
    let ends = fixtures::at(0).plus(Span::days(1));
    assert!(html.contains(&ends.in_zone(chrono_tz::Asia::Shanghai)));
    for part in ["2025550123", "<script>", "http-equiv"] {
        assert!(!html.contains(part), "{part}");
    }
}

#[tokio::test]
async fn others_than_this_machine_see_no_lines() {
    let world = World::on("0.0.0.0:0", Beats::default()).await;
    read(&world, "l1", Some(Span::days(1))).await;
    let page = world.get("/").await;
    assert_eq!((page.status, page.header("location")), (303, "/sign-in"));
    let page = world.get("/sign-in").await;
    assert!(page.status == 200 && page.body.contains("topupd user create"), "{}", page.body);
    assert!(!page.body.contains("l1") && !page.body.contains("USD"), "{}", page.body);
    assert_eq!(world.get("/api/v1/subscriptions/l1").await.status, 200);
}

#[tokio::test]
async fn the_latest_values_outlive_a_failed_poll() {
    let world = World::new().await;
    read(&world, "l1", Some(Span::days(1))).await;
    let mut bad = fixtures::reading("1.00 USD", 5);
    bad.subscription = SubscriptionId::parse("l1").unwrap();
    bad.quality = crate::domain::Quality::Unparseable;
    bad.values = Default::default();
    let polled = Polled { reading: bad, next_poll_at: fixtures::at(360) };
    world.engine().store().apply_polls(&[polled], fixtures::at(5)).await.unwrap();
    let line = world.get("/api/v1/subscriptions/l1").await.json();
    assert_eq!(line["reading"]["quality"], "unparseable");
    assert_eq!(line["reading"]["balance"]["amount_minor"], 777);
    let loss = fixtures::at(0).plus(Span::days(61));
    assert_eq!(
        line["reading"]["number_loss_at"].as_str().and_then(Timestamp::parse_rfc3339),
        Some(loss)
    );
    assert!(world.get("/").await.body.contains("last answer: unparseable"));
}
