//! Spending limits. They count money in flight: whatever is reserved, unknown, held or settled.

use super::{Currency, Decision, Money, OrderStep, Snapshot, Span, Topup};

/// Limits on amounts and on counts; `None` means not limited here.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CapLimits {
    /// One order.
    pub order: Option<Money>,
    /// One subscription in 24 hours.
    pub subscription_24h: Option<Money>,
    /// One subscription in 30 days.
    pub subscription_30d: Option<Money>,
    /// One subscriber in 30 days.
    pub subscriber_30d: Option<Money>,
    /// Everything in 24 hours; one limit per currency.
    pub global_24h: Vec<Money>,
    /// Orders on one subscription in 24 hours.
    pub orders_24h: Option<i64>,
    /// Orders on one subscription in 30 days.
    pub orders_30d: Option<i64>,
}

impl CapLimits {
    /// The rolling windows.
    pub const DAY: Span = Span::days(1);
    /// Thirty days, rolling, never a calendar month.
    pub const MONTH: Span = Span::days(30);

    /// Every amount limit with its name.
    pub fn amounts(&self) -> Vec<(&'static str, Money)> {
        let single = [
            ("order", self.order),
            ("subscription_24h", self.subscription_24h),
            ("subscription_30d", self.subscription_30d),
            ("subscriber_30d", self.subscriber_30d),
        ];
        let single = single.into_iter().filter_map(|(name, money)| money.map(|m| (name, m)));
        single.chain(self.global_24h.iter().map(|m| ("global_24h", *m))).collect()
    }

    /// The tighter of two sets of limits, limit by limit. Where currencies differ, `self` stands
    /// and [`check_caps`] refuses orders of any other.
    #[must_use]
    pub fn tighter(&self, other: &Self) -> Self {
        let lower = |a: Option<Money>, b: Option<Money>| match (a, b) {
            (Some(a), Some(b)) if a.partial_cmp_same(b).is_some_and(std::cmp::Ordering::is_gt) => {
                Some(b)
            }
            (a, b) => a.or(b),
        };
        let fewer = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            order: lower(self.order, other.order),
            subscription_24h: lower(self.subscription_24h, other.subscription_24h),
            subscription_30d: lower(self.subscription_30d, other.subscription_30d),
            subscriber_30d: lower(self.subscriber_30d, other.subscriber_30d),
            global_24h: self.global_24h.iter().chain(&other.global_24h).copied().collect(),
            orders_24h: fewer(self.orders_24h, other.orders_24h),
            orders_30d: fewer(self.orders_30d, other.orders_30d),
        }
    }
}

/// What already counts against the limits, in minor units of the order's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapUsage {
    /// On this subscription in 24 hours.
    pub subscription_24h: i64,
    /// On this subscription in 30 days.
    pub subscription_30d: i64,
    /// For this subscriber in 30 days.
    pub subscriber_30d: i64,
    /// Everywhere in 24 hours.
    pub global_24h: i64,
    /// Orders on this subscription in 24 hours.
    pub orders_24h: i64,
    /// Orders on this subscription in 30 days.
    pub orders_30d: i64,
}

impl CapUsage {
    /// Without what `topup` itself reserved: an order is not counted against itself.
    #[must_use]
    pub fn without(self, topup: &Topup) -> Self {
        if !topup.state.counts_money() {
            return self;
        }
        let less = |sum: i64| sum.saturating_sub(topup.amount.minor());
        Self {
            subscription_24h: less(self.subscription_24h),
            subscription_30d: less(self.subscription_30d),
            subscriber_30d: less(self.subscriber_30d),
            global_24h: less(self.global_24h),
            orders_24h: self.orders_24h.saturating_sub(1),
            orders_30d: self.orders_30d.saturating_sub(1),
        }
    }
}

/// The currency in which spending matters for `decision`; `None` where no order is in question.
pub fn cap_currency(snapshot: &Snapshot, decision: &Decision) -> Option<Currency> {
    match (&decision.order, &snapshot.topup) {
        (OrderStep::Propose { amount, .. }, _) => Some(amount.currency()),
        (_, Some(topup)) if !topup.state.is_in_flight() => Some(topup.amount.currency()),
        _ => None,
    }
}

/// A limit that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapBreach {
    /// The reason code: `cap_order`, `cap_subscription_24h`, … `count_24h`, `count_30d`.
    pub code: &'static str,
    /// In words, with the numbers.
    pub why: String,
}

