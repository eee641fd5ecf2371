//! `[[subscribers]]`.

use super::{
    FleetContext,
    draft::{read_id, read_zone},
};
use crate::{
    channels::Needs,
    domain::{Msisdn, QuietHours, Subscriber, SubscriberId},
    input::Section,
};
use std::collections::BTreeMap;

/// The locales that there are words for.
const LOCALES: [(&str, &str); 2] = [("en", "en"), ("zh-CN", "zh-CN")];

/// Reads one subscriber.
pub(super) fn read(
    s: &mut Section<'_>,
    context: &FleetContext,
) -> (Option<String>, Option<Subscriber>) {
    let id = read_id(s, SubscriberId::parse);
    let text = id.as_ref().map(ToString::to_string);
    let name = s.text("name").filter(|name| !name.trim().is_empty());
    let email = s.parsed("email", "allowed is an address such as \"li@example.com\"", |text| {
        text.trim().parse::<lettre::Address>().ok().map(|address| address.to_string())
    });
    let phone = s.checked("phone", Msisdn::parse);
    let locale = s.word("locale", &LOCALES).unwrap_or("en");
    let time_zone = read_zone(s, chrono_tz::UTC);
    let quiet = "allowed is a stretch of local time such as \"22:00-07:00\"";
    let quiet_hours = s.parsed("quiet_hours", quiet, QuietHours::parse);
    let addresses = addresses(s, context);
    let reachable = |needs: Needs, name: &str| match needs {
        Needs::Email => email.is_some(),
        Needs::Phone => phone.is_some(),
        Needs::Address => addresses.contains_key(name),
        Needs::Nothing => true,
    };
    let channels = channels(s, context, reachable);
    let subscriber = id.map(|id| Subscriber {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        email,
        phone,
        locale: locale.to_owned(),
        time_zone,
        quiet_hours,
        channels,
        addresses,
    });
    (text, subscriber)
}

/// `addresses = { chat = "12345" }`: what a channel calls this person.
fn addresses(s: &mut Section<'_>, context: &FleetContext) -> BTreeMap<String, String> {
    let Some(mut table) = s.section("addresses") else { return BTreeMap::new() };
    let mut addresses = BTreeMap::new();
    for name in table.keys() {
        let Some(address) = table.text(&name) else { continue };
        if !context.channels.contains_key(&name) {
            table.fault(&name, format!("allowed are names of channels: {}", known(context)));
        } else if address.trim().is_empty() {
            table.fault(&name, "allowed is what the channel calls this person");
        } else {
            addresses.insert(name, address.trim().to_owned());
        }
    }
    table.finish();
    addresses
}

fn known(context: &FleetContext) -> String {
    let known: Vec<&str> = context.channels.keys().map(String::as_str).collect();
    if known.is_empty() { "none, as none is configured".to_owned() } else { known.join(", ") }
}

/// The channels named, in order; without the key every channel that can reach the subscriber, so
/// that nobody is left untold by an omission.
fn channels(
    s: &mut Section<'_>,
    context: &FleetContext,
    reachable: impl Fn(Needs, &str) -> bool,
) -> Vec<String> {
    if !s.has("channels") {
        s.value("channels");
        let all = context.channels.iter().filter(|(name, needs)| reachable(**needs, name));
        return all.map(|(name, _)| name.clone()).collect();
    }
    let Some(names) = s.texts("channels") else {
        return Vec::new();
    };
    for (n, name) in names.iter().enumerate() {
        let needs = context.channels.get(name).copied();
        if needs.is_none() {
            let known = known(context);
            s.fault("channels", format!("there is no channel {name:?}; allowed: {known}"));
        }
        if names.iter().take(n).any(|earlier| earlier == name) {
            s.fault("channels", format!("allowed is each channel once; {name:?} comes twice"));
        }
        let missing = needs.filter(|needs| !reachable(*needs, name));
        let (key, example) = match missing {
            Some(Needs::Email) => ("email", "an address such as \"li@example.com\"".to_owned()),
            Some(Needs::Phone) => ("phone", "a number such as \"+12025550199\"".to_owned()),
            Some(Needs::Address) => ("addresses", format!("addresses = {{ {name} = \"…\" }}")),
            Some(Needs::Nothing) | None => continue,
        };
        // One that is written and wrong has its fault already.
        if !s.has(key) || key == "addresses" {
            s.fault(key, format!("channel {name:?} needs {example}"));
        }
    }
    names
}
