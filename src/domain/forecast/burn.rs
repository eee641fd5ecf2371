//! Readings → use per day, with everything that is not use taken out.

use super::{
    super::{Currency, Money, Quality, Reading, Span, Timestamp, Values, day_of},
    WINDOW_DAYS,
};
use std::collections::VecDeque;

/// Money that a top-up of ours brings: when it shows is for the readings to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// From then on it may show.
    pub from: Timestamp,
    /// How much arrives.
    pub amount: Money,
}

/// A rise that no top-up of ours explains: somebody else paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalTopup {
    /// When it was read.
    pub at: Timestamp,
    /// How much the balance rose.
    pub amount: Money,
}

/// What was used on one day (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    day: i64,
    pub(super) money: i64,
    pub(super) data: i64,
    changes: i64,
}

/// The fold. Adding a reading costs the same whatever was added before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BurnLog {
    first_at: Option<Timestamp>,
    last: Option<Seen>,
    days: VecDeque<Day>,
    credits: VecDeque<Credit>,
    external: Vec<ExternalTopup>,
    currency: Option<Currency>,
    has_data: bool,
    last_used_at: Option<Timestamp>,
}

/// What the newest reading said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    at: Timestamp,
    values: Values,
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    money: i64,
    data: i64,
    other: bool,
}

impl BurnLog {
    /// The start of the window at `now`: a whole day. Readings before it are not used, but for the
    /// last of them, which is the base.
    pub fn window_start(now: Timestamp) -> Timestamp {
        Timestamp::from_ms((day_of(now) - WINDOW_DAYS) * Span::days(1).ms())
    }

    /// A top-up of ours, to be told before the readings that may show it.
    pub fn expect(&mut self, credit: Credit) {
        self.credits.push_back(credit);
    }

    /// The next `ok` reading; others, and those out of order, are passed over.
    pub fn add(&mut self, reading: &Reading) {
        if reading.quality != Quality::Ok {
            return;
        }
        let values = &reading.values;
        self.has_data |= values.data_left.is_some();
        self.currency = values.balance.map(Money::currency).or(self.currency);
        match self.last.take() {
            Some(last) if last.at >= reading.at => self.last = Some(last),
            Some(last) => {
                let used = self.used(&last, reading);
                self.spread(used, last.at, reading.at);
                self.last = Some(Seen { at: reading.at, values: values.clone() });
            }
            None => {
                self.first_at = Some(reading.at);
                // What was paid before the first reading shows in it already.
                self.credits.retain(|credit| credit.from > reading.at);
                self.last = Some(Seen { at: reading.at, values: values.clone() });
            }
        }
        let oldest = day_of(reading.at) - WINDOW_DAYS - 1;
        while self.days.front().is_some_and(|day| day.day < oldest) {
            self.days.pop_front();
        }
    }

    fn used(&mut self, last: &Seen, reading: &Reading) -> Use {
        let (old, new) = (&last.values, &reading.values);
        let moved = |old: Option<Timestamp>, new: Option<Timestamp>| {
            old.zip(new).is_some_and(|(old, new)| new.since(old) >= Span::days(3))
        };
        let renewed = moved(old.service_end_at, new.service_end_at);
        let fell = |old: Option<i64>, new: Option<i64>| {
            old.zip(new).map_or(0, |(old, new)| old.saturating_sub(new).max(0))
        };
        let money = match (old.balance, new.balance) {
            (Some(a), Some(b)) if a.currency() == b.currency() => {
                self.money_used(b.minor().saturating_sub(a.minor()), b.currency(), reading.at)
            }
            _ => 0,
        };
        Use {
            // The operator took the renewal from the balance: a known charge, not use.
            money: if renewed { 0 } else { money },
            data: if renewed { 0 } else { fell(old.data_left, new.data_left) },
            other: !renewed
                && (fell(old.minutes_left, new.minutes_left) > 0
                    || fell(old.sms_left, new.sms_left) > 0),
        }
    }

