//! CELITECH's official SDK and our adapter ask the same fake and must see the same. That ties the
//! fake, which the adapter is tested with, to what the makers' own client sends and understands.

use super::support::{
    line, money,
    python::{python_with, run},
};
use serde_json::Value;
use std::{path::Path, process::Command, sync::Arc};
use topupd::{
    domain::{Iccid, Quantity, Subscription},
    input::{Intake, Origin, Section, from_toml},
    providers::{Answer, Found, Order, Provider, read_config},
    sim::fakes::{Fake, celitech::FAKE},
};

const SDK: &str = "celitech-sdk==2.0.10";
const ICCID: &str = "1111222233334444555003";

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_and_the_adapter_see_the_same() {
    let python = tokio::task::spawn_blocking(|| python_with(SDK, "celitech.models"));
    let Some(python) = python.await.unwrap() else { return };
    let fake = Fake::start(FAKE).await.unwrap();
    let adapter = adapter(&fake).await;
    let ours = order("ourownreference000000000");
    let theirs = order("theirownreference0000000");
    let frozen = adapter.freeze(&ours).unwrap();
    let Answer::Paid(paid) = adapter.topup(&ours, &frozen).await else { panic!("not paid") };
    let ours_id = paid.transaction_id.unwrap();
    let read = adapter.read(&ours.line).await.unwrap().values;

    let (url, references) = (fake.url(), [ours.reference.clone(), theirs.reference.clone()]);
    let said = tokio::task::spawn_blocking(move || ask(&python, &url, references));
    let said = said.await.unwrap();

    assert_eq!(said["allowed"], true);
    let mut left: Vec<(Option<i64>, i64)> = said["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_i64(), pair[1].as_i64().unwrap()))
        .collect();
    let mut buckets: Vec<(Option<i64>, i64)> = read
        .buckets
        .iter()
        .map(|bucket| {
            let Quantity::Bytes(n) = bucket.left else { panic!("{bucket:?} is no data") };
            (bucket.expires_at.map(|at| at.ms() / 1000), n)
        })
        .collect();
    left.sort_unstable();
    buckets.sort_unstable();
    assert!(left.len() >= 3, "{said}");
    assert_eq!(left, buckets);
    assert_eq!(read.data_left, Some(left.iter().map(|(_, bytes)| bytes).sum()));

    // What one bought, the other finds; a repeated key is played again for both.
    assert_eq!(said["ours"], serde_json::json!([ours_id]));
    assert_eq!(said["ours_again"], ours_id.as_str());
    let Found::One(Answer::Paid(found)) = adapter.find(&theirs).await else { panic!("not found") };
    let id = found.transaction_id.unwrap();
    assert_eq!(said["theirs"], serde_json::json!([id, id]));
    let again = adapter.topup(&theirs, &adapter.freeze(&theirs).unwrap()).await;
    assert!(matches!(&again, Answer::Paid(e) if e.transaction_id == Some(id)), "{again:?}");
    assert_eq!(fake.shared().charges().len(), 2);

    let cents = adapter.quote(&ours).await.unwrap().cost.minor();
    let prices = said["prices"].as_array().unwrap();
    assert!(prices.iter().any(|pair| pair[0] == 1.0 && pair[1] == cents), "{said}");
}

async fn adapter(fake: &Fake) -> Arc<dyn Provider> {
    let table = from_toml("test.toml", &format!("[celitech]\n{}", fake.config())).unwrap();
    let intake = Intake::new();
    let section = Section::new(&table, "providers.it", &Origin::file("test.toml"), &intake);
    let config = read_config(section);
    assert_eq!(intake.into_faults(), []);
    config.unwrap().build("it").await.unwrap()
}

fn order(reference: &str) -> Order {
    Order {
        line: Subscription { msisdn: None, iccid: Iccid::parse(ICCID).ok(), ..line("li", 1) },
        reference: reference.to_owned(),
        amount: money("4.50 USD"),
        product: Some("1GB/7d".to_owned()),
        transaction_id: None,
    }
}

/// What the SDK says of the fake at `url`.
fn ask(python: &Path, url: &str, references: [String; 2]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/official.py");
    let mut command = Command::new(python);
    // Loopback goes through no proxy.
    command.env("NO_PROXY", "*").env("no_proxy", "*");
    let text = run(command.arg(script).args([url, ICCID]).args(references)).unwrap();
    serde_json::from_str(&text).unwrap()
}
