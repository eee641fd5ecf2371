//! A line, an order and ready-made providers for the tests of this folder.

use super::Config;
use crate::domain::{
    Money, Msisdn, SubscriberId, Subscription, SubscriptionId, SubscriptionStatus,
};
use crate::input::{Fault, Intake, Origin, Section, from_toml};
use crate::providers::{Order, Provider};
use std::{collections::BTreeMap, sync::Arc};

pub(in crate::providers) fn line() -> Subscription {
    Subscription {
        id: SubscriptionId::parse("li").unwrap(),
        subscriber: SubscriberId::parse("li").unwrap(),
        label: "Bank \"/\"".to_owned(),
        msisdn: Some(Msisdn::parse("+12025550123").unwrap()),
        iccid: None,
        operator: Some("T-Mobile US".to_owned()),
        time_zone: chrono_tz::America::New_York,
        reader: "carrier".to_owned(),
        payers: vec!["carrier".to_owned()],
        tags: Vec::new(),
        plan: None,
        products: BTreeMap::new(),
        status: SubscriptionStatus::Active,
    }
}

pub(in crate::providers) fn order() -> Order {
    Order {
        line: line(),
        reference: "abcdefghijklmnopqrstuvwx".to_owned(),
        amount: Money::parse("10.00 USD").unwrap(),
        product: None,
        transaction_id: None,
    }
}

/// The example of the handbook, speaking to `base_url`.
pub(in crate::providers) fn example(base_url: &str) -> String {
    format!("base_url = {base_url:?}\n{EXAMPLE}")
}

const EXAMPLE: &str = r#"
allow_private_network = true
timeout = "10s"
secrets = { token = "s3cret" }
headers = { Authorization = "Bearer {{ secret.token }}" }
[read]
path = "/v1/lines/{{ subscription.msisdn }}"
balance = "/balance/amount"
currency = "/balance/currency"
service_end = "/expires_at"
data_left = { at = "/data/left_mb", unit = "MB" }
[topup]
method = "POST"
path = "/v1/topups"
body = '{"ref":"{{ reference }}","msisdn":"{{ subscription.msisdn }}","amount":"{{ amount }}","currency":"{{ currency }}"}'
transaction_id = "/id"
status = "/status"
paid = ["done"]
pending = ["pending"]
refused = ["refused"]
refused_http = [402, 422]
[find]
path = "/v1/topups?ref={{ reference }}"
items = "/items"
[declares]
lookup = "by_ref"
ref_unique = "strict"
max_processing = "5s"
balance_lag = "0s"
"#;

/// Reads a config; the faults are given back.
pub(in crate::providers) fn config(text: &str) -> Result<Config, Vec<Fault>> {
    let table = from_toml("test.toml", text).map_err(|fault| vec![fault])?;
    let intake = Intake::new();
    let section =
        Section::new(&table, "providers.carrier.http", &Origin::file("test.toml"), &intake);
    let config = Config::read(section);
    let faults = intake.into_faults();
    config.filter(|_| faults.is_empty()).ok_or(faults)
}

/// The example with `edit` applied to its text.
pub(in crate::providers) fn edited(
    edit: impl FnOnce(String) -> String,
) -> Result<Config, Vec<Fault>> {
    config(&edit(example("http://127.0.0.1:9")))
}

pub(in crate::providers) async fn provider(base_url: &str) -> Arc<dyn Provider> {
    config(&example(base_url)).unwrap().build("carrier").await.unwrap()
}
