//! What is old goes, and nothing else: on SQLite and on PostgreSQL.

use super::support::{at, line, money, postgres, reading, subscriber};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use std::collections::BTreeSet;
use topupd::domain::{Quality, ReadingDay, Span, SubscriptionId, Timestamp, day_of};
use topupd::store::{FleetChanges, Keep, Polled, Retained, Store};

const DAY: i64 = 1440;
/// Days of readings, four of each.
const DAYS: i64 = 500;

fn keep(now: Timestamp) -> Keep {
    Keep {
        readings: now.minus(Span::days(400)),
        rollups: now.minus(Span::days(480)),
        decisions: now.minus(Span::days(400)),
        notices: now.minus(Span::days(400)),
    }
}

/// A read of `line` that many minutes after the start; now and then one fails.
fn read(id: &str, minute: i64) -> Polled {
    let n = minute / 360;
    let mut reading = reading(id, "9.00 USD", minute);
    reading.values.balance = Some(money(&format!("{}.{:02} USD", 5 + n % 7, n % 100)));
    if n % 11 == 3 {
        reading.quality = Quality::Unparseable;
        reading.values = Default::default();
    }
    Polled { reading, next_poll_at: at(minute + 360) }
}

async fn fill(store: &Store, ids: &[&str]) -> Timestamp {
    store.migrate().await.unwrap();
    let mut fleet = FleetChanges::default();
    fleet.subscribers.push((subscriber("li"), "{}".into()));
    for (n, id) in ids.iter().enumerate() {
        fleet.subscriptions.push((line(id, n), "{}".into()));
    }
    store.save_fleet(&fleet, at(0)).await.unwrap();
    store.make_months(at(0)).await.unwrap();
    for day in 0..DAYS {
        let mut polled = Vec::new();
        for id in ids {
            // The last line was not read for a long time.
            if *id != "silent" || day < 30 {
                polled.extend((0..4).map(|n| read(id, day * DAY + n * 360)));
            }
        }
        store.apply_polls(&polled, at(day * DAY + 1080)).await.unwrap();
    }
    at(DAYS * DAY)
}

/// Runs until nothing is due; returns how many steps it took.
async fn retain(store: &Store, now: Timestamp) -> usize {
    for steps in 0..10_000 {
        if let Retained::Until(next) = store.retain("me", keep(now), now).await.unwrap() {
            assert_eq!(next, now.plus(Span::days(1)));
            return steps;
        }
    }
    panic!("it does not end");
}

async fn ats(store: &Store, id: &SubscriptionId) -> BTreeSet<Timestamp> {
    store.readings(id, i64::MAX).await.unwrap().into_iter().map(|reading| reading.at).collect()
}

