//! Lines that say the same again and again: part of the store's story, on SQLite and on PostgreSQL; and
//! when the daemon writes that down.

use super::rules::add_lines;
use super::support::{at, calm_decision, line, reading, world::World};
use std::time::Duration;
use topupd::domain::{Span, Timestamp};
use topupd::store::{CalmLine, FleetChanges, Polled, SeenAgain, Store, steady_mark};

const LINE: &str = "steady";

fn polled(balance: &str, minute: i64) -> Polled {
    Polled { reading: reading(LINE, balance, minute), next_poll_at: at(minute + 360) }
}

fn again(balance: &str, minute: i64) -> SeenAgain {
    let polled = polled(balance, minute);
    let mark = steady_mark(&polled.reading);
    SeenAgain { polled, mark, stale_at: Some(at(minute + 1080)) }
}

/// A calm decision at `minute`, by which the line is steady until `until`.
async fn calm(store: &Store, balance: &str, minute: i64, until: i64) {
    let decision = calm_decision(at(minute + 1080));
    let claimed = at(minute + 1);
    store.claim_decisions_of(&[LINE.into()], claimed, at(minute)).await.unwrap();
    let steady = Some((steady_mark(&reading(LINE, balance, minute)), at(until)));
    let id = line(LINE, 70).id;
    store.apply_calm(&[CalmLine { id, decision, steady }], claimed).await.unwrap();
}

async fn is_due(store: &Store, minute: i64) -> bool {
    store.due_decisions(10_000, at(minute)).await.unwrap().contains(&LINE.to_owned())
}

async fn times(store: &Store) -> Vec<Timestamp> {
    store.readings(&line(LINE, 70).id, 100).await.unwrap().iter().map(|r| r.at).collect()
}

pub(crate) async fn runs(store: &Store) {
    let subscriptions = vec![(line(LINE, 70), "{}".to_owned())];
    let changes = FleetChanges { subscriptions, ..FleetChanges::default() };
    store.save_fleet(&changes, at(0)).await.unwrap();
    let id = line(LINE, 70).id;
    store.apply_polls(&[polled("23.00 USD", 0)], at(0)).await.unwrap();
    assert!(is_due(store, 0).await, "a first reading is decided about");
    let due = store.due_polls(&[LINE.into()]).await.unwrap().remove(0);
    assert_eq!(due.steady, None);
    assert_eq!(due.currency.map(|currency| currency.code()), Some("USD"));
    calm(store, "23.00 USD", 0, 2000).await;
    let due = store.due_polls(&[LINE.into()]).await.unwrap().remove(0);
    assert_eq!(due.steady.unwrap().since, at(0));
    assert_eq!(due.currency.map(|currency| currency.code()), Some("USD"));

    // The same three times: no decision, the newest reading moves, one row stays one row.
    for minute in [360, 720, 1080] {
        store.apply_round(&[], &[again("23.00 USD", minute)], at(minute)).await.unwrap();
        let view = store.views_of(&[LINE.into()]).await.unwrap().remove(0);
        assert_eq!(view.good, Some(reading(LINE, "23.00 USD", minute)));
        assert_eq!(view.newest, view.good);
        assert_eq!(view.next_poll_at, Some(at(minute + 360)));
        assert_eq!(store.newest_ok(&id).await.unwrap(), view.good);
        let snapshot = store.snapshot(&id).await.unwrap().snapshot;
        assert_eq!((snapshot.reading, snapshot.earlier), (view.good, Vec::new()));
        assert_eq!(times(store).await, [at(minute), at(0)]);
        // Silence after it would still be noticed, and a date that counts comes first.
        assert!(!is_due(store, (minute + 1079).min(1999)).await);
        assert!(is_due(store, (minute + 1080).min(2000)).await);
    }
    let steady = store.due_polls(&[LINE.into()]).await.unwrap().remove(0).steady.unwrap();
    assert_eq!(steady.since, at(0), "a run began where its row is");

    // A replay sees every reading of the run, also where it looks at the middle only.
    let lines = [line(LINE, 70)];
    let between = store.readings_between(&lines, at(0), at(2000)).await.unwrap();
    let all: Vec<Timestamp> = between.iter().map(|(_, r)| r.at).collect();
    assert_eq!(all, [at(0), at(360), at(720), at(1080)]);
    let middle = store.readings_between(&lines, at(300), at(800)).await.unwrap();
    assert_eq!(middle.len(), 2);
    assert_eq!(store.count_readings_of(&[LINE.into()], at(0), at(2000)).await.unwrap(), 4);

    // Something else is read: the run gets its last row, and the line is decided about.
    store.apply_polls(&[polled("20.00 USD", 1440)], at(1440)).await.unwrap();
    assert!(is_due(store, 1440).await);
    assert_eq!(times(store).await, [at(1440), at(1080), at(0)]);
    let snapshot = store.snapshot(&id).await.unwrap().snapshot;
    assert_eq!(snapshot.reading, Some(reading(LINE, "20.00 USD", 1440)));
    assert_eq!(snapshot.earlier, [reading(LINE, "23.00 USD", 1080)]);
    let between = store.readings_between(&lines, at(0), at(2000)).await.unwrap();
    let after: Vec<Timestamp> = between.iter().map(|(_, r)| r.at).collect();
    assert_eq!(after, [at(0), at(360), at(720), at(1080), at(1440)]);
    let middle = store.readings_between(&lines, at(300), at(800)).await.unwrap();
    assert_eq!(middle.len(), 2, "a run reaches into the time asked for from behind");

    whoever_came_in_between_is_heard(store).await;
}

