//! `[caps]`, and the caps of a rule, which are written alike.

use crate::{
    domain::{CapLimits, Money},
    input::Section,
};

const GLOBAL: &str =
    "allowed is an amount above zero such as \"200.00 USD\", or a list with one for each currency";

/// Reads `[caps]`. Nothing is unlimited by accident: where there is no key there is a default.
pub(super) fn read(mut section: Section<'_>) -> CapLimits {
    let global_24h = if section.has("global_24h") {
        read_global(&mut section)
    } else {
        section.value("global_24h");
        Money::parse("200.00 USD").into_iter().collect()
    };
    let limits = read_limits(&mut section);
    section.finish();
    CapLimits {
        global_24h,
        orders_24h: limits.orders_24h.or(Some(2)),
        orders_30d: limits.orders_30d.or(Some(6)),
        ..limits
    }
}

/// Reads the limits that both `[caps]` and rules have.
pub(super) fn read_limits(section: &mut Section<'_>) -> CapLimits {
    CapLimits {
        order: section.positive_money("order"),
        subscription_24h: section.positive_money("subscription_24h"),
        subscription_30d: section.positive_money("subscription_30d"),
        subscriber_30d: section.positive_money("subscriber_30d"),
        global_24h: Vec::new(),
        orders_24h: section.integer("orders_24h", 1..=1_000),
        orders_30d: section.integer("orders_30d", 1..=10_000),
    }
}

fn read_global(section: &mut Section<'_>) -> Vec<Money> {
    let Some(texts) = section.texts("global_24h") else { return Vec::new() };
    let mut limits: Vec<Money> = Vec::new();
    for text in &texts {
        match Money::parse(text).ok().filter(|money| money.is_positive()) {
            Some(money) if limits.iter().all(|other| other.currency() != money.currency()) => {
                limits.push(money);
            }
            _ => {
                section.fault("global_24h", format!("{GLOBAL}; not {text:?}"));
                return Vec::new();
            }
        }
    }
    if limits.is_empty() {
        section.fault("global_24h", GLOBAL);
    }
    limits
}
