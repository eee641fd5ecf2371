//! `[[subscriptions]]`, which a CSV file holds just as well.

use super::draft::{read_id, read_zone};
use crate::{
    domain::{
        Iccid, Msisdn, Plan, QuietHours, Renewal, SubscriberId, Subscription, SubscriptionId,
        SubscriptionStatus,
    },
    input::Section,
};
use std::collections::BTreeMap;

/// Reads one subscription; what it refers to is checked later.
pub(super) fn read(s: &mut Section<'_>) -> (Option<String>, Option<Subscription>) {
    let id = read_id(s, SubscriptionId::parse);
    let text = id.as_ref().map(ToString::to_string);
    let subscriber = s
        .required("subscriber", "allowed is the id of a subscriber")
        .and_then(|_| s.checked("subscriber", SubscriberId::parse));
    let label = s.text("label").filter(|label| !label.trim().is_empty());
    let msisdn = s.checked("msisdn", Msisdn::parse);
    let iccid = s.checked("iccid", Iccid::parse);
    let operator = s.text("operator").filter(|operator| !operator.trim().is_empty());
    // The earliest midnight of the contiguous states: a date is better taken too early than late.
    let time_zone = read_zone(s, chrono_tz::America::New_York);
    let reader = s.required("reader", "allowed is the name of a provider that reads");
    let payers = words(s, "payers");
    let tags = words(s, "tags");
    let plan = s.section("plan").map(read_plan);
    let products = s.section("products").map(read_products).unwrap_or_default();
    let subscription = || {
        let (id, subscriber, reader) = (id?, subscriber?, reader?);
        Some(Subscription {
            label: label.unwrap_or_else(|| id.to_string()),
            id,
            subscriber,
            msisdn,
            iccid,
            operator,
            time_zone,
            reader,
            payers,
            tags,
            plan,
            products,
            status: SubscriptionStatus::Active,
        })
    };
    (text, subscription())
}

/// A list of words without blanks, each once.
fn words(s: &mut Section<'_>, key: &str) -> Vec<String> {
    let words = s.texts(key).unwrap_or_default();
    for (n, word) in words.iter().enumerate() {
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == ';') {
            s.fault(key, format!("allowed are words without blanks and `;`, not {word:?}"));
        }
        if words.iter().take(n).any(|earlier| earlier == word) {
            s.fault(key, format!("allowed is each word once; {word:?} comes twice"));
        }
    }
    words
}

fn read_plan(mut s: Section<'_>) -> Plan {
    let plan = Plan {
        price: s.positive_money("price"),
        cycle_days: s.integer("cycle_days", 1..=3660),
        renewal: s.word("renewal", &Renewal::WORDS).unwrap_or(Renewal::Unknown),
        number_loss_days: s.integer("number_loss_days", 0..=3660),
        charge_window: s.parsed(
            "charge_window",
            "allowed is a daily stretch of the operator's time such as \"05:00-11:00\"",
            QuietHours::parse,
        ),
    };
    s.finish();
    plan
}

fn read_products(mut s: Section<'_>) -> BTreeMap<String, String> {
    let payers = s.keys().into_iter();
    payers
        .filter_map(|payer| {
            Some((s.required(&payer, "allowed is a product of this payer")?, payer))
        })
        .map(|(product, payer)| (payer, product))
        .collect()
}
