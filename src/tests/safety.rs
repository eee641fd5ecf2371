//! What keeps money back: storms, rates, draining, people; and the same road on PostgreSQL.

use super::support::{
    daemon::{Install, LINE},
    fake::{Fake, Manner},
    postgres,
};
use serde_json::json;
use std::time::Duration;
use topupd::sim::mailbox::Mailbox;

/// The sample line and `more` others like it, all low.
async fn low_lines(more: usize) -> (Fake, Mailbox, Install) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    install.edit("fleet.toml", "{ subscription = \"li-tmobile\" }", "{ tag = \"us\" }");
    let mut csv = String::from("id,subscriber,label,msisdn,time_zone,reader,payers,tags\n");
    for n in 0..more {
        let number = format!("+1202555{:04}", 1000 + n);
        fake.set_balance(&number, 100);
        csv += &format!("extra-{n},li,Extra {n},{number},America/New_York,carrier,carrier,us\n");
    }
    std::fs::write(install.path("lines.csv"), csv).unwrap();
    (fake, mailbox, install)
}

fn apply_all(install: &Install) {
    install.apply();
    install.json(&["apply", install.path("lines.csv").to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_needs_stops_all_paying_until_a_person_says_otherwise() {
    let (fake, _mailbox, install) = low_lines(5).await;
    apply_all(&install);
    let daemon = install.start();
    let is_off = || install.json(&["money", "status"])["paying"] == false;
    install.wait("the breaker", is_off);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(fake.bodies().is_empty(), "paid in a storm");
    assert_eq!(install.json(&["money", "status"])["reasons"], json!(["fleet_anomaly"]));
    let notices = install.json(&["notices", "list"]);
    let stopped = notices.as_array().unwrap().iter().filter(|n| n["kind"] == "paying_stopped");
    assert_eq!(stopped.count(), 1);
    install.json(&["money", "on"]);
    install.wait("every charge", || fake.charges().len() == 6);
    install.wait("every proof", || install.states().iter().all(|state| state == "verified"));
    assert_eq!(daemon.stop(), 0);
    assert_eq!(fake.bodies().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_wait_at_the_payer_s_rate_and_none_is_lost() {
    let (fake, _mailbox, install) = low_lines(3).await;
    install.edit("topupd.toml", "[safety]", "[safety]\nstorm_min = 50\npayer_rate = \"2/m\"");
    apply_all(&install);
    let daemon = install.start();
    install.wait("two charges", || fake.charges().len() == 2);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.bodies().len(), 2);
    let states = install.states();
    assert_eq!(states.iter().filter(|state| *state == "reserved").count(), 2, "{states:?}");
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_drains_the_charge_under_way() {
    let (fake, _mailbox, install) = low_lines(0).await;
    install.apply();
    fake.set_manner(Manner::Slow);
    let daemon = install.start();
    install.wait("the request", || fake.bodies().len() == 1);
    assert_eq!(daemon.stop(), 0);
    let states = install.states();
    assert!(states == ["paid"] || states == ["verified"], "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_does_not_wait_for_the_answer_to_another() {
    let (fake, _mailbox, install) = low_lines(1).await;
    // The first answer never comes, for longer than a test has patience.
    install.edit("topupd.toml", "timeout = \"1s\"", "timeout = \"300s\"");
    install.edit("topupd.toml", "[safety]", "[safety]\nstorm_min = 50\npayer_rate = \"100/s\"");
    let other = "+12025551000";
    fake.set_balance(other, 3000);
    apply_all(&install);
    fake.set_manner(Manner::ChargeAndHang);
    let daemon = install.start();
    install.wait("the first request", || fake.bodies().len() == 1);
    fake.set_manner(Manner::Done);
    fake.set_balance(other, 320);
    install.wait("the second proof", || install.states().contains(&"verified".to_owned()));
    let mut states = install.states();
    states.sort();
    assert_eq!(states, ["submitting", "verified"], "{}", install.log());
    assert_eq!((fake.bodies().len(), fake.charges().len()), (2, 2));
    daemon.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_pays_and_is_believed_by_the_next_reading() {
    let (_fake, mailbox, install) = low_lines(0).await;
    install.edit(
        "topupd.toml",
        "[channels.mail.email]",
        "[providers.desk.manual]\n[channels.mail.email]",
    );
    install.edit("fleet.toml", "reader = \"carrier\"", "reader = \"desk\"");
    install.edit("fleet.toml", "payers = [\"carrier\"]", "payers = [\"desk\"]");
    install.edit("fleet.toml", "products = { carrier = \"TOPUP\" }", "");
    install.apply();
    let daemon = install.start();
    let read = |balance: &str| {
        install.json(&[
            "subscription",
            "reading",
            "li-tmobile",
            "--balance",
            balance,
            "--service-end",
            "2031-01-01",
        ])
    };
    read("3.20 USD");
    install.wait_state("pending");
    install.wait("the task", || mailbox.mails().iter().any(|m| m.raw.contains("10.00")));
    let notices = install.json(&["notices", "list"]);
    assert!(notices.as_array().unwrap().iter().any(|n| n["kind"] == "topup_task"), "{notices}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(install.states(), ["pending"], "believed without a reading");
    read("13.20 USD");
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_road_on_postgresql() {
    let Some(server) = postgres::server() else { return };
    let (fake, _mailbox, install) = low_lines(0).await;
    let url = server.database("road").await;
    let sqlite = format!("sqlite://{}", install.path("topupd.db").display());
    install.edit("topupd.toml", &sqlite, &url);
    install.apply();
    fake.set_manner(Manner::ChargeAndHang);
    let daemon = install.start();
    install.wait("the charge", || fake.charges().len() == 1);
    daemon.kill();
    fake.set_manner(Manner::Done);
    let daemon = install.start();
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    assert_eq!((fake.charges().len(), fake.bodies().len()), (1, 1));
    let explained = install.json(&["subscription", "explain", "li-tmobile"]);
    assert!(explained["gates"].as_array().unwrap().len() > 5, "{explained}");
}

/// Twelve low lines, a carrier with moods, and a daemon that dies again and again at odd moments.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_dies_all_the_time_charges_each_need_once() {
    let (fake, _mailbox, install) = low_lines(11).await;
    install.edit(
        "topupd.toml",
        "[safety]",
        "[safety]\nstorm_min = 50\npayer_rate = \"100/s\"\nunknown_limit = 50",
    );
    apply_all(&install);
    let moods = [Manner::Done, Manner::Slow, Manner::ChargeAnd500, Manner::Pending];
    for round in 0..20_u64 {
        fake.set_manner(moods[usize::try_from(round).unwrap() % moods.len()]);
        let daemon = install.start();
        // Between 80 and 1180 ms, a different moment each time.
        tokio::time::sleep(Duration::from_millis(80 + (round * 613) % 1100)).await;
        daemon.kill();
    }
    fake.set_manner(Manner::Done);
    let daemon = install.start();
    // A kill between the claim and the first byte leaves an order that never arrived: held, for a
    // person to look, and never charged.
    install.wait("every need served or held", || {
        let states = install.states();
        states.len() == 12 && states.iter().all(|state| state == "verified" || state == "held")
    });
    assert_eq!(daemon.stop(), 0);
    let (verified, charges) =
        (install.states().iter().filter(|s| *s == "verified").count(), fake.charges());
    let lines: std::collections::HashSet<&str> =
        charges.iter().map(|c| c.msisdn.as_str()).collect();
    // How many got through between two deaths is luck; that some did is the test's own control.
    assert!(verified >= 2, "{:?}", install.states());
    assert_eq!((charges.len(), lines.len()), (verified, verified), "a line was charged twice");
    // The books agree: what the carrier charged is what the ledger settled.
    let ledger = install.json(&["ledger"]);
    let settled = ledger.as_array().unwrap().iter().filter(|e| e["kind"] == "settle").count();
    assert_eq!(settled, verified);
    let told = install.json(&["notices", "list", "--limit", "1000"]);
    let told = told.as_array().unwrap().iter().filter(|n| n["kind"] == "topup_verified");
    assert_eq!(told.count(), verified, "told twice or not at all");
}

#[tokio::test]
async fn a_look_that_was_overtaken_leaves_no_trace() {
    let place = super::support::place::Place::new(str::to_owned).await;
    place.alpha.shared().trouble_orders(&[topupd::sim::fakes::Trouble::LostBefore]);
    place.runs_low().await;
    let (store, before) = (place.engine.store(), place.topup().await);
    let paid = topupd::flow::Resolution::Paid;
    place.engine.resolve(before.id.as_str(), paid, "console", true, "li").await.unwrap();
    let now = place.clock.now();
    assert_ne!(place.topup().await.version, before.version, "it moved on");
    let history = store.topup_events(&before.id).await.unwrap();
    let note = topupd::store::Change::by("reconcile", "an answer that came late");
    store.keep_topup(&before, before.clone(), Some(&note), now).await.unwrap();
    assert_eq!(store.topup_events(&before.id).await.unwrap(), history);
    assert_eq!(store.prove(&[]).await.unwrap().findings, []);
}