async fn whoever_came_in_between_is_heard(store: &Store) {
    let id = line(LINE, 70).id;
    // A failed poll within a run ends it, and the last good reading stays.
    calm(store, "20.00 USD", 1440, 9000).await;
    store.apply_round(&[], &[again("20.00 USD", 1500)], at(1500)).await.unwrap();
    let mut failed = polled("20.00 USD", 1560);
    failed.reading.quality = topupd::domain::Quality::Unparseable;
    failed.reading.values = topupd::domain::Values::default();
    store.apply_polls(&[failed], at(1560)).await.unwrap();
    let snapshot = store.snapshot(&id).await.unwrap().snapshot;
    assert_eq!(snapshot.reading, Some(reading(LINE, "20.00 USD", 1500)));
    assert!(snapshot.trouble.is_some());

    // A decision under way, a reading by hand, other words: what was claimed as the same is written
    // in full.
    store.apply_polls(&[polled("20.00 USD", 1600)], at(1600)).await.unwrap();
    calm(store, "20.00 USD", 1600, 9000).await;
    store.decide_all(at(1610)).await.unwrap();
    store.claim_decisions_of(&[LINE.into()], at(1611), at(1610)).await.unwrap();
    store.apply_round(&[], &[again("20.00 USD", 1620)], at(1620)).await.unwrap();
    assert!(is_due(store, 1620).await);
    calm(store, "20.00 USD", 1620, 9000).await;
    store.apply_polls(&[polled("5.00 USD", 1630)], at(1630)).await.unwrap();
    store.apply_round(&[], &[again("20.00 USD", 1640)], at(1640)).await.unwrap();
    assert!(is_due(store, 1640).await);
    calm(store, "20.00 USD", 1640, 9000).await;
    store.apply_round(&[], &[again("19.00 USD", 1650)], at(1650)).await.unwrap();
    assert!(is_due(store, 1650).await);
    let minutes = [1650, 1640, 1630, 1620, 1600, 1560, 1500, 1440, 1080, 0];
    assert_eq!(times(store).await, minutes.map(at));

    // What is due for a decision stays due, whatever is read.
    calm(store, "19.00 USD", 1650, 9000).await;
    store.decide_all(at(1660)).await.unwrap();
    store.apply_round(&[], &[again("19.00 USD", 1670)], at(1670)).await.unwrap();
    assert!(is_due(store, 1670).await);
    // A paused line is not polled again by an answer that came late.
    let paused = topupd::domain::SubscriptionStatus::Paused;
    calm(store, "19.00 USD", 1670, 9000).await;
    store.set_status(&id, paused, at(1680)).await.unwrap();
    store.apply_round(&[], &[again("19.00 USD", 1690)], at(1690)).await.unwrap();
    assert_eq!(store.views_of(&[LINE.into()]).await.unwrap()[0].next_poll_at, None);
}

/// Of two steady lines one is due, and the other while that is asked and heard: how many answers the round
/// wrote.
async fn one_after_the_other(world: &World) -> usize {
    let engine = world.engine();
    let mut lines =
        engine.store().views_of(&["li-tmobile".into(), "extra-0".into()]).await.unwrap();
    lines.sort_by_key(|line| line.next_poll_at);
    let first = lines[0].next_poll_at.unwrap();
    world.advance(first.minus(Span::from_ms(300)).since(world.now()));
    let other = [lines[1].subscription.id.clone()];
    engine.store().poll_now(&other, world.now()).await.unwrap();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        world.advance(Span::from_ms(400));
    };
    let (report, ()) = tokio::join!(engine.poll_reader("carrier"), meanwhile);
    report.unwrap().seen
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_the_same_is_written_with_what_is_due_soon() {
    let world = World::new(|fake, install| add_lines(fake, install, 1, 2000)).await;
    world.pass(Span::days(1)).await;
    let mut seen = Vec::new();
    // A machine that does other work may be too late for one.
    while !seen.contains(&2) && seen.len() < 5 {
        seen.push(one_after_the_other(&world).await);
        world.tick().await;
    }
    assert!(seen.contains(&2), "{seen:?}");
}

/// When each of so many lines is polled next.
async fn turns(world: &World, lines: usize) -> Vec<i64> {
    let ids: Vec<String> = (0..lines).map(|n| format!("extra-{n}")).collect();
    let mut views = world.engine().store().views_of(&ids).await.unwrap();
    views.sort_by(|a, b| a.subscription.id.as_str().cmp(b.subscription.id.as_str()));
    views.iter().filter_map(|view| view.next_poll_at).map(Timestamp::ms).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_were_added_together_find_their_turns_and_keep_them() {
    let world = World::new(|fake, install| add_lines(fake, install, 12, 2000)).await;
    let (pace, added) = (Span::hours(6).ms(), world.now().ms());
    world.tick().await;
    for at in turns(&world, 12).await {
        assert!((at - added - pace).abs() <= pace / 10, "within a tenth of the pace, not {at}");
    }
    world.pass(Span::days(6)).await;
    let before = turns(&world, 12).await;
    assert_eq!(before.len(), 12);
    let spread = before.iter().max().unwrap() - before.iter().min().unwrap();
    assert!(spread > pace * 3 / 4, "they are spread over their pace: {before:?}");
    world.pass(Span::hours(6)).await;
    for (then, now) in before.iter().zip(turns(&world, 12).await) {
        assert_eq!(now - then, pace, "a turn later, to the millisecond");
    }
}
