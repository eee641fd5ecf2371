//! What entries say of each other, of providers, and of what was applied before.

use super::{
    FleetContext,
    document::{rule_from_document, subscription_from_document},
    draft::{Draft, Drafts},
};
use crate::domain::{Amount, Rule, Scope, Subscription};
use std::collections::{BTreeMap, BTreeSet};

/// Reports everything that cannot be seen in one entry alone.
pub(super) fn all(drafts: &Drafts<'_>, context: &FleetContext) {
    unique(&drafts.subscribers);
    unique(&drafts.subscriptions);
    unique(&drafts.rules);
    let subscribers = known(&drafts.subscribers, context.stored.subscribers.keys());
    let subscriptions = known(&drafts.subscriptions, context.stored.subscriptions.keys());
    for draft in &drafts.subscriptions {
        subscription(draft, &subscribers, context);
    }
    let stored = stored_subscriptions(drafts, context);
    numbers(drafts, &stored);
    let lines: Vec<&Subscription> =
        drafts.subscriptions.iter().filter_map(Draft::sound).chain(&stored).collect();
    for draft in &drafts.rules {
        rule(draft, &subscribers, &subscriptions, &lines, context);
    }
    let rules = stored_rules(drafts, context);
    for draft in &drafts.subscriptions {
        under_rules(draft, &rules);
    }
}

fn unique<T>(drafts: &[Draft<'_, T>]) {
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for draft in drafts {
        let Some(id) = draft.id.as_deref() else {
            continue;
        };
        let origin = draft.section.origin();
        let place = match origin.line {
            Some(line) => format!("{}:{line}", origin.file),
            None => origin.file.to_string(),
        };
        if let Some(earlier) = first.get(id) {
            draft.section.fault("id", format!("allowed is each id once; it is in {earlier}, too"));
        } else {
            first.insert(id, place);
        }
    }
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

/// One number under two ids would be paid for twice.
fn numbers(drafts: &Drafts<'_>, stored: &[Subscription]) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for line in stored.iter().filter(|line| !line.payers.is_empty()) {
        owners.extend(serials(line).map(|(_, serial)| (serial, line.id.as_str())));
    }
    for draft in &drafts.subscriptions {
        let Some(line) = draft.value.as_ref().filter(|line| !line.payers.is_empty()) else {
            continue;
        };
        for (key, serial) in serials(line) {
            match owners.get(&serial) {
                Some(owner) if *owner != line.id.as_str() => draft.section.fault(
                    key,
                    format!("subscription {owner:?} pays for this line already; one of them may have payers"),
                ),
                _ => drop(owners.insert(serial, line.id.as_str())),
            }
        }
    }
}

fn serials(line: &Subscription) -> impl Iterator<Item = (&'static str, String)> {
    let msisdn = line.msisdn.iter().map(|number| ("msisdn", number.as_str().to_owned()));
    let iccid = line.iccid.iter().map(|iccid| ("iccid", iccid.as_str().to_owned()));
    msisdn.chain(iccid).collect::<Vec<_>>().into_iter()
}

/// Its target, and whether the lines it covers let it do what it says.
fn rule(
    draft: &Draft<'_, Rule>,
    subscribers: &BTreeSet<&str>,
    subscriptions: &BTreeSet<&str>,
    lines: &[&Subscription],
    context: &FleetContext,
) {
    let Draft { value: Some(rule), section: s, .. } = draft else {
        return;
    };
    let unknown = match &rule.scope {
        Scope::Subscription(id) => (!subscriptions.contains(id.as_str())).then_some("subscription"),
        Scope::Subscriber(id) => (!subscribers.contains(id.as_str())).then_some("subscriber"),
        Scope::Provider(name) => (!context.providers.contains_key(name)).then_some("provider"),
        Scope::Tag(_) | Scope::All => None,
    };
    match (unknown, &rule.scope) {
        (Some(kind), Scope::Provider(name)) => {
            s.fault(
                "applies_to",
                format!("{kind} {name:?} is unknown; allowed is one of the configuration"),
            );
        }
        (Some(kind), scope) => {
            let id = target(scope);
            s.fault(
                "applies_to",
                format!(
                    "{kind} {id:?} is unknown; allowed is one of these files or one applied before"
                ),
            );
        }
        (None, _) => {}
    }
    if draft.sound().is_none() {
        return;
    }
    let lacking = |lacks: &dyn Fn(&Subscription) -> bool| {
        let covered = lines.iter().filter(|line| rule.scope.covers(line) && lacks(line));
        list(&covered.map(|line| line.id.as_str()).collect::<Vec<_>>())
    };
    let mode = rule.mode.as_str();
    if let Some(lines) = lacking(&|line| rule.mode.pays() && line.payers.is_empty()) {
        s.fault(
            "applies_to",
            format!("mode {mode:?} needs subscriptions with payers; without: {lines}"),
        );
    }
    if let Some(lines) = lacking(&|line| needs_price(rule) && !has_price(line)) {
        s.fault(
            "applies_to",
            format!(
                "`cover_next_renewal` needs subscriptions whose plan has a price; without: {lines}"
            ),
        );
    }
}

/// A new line under a rule that was applied before.
fn under_rules(draft: &Draft<'_, Subscription>, rules: &[Rule]) {
    let Some(line) = draft.sound() else { return };
    let over: Vec<&Rule> = rules.iter().filter(|rule| rule.scope.covers(line)).collect();
    if let Some(rule) = over.iter().find(|rule| rule.mode.pays() && line.payers.is_empty()) {
        let id = rule.id.as_str();
        draft.section.fault(
            "payers",
            format!("rule {id:?} pays for this subscription; allowed is at least one payer"),
        );
    }
    if let Some(rule) = over.iter().find(|rule| needs_price(rule) && !has_price(line)) {
        let id = rule.id.as_str();
        draft.section.fault(
            "plan",
            format!("rule {id:?} covers its next renewal; allowed is a plan with a price"),
        );
    }
}

fn needs_price(rule: &Rule) -> bool {
    matches!(rule.amount, Some(Amount::CoverNextRenewal { .. }))
}

fn has_price(line: &Subscription) -> bool {
    line.plan.as_ref().is_some_and(|plan| plan.price.is_some())
}

fn target(scope: &Scope) -> &str {
    match scope {
        Scope::Subscription(id) => id.as_str(),
        Scope::Subscriber(id) => id.as_str(),
        Scope::Tag(word) | Scope::Provider(word) => word,
        Scope::All => "all",
    }
}

/// The first few of `ids`, quoted; `None` where there is none.
fn list(ids: &[&str]) -> Option<String> {
    const SHOWN: usize = 5;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(|id| format!("{id:?}")).collect();
    let more = match ids.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
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
