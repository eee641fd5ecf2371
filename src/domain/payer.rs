//! Which payer: the cheapest while there is time, the quickest when the line is about to go dark.
//!
//! Invariant: only payers whose outcomes are known are compared; where prices are missing, the
//! order in which the fleet names the payers decides.

use super::{Money, Policy, Rule, Snapshot, Span, Timestamp, amount::amount_needed};

/// A price older than this is asked for again.
const GOOD_FOR: Span = Span::hours(6);
/// Who has not answered after this long is compared without a price.
const PATIENCE: Span = Span::minutes(2);
/// A deadline this near makes speed count more than price.
const HURRY: Span = Span::hours(24);

/// What an order would cost at one payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The payer.
    pub payer: String,
    /// Its product, where orders name one.
    pub product: Option<String>,
    /// The face value.
    pub amount: Money,
    /// When it was last asked for.
    pub wanted_at: Timestamp,
    /// When the payer answered.
    pub answered_at: Option<Timestamp>,
    /// What it would cost us at most; `None` where the payer named no price.
    pub cost: Option<Money>,
    /// A bonus or promotion, in the payer's words.
    pub bonus: Option<String>,
    /// How the figure was made, or why there is none.
    pub why: Option<String>,
}

/// A price that has to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPrice {
    /// The payer.
    pub payer: String,
    /// Its product.
    pub product: Option<String>,
    /// The face value.
    pub amount: Money,
}

/// The payer of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen<'a> {
    pub(super) payer: &'a String,
    /// Why this one, where there was a choice.
    pub(super) why: Option<String>,
}

/// The payer that `rule` would use now.
pub(super) fn choose<'a>(
    snapshot: &'a Snapshot,
    policy: &Policy,
    rule: &Rule,
    now: Timestamp,
) -> Option<Chosen<'a>> {
    let usable = usable(snapshot);
    let first = *usable.first()?;
    let alone = Chosen { payer: first, why: None };
    if usable.len() < 2 {
        return Some(alone);
    }
    let settles = |payer: &String| policy.settle_p99.get(payer).copied();
    if in_hurry(snapshot, now) {
        let quickest =
            usable.iter().filter_map(|p| Some((settles(p)?, *p))).min_by_key(|(t, _)| *t);
        return Some(quickest.map_or(alone, |(span, payer)| Chosen {
            payer,
            why: Some(format!("{payer} is the quickest of its payers (seen within {span}), and the line is about to go dark")),
        }));
    }
    let priced: Vec<(&String, Money, Money)> = usable
        .iter()
        .filter_map(|payer| {
            let amount = amount_needed(snapshot, policy, rule, payer).ok()?.amount;
            Some((*payer, amount, known(snapshot, payer, amount, now)?.cost?))
        })
        .collect();
    let Some((_, _, any)) = priced.first() else { return Some(alone) };
    if priced.len() < 2 || priced.iter().any(|(_, _, cost)| cost.currency() != any.currency()) {
        return Some(alone);
    }
    // By what a unit of face value costs: payers may sell different amounts. The first named wins
    // a tie.
    let dearer = |a: &(&String, Money, Money), b: &(&String, Money, Money)| {
        let per = |(_, amount, cost): &(&String, Money, Money), other: Money| {
            i128::from(cost.minor())
                .saturating_mul(i128::from(other.minor()))
                .saturating_mul(i128::from(amount.minor().signum()))
        };
        per(a, b.1).cmp(&per(b, a.1))
    };
    let best = priced.iter().min_by(|a, b| dearer(a, b))?;
    let costs: Vec<String> =
        priced.iter().map(|(p, amount, cost)| format!("{p} {cost} for {amount}")).collect();
    let why = format!("{} is the cheapest of its payers: {}", best.0, costs.join(", "));
    Some(Chosen { payer: best.0, why: Some(why) })
}

/// What has to be asked before `rule` can order, and whether answers are still waited for.
pub(super) fn prices_awaited(
    snapshot: &Snapshot,
    policy: &Policy,
    rule: &Rule,
    now: Timestamp,
) -> (Vec<WantedPrice>, bool) {
    let usable = usable(snapshot);
    if usable.len() < 2 || in_hurry(snapshot, now) {
        return (Vec::new(), false);
    }
    let (mut wanted, mut waits) = (Vec::new(), false);
    for payer in usable.into_iter().filter(|payer| policy.quoting.contains(*payer)) {
        let Ok(size) = amount_needed(snapshot, policy, rule, payer) else { continue };
        let amount = size.amount;
        match known(snapshot, payer, amount, now) {
            Some(price) => {
                waits |= price.answered_at.is_none() && now.since(price.wanted_at) < PATIENCE;
            }
            None => {
                let product = snapshot.subscription.products.get(payer).cloned();
                wanted.push(WantedPrice { payer: payer.clone(), product, amount });
                waits = true;
            }
        }
    }
    (wanted, waits)
}

/// The latest moment until which prices are waited for.
pub(super) fn patience_ends(snapshot: &Snapshot, now: Timestamp) -> Timestamp {
    let open = snapshot.prices.iter().filter(|p| p.answered_at.is_none());
    let ends = open.map(|p| p.wanted_at.plus(PATIENCE)).filter(|at| *at > now).max();
    ends.unwrap_or_else(|| now.plus(PATIENCE))
}

/// The price of `amount` at `payer`, unless it is too old.
pub(super) fn known<'a>(
    snapshot: &'a Snapshot,
    payer: &str,
    amount: Money,
    now: Timestamp,
) -> Option<&'a Price> {
    let product = snapshot.subscription.products.get(payer);
    snapshot.prices.iter().find(|price| {
        price.payer == payer
            && price.amount == amount
            && price.product.as_ref() == product
            && now.since(price.wanted_at) < GOOD_FOR
    })
}

/// The payers whose outcomes are known, in the fleet's order; the first of all where none is.
fn usable(snapshot: &Snapshot) -> Vec<&String> {
    let payers = &snapshot.subscription.payers;
    let out = |name: &&String| snapshot.money.payers_out.iter().any(|(payer, _)| payer == *name);
    let usable: Vec<&String> = payers.iter().filter(|name| !out(name)).collect();
    if usable.is_empty() { payers.iter().take(1).collect() } else { usable }
}

/// True where the service has ended, or is about to.
fn in_hurry(snapshot: &Snapshot, now: Timestamp) -> bool {
    snapshot.in_rescue(now)
        || snapshot.nearest_deadline(now).is_some_and(|at| at.since(now) <= HURRY)
}