    /// What was used of money where the balance changed by `rise`. Credits of ours that can be in
    /// it are taken out first; more than they bring is a bonus; a rise without one is somebody
    /// else's.
    fn money_used(&mut self, rise: i64, currency: Currency, at: Timestamp) -> i64 {
        let mut expected = 0_i64;
        while let Some(credit) = self.credits.front().copied() {
            let amount = credit.amount.minor();
            let shows = expected.saturating_add(amount - amount / 5);
            if credit.from > at || credit.amount.currency() != currency || rise < shows {
                break;
            }
            expected = expected.saturating_add(amount);
            self.credits.pop_front();
        }
        // A credit that did not show within a week is not waited for.
        self.credits.retain(|credit| credit.from.plus(Span::days(7)) > at);
        let change = rise.saturating_sub(expected);
        if change > 0 && expected == 0 {
            self.external.push(ExternalTopup { at, amount: Money::new(change, currency) });
        }
        change.saturating_neg().max(0)
    }

    /// Books what was used between `from` and `to`, evenly over the days it took.
    fn spread(&mut self, used: Use, from: Timestamp, to: Timestamp) {
        if used.money == 0 && used.data == 0 && !used.other {
            return;
        }
        self.last_used_at = Some(to);
        let (first, last) = (day_of(from), day_of(to));
        // What was used within a day belongs to the day its middle lies in; a gap of months tells
        // nothing about days.
        let middle = day_of(from.plus(to.since(from).divided_by(2)));
        let is_short = to.since(from) <= Span::days(1);
        let (first, last) =
            if is_short { (middle, middle) } else { (first.max(last - WINDOW_DAYS) + 1, last) };
        let n = last - first + 1;
        for day in first..=last {
            let share = |whole: i64| whole / n + if day == last { whole % n } else { 0 };
            let entry = self.day(day);
            entry.money = entry.money.saturating_add(share(used.money));
            entry.data = entry.data.saturating_add(share(used.data));
        }
        self.day(last).changes += 1;
    }

    fn day(&mut self, day: i64) -> &mut Day {
        let place = self.days.partition_point(|known| known.day < day);
        if self.days.get(place).is_none_or(|known| known.day != day) {
            self.days.insert(place, Day { day, ..Day::default() });
        }
        #[expect(clippy::indexing_slicing, reason = "the place was filled just above")]
        &mut self.days[place]
    }

    /// The whole days of the window, oldest first: from the day after the first reading to
    /// yesterday. Days without use are there with nothing.
    pub(super) fn whole_days(&self, now: Timestamp) -> Vec<Day> {
        let Some(first) = self.first_at.map(day_of) else { return Vec::new() };
        let (today, read_to) = (day_of(now), self.last.as_ref().map_or(0, |last| day_of(last.at)));
        let start = (first + 1).max(today - WINDOW_DAYS);
        let mut known = self.days.iter().skip_while(|day| day.day < start).peekable();
        (start..today.min(read_to + 1))
            .map(|day| match known.next_if(|known| known.day == day) {
                Some(known) => *known,
                None => Day { day, ..Day::default() },
            })
            .collect()
    }

    /// Readings within the window that showed use.
    pub(super) fn changes_within(&self, now: Timestamp) -> i64 {
        let start = day_of(now) - WINDOW_DAYS;
        self.days.iter().filter(|day| day.day >= start).map(|day| day.changes).sum()
    }

    pub(super) const fn currency(&self) -> Option<Currency> {
        self.currency
    }

    pub(super) const fn has_data(&self) -> bool {
        self.has_data
    }

    pub(super) const fn last_used_at(&self) -> Option<Timestamp> {
        self.last_used_at
    }

    /// Rises that somebody else paid for, oldest first.
    pub fn external(&self) -> &[ExternalTopup] {
        &self.external
    }
}
