//! What people declared, as rows: the one way in for files, programs and pages.

use super::{Engine, EngineError, Stage};
use crate::config::fleet::{Fleet, FleetContext, Kind, Plan, StoredFleet};
use crate::domain::{RuleId, SubscriberId, SubscriptionId};
use crate::store::{FleetChanges, Store, StoreError};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

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

/// What was applied before, as documents.
pub async fn stored_fleet(store: &Store) -> Result<StoredFleet, StoreError> {
    let parsed = |texts: BTreeMap<String, String>| {
        let texts = texts.into_iter();
        texts.map(|(id, text)| (id, serde_json::from_str(&text).unwrap_or(Json::Null))).collect()
    };
    let documents = store.documents().await?;
    Ok(StoredFleet {
        subscribers: parsed(documents.subscribers),
        subscriptions: parsed(documents.subscriptions),
        rules: parsed(documents.rules),
    })
}

impl Engine {
    /// What a fleet may refer to; what a prune closes is not there to be referred to.
    pub fn fleet_context(&self, stored: &StoredFleet, prune: bool) -> FleetContext {
        let beside = if prune { StoredFleet::default() } else { stored.clone() };
        FleetContext::new(self.settings(), beside)
    }

    /// Writes what the plan changes, and nothing else.
    pub async fn write_fleet(&self, fleet: &Fleet, plan: &Plan) -> Result<(), EngineError> {
        let created = plan.create.iter().map(|c| (c.kind.as_str(), c.id.as_str()));
        let updated = plan.update.iter().map(|u| (u.kind.as_str(), u.id.as_str()));
        let touched: BTreeSet<(&str, &str)> = created.chain(updated).collect();
        let is_touched = |kind: Kind, id: &str| touched.contains(&(kind.as_str(), id));
        let mut changes = fleet_changes(fleet, is_touched);
        for gone in &plan.delete {
            match gone.kind {
                Kind::Subscriber => changes.close_subscribers.extend(SubscriberId::parse(&gone.id)),
                Kind::Subscription => {
                    changes.close_subscriptions.extend(SubscriptionId::parse(&gone.id));
                }
                Kind::Rule => changes.remove_rules.extend(RuleId::parse(&gone.id)),
            }
        }
        self.store().save_fleet(&changes, self.now()).await?;
        for stage in [Stage::Poll, Stage::Decide] {
            self.wake(stage);
        }
        Ok(())
    }
}
