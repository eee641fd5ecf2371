//! `[[subscribers]]`.

use super::{
    FleetContext,
    draft::{read_id, read_zone},
};
use crate::{
    domain::{Msisdn, QuietHours, Subscriber, SubscriberId},
    input::Section,
};

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
    let channels = channels(s, context, email.is_some());
    let subscriber = id.map(|id| Subscriber {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        email,
        phone,
        locale: locale.to_owned(),
        time_zone,
        quiet_hours,
        channels,
    });
    (text, subscriber)
}

/// The channels named, in order; without the key every channel that can reach the subscriber, so
/// that nobody is left untold by an omission.
fn channels(s: &mut Section<'_>, context: &FleetContext, has_email: bool) -> Vec<String> {
    let needs_email = |name: &String| context.channels.get(name) == Some(&"email");
    if !s.has("channels") {
        s.value("channels");
        let reachable = context.channels.keys().filter(|name| has_email || !needs_email(name));
        return reachable.cloned().collect();
    }
    let Some(names) = s.texts("channels") else {
        return Vec::new();
    };
    for (n, name) in names.iter().enumerate() {
        if !context.channels.contains_key(name) {
            let known: Vec<&str> = context.channels.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "none, as none is configured" } else { &known.join(", ") };
            s.fault("channels", format!("there is no channel {name:?}; allowed: {known}"));
        }
        if names.iter().take(n).any(|earlier| earlier == name) {
            s.fault("channels", format!("allowed is each channel once; {name:?} comes twice"));
        }
    }
    if let Some(name) = names.iter().find(|name| needs_email(name)).filter(|_| !s.has("email")) {
        s.fault("email", format!("channel {name:?} needs an address such as \"li@example.com\""));
    }
    names
}
