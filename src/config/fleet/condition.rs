//! The conditions of a rule: `{ metric = "balance", at_most = "5.00 USD" }`.

use crate::{
    domain::{Condition, Metric, Money, Op, Quantity, Span, Unit},
    input::{Section, parse_bytes},
};

/// Reads the conditions in the list `key`. A level in the rule's own `clear_at` is for those that
/// have none and can be measured in it; `shared_used` becomes true when there is one.
pub(super) fn read(
    s: &mut Section<'_>,
    key: &str,
    shared: Option<&str>,
    shared_used: &mut bool,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for mut section in s.tables(key) {
        conditions.extend(read_one(&mut section, shared, shared_used));
        section.finish();
    }
    conditions
}

fn read_one(
    s: &mut Section<'_>,
    shared: Option<&str>,
    shared_used: &mut bool,
) -> Option<Condition> {
    let metric = read_metric(s);
    let has = |s: &mut Section<'_>, key: &str| s.value(key).is_some();
    let op = match (has(s, "at_most"), has(s, "at_least")) {
        (true, false) => Some(Op::AtMost),
        (false, true) => Some(Op::AtLeast),
        (both, _) => {
            let key = if both { "at_least" } else { "at_most" };
            s.fault(key, "allowed is exactly one of `at_most` and `at_least`");
            None
        }
    };
    s.value("clear_at");
    let (metric, op) = (metric?, op?);
    let threshold = read_level(s, op.as_str(), metric.unit());
    let clear_at = if s.has("clear_at") {
        Some(read_level(s, "clear_at", metric.unit())?)
    } else {
        let level = shared.and_then(|text| parse_level(metric.unit(), text));
        *shared_used |= level.is_some();
        level
    };
    let threshold = threshold?;
    let clear_at = clear_at.unwrap_or_else(|| default_clear(op, threshold));
    let condition = Condition { metric, op, threshold, clear_at };
    if let Some(allowed) = condition.level_fault() {
        // A level of the rule is shown where it is used: there it is too near.
        s.fault(
            if s.has("clear_at") { "clear_at" } else { op.as_str() },
            match shared {
                Some(shared) if !s.has("clear_at") => {
                    format!("{allowed}; the rule's `clear_at` is {shared:?}")
                }
                _ => allowed,
            },
        );
    }
    Some(condition)
}

fn read_metric(s: &mut Section<'_>) -> Option<Metric> {
    let words = Metric::WORDS.map(|(word, _)| word);
    let allowed = format!("allowed: {}", words.join(", "));
    let word = s.required("metric", &allowed)?;
    match Metric::WORDS.into_iter().find(|(known, _)| *known == word) {
        Some((_, metric)) => Some(metric),
        None => {
            s.fault("metric", allowed);
            None
        }
    }
}

fn read_level(s: &mut Section<'_>, key: &str, unit: Unit) -> Option<Quantity> {
    let allowed = match unit {
        Unit::Money => "allowed is an amount such as \"5.00 USD\"",
        Unit::Bytes => "allowed is an amount of data such as \"500 MB\"",
        Unit::Count => "allowed is a whole number from 0",
        Unit::Days => "allowed is a whole number of days from 0",
        Unit::Age => "allowed is a span such as \"12h\"",
    };
    s.parsed(key, allowed, |text| parse_level(unit, text))
}

/// Days may also be written as a span, `"36h"`: that is how documents keep fractions of them.
fn parse_level(unit: Unit, text: &str) -> Option<Quantity> {
    let whole = || text.trim().parse::<i64>().ok().filter(|n| *n >= 0);
    match unit {
        Unit::Money => Money::parse(text).ok().map(Quantity::Money),
        Unit::Bytes => parse_bytes(text).map(Quantity::Bytes),
        Unit::Count => whole().map(Quantity::Count),
        Unit::Days => whole().map(Span::days).or_else(|| Span::parse(text)).map(Quantity::Days),
        Unit::Age => Span::parse(text).map(Quantity::Age),
    }
}

/// A fifth beyond the threshold; nothing but money goes below zero.
fn default_clear(op: Op, threshold: Quantity) -> Quantity {
    match threshold.beyond(op == Op::AtMost) {
        Quantity::Money(money) => Quantity::Money(money),
        Quantity::Bytes(n) => Quantity::Bytes(n.max(0)),
        Quantity::Count(n) => Quantity::Count(n.max(0)),
        Quantity::Days(span) => Quantity::Days(span.max(Span::ZERO)),
        Quantity::Age(span) => Quantity::Age(span.max(Span::ZERO)),
    }
}
