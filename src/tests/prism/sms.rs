//! SMS channels, held against the published shapes of their vendors. Prism plays the vendor with
//! the examples of the file.

use super::{Prism, Recorder, calls, program, spec, unasked, unnamed};
use crate::support::at;
use std::{collections::BTreeMap, sync::Arc};
use topupd::{
    channels::{Channel, Delivery, Message, Outcome, Recipient, read_config},
    domain::{Msisdn, NoticeKind, Severity},
    input::{Intake, Origin, Section, from_toml},
};

const CALLBACK: &str = "callback_url = \"https://example.com/hooks/sms?line=42\"\n";

/// A vendor, and what its file says.
struct Gateway {
    file: &'static str,
    kind: &'static str,
    /// What every table has.
    account: &'static str,
    /// Ways of writing the rest.
    senders: Vec<String>,
    /// The id of the file's example.
    id: &'static str,
    /// What its second example says became of it, where it can be asked.
    delivery: Option<Delivery>,
    /// What the account is asked for.
    tested: &'static str,
}

fn channel(kind: &str, url: &str, keys: &str) -> Arc<dyn Channel> {
    let text = format!("[{kind}]\nallow_private_network = true\nbase_url = {url:?}\n{keys}");
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
        // As long as those of the core.
        id: "m_3f2a91c07d5e6b84".to_owned(),
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

async fn hold(gateway: &Gateway) {
    let Some(program) = program::program().await else { return };
    let file = spec(gateway.file);
    let prism = Prism::playing(program, &file).await;
    let recorder = Recorder::before(&prism.url).await;
    let reader = Recipient {
        name: "Li Wei".to_owned(),
        email: None,
        phone: Msisdn::parse("+12025550199").ok(),
        address: None,
    };
    for sender in &gateway.senders {
        let keys = format!("{}{sender}", gateway.account);
        let channel = channel(gateway.kind, &recorder.url(), &keys);
        for message in messages() {
            let outcome = channel.send(&message, &reader).await;
            let vendor_id = Some(gateway.id.to_owned());
            assert_eq!(outcome, Outcome::Accepted { vendor_id }, "{:?}", recorder.seen());
            assert_eq!(channel.delivery(gateway.id).await, Ok(gateway.delivery.clone()));
        }
        assert!(channel.test().await.unwrap().contains(gateway.tested));
    }
    let seen = recorder.seen();
    assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
    assert_eq!(unnamed(&file, &seen), Vec::<String>::new());
    assert_eq!(unasked(&calls(&file), &seen), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_takes_our_messages() {
    hold(&Gateway {
        file: "twilio_messages",
        kind: "twilio",
        account: "account_sid = \"ACdeadbeefdeadbeefdeadbeefdeadbeef\"\nauth_token = \"hush\"\n",
        senders: vec![
            format!("{CALLBACK}from = \"+15005550006\""),
            "messaging_service_sid = \"MGdeadbeefdeadbeefdeadbeefdeadbeef\"".to_owned(),
        ],
        id: "SMdeadbeefdeadbeefdeadbeefdeadbeef",
        delivery: Some(Delivery::Delivered),
        tested: "active",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vonage_takes_our_messages() {
    hold(&Gateway {
        file: "vonage",
        kind: "vonage",
        account: "api_key = \"abcd1234\"\napi_secret = \"hush\"\n",
        senders: vec![
            format!("{CALLBACK}signature_secret = \"hush\"\nfrom = \"+15005550006\""),
            "from = \"topupd\"".to_owned(),
        ],
        id: "0A0000000123ABCD1",
        delivery: None,
        tested: "10.28 EUR",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telnyx_takes_our_messages() {
    let public_key = "e2FAKHoLf5/gbRKyGWqWr4WQdhYRM5dPYdSUkOkPlPE=";
    hold(&Gateway {
        file: "telnyx_messages",
        kind: "telnyx",
        account: "api_key = \"hush\"\n",
        senders: vec![
            format!("{CALLBACK}public_key = {public_key:?}\nfrom = \"+15005550006\""),
            "messaging_profile_id = \"4000eba1-a0c0-4563-9925-b25e842a7cb6\"".to_owned(),
        ],
        id: "40385f64-5717-4562-b3fc-2c963f66afa6",
        delivery: Some(Delivery::Delivered),
        tested: "300.00 USD",
    })
    .await;
}
