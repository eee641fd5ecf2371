//! What people declared, as rows.

use crate::config::fleet::{Fleet, Kind};
use crate::store::FleetChanges;

/// What storing the entries of `fleet` changes that `is_wanted` picks; nothing is closed.
pub fn fleet_changes(fleet: &Fleet, is_wanted: impl Fn(Kind, &str) -> bool) -> FleetChanges {
    let subscribers =
        fleet.subscribers.iter().filter(|s| is_wanted(Kind::Subscriber, s.id.as_str()));
    let subscriptions =
        fleet.subscriptions.iter().filter(|s| is_wanted(Kind::Subscription, s.id.as_str()));
    let rules = fleet.rules.iter().filter(|r| is_wanted(Kind::Rule, r.id.as_str()));
    FleetChanges {
        subscribers: subscribers.map(|s| (s.clone(), s.to_document().to_string())).collect(),
        subscriptions: subscriptions.map(|s| (s.clone(), s.to_document().to_string())).collect(),
        rules: rules.map(|r| (r.clone(), r.to_document().to_string())).collect(),
        ..FleetChanges::default()
    }
}
