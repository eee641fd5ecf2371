//! P3: every reservation is checked once more against the limits it was made under and what the
//! ledger counted at that moment.

use super::{Finding, Proof};
use crate::domain::{CapLimits, CapUsage, Currency, Money, check_caps};
use crate::store::{StoreError, Tx, rows::Columns};
use std::collections::HashMap;

/// A top-up as the caps see it.
#[derive(Clone, Debug)]
struct Counted {
    subscription: String,
    subscriber: String,
    currency: String,
    reserved_at: i64,
    minor: i64,
}

#[derive(Debug, Default)]
struct Books {
    topups: Vec<Counted>,
    by_id: HashMap<String, usize>,
    by_subscription: HashMap<String, Vec<usize>>,
    by_subscriber: HashMap<String, Vec<usize>>,
    /// In the order of their reservation.
    order: Vec<usize>,
}

pub(super) async fn prove(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    // In the order of the journal, which is the order in which they were committed.
    let rows = sqlx::query(
        "SELECT l.*, e.evidence FROM ledger l JOIN journal j ON j.subject = 'ledger:' || l.topup_id || ':' || l.seq \
         LEFT JOIN topup_events e ON l.kind = 'reserve' AND e.topup_id = l.topup_id AND e.to_state = 'reserved' \
              AND e.from_state IN ('proposed', 'awaiting_approval') ORDER BY j.seq",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut books = Books::default();
    for row in &rows {
        let c = Columns { table: "ledger", row };
        let (id, kind) = (c.text("topup_id")?, c.text("kind")?);
        let (at, amount) = (c.int("at")?, c.int("amount_minor")?);
        match kind.as_str() {
            "reserve" => {
                let counted = Counted {
                    subscription: c.text("subscription_id")?,
                    subscriber: c.text("subscriber_id")?,
                    currency: c.text("currency")?,
                    reserved_at: at,
                    minor: amount,
                };
                // Orders that a recorder gave back were reserved under limits nobody knows any more.
                let limits = c.maybe_text("evidence")?;
                let limits = limits.and_then(|text| serde_json::from_str::<CapLimits>(&text).ok());
                if let (Some(limits), Ok(currency)) = (limits, Currency::parse(&counted.currency))
                    && let Err(breach) =
                        check_caps(&limits, &books.usage(&counted), Money::new(amount, currency))
                {
                    let row = format!("ledger:{id}:{}", c.int("seq")?);
                    proof.find(Finding::new("P3", row, breach.why));
                }
                books.add(id, counted);
            }
            "settle" => books.change(&id, amount),
            _ => books.change(&id, amount.saturating_neg()),
        }
    }
    Ok(())
}

impl Books {
    fn add(&mut self, id: String, counted: Counted) {
        let at = self.topups.len();
        self.by_subscription.entry(counted.subscription.clone()).or_default().push(at);
        self.by_subscriber.entry(counted.subscriber.clone()).or_default().push(at);
        self.order.push(at);
        self.by_id.insert(id, at);
        self.topups.push(counted);
    }

    fn change(&mut self, id: &str, by: i64) {
        if let Some(counted) = self.by_id.get(id).and_then(|at| self.topups.get_mut(*at)) {
            counted.minor = counted.minor.saturating_add(by);
        }
    }

    /// What counted when `new` was reserved.
    fn usage(&self, new: &Counted) -> CapUsage {
        let (day, month) = (
            new.reserved_at.saturating_sub(CapLimits::DAY.ms()),
            new.reserved_at.saturating_sub(CapLimits::MONTH.ms()),
        );
        let counting = |after: i64| {
            move |at: &&usize| -> Option<i64> {
                let t = self.topups.get(**at)?;
                let counts = t.minor > 0 && t.reserved_at > after && t.currency == new.currency;
                counts.then_some(t.minor)
            }
        };
        let none = Vec::new();
        let line = self.by_subscription.get(&new.subscription).unwrap_or(&none);
        let owner = self.by_subscriber.get(&new.subscriber).unwrap_or(&none);
        let sum =
            |which: &[usize], after: i64| which.iter().filter_map(|at| counting(after)(&at)).sum();
        let number = |after: i64| {
            let n = line.iter().filter_map(|at| counting(after)(&at)).count();
            i64::try_from(n).unwrap_or(i64::MAX)
        };
        // The newest come last; whatever lies before the window ends the walk.
        let recent: Vec<usize> = self
            .order
            .iter()
            .rev()
            .take_while(|at| self.topups.get(**at).is_some_and(|t| t.reserved_at > day))
            .copied()
            .collect();
        CapUsage {
            subscription_24h: sum(line, day),
            subscription_30d: sum(line, month),
            subscriber_30d: sum(owner, month),
            global_24h: sum(&recent, day),
            orders_24h: number(day),
            orders_30d: number(month),
        }
    }
}
