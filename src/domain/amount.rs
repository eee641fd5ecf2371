//! How much to buy.

use super::{Amount, Condition, Metric, Money, Op, Quantity, Rule, Snapshot, Timestamp};

/// Why no amount can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Nothing is missing.
    Nothing,
    /// A figure that the amount is made of is not known, or is in another currency.
    Unknown(String),
}

/// What `rule` would buy for this line now. Money in flight counts as already there.
pub fn amount_needed(
    snapshot: &Snapshot,
    rule: &Rule,
    _now: Timestamp,
) -> Result<Money, AmountError> {
    let balance = snapshot.effective_balance();
    let missing_to = |target: Money| match balance {
        None => Err(AmountError::Unknown("the balance is not known".into())),
        Some(balance) => target.checked_sub(balance).ok_or_else(|| other_currency(balance, target)),
    };
    let amount = match rule.amount {
        None => return Err(AmountError::Unknown("the rule names no amount".into())),
        Some(Amount::Fixed(step)) => fixed(rule, step, balance)?,
        Some(Amount::ToTarget(target)) => missing_to(target)?,
        Some(Amount::CoverNextRenewal { margin_percent }) => {
            let price = snapshot.subscription.plan.as_ref().and_then(|plan| plan.price);
            let price =
                price.ok_or_else(|| AmountError::Unknown("the plan has no price".into()))?;
            let due = price
                .percent_ceiling(margin_percent.saturating_add(100))
                .ok_or_else(|| AmountError::Unknown("the plan's price is out of range".into()))?;
            missing_to(due)?
        }
        Some(Amount::CoverDays(_)) => {
            return Err(AmountError::Unknown("the use per day is not known yet".into()));
        }
    };
    if amount.is_positive() { Ok(amount) } else { Err(AmountError::Nothing) }
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