async fn story(store: &Store, url: &str) {
    let ids = ["a", "b", "silent"];
    let now = fill(store, &ids).await;
    let before: Vec<_> = {
        let mut all = Vec::new();
        for id in ids {
            let mut readings = store.readings(&line(id, 0).id, i64::MAX).await.unwrap();
            readings.reverse();
            all.push(readings);
        }
        all
    };
    // An order of long ago: what stood before it, and what stood between payment and proof.
    let evidence = [at(40 * DAY), at(41 * DAY), at(41 * DAY + 360)];
    let mut connection = AnyConnection::connect(url).await.unwrap();
    for sql in [
        "INSERT INTO needs (id, subscription_id, seq, kind, opened_at, closed_at, outcome) VALUES ('n', 'a', 1, 'manual', 1, 2, 'served')".to_owned(),
        format!(
            "INSERT INTO topups (id, subscription_id, subscriber_id, need_id, payer, amount_minor, currency, reference, order_hash, \
             state, reason, request, request_sha256, submit_no, before_read_at, reserved_at, paid_at, finalized_at, counted_minor, \
             created_at, updated_at, version) VALUES ('t', 'a', 'li', 'n', 'carrier', 1000, 'USD', '{}', 'h', 'verified', 'seen', \
             'r', 's', 1, {}, 1, {}, {}, 1000, 1, 1, 1)",
            "r".repeat(24), evidence[0].ms(), evidence[1].ms(), evidence[2].ms(),
        ),
    ] {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    let sent = format!(
        "INSERT INTO notices (id, dedupe_key, subscriber_id, kind, severity, facts, state, created_at, expires_at, sent_at, next_try_at) VALUES \
         ('old', 'old', 'li', 'stale', 'info', '{{\"label\":\"x\"}}', 'sent', {0}, 0, 1, NULL), ('waits', 'waits', 'li', 'stale', 'info', '{{\"label\":\"x\"}}', 'queued', {0}, 0, NULL, 5), \
         ('new', 'new', 'li', 'stale', 'info', '{{\"label\":\"x\"}}', 'sent', {1}, 0, 1, NULL)",
        at(0).ms(),
        now.ms(),
    );
    connection.execute(sqlx::AssertSqlSafe(sent)).await.unwrap();
    connection
        .execute("INSERT INTO deliveries (notice_id, attempt, channel, at, outcome) VALUES ('old', 1, 'mail', 1, 'accepted')")
        .await
        .unwrap();

    // Somebody else is at it first, and dies; then it goes on where he was.
    assert_eq!(store.retain("other", keep(now), now).await.unwrap(), Retained::Step);
    let Retained::Until(held) = store.retain("me", keep(now), now).await.unwrap() else {
        panic!("two at once")
    };
    assert!(held > now && held < now.plus(Span::hours(1)));
    let later = now.plus(Span::minutes(5));
    assert!(retain(store, later).await > 10);
    assert_eq!(retain(store, later).await, 0, "once a day");

    let cutoff = day_of(now.minus(Span::days(400)));
    for (id, before) in ids.iter().zip(&before) {
        let id = line(id, 0).id;
        let left = ats(store, &id).await;
        let row = store.snapshots(&[id.to_string()]).await.unwrap().remove(0).snapshot;
        assert_eq!(
            row.reading.as_ref(),
            before.iter().rfind(|r| r.quality == Quality::Ok),
            "the last stays"
        );
        for reading in before {
            let is_new = day_of(reading.at) >= cutoff;
            let is_spoken_of = id.as_str() == "a" && evidence.contains(&reading.at);
            let is_there = left.contains(&reading.at);
            assert!(is_there || !(is_new || is_spoken_of), "{id}: {:?} is gone", reading.at);
        }
        let kept_old = left.iter().filter(|at| day_of(**at) < cutoff).count();
        match id.as_str() {
            "a" => assert!((3..200).contains(&kept_old), "{kept_old}"),
            // The last one, the one before it, the newest of any kind.
            "silent" => assert!((2..=130).contains(&kept_old), "{kept_old}"),
            _ => assert!(kept_old < 130, "{kept_old}"),
        }
        // Days say what the readings said, whether those are still there or not.
        let days = store.reading_days(&id, None, 1000).await.unwrap();
        let oldest = day_of(now.minus(Span::days(480)));
        let mut expected = ReadingDay::of(before);
        expected.retain(|day| day.day >= oldest);
        expected.reverse();
        let rolled: Vec<_> = days.iter().filter(|day| day.day >= oldest).cloned().collect();
        assert_eq!(rolled, expected, "{id}");
        let page = store.reading_days(&id, Some(cutoff + 2), 3).await.unwrap();
        assert!(page.iter().all(|day| day.day < cutoff + 2) && page.len() <= 3);
    }
    let notices = store.notices(Some("li"), 99).await.unwrap();
    let left: BTreeSet<&str> = notices.iter().map(|notice| notice.id.as_str()).collect();
    assert!(!left.contains("old") && left.contains("waits") && left.contains("new"), "{left:?}");

    // A month later again: days that were kept are not counted anew.
    let later = later.plus(Span::days(31));
    let first = store.reading_days(&line("b", 0).id, None, 1000).await.unwrap();
    retain(store, later).await;
    let second = store.reading_days(&line("b", 0).id, None, 1000).await.unwrap();
    let oldest = day_of(later.minus(Span::days(480)));
    for day in first.iter().filter(|day| day.day >= oldest) {
        assert!(second.contains(day), "{day:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_readings_become_days_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("t.db").display());
    let store = Store::open(&url).await.unwrap();
    story(&store, &url).await;
    for (id, most) in [("a", 10), ("b", 0), ("silent", 3)] {
        let old = at(DAYS * DAY).minus(Span::days(401));
        let left = ats(&store, &line(id, 0).id).await.into_iter().filter(|at| *at < old).count();
        assert!(left <= most, "{id}: {left}");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_months_are_dropped_on_postgresql() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("retention").await;
    let store = Store::open(&url).await.unwrap();
    story(&store, &url).await;
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(c.relname AS text) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = to_regclass('readings') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(names.contains(&"readings_default".to_owned()), "{names:?}");
    // 2026-11 was made at the start, and is over.
    assert!(!names.contains(&"readings_2026_11".to_owned()), "{names:?}");
    let now =
        at(DAYS * DAY).plus(Span::days(31)).to_utc().unwrap().format("readings_%Y_%m").to_string();
    assert!(names.contains(&now), "{now} of {names:?}");
    store.close().await;
}

/// A table of an older version becomes one of months, rows and all; twice changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_table_is_divided_where_it_stands() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("divided").await;
    let store = Store::open(&url).await.unwrap();
    fill(&store, &["a"]).await;
    let before = ats(&store, &line("a", 0).id).await;
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let view: String = sqlx::query_scalar("SELECT pg_get_viewdef('sightings')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let view = format!("CREATE VIEW sightings AS {view}");
    for sql in [
        "DROP VIEW sightings",
        "CREATE TABLE plain (LIKE readings INCLUDING ALL)",
        "INSERT INTO plain SELECT * FROM readings",
        "DROP TABLE readings",
        "ALTER TABLE plain RENAME TO readings",
        "ALTER INDEX plain_pkey RENAME TO readings_pkey",
        "ALTER TABLE readings ADD FOREIGN KEY (subscription_id) REFERENCES subscriptions (id)",
        &view,
    ] {
        connection.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.unwrap();
    }
    for _ in 0..2 {
        store.migrate().await.unwrap();
        store.make_months(at(DAYS * DAY)).await.unwrap();
        assert_eq!(ats(&store, &line("a", 0).id).await, before);
    }
    // Far ahead of every month nothing is refused, and a month that comes takes it over.
    let far = 700 * DAY;
    store.apply_polls(&[read("a", far)], at(far)).await.unwrap();
    store.make_months(at(far)).await.unwrap();
    let lost: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM readings_default")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(lost, 0);
    assert!(ats(&store, &line("a", 0).id).await.contains(&at(far)));
    let refused = connection
        .execute("INSERT INTO readings (subscription_id, at, provider, quality) VALUES ('nobody', 1, 'x', 'ok')")
        .await;
    assert!(refused.is_err(), "lines must be there");
    store.close().await;
}

/// What is asked every second goes by index, and in the order of one; whatever the database thinks of
/// how many rows there are.
#[tokio::test]
async fn nothing_that_comes_every_second_reads_all_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", dir.path().join("t.db").display())).await.unwrap();
    store.migrate().await.unwrap();
    let plans = store.plans("carrier", at(0)).await.unwrap();
    assert!(plans.len() >= 6);
    for plan in plans {
        assert!(!plan.reads_all() && !plan.sorts(), "{plan:?}");
    }
}

/// A line whose readings, and what speaks of them, are as chance has it.
#[derive(Clone, Debug)]
struct Chance {
    /// Hours since the start.
    hours: BTreeSet<i64>,
    /// Which of them the line and its breach speak of, by their place.
    last: [usize; 4],
    /// The reading before an order, its payment and its proof.
    order: Option<(usize, i64, Option<i64>)>,
    /// After so many steps the process dies.
    dies: usize,
}

fn chance() -> impl proptest::strategy::Strategy<Value = Chance> {
    use proptest::prelude::*;
    let hours = proptest::collection::btree_set(0..200 * 24_i64, 1..60);
    let order =
        proptest::option::of((any::<usize>(), 0..200 * 24_i64, proptest::option::of(0..99_i64)));
    (hours, any::<[usize; 4]>(), order, 0..9_usize).prop_map(|(hours, last, order, dies)| Chance {
        hours,
        last,
        order,
        dies,
    })
}

async fn by_chance(chance: Chance) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("t.db").display());
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let mut fleet = FleetChanges::default();
    fleet.subscribers.push((subscriber("li"), "{}".into()));
    fleet.subscriptions.push((line("a", 1), "{}".into()));
    store.save_fleet(&fleet, at(0)).await.unwrap();
    let hours: Vec<i64> = chance.hours.iter().copied().collect();
    let polled: Vec<Polled> = hours.iter().map(|hour| read("a", hour * 60)).collect();
    store.apply_polls(&polled, at(0)).await.unwrap();
    let pick = |n: usize| at(hours[n % hours.len()] * 60);
    let [ok, newest, before, opened] = chance.last.map(pick);
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let mut run = async |sql: String| {
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    let (ok_ms, newest_ms, before_ms) = (ok.ms(), newest.ms(), before.ms());
    run(format!(
        "UPDATE watches SET ok_at = {ok_ms}, newest_at = {newest_ms}, ok_before_at = {before_ms}"
    ))
    .await;
    run(format!(
        "INSERT INTO episodes (id, rule_id, subscription_id, opened_at, first_read_at, is_deadline, cause) \
         VALUES ('e', 'r', 'a', 1, {}, 0, 'low')",
        opened.ms()
    ))
    .await;
    let mut spoken: BTreeSet<Timestamp> = [ok, newest, before, opened].into();
    if let Some((first, paid, proof)) = chance.order {
        let (first, paid) = (pick(first), at(paid * 60));
        let proof = proof.map(|hours| paid.plus(Span::hours(hours)));
        let (state, finalized) = match proof {
            Some(proof) => ("verified", proof.ms().to_string()),
            None => ("paid", "NULL".to_owned()),
        };
        run("INSERT INTO needs (id, subscription_id, seq, kind, opened_at) VALUES ('n', 'a', 1, 'manual', 1)".into()).await;
        run(format!(
            "INSERT INTO topups (id, subscription_id, subscriber_id, need_id, payer, amount_minor, currency, reference, order_hash, \
             state, reason, request, request_sha256, submit_no, before_read_at, reserved_at, paid_at, finalized_at, created_at, \
             updated_at, version) VALUES ('t', 'a', 'li', 'n', 'carrier', 1000, 'USD', '{}', 'h', '{state}', 'x', 'r', 's', 1, {}, \
             1, {}, {finalized}, 1, 1, 1)",
            "r".repeat(24),
            first.ms(),
            paid.ms(),
        ))
        .await;
        spoken.insert(first);
        let all = hours.iter().map(|hour| at(hour * 60));
        spoken.extend(all.filter(|at| match proof {
            Some(proof) => *at >= paid && *at <= proof,
            None => *at >= first,
        }));
    }
    let expected: Vec<_> = {
        let mut readings = store.readings(&line("a", 1).id, i64::MAX).await.unwrap();
        readings.reverse();
        let mut days = ReadingDay::of(&readings);
        days.reverse();
        days
    };
    let now = at(200 * DAY);
    let cut = Keep { readings: now.minus(Span::days(90)), ..keep(now) };
    for _ in 0..chance.dies {
        store.retain("first", cut, now).await.unwrap();
    }
    let later = now.plus(Span::minutes(3));
    for _ in 0..1000 {
        if let Retained::Until(_) = store.retain("second", cut, later).await.unwrap() {
            break;
        }
    }
    let cutoff = day_of(cut.readings);
    let wanted: BTreeSet<Timestamp> = hours
        .iter()
        .map(|hour| at(hour * 60))
        .filter(|at| day_of(*at) >= cutoff || spoken.contains(at))
        .collect();
    assert_eq!(ats(&store, &line("a", 1).id).await, wanted);
    assert_eq!(store.reading_days(&line("a", 1).id, None, 1000).await.unwrap(), expected);
    store.close().await;
}

/// Whatever speaks of a reading keeps it, whenever the process dies, and the days stay the same.
#[test]
fn what_is_spoken_of_stays_and_days_stay_the_same() {
    use proptest::test_runner::{Config, TestRunner};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&chance(), |chance| {
            runtime.block_on(by_chance(chance));
            Ok(())
        })
        .unwrap();
}
