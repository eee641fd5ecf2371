//! What counts against the caps.

use super::Counted;
use crate::domain::{
    CapLimits, CapUsage, Currency, RecordedTopup, State, SubscriberId, Timestamp, Topup,
};

#[derive(Clone, Debug)]
struct Entry {
    line: usize,
    /// The reference of the order; none of lines outside the replay.
    order: String,
    counted: Counted,
}

/// Reservations of the last thirty days.
#[derive(Debug, Default)]
pub(super) struct Purse(Vec<Entry>);

impl Purse {
    pub(super) fn new(others: Vec<Counted>) -> Self {
        let entry = |counted| Entry { line: usize::MAX, order: String::new(), counted };
        Self(others.into_iter().map(entry).collect())
    }

    /// What a line of the replay had spent before the beginning.
    pub(super) fn begin(&mut self, line: usize, recorded: &RecordedTopup, from: Timestamp) {
        let counts = recorded.state_at(from).is_some_and(State::counts_money);
        if let Some(at) = recorded.reserved_at.filter(|_| counts) {
            self.reserve(line, &recorded.topup, at);
        }
    }

    pub(super) fn reserve(&mut self, line: usize, topup: &Topup, at: Timestamp) {
        self.0.retain(|e| e.counted.at > at.minus(CapLimits::MONTH));
        let counted = Counted {
            at,
            subscriber: topup.subscriber.clone(),
            minor: topup.amount.minor(),
            currency: topup.amount.currency(),
        };
        self.0.push(Entry { line, order: topup.reference.clone(), counted });
    }

    /// The order's money as it is counted now; nothing once it is released.
    pub(super) fn count(&mut self, topup: &Topup) {
        if !topup.state.counts_money() {
            self.0.retain(|entry| entry.order != topup.reference);
            return;
        }
        let charged = topup.charged.filter(|c| c.currency() == topup.amount.currency());
        let settled = matches!(topup.state, State::Paid | State::Verified);
        if let Some(charged) = charged.filter(|c| settled && c.is_positive()) {
            for entry in self.0.iter_mut().filter(|entry| entry.order == topup.reference) {
                entry.counted.minor = charged.minor();
            }
        }
    }

    pub(super) fn usage(
        &self,
        line: usize,
        subscriber: &SubscriberId,
        currency: Currency,
        now: Timestamp,
    ) -> CapUsage {
        let (day, month) = (now.minus(CapLimits::DAY), now.minus(CapLimits::MONTH));
        let mut usage = CapUsage::default();
        let entries = self.0.iter().filter(|entry| {
            entry.counted.currency == currency
                && entry.counted.at > month
                && entry.counted.at <= now
        });
        for Entry { line: of, counted, .. } in entries {
            let add = |sum: &mut i64| *sum = sum.saturating_add(counted.minor);
            let today = counted.at > day;
            if counted.subscriber == *subscriber {
                add(&mut usage.subscriber_30d);
            }
            if *of == line {
                add(&mut usage.subscription_30d);
                usage.orders_30d += 1;
            }
            if today {
                add(&mut usage.global_24h);
            }
            if today && *of == line {
                add(&mut usage.subscription_24h);
                usage.orders_24h += 1;
            }
        }
        usage
    }
}