/// Checks one more order of `amount` against `limits`; the first breach wins.
pub fn check_caps(limits: &CapLimits, usage: &CapUsage, amount: Money) -> Result<(), CapBreach> {
    let single = [
        ("cap_order", limits.order, 0),
        ("cap_subscription_24h", limits.subscription_24h, usage.subscription_24h),
        ("cap_subscription_30d", limits.subscription_30d, usage.subscription_30d),
        ("cap_subscriber_30d", limits.subscriber_30d, usage.subscriber_30d),
    ];
    for (code, limit, used) in single {
        if let Some(limit) = limit {
            check_amount(code, limit, used, amount)?;
        }
    }
    let mut global =
        limits.global_24h.iter().filter(|l| l.currency() == amount.currency()).peekable();
    if global.peek().is_none()
        && let Some(first) = limits.global_24h.first()
    {
        check_amount("cap_global_24h", *first, usage.global_24h, amount)?;
    }
    for limit in global {
        check_amount("cap_global_24h", *limit, usage.global_24h, amount)?;
    }
    for (code, limit, used, window) in [
        ("count_24h", limits.orders_24h, usage.orders_24h, "24 hours"),
        ("count_30d", limits.orders_30d, usage.orders_30d, "30 days"),
    ] {
        if let Some(limit) = limit.filter(|limit| used >= *limit) {
            let why = format!("{used} of {limit} orders allowed in {window} are already used");
            return Err(CapBreach { code, why });
        }
    }
    Ok(())
}

fn check_amount(
    code: &'static str,
    limit: Money,
    used: i64,
    amount: Money,
) -> Result<(), CapBreach> {
    let name = code.trim_start_matches("cap_");
    if limit.currency() != amount.currency() {
        let why = format!(
            "the {name} cap is in {}, the order in {}",
            limit.currency(),
            amount.currency()
        );
        return Err(CapBreach { code, why });
    }
    let fits = used.checked_add(amount.minor()).is_some_and(|total| total <= limit.minor());
    if fits {
        return Ok(());
    }
    let used = Money::new(used, limit.currency());
    let why = if used.minor() == 0 {
        format!("{amount} is needed, the {name} cap is {limit}")
    } else {
        format!("{amount} is needed, {used} of the {name} cap of {limit} is already used")
    };
    Err(CapBreach { code, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse(&format!("{text} USD")).unwrap()
    }

    #[test]
    fn a_cap_holds_to_the_cent() {
        let limits = CapLimits { subscription_30d: Some(usd("40.00")), ..CapLimits::default() };
        let used = |minor| CapUsage { subscription_30d: minor, ..CapUsage::default() };
        assert_eq!(check_caps(&limits, &used(3000), usd("10.00")), Ok(()));
        let breach = check_caps(&limits, &used(3001), usd("10.00")).unwrap_err();
        assert_eq!(breach.code, "cap_subscription_30d");
        assert_eq!(
            check_caps(&limits, &used(i64::MAX), usd("0.01")).unwrap_err().code,
            breach.code
        );
    }

    #[test]
    fn another_currency_is_refused_not_ignored() {
        let limits = CapLimits { global_24h: vec![usd("200")], ..CapLimits::default() };
        let eur = Money::parse("10 EUR").unwrap();
        assert_eq!(
            check_caps(&limits, &CapUsage::default(), eur).unwrap_err().code,
            "cap_global_24h"
        );
        let both =
            CapLimits { global_24h: vec![usd("200"), Money::parse("20 EUR").unwrap()], ..limits };
        assert_eq!(check_caps(&both, &CapUsage::default(), eur), Ok(()));
    }

    #[test]
    fn counts_are_caps_too() {
        let limits = CapLimits { orders_24h: Some(2), ..CapLimits::default() };
        let usage = CapUsage { orders_24h: 2, ..CapUsage::default() };
        assert_eq!(check_caps(&limits, &usage, usd("1")).unwrap_err().code, "count_24h");
    }

    #[test]
    fn the_tighter_limit_wins() {
        let a = CapLimits { order: Some(usd("30")), orders_24h: Some(3), ..CapLimits::default() };
        let b = CapLimits { order: Some(usd("20")), orders_30d: Some(5), ..CapLimits::default() };
        let both = a.tighter(&b);
        assert_eq!(
            (both.order, both.orders_24h, both.orders_30d),
            (Some(usd("20")), Some(3), Some(5))
        );
    }
}
