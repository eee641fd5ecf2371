//! SMS channels, held against the published shapes of their vendors. Prism plays the vendor with
//! the examples of the file.

use super::{Prism, Recorder, calls, program, spec, unasked};
use crate::support::at;
use std::{collections::BTreeMap, sync::Arc};
use topupd::{
    channels::{Channel, Delivery, Message, Outcome, Recipient, read_config},
    domain::{Msisdn, NoticeKind, Severity},
    input::{Intake, Origin, Section, from_toml},
};

const SID: &str = "ACdeadbeefdeadbeefdeadbeefdeadbeef";
const SERVICE: &str = "messaging_service_sid = \"MGdeadbeefdeadbeefdeadbeefdeadbeef\"";
const NUMBER: &str =
    "from = \"+15005550006\"\ncallback_url = \"https://example.com/hooks/sms?line=42\"";

fn twilio(url: &str, sender: &str) -> Arc<dyn Channel> {
    let text = format!(
        "[twilio]\nallow_private_network = true\nbase_url = {url:?}\naccount_sid = {SID:?}\n\
         auth_token = \"hush\"\n{sender}"
    );
    let table = from_toml("test.toml", &text).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "channels.out", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), []);
    config.unwrap().build("out").unwrap()
}

/// Two short texts: one within GSM-7, one that is not.
fn messages() -> [Message; 2] {
    let short = ["topupd: Home1 (..0001) balance 1.20 USD", "topupd: \u{4f59}\u{989d} 3.20 USD"];
    short.map(|short| Message {
        id: "n-42".to_owned(),
        kind: NoticeKind::LowBalance,
        severity: Severity::Warning,
        locale: "en",
        subject: "balance".to_owned(),
        text: short.to_owned(),
        html: String::new(),
        short: short.to_owned(),
        params: BTreeMap::new(),
        link: None,
        thread: "li.balance".to_owned(),
        at: at(0),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_takes_our_messages() {
    let Some(program) = program::program().await else { return };
    let file = spec("twilio_messages");
    let prism = Prism::playing(program, &file).await;
    let recorder = Recorder::before(&prism.url).await;
    let reader = Recipient {
        name: "Li Wei".to_owned(),
        email: None,
        phone: Msisdn::parse("+12025550199").ok(),
        address: None,
    };
    for sender in [NUMBER, SERVICE] {
        let channel = twilio(&recorder.url(), sender);
        for message in messages() {
            let outcome = channel.send(&message, &reader).await;
            // The id of the file's example.
            let Outcome::Accepted { vendor_id: Some(id) } = outcome else { panic!("{outcome:?}") };
            assert_eq!(id, "SMdeadbeefdeadbeefdeadbeefdeadbeef");
            assert_eq!(channel.delivery(&id).await, Ok(Some(Delivery::Delivered)));
        }
        assert!(channel.test().await.unwrap().contains("active"));
    }
    let seen = recorder.seen();
    assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
    assert_eq!(unasked(&calls(&file), &seen), Vec::<String>::new());
}
