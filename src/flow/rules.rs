//! The applied rules, parsed once per version of the fleet and found by what they cover.

use super::{Engine, EngineError};
use crate::config::fleet::rule_from_document;
use crate::domain::{Rule, Scope, Subscription};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Rules by scope: a fleet of ten thousand lines may have ten thousand rules.
#[derive(Debug, Default)]
pub struct RuleBook {
    by_subscription: HashMap<String, Vec<Rule>>,
    by_subscriber: HashMap<String, Vec<Rule>>,
    others: Vec<Rule>,
}

impl RuleBook {
    /// Sorts rules by what they cover.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut book = Self::default();
        for rule in rules {
            match &rule.scope {
                Scope::Subscription(id) => {
                    book.by_subscription.entry(id.to_string()).or_default().push(rule);
                }
                Scope::Subscriber(id) => {
                    book.by_subscriber.entry(id.to_string()).or_default().push(rule);
                }
                Scope::Tag(_) | Scope::Provider(_) | Scope::All => book.others.push(rule),
            }
        }
        book
    }

    /// Every rule, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Rule> {
        let own = self.by_subscription.values().flatten();
        own.chain(self.by_subscriber.values().flatten()).chain(&self.others)
    }

    /// The rules that cover a line, in order of their ids.
    pub fn of(&self, subscription: &Subscription) -> Vec<Rule> {
        let own = self.by_subscription.get(subscription.id.as_str()).into_iter().flatten();
        let owner = self.by_subscriber.get(subscription.subscriber.as_str()).into_iter().flatten();
        let others = self.others.iter().filter(|rule| rule.scope.covers(subscription));
        let mut rules: Vec<Rule> = own.chain(owner).chain(others).cloned().collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}

#[derive(Debug, Default)]
pub(super) struct RuleCache(Mutex<Option<(i64, Arc<RuleBook>)>>);

impl Engine {
    /// The rules as last applied; parsed again only when the fleet changed.
    pub async fn rules(&self) -> Result<Arc<RuleBook>, EngineError> {
        let version = self.store().fleet_version().await?;
        let cached = self.0.rules.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, book)) = cached.filter(|(cached, _)| *cached == version) {
            return Ok(book);
        }
        let mut rules = Vec::new();
        let enabled = self.store().enabled_rules().await?;
        for (id, document) in self.store().rule_documents().await? {
            let bad = |why: String| EngineError::Rule { rule: id.clone(), why };
            let json = serde_json::from_str(&document).map_err(|error| bad(error.to_string()))?;
            let rule = rule_from_document(&json).map_err(bad)?;
            rules.push(Rule { enabled_at: enabled.get(&id).copied(), ..rule });
        }
        let book = Arc::new(RuleBook::new(rules));
        *self.0.rules.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((version, Arc::clone(&book)));
        Ok(book)
    }
}
