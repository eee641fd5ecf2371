//! What entries say of each other, of providers, and of what was applied before.

mod identity;
mod reach;
mod rules;
mod ties;

use super::{
    FleetContext,
    document::{rule_from_document, subscription_from_document},
    draft::{Draft, Drafts},
};
use crate::domain::{Rule, Subscription};
use std::collections::BTreeSet;

/// Reports everything that cannot be seen in one entry alone.
pub(super) fn all(drafts: &Drafts<'_>, context: &FleetContext) {
    identity::unique(&drafts.subscribers);
    identity::unique(&drafts.subscriptions);
    identity::unique(&drafts.rules);
    let subscribers = known(&drafts.subscribers, context.stored.subscribers.keys());
    let subscriptions = known(&drafts.subscriptions, context.stored.subscriptions.keys());
    for draft in &drafts.subscriptions {
        subscription(draft, &subscribers, context);
    }
    let stored = stored_subscriptions(drafts, context);
    identity::numbers(drafts, &stored);
    let lines: Vec<&Subscription> =
        drafts.subscriptions.iter().filter_map(Draft::sound).chain(&stored).collect();
    reach::independent(drafts, &lines, context);
    for draft in &drafts.rules {
        rules::rule(draft, &subscribers, &subscriptions, &lines, context);
    }
    let standing = stored_rules(drafts, context);
    for draft in &drafts.subscriptions {
        rules::under_rules(draft, &standing);
    }
    ties::ties(drafts, &standing, &lines);
}

fn known<'d, T>(
    drafts: &'d [Draft<'_, T>],
    stored: impl Iterator<Item = &'d String>,
) -> BTreeSet<&'d str> {
    let written = drafts.iter().filter_map(|draft| draft.id.as_deref());
    written.chain(stored.map(String::as_str)).collect()
}

/// Its owner, and what its providers can do.
fn subscription(
    draft: &Draft<'_, Subscription>,
    subscribers: &BTreeSet<&str>,
    context: &FleetContext,
) {
    let Draft { value: Some(line), section: s, .. } = draft else {
        return;
    };
    if !subscribers.contains(line.subscriber.as_str()) {
        s.fault("subscriber", "allowed is a subscriber of these files or one applied before");
    }
    let able = |can: &dyn Fn(&crate::providers::Declares) -> bool| {
        let able = context.providers.iter().filter(|(_, declares)| can(declares));
        let names: Vec<&str> = able.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") }
    };
    if !context.providers.get(&line.reader).is_some_and(|declares| declares.reads) {
        s.fault("reader", format!("allowed are providers that read: {}", able(&|d| d.reads)));
    }
    for payer in &line.payers {
        let Some(declares) = context.providers.get(payer).filter(|declares| declares.tops_up)
        else {
            let able = able(&|d| d.tops_up);
            s.fault("payers", format!("{payer:?} is not allowed; providers that top up: {able}"));
            continue;
        };
        if declares.wants_product && !line.products.contains_key(payer) {
            let example = format!("products = {{ {payer} = \"PRODUCT\" }}");
            s.fault("products", format!("payer {payer:?} needs a product, such as {example}"));
        }
    }
    for payer in line.products.keys().filter(|payer| !line.payers.contains(payer)) {
        s.fault("products", format!("{payer:?} is not among the payers of this subscription"));
    }
    let numbered = s.has("msisdn") || s.has("iccid");
    if !numbered && !line.payers.is_empty() {
        s.fault("msisdn", "a subscription with payers needs `msisdn` or `iccid`");
    }
}

/// What was applied before and is not replaced now. Documents that can no longer be read are the
/// concern of those who use them.
fn stored_subscriptions(drafts: &Drafts<'_>, context: &FleetContext) -> Vec<Subscription> {
    let written = known(&drafts.subscriptions, [].iter());
    let stored = context.stored.subscriptions.iter();
    let kept = stored.filter(|(id, _)| !written.contains(id.as_str()));
    kept.filter_map(|(_, document)| subscription_from_document(document)).collect()
}

fn stored_rules(drafts: &Drafts<'_>, context: &FleetContext) -> Vec<Rule> {
    let written = known(&drafts.rules, [].iter());
    let stored = context.stored.rules.iter();
    let kept = stored.filter(|(id, _)| !written.contains(id.as_str()));
    kept.filter_map(|(_, document)| rule_from_document(document).ok()).collect()
}
