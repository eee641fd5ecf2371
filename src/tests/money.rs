//! One need, at most one charge: the real binary, a carrier that keeps books, a mail server.

use super::support::{
    daemon::{Install, LINE},
    fake::{Fake, Manner},
};
use serde_json::Value;
use std::time::Duration;
use topupd::sim::mailbox::Mailbox;

async fn low_line() -> (Fake, Mailbox, Install) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    install.apply();
    (fake, mailbox, install)
}

fn kinds_sent(install: &Install) -> Vec<String> {
    let notices = install.json(&["notices", "list"]);
    let sent = notices.as_array().unwrap().iter().filter(|n| n["state"] == "sent");
    sent.map(|n| n["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_line_is_charged_exactly_once_verified_and_told() {
    let (fake, mailbox, install) = low_line().await;
    let daemon = install.start();
    install.wait_state("verified");
    install.wait("the mail", || kinds_sent(&install).contains(&"recovered".to_owned()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(daemon.stop(), 0);

    let charges = fake.charges();
    assert_eq!(charges.len(), 1);
    assert_eq!((charges[0].msisdn.as_str(), charges[0].cents), (LINE, 1000));
    assert!(
        charges[0].reference.len() == 24
            && charges[0].reference.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    );

    let mut kinds = kinds_sent(&install);
    kinds.sort();
    assert_eq!(
        kinds,
        ["low_balance", "recovered", "topup_paid", "topup_started", "topup_verified"]
    );
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 5);
    let ids: std::collections::HashSet<_> = mails.iter().map(|m| m.header("Message-ID")).collect();
    assert_eq!(ids.len(), 5);
    assert!(
        mails
            .iter()
            .all(|m| m.to == ["li@example.com"] && m.subject.contains("Bank number (..0123)"))
    );

    let list = install.json(&["topups", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    let shown = install.json(&["topups", "show", id]);
    assert_eq!(shown["amount"], serde_json::json!({ "amount_minor": 1000, "currency": "USD" }));
    assert_eq!(shown["transaction_id"], format!("tx-{}", charges[0].reference));
    let path: Vec<&str> = shown["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["from"] != e["to"])
        .map(|e| e["to"].as_str().unwrap())
        .collect();
    assert_eq!(path, ["proposed", "reserved", "submitting", "paid", "verified"]);
    let receipts = install.json(&["receipts"]);
    assert!(receipts[0]["effect"].as_str().unwrap().contains("13.20 USD"), "{receipts}");
    assert!(!receipts.to_string().contains("s3cret"), "a secret in the evidence");
    let explained = install.json(&["subscription", "explain", "li-tmobile"]);
    assert_eq!(explained["next"]["what"], "poll");
    let ledger = install.json(&["ledger"]);
    let moves: Vec<&str> =
        ledger.as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(moves, ["reserve", "release", "settle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_the_charge_and_restart_is_still_one_charge() {
    let (fake, _mailbox, install) = low_line().await;
    install.edit("topupd.toml", "timeout = \"1s\"", "timeout = \"30s\"");
    install.edit("topupd.toml", "max_processing = \"200ms\"", "max_processing = \"500ms\"");
    fake.set_manner(Manner::ChargeAndHang);
    let daemon = install.start();
    install.wait("the charge", || fake.charges().len() == 1);
    daemon.kill();
    assert_eq!(install.states(), ["submitting"]);

    fake.set_manner(Manner::Done);
    let daemon = install.start();
    install.wait_state("verified");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.stop(), 0);
    assert_eq!(fake.charges().len(), 1);
    assert_eq!(fake.bodies().len(), 1, "the request was sent again");
    let list = install.json(&["topups", "list"]);
    let shown = install.json(&["topups", "show", list[0]["id"].as_str().unwrap()]);
    let states: Vec<&str> =
        shown["events"].as_array().unwrap().iter().map(|e| e["to"].as_str().unwrap()).collect();
    assert!(states.contains(&"unknown"), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lost_answer_is_looked_up_never_resent() {
    for manner in [Manner::ChargeAndHang, Manner::ChargeAnd500, Manner::Pending] {
        let (fake, _mailbox, install) = low_line().await;
        fake.set_manner(manner);
        let daemon = install.start();
        install.wait_state("verified");
        assert_eq!(daemon.stop(), 0);
        assert_eq!((fake.charges().len(), fake.bodies().len()), (1, 1), "{manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_is_held_and_a_person_may_close_it() {
    let (fake, _mailbox, install) = low_line().await;
    fake.set_manner(Manner::LoseRequest);
    let daemon = install.start();
    install.wait_state("held");
    let list = install.json(&["topups", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    assert_eq!(list[0]["reason"], "not_found");
    let line = install.json(&["subscription", "show", "li-tmobile"]);
    assert_eq!(line["status"], "held");
    install.wait("the notices", || {
        let kinds = kinds_sent(&install);
        kinds.contains(&"topup_unknown".to_owned()) && kinds.contains(&"topup_held".to_owned())
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.bodies().len(), 1, "a held one was sent again");
    let settled = install.json(&[
        "topups",
        "resolve",
        id,
        "--as",
        "failed",
        "--note",
        "the console shows nothing",
    ]);
    assert_eq!(settled["state"], "failed");
    assert_eq!(daemon.stop(), 0);
    assert!(fake.charges().is_empty());
    let sums: Vec<Value> =
        install.json(&["ledger"]).as_array().unwrap().iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(sums, ["reserve", "release"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_provider_may_get_the_same_bytes_once_more() {
    let (fake, _mailbox, install) = low_line().await;
    install.edit("topupd.toml", "[safety]", "[safety]\nresubmit = \"strict\"");
    fake.set_manner(Manner::LoseRequest);
    let daemon = install.start();
    install.wait("the first request", || fake.bodies().len() == 1);
    fake.set_manner(Manner::Done);
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    let bodies = fake.bodies();
    assert_eq!((bodies.len(), fake.charges().len()), (2, 1));
    assert_eq!(bodies[0], bodies[1], "not the same bytes");
    assert_eq!(fake.charges()[0].body, bodies[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_charge_fails_cools_down_and_is_told() {
    let (fake, _mailbox, install) = low_line().await;
    fake.set_manner(Manner::Refuse);
    let daemon = install.start();
    install.wait_state("failed");
    install.wait("the notice", || kinds_sent(&install).contains(&"topup_failed".to_owned()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let explained = install.json(&["subscription", "explain", "li-tmobile"]);
    let shut: Vec<&str> = explained["gates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|g| g["passed"] == false)
        .map(|g| g["name"].as_str().unwrap())
        .collect();
    assert!(shut.contains(&"cooldown"), "{explained}");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(fake.bodies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_does_not_show_is_held_never_bought_again() {
    let (fake, _mailbox, install) = low_line().await;
    fake.set_manner(Manner::NoEffect);
    let daemon = install.start();
    install.wait_state("held");
    assert_eq!(install.json(&["topups", "list"])[0]["reason"], "paid_no_movement");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.charges().len(), 1);
    // It shows after all: verified without a person.
    fake.set_balance(LINE, 1320);
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(fake.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_never_moves_money_and_is_told_when_it_lasts() {
    let (fake, _mailbox, install) = low_line().await;
    let daemon = install.start();
    for text in [
        "<html><body>Maintenance, back at 3</body></html>",
        "{\"balance\":{\"amount\":\"0.10\",\"currency\":\"JPY\"},\"expires_at\":\"2031-01-01\",\"data\":{\"left_mb\":1}}",
        "{\"msisdn\":\"+12025550199\",\"balance\":{\"amount\":\"0.10\",\"currency\":\"USD\"},\"expires_at\":\"2031-01-01\",\"data\":{\"left_mb\":1}}",
        "{\"balance\":{\"amount\":\"NaN\",\"currency\":\"USD\"}}",
    ] {
        fake.answer_reads_with(Some(text));
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    install.wait("the stale notice", || kinds_sent(&install).contains(&"stale".to_owned()));
    assert_eq!(daemon.stop(), 0);
    assert!(fake.bodies().len() <= 1);
    let quality =
        install.json(&["subscription", "show", "li-tmobile"])["reading"]["quality"].clone();
    assert_ne!(quality, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_a_no_until_the_line_is_resumed() {
    let (fake, _mailbox, install) = low_line().await;
    install.edit("fleet.toml", "approve_first = false", "approve_first = true");
    install.apply();
    let daemon = install.start();
    install.wait_state("awaiting_approval");
    let list = install.json(&["topups", "list"]);
    install.json(&["topups", "reject", list[0]["id"].as_str().unwrap()]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(install.states(), ["cancelled"], "asked again");
    install.json(&["subscription", "resume", "li-tmobile"]);
    install.wait("the next question", || install.states() == ["awaiting_approval", "cancelled"]);
    assert_eq!(daemon.stop(), 0);
    assert!(fake.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_bind_and_the_switch_stops_everything() {
    let (fake, _mailbox, install) = low_line().await;
    install.edit("fleet.toml", "approve_first = false", "approve_first = true");
    install.apply();
    let daemon = install.start();
    install.wait_state("awaiting_approval");
    let list = install.json(&["topups", "list"]);
    let id = list[0]["id"].as_str().unwrap();
    let wrong = install.run(&["topups", "approve", id, "--hash", "0000"]);
    assert_eq!(wrong.status.code(), Some(1));
    install.json(&["money", "off", "--reason", "holiday"]);
    install.json(&["topups", "approve", id]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(fake.bodies().is_empty(), "paid while money was off");
    let explained = install.json(&["subscription", "explain", "li-tmobile"]);
    assert!(explained["next"]["why"].as_str().unwrap().contains("holiday"), "{explained}");
    assert_eq!(install.json(&["money", "on"])["paying"], true);
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(fake.charges().len(), 1);
}
