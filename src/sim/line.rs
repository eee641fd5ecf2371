//! One prepaid line: what it burns, when it renews. All in whole minor units; what a division
//! leaves over is carried on, so a thousand small steps burn exactly what one large step burns.

use crate::domain::{Currency, Money, Span, Timestamp};

/// What goes wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Normal,
    /// Every top-up is refused (402).
    Refuse,
    /// The next top-up is charged, and the connection is closed without an answer; once.
    LoseAnswer,
    /// Top-ups are pending; the second look-up finds them done.
    SlowPending,
    /// After `after` reads, reads are answered with 503.
    Stale {
        /// Reads that still succeed.
        after: u32,
    },
    /// Every answer about the line is a web page; top-ups are charged all the same.
    Garbage,
    /// Answers speak of another currency.
    OtherCurrency,
    /// Answers speak of another number.
    OtherNumber,
    /// Top-ups are charged and called done, but the balance never moves.
    NoEffect,
}

impl Fate {
    /// The words in config.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("normal", Self::Normal),
        ("refuse", Self::Refuse),
        ("lose_answer", Self::LoseAnswer),
        ("slow_pending", Self::SlowPending),
        ("stale", Self::Stale { after: 1 }),
        ("garbage", Self::Garbage),
        ("other_currency", Self::OtherCurrency),
        ("other_number", Self::OtherNumber),
        ("no_effect", Self::NoEffect),
    ];
}

/// A line as it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Money in the account.
    pub balance: Money,
    /// Minor units used per day, as long as there are any.
    pub burn_per_day_minor: i64,
    /// Data left, in bytes.
    pub data_left: i64,
    /// Days from being added until the plan must be renewed.
    pub service_days: i64,
    /// Minor units that a renewal takes from the balance.
    pub plan_price_minor: i64,
    /// Days that a renewal buys; at least one.
    pub cycle_days: i64,
    /// What goes wrong.
    pub fate: Fate,
}

impl Line {
    /// A quiet line: nothing is burnt, 30 days of service, 15 units of its currency per renewal.
    pub const fn quiet(balance: Money) -> Self {
        Self {
            balance,
            burn_per_day_minor: 0,
            data_left: 2_000_000_000,
            service_days: 30,
            plan_price_minor: 1500,
            cycle_days: 30,
            fate: Fate::Normal,
        }
    }
}

/// A line as time goes by, in the carrier's own time.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) line: Line,
    pub(super) ends_at: Timestamp,
    pub(super) in_service: bool,
    pub(super) reads: u32,
    as_of: Timestamp,
    /// Minor units times milliseconds of a day: burnt, but not yet a whole minor unit.
    rest: i128,
}

impl Account {
    pub(super) fn new(line: Line, now: Timestamp) -> Self {
        let ends_at = now.plus(Span::days(line.service_days));
        Self { line, ends_at, in_service: true, reads: 0, as_of: now, rest: 0 }
    }

    pub(super) const fn currency(&self) -> Currency {
        self.line.balance.currency()
    }

    /// Brings the line up to `now`: burns, and renews from the balance (`fund_balance`) at each
    /// end of service for as long as it lasts. Without money the service rests until there is.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while self.in_service && self.ends_at <= now {
            self.burn_until(self.ends_at);
            self.in_service = self.renew(self.ends_at);
        }
        if self.in_service {
            self.burn_until(now);
        } else {
            self.as_of = now;
            self.in_service = self.renew(now);
        }
    }

    /// Puts money in.
    pub(super) fn credit(&mut self, minor: i64, now: Timestamp) {
        self.settle(now);
        self.add(minor);
        self.settle(now);
    }

    fn renew(&mut self, from: Timestamp) -> bool {
        let price = self.line.plan_price_minor.max(0);
        if self.line.balance.minor() < price {
            return false;
        }
        self.add(price.saturating_neg());
        self.ends_at = from.plus(Span::days(self.line.cycle_days.max(1)));
        true
    }

    fn burn_until(&mut self, until: Timestamp) {
        let elapsed = i128::from(until.since(self.as_of).ms().max(0));
        let burnt = i128::from(self.line.burn_per_day_minor.max(0))
            .saturating_mul(elapsed)
            .saturating_add(self.rest);
        let day = i128::from(Span::days(1).ms());
        let whole = i64::try_from(burnt / day).unwrap_or(i64::MAX);
        self.rest = burnt % day;
        self.as_of = self.as_of.max(until);
        self.add(whole.min(self.line.balance.minor().max(0)).saturating_neg());
    }

    fn add(&mut self, minor: i64) {
        let sum = self.line.balance.minor().saturating_add(minor);
        self.line.balance = Money::new(sum, self.currency());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(balance: &str, burn: i64, days: i64) -> Account {
        let line = Line {
            burn_per_day_minor: burn,
            service_days: days,
            ..Line::quiet(Money::parse(balance).unwrap())
        };
        Account::new(line, Timestamp::from_ms(0))
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_ms(0).plus(Span::days(days))
    }

    #[test]
    fn many_small_steps_burn_what_one_large_step_burns() {
        let (mut once, mut often) = (account("20.00 USD", 37, 30), account("20.00 USD", 37, 30));
        once.settle(at(10));
        for step in 0..=24_000 {
            often.settle(Timestamp::from_ms(step * 36_000));
        }
        assert_eq!(once.line.balance.minor(), 2000 - 370);
        assert_eq!(often.line.balance, once.line.balance);
    }

    #[test]
    fn a_plan_renews_from_the_balance_until_it_is_spent() {
        let mut account = account("35.00 USD", 0, 10);
        account.settle(at(9));
        assert_eq!((account.line.balance.minor(), account.ends_at), (3500, at(10)));
        account.settle(at(45));
        assert_eq!((account.line.balance.minor(), account.ends_at), (500, at(70)));
        account.settle(at(70));
        assert!(!account.in_service, "5.00 do not pay 15.00");
        account.settle(at(80));
        assert_eq!(account.ends_at, at(70));
        account.credit(1000, at(80));
        assert!(account.in_service);
        assert_eq!((account.line.balance.minor(), account.ends_at), (0, at(110)));
    }

    #[test]
    fn a_balance_never_falls_below_zero_nor_moves_backwards_in_time() {
        let mut account = account("1.00 USD", 1000, 300);
        account.settle(at(5));
        assert_eq!(account.line.balance.minor(), 0);
        account.credit(500, at(5));
        account.settle(at(4));
        assert_eq!(account.line.balance.minor(), 500);
    }

    #[test]
    fn free_plans_and_endless_time_end() {
        let mut account = account("1.00 USD", i64::MAX, 1);
        account.line.plan_price_minor = 0;
        account.settle(at(36_500));
        assert!(account.in_service && account.ends_at > at(36_500));
    }
}
