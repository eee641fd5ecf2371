//! The real program, three times over one database, started, stopped, paused and killed in any order.

use super::{
    super::support::{daemon::Daemon, fake::Manner, oracle::Dice, postgres},
    LINE, Several, numbers,
};
use sqlx::Connection as _;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Lines, each of which needs money once.
const LINES: usize = 14;
/// What is done to instances.
const BLOWS: u64 = 34;
const MOODS: [Manner; 5] =
    [Manner::Done, Manner::Slow, Manner::ChargeAnd500, Manner::Pending, Manner::ChargeAndHang];

/// A seed of one's own: `TOPUPD_TEST_SEED`, else another one every time. It is printed.
fn seed() -> u64 {
    let given = std::env::var("TOPUPD_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("seed {seed} (TOPUPD_TEST_SEED)");
    seed
}

/// One blow to one of the instances.
fn strike(several: &Several, daemons: &mut [Option<Daemon>], paused: &mut [bool], dice: &mut Dice) {
    let n = usize::try_from(dice.roll(3)).unwrap();
    let blow = dice.roll(10);
    let Some(daemon) = daemons[n].take() else {
        daemons[n] = Some(several.installs[n].start());
        return;
    };
    if std::mem::take(&mut paused[n]) {
        daemon.signal("CONT");
    }
    match blow {
        // Before the program listens for it, a signal to end simply ends it: both are fine.
        0 | 1 => {
            let _code = daemon.stop();
        }
        2..=4 => daemon.kill(),
        5..=8 => {
            daemon.signal("STOP");
            paused[n] = true;
            daemons[n] = Some(daemon);
        }
        _ => daemons[n] = Some(daemon),
    }
}

/// Everybody lives again.
fn revive(several: &Several, daemons: &mut [Option<Daemon>], paused: &mut [bool]) {
    for (n, daemon) in daemons.iter_mut().enumerate() {
        match daemon {
            Some(daemon) if std::mem::take(&mut paused[n]) => daemon.signal("CONT"),
            Some(_) => {}
            None => *daemon = Some(several.installs[n].start()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_come_and_go_and_each_need_is_served_once() {
    let Some(server) = postgres::server() else { return };
    let mut dice = Dice::new(seed());
    let url = server.database("chaos").await;
    let several = Several::new(&url, 3, LINES).await;
    let numbers = numbers(LINES);
    let mut falls = numbers.iter();
    let mut daemons: Vec<Option<Daemon>> =
        several.installs.iter().map(|install| Some(install.start())).collect();
    let mut paused = [false; 3];
    for round in 0..BLOWS {
        several.fake.set_manner(MOODS[usize::try_from(dice.roll(5)).unwrap()]);
        // Each balance falls once: if it fell again after the money came, the top-up would rightly
        // be held.
        if round % 2 == 0
            && let Some(number) = falls.next()
        {
            several.fake.set_balance(number, 320);
        }
        strike(&several, &mut daemons, &mut paused, &mut dice);
        tokio::time::sleep(Duration::from_millis(300 + dice.roll(600))).await;
    }
    several.fake.set_manner(Manner::Done);
    revive(&several, &mut daemons, &mut paused);
    let install = &several.installs[0];
    install.wait("every proof", || {
        let states = install.states();
        states.len() >= LINES && states.iter().all(|state| state == "verified")
    });
    // Once each, and never the same order twice.
    assert_eq!(several.charged(), {
        let mut all = numbers.clone();
        all.sort_unstable();
        all
    });
    assert_eq!(install.states().len(), LINES);
    // The last ones may only just have been started.
    install.wait("three alive", || {
        assert!(daemons.iter_mut().flatten().all(Daemon::is_running), "one ended by itself");
        let shown = install.json(&["instances"]);
        shown.as_array().unwrap().iter().filter(|one| one["state"] == "alive").count() == 3
    });
    assert!(install.run(&["verify"]).status.success());

    asked_once(&several).await;
    told_once(&several, &url).await;
    for (install, daemon) in several.installs.iter().zip(daemons.into_iter().flatten()) {
        assert_eq!(daemon.stop(), 0, "{}", install.log());
        let log = install.log();
        assert!(!log.contains("panicked") && !log.contains("deadlock"), "{log}");
    }
    let shown = install.json(&["instances"]);
    assert!(shown.as_array().unwrap().iter().all(|one| one["state"] != "alive"), "{shown:#}");
}

/// At rest every due poll is asked by one instance: two polls of a line are never nearer than its
/// cadence, however many instances there are and however slow the machine is.
async fn asked_once(several: &Several) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let since = Instant::now();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut by_line: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for (line, at) in several.fake.reads_since(since) {
        by_line.entry(line).or_default().push(at);
    }
    let reads: usize = by_line.values().map(Vec::len).sum();
    assert!(reads > LINES, "{reads} reads only");
    for (line, times) in &by_line {
        let near = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        // A second, less a tenth of jitter.
        assert!(near.is_none_or(|near| near > Duration::from_millis(850)), "{line}: {near:?}");
    }
}

/// One row for each cause; a second copy of a mail only where a try was cut off after it was taken.
async fn told_once(several: &Several, url: &str) {
    let mut database = sqlx::PgConnection::connect(url).await.unwrap();
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT id, kind, ambiguous FROM notices")
            .fetch_all(&mut database)
            .await
            .unwrap();
    let verified = rows.iter().filter(|(_, kind, _)| kind == "topup_verified").count();
    assert!(verified <= LINES, "{rows:?}");
    let mails = several.mailbox.mails();
    for (id, kind, ambiguous) in &rows {
        let copies = mails.iter().filter(|mail| {
            mail.header("Message-ID").is_some_and(|message| message.contains(id.as_str()))
        });
        let copies = i64::try_from(copies.count()).unwrap();
        assert!(copies <= 1 + ambiguous, "{id} ({kind}): {copies} copies, {ambiguous} cut off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_dead_instance_goes_on_elsewhere() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("heirs").await;
    let several = Several::new(&url, 2, 1).await;
    let [dead, heir] = &several.installs[..] else { unreachable!() };
    several.fake.set_balance(LINE, 320);
    dead.die_at("act:answered");
    assert_eq!(several.fake.bodies().len(), 1);
    assert_eq!(heir.states(), ["submitting"]);
    // It was alive a moment ago, and nobody said goodbye.
    let shown = heir.json(&["instances"]);
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    let daemon = heir.start();
    heir.wait_state("verified");
    assert_eq!((several.fake.bodies().len(), several.charged().len()), (1, 1));
    heir.wait("the dead one to be missed", || {
        let shown = heir.json(&["instances"]);
        let states: Vec<&str> =
            shown.as_array().unwrap().iter().filter_map(|one| one["state"].as_str()).collect();
        states == ["alive", "gone"]
    });
    // Whoever stops paying stops it everywhere.
    dead.json(&["money", "off", "--reason", "test"]);
    let status = heir.json(&["money", "status"]);
    assert_eq!(status["paying"], false, "{status}");
    heir.json(&["money", "on"]);
    assert_eq!(heir.json(&["money", "status"])["paying"], true);
    assert_eq!(dead.json(&["money", "status"])["paying"], false, "its own flag is still there");
    assert_eq!(daemon.stop(), 0);
}
