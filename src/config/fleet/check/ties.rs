//! Two rules that would pay for one need: which of them does must be written, not left to chance.

use super::{Draft, Drafts};
use crate::domain::{Rule, Scope, Subscription};
use std::collections::{BTreeSet, HashMap};

/// Rules that pay, found by what they cover.
#[derive(Debug, Default)]
struct Paying<'a> {
    by_subscription: HashMap<&'a str, Vec<&'a Rule>>,
    by_subscriber: HashMap<&'a str, Vec<&'a Rule>>,
    others: Vec<&'a Rule>,
}

impl<'a> Paying<'a> {
    fn new(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut paying = Self::default();
        for rule in rules.filter(|rule| rule.mode.pays()) {
            match &rule.scope {
                Scope::Subscription(id) => {
                    paying.by_subscription.entry(id.as_str()).or_default().push(rule);
                }
                Scope::Subscriber(id) => {
                    paying.by_subscriber.entry(id.as_str()).or_default().push(rule);
                }
                Scope::Tag(_) | Scope::Provider(_) | Scope::All => paying.others.push(rule),
            }
        }
        paying
    }

    fn over(&self, line: &'a Subscription) -> impl Iterator<Item = &'a Rule> {
        let own = self.by_subscription.get(line.id.as_str()).into_iter().flatten();
        let owner = self.by_subscriber.get(line.subscriber.as_str()).into_iter().flatten();
        let others = self.others.iter().filter(|rule| rule.scope.covers(line));
        own.chain(owner).chain(others).copied()
    }
}

/// Reports every pair of paying rules that meet on a line with the same priority, once.
pub(super) fn ties(drafts: &Drafts<'_>, standing: &[Rule], lines: &[&Subscription]) {
    let written = drafts.rules.iter().filter_map(Draft::sound);
    let paying = Paying::new(written.chain(standing));
    let mut told = BTreeSet::new();
    for line in lines {
        let mut over: Vec<&Rule> = paying.over(line).collect();
        over.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
        for pair in over.windows(2) {
            let [one, other] = pair else { continue };
            if one.priority != other.priority || !told.insert((&one.id, &other.id)) {
                continue;
            }
            let place = |id: &crate::domain::RuleId| {
                drafts.rules.iter().find(|d| d.sound().is_some_and(|rule| rule.id == *id))
            };
            let allowed = |id: &crate::domain::RuleId| {
                format!(
                    "allowed is another priority than that of rule {:?}: both would pay for \
                     subscription {:?}",
                    id.as_str(),
                    line.id.as_str()
                )
            };
            match (place(&other.id), place(&one.id)) {
                (Some(draft), _) => draft.section.fault("priority", allowed(&one.id)),
                (None, Some(draft)) => draft.section.fault("priority", allowed(&other.id)),
                (None, None) => {
                    let draft = drafts
                        .subscriptions
                        .iter()
                        .find(|d| d.sound().is_some_and(|subscription| subscription.id == line.id));
                    if let Some(draft) = draft {
                        let (one, other) = (one.id.as_str(), other.id.as_str());
                        draft.section.fault(
                            "id",
                            format!("rules {one:?} and {other:?} would both pay for it; allowed is one, or another priority"),
                        );
                    }
                }
            }
        }
    }
}
