//! Several balances of one line, each with its own expiry: data packages, bonus credits. The whole
//! is what the provider calls it, or their sum; what lapsed since the reading is no longer there.

use super::{Bucket, Metric, Money, Quantity, Timestamp, Values};

impl Values {
    /// Where the provider told only buckets of a kind, the whole is their sum. Money in several
    /// currencies has no sum: the first currency counts.
    #[must_use]
    pub fn with_sums(mut self) -> Self {
        if self.balance.is_none() {
            self.balance = self.buckets.iter().filter_map(money).reduce(|sum, more| {
                let same = sum.currency() == more.currency();
                if same { sum.checked_add(more).unwrap_or(sum) } else { sum }
            });
        }
        let sum = |metric| -> Option<i64> {
            let parts = self.buckets.iter().filter(|bucket| bucket.metric == metric);
            parts.filter_map(|bucket| count(bucket.left)).reduce(i64::saturating_add)
        };
        self.data_left = self.data_left.or_else(|| sum(Metric::DataLeft));
        self.minutes_left = self.minutes_left.or_else(|| sum(Metric::MinutesLeft));
        self.sms_left = self.sms_left.or_else(|| sum(Metric::SmsLeft));
        self
    }

    /// What of `metric` lapsed after `read_at` and by `now`, in bytes or pieces.
    fn lapsed(&self, metric: Metric, read_at: Timestamp, now: Timestamp) -> i64 {
        let gone = self.buckets.iter().filter(|b| b.metric == metric && b.is_gone(read_at, now));
        gone.filter_map(|bucket| count(bucket.left)).fold(0, i64::saturating_add)
    }

    /// `left` of `metric`, less what lapsed after `read_at` and by `now`.
    pub(super) fn still(
        &self,
        left: Option<i64>,
        metric: Metric,
        read_at: Timestamp,
        now: Timestamp,
    ) -> Option<i64> {
        let left = left?;
        if self.buckets.is_empty() {
            return Some(left);
        }
        Some(left.saturating_sub(self.lapsed(metric, read_at, now)).max(left.min(0)))
    }

    /// `balance`, less the money that lapsed after `read_at` and by `now`.
    pub(super) fn still_money(&self, balance: Money, read_at: Timestamp, now: Timestamp) -> Money {
        let gone = self.buckets.iter().filter(|bucket| bucket.is_gone(read_at, now));
        let gone = gone.filter_map(money).filter(|m| m.currency() == balance.currency());
        let gone = gone.map(Money::minor).fold(0, i64::saturating_add);
        let left = balance.minor().saturating_sub(gone).max(balance.minor().min(0));
        Money::new(left, balance.currency())
    }

    /// When the next bucket lapses.
    pub fn next_lapse(&self, now: Timestamp) -> Option<Timestamp> {
        self.buckets.iter().filter_map(|bucket| bucket.expires_at).filter(|at| *at > now).min()
    }
}

impl Bucket {
    /// What there can be several balances of, with the words in config and API.
    pub const METRICS: [(&'static str, Metric); 4] = [
        ("balance", Metric::Balance),
        ("data_left", Metric::DataLeft),
        ("minutes_left", Metric::MinutesLeft),
        ("sms_left", Metric::SmsLeft),
    ];

    /// True when it lapsed after `read_at` and by `now`: the reading still counted it.
    fn is_gone(&self, read_at: Timestamp, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| read_at < at && at <= now)
    }

    /// True where something less than nothing is said to be left of it.
    pub fn is_negative(&self) -> bool {
        count(self.left).is_some_and(|n| n < 0)
    }
}

fn money(bucket: &Bucket) -> Option<Money> {
    match bucket.left {
        Quantity::Money(money) => Some(money),
        Quantity::Bytes(_) | Quantity::Count(_) | Quantity::Days(_) | Quantity::Age(_) => None,
    }
}

fn count(left: Quantity) -> Option<i64> {
    match left {
        Quantity::Bytes(n) | Quantity::Count(n) => Some(n),
        Quantity::Money(_) | Quantity::Days(_) | Quantity::Age(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, money as usd};
    use super::*;

    fn data(name: &str, mb: i64, expires: Option<i64>) -> Bucket {
        let left = Quantity::Bytes(mb * 1_000_000);
        Bucket { name: name.into(), left, metric: Metric::DataLeft, expires_at: expires.map(at) }
    }

    fn credit(name: &str, text: &str, expires: Option<i64>) -> Bucket {
        let left = Quantity::Money(usd(text));
        Bucket { name: name.into(), left, metric: Metric::Balance, expires_at: expires.map(at) }
    }

    #[test]
    fn the_sum_of_buckets_is_the_whole_until_one_lapses() {
        let buckets = vec![data("plan", 500, Some(60)), data("bonus", 200, None)];
        let values = Values { buckets, ..Values::default() }.with_sums();
        assert_eq!(values.data_left, Some(700_000_000));
        let left = |minute| values.still(values.data_left, Metric::DataLeft, at(0), at(minute));
        assert_eq!(left(59), Some(700_000_000));
        assert_eq!(left(60), Some(200_000_000));
        // A reading from after the lapse did not count it.
        let late = values.still(Some(200_000_000), Metric::DataLeft, at(60), at(90));
        assert_eq!(late, Some(200_000_000));
        assert_eq!((values.next_lapse(at(0)), values.next_lapse(at(60))), (Some(at(60)), None));
    }

    #[test]
    fn a_provider_s_own_whole_stands_and_money_lapses_in_its_currency() {
        let buckets = vec![
            credit("bonus", "2.00 USD", Some(10)),
            credit("gift", "500 JPY", Some(10)),
            credit("main", "5.00 USD", None),
        ];
        let told = Values { balance: Some(usd("9.00 USD")), buckets, ..Values::default() };
        assert_eq!(told.clone().with_sums().balance, Some(usd("9.00 USD")));
        assert_eq!(told.still_money(usd("9.00 USD"), at(0), at(10)), usd("7.00 USD"));
        let summed = Values { balance: None, ..told }.with_sums();
        assert_eq!(summed.balance, Some(usd("7.00 USD")));
        assert_eq!(summed.still_money(usd("1.00 USD"), at(0), at(10)), usd("0.00 USD"));
    }
}
