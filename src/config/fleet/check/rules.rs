//! Rules and the lines they cover, whichever of the two is new.

use super::{Draft, FleetContext};
use crate::domain::{Amount, Money, Rule, Scope, Subscription};
use std::collections::BTreeSet;

/// Its target, and whether the lines it covers let it do what it says.
pub(super) fn rule(
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
    if draft.sound().is_none() || !(rule.mode.pays() || needs_price(rule)) {
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
    let too_dear = lines
        .iter()
        .filter(|line| rule.mode.pays() && rule.scope.covers(line))
        .find_map(|line| out_of_reach(rule, line, context));
    if let Some((key, least, payer)) = too_dear {
        s.fault(
            key,
            format!("the least that payer {payer:?} sells is {least}; allowed is at least that"),
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
pub(super) fn under_rules(draft: &Draft<'_, Subscription>, rules: &[Rule]) {
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

/// The limit of `rule` that lies below everything the line's first payer sells.
fn out_of_reach<'l>(
    rule: &Rule,
    line: &'l Subscription,
    context: &FleetContext,
) -> Option<(&'static str, Money, &'l str)> {
    let payer = line.payers.first()?;
    let least = context.providers.get(payer)?.offer.least()?;
    let limits = [("order_max", rule.order_max), ("caps", rule.caps.order)];
    let below = |limit: Option<Money>| {
        limit.is_some_and(|l| l.currency() == least.currency() && l.minor() < least.minor())
    };
    let (key, _) = limits.into_iter().find(|(_, limit)| below(*limit))?;
    Some((key, least, payer))
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
