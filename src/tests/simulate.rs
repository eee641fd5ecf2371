//! History replayed: the active rules give exactly what was decided, whatever went wrong.

use super::support::{daemon::Install, fake::Fake, scene::Scene};
use serde_json::Value;
use topupd::{
    domain::{Money, Quality, Reading, Span, SubscriptionId, Timestamp, Values},
    sim::{Past, Simulation, mailbox::Mailbox},
    store::{Polled, Store},
};

/// What happened around `at`, for whoever must find out why a replay differs.
async fn about(scene: &Scene, id: &SubscriptionId, at: Timestamp) {
    let (from, to) = (at.minus(Span::hours(8)), at.plus(Span::hours(2)));
    let store = scene.engine.store();
    for act in store.acts(from, to).await.unwrap() {
        if act.subscription.as_ref().is_none_or(|of| of == id) {
            eprintln!("act {act:?}");
        }
    }
    for reading in store.readings(id, 10_000).await.unwrap() {
        if reading.at >= from && reading.at < to {
            eprintln!("reading {:?} {} {:?}", reading.at, reading.quality, reading.values);
        }
    }
    for topup in store.topups(Some(id.as_str()), Timestamp::from_ms(0), to, 100).await.unwrap() {
        eprintln!("topup {} {} {:?} {:?}", topup.id, topup.amount, topup.state, topup.reason);
        for event in store.topup_events(&topup.id).await.unwrap() {
            eprintln!(
                "  {:?} {} > {} {} {}",
                event.at, event.from, event.to, event.actor, event.why
            );
        }
    }
}

/// However it went: within every 24 hours no more than the cap, for each need at most one top-up that
/// may have cost money.
async fn no_limit_was_passed(scene: &Scene) {
    let (begin, end) = (Timestamp::from_ms(0), scene.clock.now().plus(Span::days(1)));
    let store = scene.engine.store();
    let mut topups = store.topups(None, begin, end, 10_000).await.unwrap();
    topups.retain(|topup| topup.state.counts_money());
    let mut needs = std::collections::BTreeSet::new();
    for topup in &topups {
        assert!(needs.insert(topup.need.clone()), "need {} was paid twice", topup.need);
    }
    let mut reserved: Vec<(Timestamp, i64)> = Vec::new();
    for entry in store.ledger(begin, end).await.unwrap() {
        if entry.kind == "reserve" && needs_of(&topups, &entry.topup) {
            reserved.push((entry.at, entry.amount.minor()));
        }
    }
    for (at, _) in &reserved {
        let day =
            reserved.iter().filter(|(other, _)| other <= at && at.since(*other) < Span::days(1));
        let sum: i64 = day.map(|(_, minor)| minor).sum();
        assert!(sum <= 9000, "{sum} within a day up to {at}");
    }
}

fn needs_of(topups: &[topupd::domain::Topup], id: &str) -> bool {
    topups.iter().any(|topup| topup.id.as_str() == id)
}

#[test]
fn a29_simulating_the_active_rules_gives_exactly_the_recorded_decisions() {
    // Each on a thread of its own: the luck of polls comes from the thread.
    let scenes: Vec<_> = (1..=4)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_all().build().unwrap().block_on(compare(seed))
            })
        })
        .collect();
    let found = scenes.into_iter().map(|scene| scene.join().unwrap());
    let (compared, orders, charges) =
        found.fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
    // Enough must have happened for the comparison to mean something.
    assert!(compared > 200 && orders > 20 && charges > 15, "{compared} {orders} {charges}");
}

/// Nine days of eight lines, then the same days replayed. Returns how many decisions were compared,
/// how many orders were sent, and how many the carrier charged.
async fn compare(seed: u64) -> (usize, i64, usize) {
    fastrand::seed(seed);
    let mut scene = Scene::new(seed, 8).await;
    let from = scene.clock.now();
    scene.live(Span::days(9)).await;
    let to = scene.clock.now().plus(Span::from_ms(1));
    let views = scene.engine.store().every_view().await.unwrap();
    let lines = views.into_iter().map(|view| view.subscription).collect();
    let what = Simulation { from, to, lines, draft: None, story: false };
    let rules = scene.engine.rules().await.unwrap();
    let (store, policy) = (scene.engine.store(), scene.engine.policy());
    let past = Past { store, policy, rules: &rules };
    let simulated = past.simulate(&what, |_| ()).await.unwrap();
    let mut compared = 0;
    for line in &simulated.report.lines {
        let recorded = store.recorded_decisions(&line.id).await.unwrap();
        let differs = recorded
            .iter()
            .zip(&line.decisions)
            .position(|(a, b)| a != b)
            .unwrap_or(recorded.len().min(line.decisions.len()));
        if recorded != line.decisions {
            about(&scene, &line.id, recorded.get(differs).map_or(from, |(at, _)| *at)).await;
        }
        assert!(
            recorded == line.decisions,
            "seed {seed}, {}: decision {differs} is {:?}\nand was {:?}\nbefore: {:?}",
            line.id,
            line.decisions.get(differs),
            recorded.get(differs),
            recorded.get(differs.saturating_sub(3)..differs)
        );
        compared += recorded.len();
    }
    no_limit_was_passed(&scene).await;
    (compared, simulated.report.total().orders, scene.oracle.charges())
}

