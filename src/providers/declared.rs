//! `[….declares]`: what a person says of a provider that cannot say it of itself.

use super::{Declares, Lookup, RefUnique};
use crate::domain::{Money, Offer};
use crate::input::Section;

/// Reads the table, of a provider that can look up (`finds`) and list (`lists`) or cannot.
pub(super) fn declares(mut s: Section<'_>, finds: bool, lists: bool) -> Declares {
    let weakest = Declares::default();
    let usual = match (finds, lists) {
        (true, _) => Lookup::ByRef,
        (false, true) => Lookup::ListOnly,
        (false, false) => Lookup::None,
    };
    let lookup = s.word("lookup", &Lookup::WORDS).unwrap_or(usual);
    if lookup == Lookup::ByRef && !finds {
        s.fault("lookup", "allowed is \"none\" where there is no table [find]");
    }
    if lookup == Lookup::ListOnly && !finds && !lists {
        s.fault("lookup", "allowed is \"none\" where there is neither a table [list] nor [find]");
    }
    let declares = Declares {
        lookup,
        ref_unique: s.word("ref_unique", &RefUnique::WORDS).unwrap_or(weakest.ref_unique),
        max_processing: s.span("max_processing").unwrap_or(weakest.max_processing),
        balance_lag: s.span("balance_lag").unwrap_or(weakest.balance_lag),
        lookup_horizon: s.span("lookup_horizon").unwrap_or(weakest.lookup_horizon),
        ref_window: s.span("ref_window"),
        offer: offer(&mut s),
        ..weakest
    };
    s.finish();
    declares
}

/// What the payer sells: a list of denominations, or bounds.
fn offer(s: &mut Section<'_>) -> Offer {
    let texts = s.texts("denominations").unwrap_or_default();
    let denominations: Vec<Money> = texts.iter().filter_map(|t| Money::parse(t).ok()).collect();
    let rises = |pair: &[Money]| match pair {
        [a, b] => a.currency() == b.currency() && a.minor() < b.minor(),
        _ => true,
    };
    if denominations.len() != texts.len()
        || !denominations.windows(2).all(rises)
        || denominations.iter().any(|m| !m.is_positive())
    {
        s.fault(
            "denominations",
            "allowed are rising amounts such as \"10.00 USD\", in one currency",
        );
    }
    let (order_min, order_max) = (s.positive_money("order_min"), s.positive_money("order_max"));
    if let Some((min, max)) = order_min.zip(order_max)
        && (min.currency() != max.currency() || min.minor() > max.minor())
    {
        s.fault("order_max", format!("allowed is an amount of at least order_min, {min}"));
    }
    if !denominations.is_empty() {
        for key in ["order_min", "order_max"] {
            if s.has(key) {
                s.fault(key, "allowed only without denominations: they say it already");
            }
        }
    }
    Offer { denominations, order_min, order_max }
}
