//! Rules, found by what they cover.

use super::{Rule, Scope, Subscription};
use std::collections::HashMap;

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
