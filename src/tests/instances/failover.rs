//! A primary dies in the middle of the work, and its standby takes over.

use super::{
    super::support::{
        cluster::{Cluster, Switch},
        daemon::Install,
        fake::Manner,
    },
    LINE, Several, numbers,
};

const LINES: usize = 8;

fn clusters() -> Option<Cluster> {
    let found = Cluster::start();
    assert!(found.is_some() || std::env::var("CI").is_err(), "PostgreSQL is not installed");
    if found.is_none() {
        eprintln!("SKIPPED: PostgreSQL is not installed");
    }
    found
}

fn url(switch: &Switch) -> String {
    format!("postgres://postgres@127.0.0.1:{}/topupd", switch.port)
}

fn said(install: &Install, words: &str) -> bool {
    install.log().contains(words)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_synchronous_replication_nothing_is_lost_or_doubled() {
    let Some(mut primary) = clusters() else { return };
    primary.sql("CREATE DATABASE topupd").await;
    let switch = Switch::to(primary.port).await;
    let several = Several::new(&url(&switch), 2, LINES).await;
    let standby = primary.standby().await;
    primary.wait_for_the_standby().await;
    // A standby shows what was; money is not decided about there.
    several.installs[0].edit("topupd.toml", &url(&switch), &standby.url("topupd"));
    let refused = several.installs[0].run(&["migrate"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("is a standby"), "{why}");
    several.installs[0].edit("topupd.toml", &standby.url("topupd"), &url(&switch));

    let daemons: Vec<_> = several.installs.iter().map(Install::start).collect();
    let install = &several.installs[0];
    let numbers = numbers(LINES);
    for number in &numbers[..LINES / 2] {
        several.fake.set_balance(number, 320);
    }
    install.wait("the first charges", || several.charged().len() >= 2);
    for number in &numbers[LINES / 2..] {
        several.fake.set_balance(number, 320);
    }
    install.wait("more charges", || several.charged().len() > 2);
    primary.kill();
    standby.promote().await;
    switch.turn(standby.port);
    install.wait("every proof", || {
        let states = install.states();
        states.len() >= LINES && states.iter().all(|state| state == "verified")
    });
    let mut all = numbers;
    all.sort_unstable();
    assert_eq!(several.charged(), all);
    assert_eq!(install.states().len(), LINES);
    assert!(install.run(&["verify"]).status.success());
    for (install, daemon) in several.installs.iter().zip(daemons) {
        assert_eq!(daemon.stop(), 0, "{}", install.log());
        let log = install.log();
        assert!(!log.contains("brought back") && !log.contains("panicked"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_a_failover_lost_are_brought_back_and_never_paid_twice() {
    let Some(mut primary) = clusters() else { return };
    primary.sql("CREATE DATABASE topupd").await;
    let switch = Switch::to(primary.port).await;
    let several = Several::new(&url(&switch), 2, 2).await;
    let [payer, other] = &several.installs[..] else { unreachable!() };
    // Long enough for a slow machine to come back in: the other one waits for it so long.
    for install in &several.installs {
        install.edit("topupd.toml", "lease = \"3s\"", "lease = \"25s\"");
    }
    let daemon = payer.start();
    payer.wait("the first readings", || {
        payer.json(&["subscription", "show", "li-tmobile"])["reading"].is_object()
    });
    let standby = primary.standby().await;
    let caught_up = "SELECT COUNT(*) FROM pg_stat_replication WHERE replay_lsn = sent_lsn";
    primary.until(caught_up, 1).await;
    standby.cut_off().await;

    // Charged, and the line does not show it yet: whoever forgot the order would order again.
    several.fake.set_manner(Manner::NoEffect);
    several.fake.set_balance(LINE, 320);
    payer.wait(
        "the payment",
        || matches!(&payer.states()[..], [one] if one == "paid" || one == "held"),
    );
    several.fake.set_manner(Manner::Done);
    let reference = several.fake.charges()[0].reference.clone();
    primary.kill();
    standby.promote().await;
    switch.turn(standby.port);
    // Another instance comes up first, with a recorder that knows nothing of it.
    let second = other.start();
    payer.wait("what was lost", || said(payer, "brought back from the flight recorder as unknown"));
    payer.wait("RECOVERY", || said(payer, "RECOVERY: the flight recorder knows 1 submission(s)"));
    several.fake.set_balance(LINE, 1320);
    payer.wait_state("verified");
    payer.wait("the end of it", || {
        payer.json(&["money", "status"])["paying"] == serde_json::json!(true)
    });
    assert!(said(payer, "RECOVERY is over") || said(other, "RECOVERY is over"));
    assert_eq!((several.charged(), several.fake.bodies().len()), (vec![LINE.to_owned()], 1));
    let kept = payer.json(&["topups", "list"]);
    assert_eq!(kept[0]["reference"], reference.as_str(), "{kept}");
    let told = payer.json(&["notices", "list"]);
    let stopped = told.as_array().unwrap().iter().filter(|n| n["kind"] == "paying_stopped");
    assert_eq!(stopped.count(), 1, "{told}");

    // Paying goes on.
    let more = &numbers(2)[1];
    several.fake.set_balance(more, 320);
    payer.wait("the next charge", || payer.states() == ["verified", "verified"]);
    assert_eq!((several.charged().len(), several.fake.bodies().len()), (2, 2));
    assert_eq!((daemon.stop(), second.stop()), (0, 0));
}
