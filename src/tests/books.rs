//! The books: proven by `topupd verify`, compared with the provider's, brought back by the flight
//! recorder.

use super::support::{
    daemon::{Install, LINE},
    fake::{Charge, Fake, Manner},
    world::World,
};
use sqlx::Connection;
use std::time::Duration;
use topupd::{domain::Span, sim::mailbox::Mailbox, store::Scope};

const LIST: &str = "[providers.carrier.http.list]\npath = \"/v1/list?from={{ from }}&page={{ page }}\"\nitems = \"/items\"\n\
    msisdn = \"/msisdn\"\namount = \"/amount\"\ncurrency = \"/currency\"\nreference = \"/ref\"\n\
    [providers.carrier.http.wallet]\npath = \"/v1/wallet\"\nbalance = \"/balance\"\ncurrency = { fixed = \"USD\" }\n";

fn with_list(install: &Install) {
    install.edit(
        "topupd.toml",
        "[providers.carrier.http.declares]",
        &format!("{LIST}[providers.carrier.http.declares]"),
    );
}

/// An installation whose line was topped up once, and its daemon stopped.
async fn one_topup() -> (Fake, Mailbox, Install) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    with_list(&install);
    install.apply();
    let daemon = install.start();
    install.wait_state("verified");
    assert_eq!(daemon.stop(), 0);
    (fake, mailbox, install)
}

