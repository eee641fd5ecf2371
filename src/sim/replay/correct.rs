//! What a line would have read: what it did read, less the top-ups that this replay did not order,
//! plus those that only it ordered, and the renewals that follow from the difference.

use crate::domain::{
    Money, Movement, Plan, Reading, Renewal, Span, Timestamp, Topup, Values, movement,
};

/// The difference from history; nothing while the replay does what history did.
#[derive(Debug, Default)]
pub(super) struct Correction {
    /// Added to balances, in minor units of their currency.
    balance: i64,
    /// Added to bytes left.
    data: i64,
    /// Added to service ends.
    end: Span,
    /// Renewals that ours had and history did not, less those that history had and ours did not.
    ahead: i64,
    /// Top-ups of history that never happened here and did not show yet.
    unfollowed: Vec<(Topup, Timestamp)>,
}

impl Correction {
    /// True while readings are what they were.
    pub(super) fn is_idle(&self) -> bool {
        self.balance == 0
            && self.data == 0
            && self.end == Span::ZERO
            && self.ahead == 0
            && self.unfollowed.is_empty()
    }

    /// A top-up of history, sent at `since`, does not happen here.
    pub(super) fn unfollow(&mut self, topup: &Topup, since: Timestamp) {
        if self.unfollowed.iter().all(|(known, _)| known.reference != topup.reference) {
            self.unfollowed.push((topup.clone(), since));
        }
    }

    /// A top-up of ours shows now; `end` is the service end as ours has it.
    pub(super) fn credit(
        &mut self,
        topup: &Topup,
        plan: Option<&Plan>,
        end: Option<Timestamp>,
        now: Timestamp,
    ) {
        let cycle = plan.and_then(Plan::cycle);
        let new_end = match (plan.map(|plan| plan.renewal), cycle, end) {
            (Some(Renewal::RestartFromPayment), Some(cycle), Some(_)) => Some(now.plus(cycle)),
            (Some(Renewal::ExtendFromExpiry | Renewal::Queue), Some(cycle), Some(end)) => {
                Some(end.max(now).plus(cycle))
            }
            // The money waits in the account; the operator takes it on the date.
            _ => None,
        };
        let paid = topup.amount.minor();
        let price = plan.and_then(|plan| plan.price).map_or(paid, Money::minor);
        match new_end.zip(end) {
            // What is more than the price stays in the account; less than it buys no period.
            Some((new_end, end)) if paid >= price => {
                self.end = self.end.plus(new_end.since(end));
                self.balance = self.balance.saturating_add(paid.saturating_sub(price));
            }
            _ => self.balance = self.balance.saturating_add(paid),
        }
    }

    /// The values of `raw` as ours has them; `before` is the reading of history before it.
    pub(super) fn correct(
        &mut self,
        plan: Option<&Plan>,
        before: Option<&Reading>,
        raw: &Reading,
    ) -> Values {
        let waiting = plan.is_some_and(|plan| plan.renewal == Renewal::FundBalance);
        let had =
            before.and_then(|b| b.values.balance).map(|m| m.minor().saturating_add(self.balance));
        self.take_out(plan, raw, waiting);
        if waiting && let Some(plan) = plan {
            self.renew(plan, before, had, raw);
        }
        let values = &raw.values;
        let shifted = |at: Timestamp| at.plus(self.end);
        Values {
            balance: values.balance.map(|m| self.balance_of(m)),
            data_left: values.data_left.map(|bytes| bytes.saturating_add(self.data).max(0)),
            service_end_at: values.service_end_at.map(shifted),
            number_loss_at: values.number_loss_at.map(shifted),
            ..values.clone()
        }
    }

    fn balance_of(&self, read: Money) -> Money {
        Money::new(read.minor().saturating_add(self.balance).max(0), read.currency())
    }

    /// Takes out what a top-up that did not happen here brought, in the reading that first shows it.
    fn take_out(&mut self, plan: Option<&Plan>, raw: &Reading, waiting: bool) {
        let (mut balance, mut data, mut end) = (0_i64, 0_i64, Span::ZERO);
        self.unfollowed.retain(|(topup, since)| {
            let Movement::Seen(_) = movement(topup, plan, raw, *since) else {
                // What never showed within a week is not waited for.
                return raw.at.since(*since) < Span::days(7);
            };
            let credit = topup.delivered.unwrap_or(topup.amount);
            let rose = topup.before.balance.zip(raw.values.balance).is_some_and(|(old, new)| {
                new.minor() >= old.minor().saturating_add(credit.minor() / 2)
            });
            if rose || waiting {
                balance = balance.saturating_add(credit.minor());
            }
            if let Some((old, new)) = topup.before.service_end_at.zip(raw.values.service_end_at)
                && !waiting
                && new > old
            {
                end = end.plus(new.since(old));
            }
            if let Some((old, new)) = topup.before.data_left.zip(raw.values.data_left)
                && topup.product.is_some()
            {
                data = data.saturating_add(new.saturating_sub(old).max(0));
            }
            false
        });
        self.balance = self.balance.saturating_sub(balance);
        self.data = self.data.saturating_sub(data);
        self.end = self.end.plus(Span::from_ms(end.ms().saturating_neg()));
    }

    /// The operator takes the price from the balance on the date, where it is there. `had` is what
    /// ours had before this reading.
    fn renew(&mut self, plan: &Plan, before: Option<&Reading>, had: Option<i64>, raw: &Reading) {
        let (Some(price), Some(end)) = (plan.price, raw.values.service_end_at) else { return };
        let (price, cycle) = (price.minor(), plan.cycle().unwrap_or(Span::days(30)));
        let moved = before
            .and_then(|b| b.values.service_end_at)
            .map_or(Span::ZERO, |before| end.since(before));
        if moved >= cycle.divided_by(2) {
            let back = Span::from_ms(moved.ms().saturating_neg());
            let short = had.is_some_and(|had| had < price);
            if self.ahead > 0 || short {
                // Ours was renewed at its time already, or cannot be now.
                self.balance = self.balance.saturating_add(price);
                self.end = self.end.plus(back);
                self.ahead -= 1;
            }
        }
        let ours = end.plus(self.end);
        let has = raw.values.balance.map(|m| m.minor().saturating_add(self.balance));
        if ours <= raw.at && has.is_some_and(|has| has >= price) {
            self.balance = self.balance.saturating_sub(price);
            // A line that was without service begins a new period now.
            let start = if self.ahead < 0 { raw.at } else { ours };
            self.end = self.end.plus(start.plus(cycle).since(ours));
            self.ahead += 1;
        }
    }
}
