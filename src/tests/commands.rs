//! The command line's contract: exit codes, faults, plans, verbs without a daemon.

use super::support::{
    daemon::{Install, LINE},
    fake::Fake,
};
use serde_json::json;
use std::time::Duration;
use topupd::sim::mailbox::{Mailbox, Manner, Script};

async fn installed() -> (Fake, Mailbox, Install) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    (fake, mailbox, install)
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_config_faults_come_at_once_and_nothing_is_made() {
    let (_fake, _mailbox, install) = installed().await;
    install.edit("topupd.toml", "poll_every = \"1s\"", "poll_every = \"soon\"\npoll_evry = \"1s\"");
    install.edit("topupd.toml", "lookup = \"by_ref\"", "lookup = \"by_guess\"");
    let output = install.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    for (key, found, allowed) in [
        ("flow.poll_every", "\"soon\"", "span"),
        ("flow.poll_evry", "\"1s\"", "unknown key"),
        ("lookup", "\"by_guess\"", "by_ref"),
    ] {
        let line = text
            .lines()
            .find(|line| line.contains(&format!("{key}:")))
            .unwrap_or_else(|| panic!("no {key} in {text}"));
        assert!(
            line.contains("topupd.toml") && line.contains(found) && line.contains(allowed),
            "{line}"
        );
    }
    assert!(!text.contains("s3cret"));
    assert!(!install.path("topupd.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_fleet_is_refused_whole() {
    let (_fake, _mailbox, install) = installed().await;
    install.edit("fleet.toml", "+12025550123", "+1202555");
    install.edit("fleet.toml", "reader = \"carrier\"", "reader = \"nobody\"");
    install.edit("fleet.toml", "fixed = \"10.00 USD\"", "fixed = \"40.00 USD\"");
    let output = install.run(&["apply", install.path("fleet.toml").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.lines().count() >= 3, "{text}");
    for piece in ["msisdn", "+1202555", "reader", "nobody", "caps"] {
        assert!(text.contains(piece), "no {piece} in {text}");
    }
    assert_eq!(install.json(&["subscription", "list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_show_the_difference_and_prune_closes() {
    let (_fake, _mailbox, install) = installed().await;
    let fleet = install.path("fleet.toml");
    let fleet = fleet.to_str().unwrap();
    let plan = install.json(&["apply", fleet, "--plan"]);
    assert_eq!(plan["create"].as_array().unwrap().len(), 3);
    assert_eq!(install.json(&["subscription", "list"]), json!([]));
    install.apply();
    let plan = install.json(&["apply", fleet, "--plan"]);
    assert_eq!(
        (plan["create"].clone(), plan["update"].clone(), plan["unchanged"].clone()),
        (json!([]), json!([]), json!(3))
    );
    install.edit("fleet.toml", "mode = \"auto\"", "mode = \"notify\"");
    let plan = install.json(&["apply", fleet, "--plan"]);
    assert_eq!(plan["update"][0]["kind"], "rule");
    assert_eq!(plan["update"][0]["id"], "keep-alive");
    assert!(plan["update"][0]["changes"].to_string().contains("notify"), "{plan}");

    let csv = install.path("lines.csv");
    std::fs::write(&csv, "id,subscriber,label,msisdn,time_zone,reader,payers,tags\nextra,li,Extra,+12025550177,America/New_York,carrier,carrier,us\n").unwrap();
    install.json(&["apply", csv.to_str().unwrap()]);
    assert_eq!(install.json(&["subscription", "list"]).as_array().unwrap().len(), 2);
    let pruned = install.json(&["apply", fleet, "--prune"]);
    assert_eq!(pruned["delete"][0]["id"], "extra");
    assert_eq!(install.json(&["subscription", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stages_run_without_a_daemon() {
    let (fake, _mailbox, install) = installed().await;
    install.apply();
    let readings = install.json(&["poll", "li-tmobile"]);
    assert_eq!(readings[0]["balance"], json!({ "amount_minor": 320, "currency": "USD" }));
    assert_eq!(readings[0]["data_left_bytes"], 1_500_000_000_i64);
    for _ in 0..40 {
        install.json(&["tick"]);
        if install.states() == ["verified"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(install.states(), ["verified"]);
    assert_eq!(fake.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_by_hand_takes_the_same_road() {
    let (fake, _mailbox, install) = installed().await;
    install.edit("fleet.toml", "mode = \"auto\"", "mode = \"notify\"");
    install.apply();
    let asked = install.run(&["topup", "li-tmobile", "--amount", "7.00 USD"]);
    assert_eq!(asked.status.code(), Some(2), "without --yes and without a terminal");
    install.json(&["topup", "li-tmobile", "--amount", "7.00 USD", "--dry-run"]);
    assert!(fake.bodies().is_empty());
    let ordered = install.json(&["topup", "li-tmobile", "--amount", "7.00 USD", "--yes"]);
    assert!(matches!(ordered["state"].as_str().unwrap(), "paid" | "verified"), "{ordered}");
    assert_eq!(fake.charges()[0].cents, 700);
    let too_much = install.run(&["topup", "li-tmobile", "--amount", "900.00 USD", "--yes"]);
    assert_ne!(too_much.status.code(), Some(0));
    assert_eq!(fake.charges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_for_a_server_that_is_down_and_arrives_once() {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let install = Install::new(&fake.url, &format!("smtp://127.0.0.1:{port}"));
    install.edit("fleet.toml", "mode = \"auto\"", "mode = \"notify\"");
    install.apply();
    let daemon = install.start();
    install.wait("two tries", || {
        install.json(&["notices", "list"])[0]["attempts"].as_i64() >= Some(2)
    });
    let listener = Mailbox::start_at(
        std::net::SocketAddr::from(([127, 0, 0, 1], port)),
        Script::new(|_| Manner::Accept),
    )
    .await
    .unwrap();
    install.wait("the mail", || install.json(&["notices", "list"])[0]["state"] == "sent");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(daemon.stop(), 0);
    assert_eq!(listener.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_never_share_one_database() {
    let (_fake, _mailbox, install) = installed().await;
    install.apply();
    let mut first = install.start();
    install.wait("the start", || install.log().contains("runs"));
    let second = install.run(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("another topupd"), "{}", stderr(&second));
    assert!(first.is_running());
    assert_eq!(first.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reloads_and_a_broken_file_is_refused() {
    let (_fake, _mailbox, install) = installed().await;
    install.edit("topupd.toml", "[database]", "[fleet]\nfiles = [\"fleet.toml\"]\n[database]");
    let daemon = install.start();
    install.wait("the fleet", || {
        install.json(&["subscription", "list"]).as_array().unwrap().len() == 1
    });
    install.edit("topupd.toml", "poll_every = \"1s\"", "poll_every = \"never\"");
    daemon.signal("HUP");
    install.wait("the refusal", || install.log().contains("not reloaded"));
    install.edit("topupd.toml", "poll_every = \"never\"", "poll_every = \"2s\"");
    install.edit("fleet.toml", "Bank number", "Money number");
    daemon.signal("HUP");
    install.wait("the reload", || {
        install.json(&["subscription", "show", "li-tmobile"])["label"] == "Money number"
    });
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_exports_and_tokens() {
    let (_fake, mailbox, install) = installed().await;
    install.apply();
    install.json(&["poll"]);
    let copy = install.path("copy.db");
    install.json(&["backup", copy.to_str().unwrap()]);
    assert!(copy.exists());
    assert_eq!(
        install.run(&["backup", copy.to_str().unwrap()]).status.code(),
        Some(1),
        "never overwrites"
    );
    let export = install.json(&["export"]);
    assert_eq!(export["readings"].as_array().unwrap().len(), 1);
    assert_eq!(export["rules"][0]["id"], "keep-alive");
    let token = install.json(&["token", "create", "--role", "viewer"]);
    assert!(token["token"].as_str().unwrap().len() > 40);
    assert!(
        !install.json(&["token", "list"]).to_string().contains(token["token"].as_str().unwrap())
    );
    assert_eq!(install.json(&["notices", "test", "li"])["state"], "sent");
    assert_eq!(mailbox.mails().len(), 1);
    assert_eq!(install.json(&["check", "--online"])["ok"], true);
    assert_eq!(install.run(&["provider", "test", "nobody"]).status.code(), Some(2));
    assert_eq!(install.run(&["subscription", "show", "nobody"]).status.code(), Some(1));
    assert_eq!(install.run(&["fly"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_looked_up_by_id_or_name() {
    let (_fake, _mailbox, install) = installed().await;
    let list = install.json(&["operator", "list"]);
    assert!(list.as_array().unwrap().len() >= 15);
    let one = install.json(&["operator", "show", "Ultra Mobile"]);
    assert_eq!(one["id"], "ultra-mobile");
    assert_eq!(one["balance"], json!([{ "sms": "BAL", "to": "6700" }]));
    let output = install.run(&["operator", "show", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nobody"), "{}", stderr(&output));
}
