//! Did the money arrive? Only a reading that moved can say so.

use super::{Money, Plan, Reading, Span, Timestamp, Topup};

/// What a reading taken after the payment shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// The balance or the date moved as expected; how, in words.
    Seen(String),
    /// It did not move, or not enough.
    NotYet(String),
    /// The reading is too early, or says nothing that could move.
    Silent(&'static str),
}

/// Compares `reading` with the line as it was before `topup`.
///
/// The balance must have risen by the credit less a fifth (ordinary use in between), or the
/// service end by at least half a cycle (a day where the cycle is not known). Either suffices:
/// some plans take the money at once and move only the date.
pub fn movement(
    topup: &Topup,
    plan: Option<&Plan>,
    reading: &Reading,
    after: Timestamp,
) -> Movement {
    if reading.at < after || topup.before.read_at.is_some_and(|before| reading.at <= before) {
        return Movement::Silent("no reading since the payment");
    }
    let (values, before) = (&reading.values, &topup.before);
    if let (Some(old), Some(new)) = (before.service_end_at, values.service_end_at) {
        let least = plan.and_then(Plan::cycle).map_or(Span::days(1), |cycle| cycle.divided_by(2));
        if new.since(old) >= least {
            return Movement::Seen(format!("service end moved from {old} to {new}"));
        }
    }
    if let (Some(_), Some(old), Some(new)) = (&topup.product, before.data_left, values.data_left)
        && new > old
    {
        return Movement::Seen(format!("data left moved from {old} to {new} bytes"));
    }
    match (before.balance, values.balance) {
        (Some(old), Some(new)) if old.currency() == new.currency() => {
            let credit = credit_in(topup, new);
            let Some(credit) = credit else {
                return Movement::Silent("the credit is in another currency than the balance");
            };
            let least =
                old.minor().saturating_add(credit.minor().saturating_sub(credit.minor() / 5));
            if new.minor() >= least {
                Movement::Seen(format!("balance moved from {old} to {new}"))
            } else {
                Movement::NotYet(format!(
                    "balance was {old} and is {new}, expected at least {}",
                    Money::new(least, new.currency())
                ))
            }
        }
        _ if before.service_end_at.is_some() && values.service_end_at.is_some() => {
            Movement::NotYet("the service end did not move".into())
        }
        _ => Movement::Silent("neither balance nor date can be compared"),
    }
}

fn credit_in(topup: &Topup, balance: Money) -> Option<Money> {
    [topup.delivered, Some(topup.amount)]
        .into_iter()
        .flatten()
        .find(|credit| credit.currency() == balance.currency())
}
