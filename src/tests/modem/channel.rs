//! The channel `modem`: texts to people, and the network's reports about them.

use super::{
    bus::wait_for,
    scene::{BALANCE, Scene},
    simulator::Does,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use topupd::{
    channels::{Channel, Delivery, Message, Outcome, Recipient, read_config},
    domain::{Msisdn, NoticeKind, Severity, Timestamp},
    input::{Intake, Origin, Section, from_toml},
};

const TEXT: &str = "topupd: Home1 (..0001) balance 1.20 USD";
const TO: &str = "+12025550199";

fn message() -> Message {
    Message {
        id: "m1".to_owned(),
        kind: NoticeKind::LowBalance,
        severity: Severity::Warning,
        locale: "en",
        subject: "low".to_owned(),
        text: "low".to_owned(),
        html: "low".to_owned(),
        short: TEXT.to_owned(),
        params: BTreeMap::new(),
        link: None,
        thread: "home1.balance".to_owned(),
        at: Timestamp::from_ms(0),
    }
}

fn reader() -> Recipient {
    let phone = Msisdn::parse(TO).ok();
    Recipient { name: "Li".to_owned(), email: None, phone, address: None }
}

/// The channel on the scene's bus.
fn channel(scene: &Scene, keys: &str) -> Arc<dyn Channel> {
    let text = format!("[modem]\nbus = {:?}\ntimeout = \"3s\"\n{keys}", scene.bus.address);
    let (table, intake) = (from_toml("test.toml", &text).unwrap(), Intake::new());
    let section = Section::new(&table, "channels.sms", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), []);
    config.unwrap().build("sms").unwrap()
}

fn id(outcome: Outcome) -> String {
    let Outcome::Accepted { vendor_id: Some(id) } = outcome else { panic!("{outcome:?}") };
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_sent_once_and_its_report_is_found() {
    let Some(scene) = Scene::start("operator = \"t-mobile-us\"", false).await else { return };
    let sms = channel(&scene, "imei = \"353490069873319\"");
    let asked = format!("{TO} {TEXT}");
    for (state, expected) in [
        (0x00, Delivery::Delivered),
        (0x30, Delivery::Underway),
        (0x46, Delivery::Failed { why: "the network gave it up (TP-Status 0x46)".to_owned() }),
    ] {
        scene.modem.on(&asked, &[Does::Reports(state)]);
        let id = id(sms.send(&message(), &reader()).await);
        assert!(id.starts_with("7:+12025550199:"), "{id}");
        wait_for("the report", async || sms.delivery(&id).await == Ok(Some(expected.clone())))
            .await;
    }
    assert_eq!(scene.modem.seen(), vec![asked.as_str(); 3]);
    // Of all that, only the report is left that settles nothing.
    assert_eq!(scene.messages(), 1);
    // A report that never comes.
    scene.modem.on(&asked, &[Does::Nothing]);
    let id = id(sms.send(&message(), &reader()).await);
    assert_eq!(sms.delivery(&id.replace("7:", "8:")).await, Ok(None));
    let said = sms.test().await.unwrap();
    assert!(said.contains("Simulated SIM-1 (IMEI ..3319"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_the_network_are_sorted_and_nothing_piles_up() {
    let Some(scene) = Scene::start("operator = \"t-mobile-us\"", false).await else { return };
    let sms = channel(&scene, "iccid = \"8901260852290847433\"");
    let asked = format!("{TO} {TEXT}");
    for (does, expected) in [
        (Does::Refuses(38), "Retry"),
        (Does::Refuses(42), "Retry"),
        (Does::Refuses(27), "Retry"),
        (Does::Refuses(21), "BadConfig"),
        (Does::Refuses(1), "BadRecipient"),
        (Does::Refuses(331), "Retry"),
        (Does::Refuses(332), "Ambiguous"),
        (Does::Refuses(330), "BadConfig"),
        (Does::Refuses(500), "Ambiguous"),
    ] {
        scene.modem.on(&asked, std::slice::from_ref(&does));
        let outcome = sms.send(&message(), &reader()).await;
        assert!(format!("{outcome:?}").starts_with(expected), "{does:?}: {outcome:?}");
    }
    assert_eq!(scene.messages(), 0);
    // Not the SIM that was meant: nothing is sent by another's.
    let other = channel(&scene, "iccid = \"8944110069158231145\"");
    let outcome = other.send(&message(), &reader()).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    assert_eq!(scene.modem.seen().len(), 9);
    // The modem says nothing any more.
    scene.modem.on(&asked, &[Does::Mute]);
    let outcome = sms.send(&message(), &reader()).await;
    assert!(matches!(outcome, Outcome::Ambiguous { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_and_channel_take_turns() {
    let config = "operator = \"t-mobile-us\"\ntimeout = \"3s\"";
    let Some(scene) = Scene::start(config, true).await else { return };
    let sms = channel(&scene, "imei = \"353490069873319\"");
    // Everything is up, so that only the turns take time.
    scene.modem.on("#999#", &[Does::Says(0, BALANCE), Does::Nothing]);
    scene.provider.read(&scene.line).await.unwrap();
    let reading = scene.provider.read(&scene.line);
    let sending = async {
        wait_for("the code", async || scene.modem.seen().len() == 2).await;
        let began = Instant::now();
        let outcome = sms.send(&message(), &reader()).await;
        (outcome, began.elapsed())
    };
    let (read, (outcome, took)) = tokio::join!(reading, sending);
    assert!(read.is_err(), "{read:?}");
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    assert!(took > Duration::from_secs(2), "{took:?}");
    let seen = scene.modem.seen();
    assert_eq!(seen, ["#999#", "#999#", "cancel", &format!("{TO} {TEXT}")]);
}
