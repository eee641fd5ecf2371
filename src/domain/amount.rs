//! How much to buy: what is missing, then what the payer sells.

use super::{Amount, Condition, Metric, Money, Offer, Op, Policy, Quantity, Rule, Snapshot, Trust};
use std::cmp::Ordering;

/// Why no amount can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Nothing is missing.
    Nothing,
    /// A figure that the amount is made of is not known, or is in another currency.
    Unknown(String),
    /// More is needed than may be ordered at once; less would not help, so nothing is ordered.
    AboveMax {
        /// What is needed.
        needed: Money,
        /// What may be ordered at most.
        most: Money,
    },
}

/// An amount that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSize {
    /// What is ordered.
    pub amount: Money,
    /// What is missing.
    pub needed: Money,
}

impl OrderSize {
    /// An amount a person named.
    pub(super) const fn exactly(amount: Money) -> Self {
        Self { amount, needed: amount }
    }

    /// True where more than half again of what is missing would be bought.
    pub(super) fn is_over_buy(self) -> bool {
        let limit = self.needed.minor().saturating_add(self.needed.minor() / 2);
        self.amount.minor() > limit
    }
}

/// What `rule` would buy for this line from `payer` now. Money in flight counts as already there.
pub fn amount_needed(
    snapshot: &Snapshot,
    policy: &Policy,
    rule: &Rule,
    payer: &str,
) -> Result<OrderSize, AmountError> {
    let needed = missing(snapshot, rule)?;
    if !needed.is_positive() {
        return Err(AmountError::Nothing);
    }
    sold(needed, policy.offers.get(payer), rule)
}

/// What is missing, before anybody asked what is for sale.
fn missing(snapshot: &Snapshot, rule: &Rule) -> Result<Money, AmountError> {
    let balance = snapshot.effective_balance();
    let missing_to = |target: Money| match balance {
        None => Err(AmountError::Unknown("the balance is not known".into())),
        Some(balance) => target.checked_sub(balance).ok_or_else(|| other_currency(balance, target)),
    };
    match rule.amount {
        None => Err(AmountError::Unknown("the rule names no amount".into())),
        Some(Amount::Fixed(step)) => fixed(rule, step, balance),
        Some(Amount::ToTarget(target)) => missing_to(target),
        Some(Amount::CoverNextRenewal { margin_percent }) => {
            if let Some(said) = snapshot.reading.as_ref().and_then(|r| r.values.next_charge) {
                // The operator's own figure has the taxes in it.
                return missing_to(said);
            }
            let price = snapshot.renewal_price();
            let price =
                price.ok_or_else(|| AmountError::Unknown("the plan has no price".into()))?;
            let due = price
                .percent_ceiling(margin_percent.saturating_add(100))
                .ok_or_else(|| AmountError::Unknown("the plan's price is out of range".into()))?;
            missing_to(due)
        }
        Some(Amount::CoverDays(days)) => {
            let forecast = snapshot.forecast.as_ref().filter(|f| f.trust != Trust::Collecting);
            let pace = forecast.and_then(|f| f.burn_p80).ok_or_else(|| {
                AmountError::Unknown("the use per day is not known yet (collecting)".into())
            })?;
            let whole = pace
                .checked_mul(days)
                .ok_or_else(|| AmountError::Unknown("the amount is out of range".into()))?;
            missing_to(whole)
        }
    }
}

/// The smallest thing on offer that covers what is missing; where none does, the largest: the rest
/// waits until this one was seen on the line. Never less than the least, never more than the most.
fn sold(needed: Money, offer: Option<&Offer>, rule: &Rule) -> Result<OrderSize, AmountError> {
    let below = |a: Money, b: Money| a.partial_cmp_same(b).is_some_and(Ordering::is_lt);
    let least = [rule.order_min, offer.and_then(|o| o.order_min)];
    let wanted =
        least.into_iter().flatten().fold(needed, |n, min| if below(n, min) { min } else { n });
    let same = |m: &&Money| m.currency() == wanted.currency();
    let kinds = || offer.into_iter().flat_map(|o| &o.denominations).filter(same);
    let amount = kinds()
        .find(|money| money.minor() >= wanted.minor())
        .or_else(|| kinds().next_back())
        .copied()
        .unwrap_or(wanted);
    let most = [rule.order_max, offer.and_then(|o| o.order_max)];
    let most = most.into_iter().flatten().filter(|m| m.currency() == amount.currency());
    match most.min_by_key(|m| m.minor()) {
        Some(most) if below(most, amount) => Err(AmountError::AboveMax { needed: amount, most }),
        Some(_) | None => Ok(OrderSize { amount, needed }),
    }
}

/// The fixed amount, as often as it takes to close the gap to the clear level in one order:
/// charging once per increment is how others charged five times for one shortfall.
fn fixed(rule: &Rule, step: Money, balance: Option<Money>) -> Result<Money, AmountError> {
    let Some(balance) = balance else { return Ok(step) };
    let low_balance = |c: &&Condition| c.metric == Metric::Balance && c.op == Op::AtMost;
    let level = rule.conditions().iter().find(low_balance).map(|condition| condition.clear_at);
    let Some(Quantity::Money(level)) = level else { return Ok(step) };
    let gap = level.checked_sub(balance).ok_or_else(|| other_currency(balance, level))?;
    if step.currency() != gap.currency() {
        return Err(other_currency(gap, step));
    }
    let times = gap.minor().max(1).checked_add(step.minor() - 1).map_or(1, |n| n / step.minor());
    step.checked_mul(times.max(1))
        .ok_or_else(|| AmountError::Unknown("the amount is out of range".into()))
}

fn other_currency(found: Money, wanted: Money) -> AmountError {
    let (found, wanted) = (found.currency(), wanted.currency());
    AmountError::Unknown(format!("the balance is in {found}, the amount in {wanted}"))
}