/// Thirty days of readings before now: 3.00 USD all the time, the service ends in five days.
async fn past_readings(install: &Install) {
    let store =
        Store::open(&format!("sqlite://{}", install.path("topupd.db").display())).await.unwrap();
    let now = Timestamp::from_ms(chrono::Utc::now().timestamp_millis());
    let id = SubscriptionId::parse("li-tmobile").unwrap();
    let one = |n: i64| {
        let values = Values {
            balance: Some(Money::parse("3.00 USD").unwrap()),
            service_end_at: Some(now.plus(Span::days(5))),
            ..Values::default()
        };
        let at = now.minus(Span::hours(6 * (n + 1)));
        let reading = Reading {
            subscription: id.clone(),
            provider: "carrier".into(),
            at,
            quality: Quality::Ok,
            values,
            detail: None,
        };
        Polled { reading, next_poll_at: now.plus(Span::days(1)) }
    };
    let polled: Vec<Polled> = (0..120).rev().map(one).collect();
    store.apply_polls(&polled, now).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_simulated_and_a_plan_that_enables_auto_says_what_it_would_have_spent() {
    let (fake, mailbox) = (Fake::start().await, Mailbox::start().await.unwrap());
    let install = Install::new(&fake.url, &mailbox.url());
    install.edit("fleet.toml", "mode = \"auto\"", "mode = \"notify\"");
    install.apply();
    past_readings(&install).await;
    let notify = install.json(&["simulate", "--from", "2020-01-01"]);
    assert_eq!((&notify["total"]["orders"], &notify["active"]), (&0.into(), &Value::Null));
    assert_eq!(notify["total"]["notices"]["low_balance"], 1);
    let draft = std::fs::read_to_string(install.path("fleet.toml")).unwrap();
    let draft = draft.replace("mode = \"notify\"", "mode = \"auto\"");
    std::fs::write(install.path("draft.toml"), &draft).unwrap();
    let path = install.path("draft.toml");
    let path = path.to_str().unwrap();
    let simulated = install.json(&["simulate", "--rules", path, "--from", "2020-01-01", "--story"]);
    let (total, active) = (&simulated["total"], &simulated["active"]);
    assert!(total["orders"].as_i64().unwrap() >= 1, "{simulated}");
    assert_eq!(active["orders"], 0);
    assert_eq!(simulated["difference"]["orders"], total["orders"]);
    assert_eq!(simulated["lines"][0]["id"], "li-tmobile");
    assert!(simulated["story"].as_array().unwrap().iter().any(|told| told["what"] == "paid"));
    // Nothing was written, ordered or sent by all that.
    assert!(fake.charges().is_empty() && install.states().is_empty());
    let text = install.run(&[
        "simulate",
        "--rules",
        path,
        "--from",
        "2020-01-01",
        "--lines",
        "li-tmobile",
    ]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("SUBSCRIPTION") && text.contains("active rules"), "{text}");
    // What enables `auto` shows its price first; what does not is silent.
    let plan = install.json(&["apply", path, "--plan"]);
    let told = &plan["simulated"][0];
    assert_eq!((&told["rule"], &told["lines"]), (&"keep-alive".into(), &1.into()));
    assert_eq!(told["orders"], total["orders"]);
    assert_eq!(told["lines_with_fewer_days"], 1);
    let words = install.run(&["apply", path, "--plan"]);
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("over the last 90 days it would have ordered"), "{words}");
    install.apply();
    assert_eq!(
        install.json(&["apply", "fleet.toml", "--plan"])["simulated"],
        serde_json::json!([])
    );
    // Bad input names the place and what is allowed.
    for (args, part) in [
        (vec!["simulate", "--from", "yesterday"], "--from"),
        (vec!["simulate", "--from", "2999-01-01"], "allowed is an instant before --to"),
        (vec!["simulate", "--from", "2026-01-01", "--lines", "nobody"], "nobody"),
        (vec!["simulate", "--from", "2026-01-01", "--rules", "no-such-file.toml"], "no-such-file"),
    ] {
        let output = install.run(&args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(part), "{args:?}: {stderr}");
    }
}