async fn sql(install: &Install, statements: &[&'static str]) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", install.path("topupd.db").display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// What `verify` finds, as `proof row`; it must end with 1 exactly when it finds something.
fn verify(install: &Install, anchors: &[&str]) -> Vec<String> {
    let args: Vec<&str> = anchors.iter().flat_map(|a| ["--anchor", a]).collect();
    let output = install.run(&[&["--json", "verify"], args.as_slice()].concat());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<String> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {}", f["proof"].as_str().unwrap(), f["row"].as_str().unwrap()))
        .collect();
    assert_eq!(output.status.code(), Some(i32::from(!found.is_empty())), "{said}");
    assert_eq!(said["ok"], found.is_empty());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_proves_the_books_and_names_an_edited_row() {
    let (_fake, _mailbox, install) = one_topup().await;
    assert_eq!(verify(&install, &[]), Vec::<String>::new());
    for (harm, proofs, undo) in [
        (
            "UPDATE topup_events SET why = 'nothing happened' WHERE seq = 3",
            vec!["journal topup_events:"],
            None,
        ),
        (
            "UPDATE topups SET amount_minor = 1",
            vec!["journal topups:"],
            Some("UPDATE topups SET amount_minor = 1000"),
        ),
        (
            "UPDATE ledger SET amount_minor = 1 WHERE kind = 'settle'",
            vec!["journal ledger:", "ledger topups:"],
            Some("UPDATE ledger SET amount_minor = 1000 WHERE kind = 'settle'"),
        ),
        (
            "UPDATE topups SET state = 'held', finalized_at = NULL",
            vec!["journal topups:", "P5 topups:"],
            Some("UPDATE topups SET state = 'verified', finalized_at = 1"),
        ),
        (
            "UPDATE notices SET state = 'dead', sent_at = NULL WHERE kind = 'topup_paid'",
            vec!["P6 notices:"],
            None,
        ),
        ("DELETE FROM ledger WHERE seq = 2", vec!["journal ledger:", "ledger topups:"], None),
    ] {
        sql(&install, &[harm]).await;
        let found = verify(&install, &[]);
        for proof in proofs {
            assert!(
                found.iter().any(|f| f.starts_with(proof)),
                "{harm}: {proof} is not in {found:?}"
            );
        }
        if let Some(undo) = undo {
            sql(&install, &[undo]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_tail_and_a_forged_chain_are_seen() {
    let (_fake, _mailbox, install) = one_topup().await;
    let head = install.json(&["verify"])["head"].as_str().unwrap().to_owned();
    assert_eq!(verify(&install, &[&head]), Vec::<String>::new());
    // A head that was never ours.
    let forged = format!("3:{}", "0".repeat(64));
    assert_eq!(verify(&install, &[&forged]), ["journal journal:3"]);
    let refused = install.run(&["verify", "--anchor", "3:xyz"]);
    assert_eq!(refused.status.code(), Some(2));
    // The tail is cut, and the head in the database set back with it: only what is kept elsewhere
    // tells.
    sql(
        &install,
        &[
            "DELETE FROM journal WHERE seq > (SELECT MAX(seq) - 3 FROM journal)",
            "UPDATE journal_head SET seq = (SELECT MAX(seq) FROM journal), hash = (SELECT hash FROM journal ORDER BY seq DESC LIMIT 1)",
        ],
    )
    .await;
    let found = verify(&install, &[&head]);
    assert!(found.iter().any(|f| f.starts_with("journal journal:")), "{found:?}");
    // A head that stays behind is seen without any anchor.
    sql(&install, &["DELETE FROM journal WHERE seq = (SELECT MAX(seq) FROM journal)"]).await;
    assert!(!verify(&install, &[]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_recorder_stops_paying_until_a_person_vouches() {
    let (fake, _mailbox, install) = one_topup().await;
    std::fs::remove_file(install.path("topupd.db.recorder")).unwrap();
    fake.set_balance(LINE, 300);
    install.edit(
        "fleet.toml",
        "approve_first = false",
        "approve_first = false\ncooldown_success = \"1s\"",
    );
    install.apply();
    let daemon = install.start();
    install.wait("RECOVERY", || {
        install.json(&["money", "status"])["reasons"] == serde_json::json!(["recovery"])
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(fake.charges().len(), 1, "paid in RECOVERY");
    assert!(install.log().contains("RECOVERY"), "{}", install.log());
    install.json(&["money", "on"]);
    install.wait("the second charge", || fake.charges().len() == 2);
    assert_eq!(daemon.stop(), 0);
    // Vouched for once, it is not asked about again.
    let daemon = install.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(install.json(&["money", "status"])["paying"], true);
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_backup_forgets_nothing_that_was_sent() {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    install.apply();
    let backup = install.path("old.db");
    install.json(&["backup", backup.to_str().unwrap()]);
    fake.set_manner(Manner::ChargeAndHang);
    let daemon = install.start();
    install.wait("the charge", || fake.charges().len() == 1);
    daemon.kill();
    for name in ["topupd.db", "topupd.db-wal", "topupd.db-shm"] {
        std::fs::remove_file(install.path(name)).ok();
    }
    std::fs::rename(&backup, install.path("topupd.db")).unwrap();
    fake.set_manner(Manner::Done);
    let daemon = install.start();
    install.wait_state("verified");
    install.wait("the end of RECOVERY", || install.json(&["money", "status"])["paying"] == true);
    assert_eq!(daemon.stop(), 0);
    assert_eq!((fake.charges().len(), fake.bodies().len()), (1, 1));
    assert!(install.log().contains("RECOVERY is over"));
    assert_eq!(verify(&install, &[]), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn books_are_compared_both_ways() {
    let (fake, _mailbox, install) = one_topup().await;
    let found = |install: &Install| -> Vec<String> {
        let reports = install.json(&["reconcile", "carrier"]);
        let found = reports[0]["found"].as_array().unwrap().clone();
        found.iter().map(|d| d["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&install), Vec::<String>::new());
    // Somebody else pays through our account; our own payment is another amount there.
    fake.cook_the_books(|charges| {
        charges[0].cents = 1500;
        charges.push(Charge {
            reference: "somebody-elses".into(),
            msisdn: "+12025550777".into(),
            cents: 2500,
            body: String::new(),
        });
    });
    let mut kinds = found(&install);
    kinds.sort();
    assert_eq!(kinds, ["amount", "theirs_only", "wallet"]);
    assert_eq!(found(&install), Vec::<String>::new(), "found twice");
    let open = install.json(&["discrepancies", "list"]);
    assert_eq!(open.as_array().unwrap().len(), 3);
    let id = open[0]["id"].as_str().unwrap();
    install.json(&["discrepancies", "close", id, "--note", "bought by hand"]);
    assert_eq!(install.json(&["discrepancies", "list"]).as_array().unwrap().len(), 2);
    let told = install.json(&["notices", "list"]);
    assert!(told.as_array().unwrap().iter().any(|n| n["kind"] == "books_disagree"));
    let refused = install.run(&["reconcile", "nobody"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_comparison_sees_a_payment_that_they_do_not_list() {
    let world = World::new(|fake, install| {
        with_list(install);
        fake.set_balance(LINE, 320);
    })
    .await;
    world.pass(Span::hours(3)).await;
    assert_eq!(world.fake.charges().len(), 1);
    world.fake.cook_the_books(Vec::clear);
    world.fake.take(5000);
    world.pass(Span::hours(25)).await;
    let open = world.engine().store().discrepancies(true).await.unwrap();
    let mut kinds: Vec<&str> = open.iter().map(|d| d.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ours_only", "wallet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_charged_after_all_stops_all_paying() {
    let world = World::new(|fake, _| {
        fake.set_balance(LINE, 320);
        fake.set_manner(Manner::Refuse);
    })
    .await;
    world.pass(Span::minutes(10)).await;
    let topups = world.engine().store().open_topups(&Scope::All, 10).await.unwrap();
    assert!(topups.is_empty());
    let body = world.fake.bodies().remove(0);
    let reference = serde_json::from_str::<serde_json::Value>(&body).unwrap()["ref"]
        .as_str()
        .unwrap()
        .to_owned();
    world.fake.cook_the_books(|charges| {
        charges.push(Charge { reference, msisdn: LINE.into(), cents: 1000, body: String::new() });
    });
    world.pass(Span::minutes(40)).await;
    let switch = world.engine().money_switch(world.now()).await.unwrap();
    assert!(switch.books.is_some_and(|why| why.contains("CHARGED_AFTER_FAILED")));
    world.pass(Span::days(2)).await;
    assert_eq!(world.fake.bodies().len(), 1, "paid although the books disagree");
    world.engine().set_money(None).await.unwrap();
    assert!(world.engine().money_switch(world.now()).await.unwrap().stops().is_empty());
}
