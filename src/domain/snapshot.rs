//! Everything a decision may look at, gathered beforehand. Nothing in here reads a clock.

use super::{
    CapLimits, CapUsage, Episode, FailureClass, Forecast, Metric, Money, Need, Offer, Price,
    Quality, Quantity, Reading, Rule, RuleId, Span, Subscription, Timestamp, Topup, Trust, Values,
};
use std::collections::BTreeMap;

/// The configured part of a decision.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Cadence of a calm line.
    pub poll_every: Span,
    /// Least distance of the two readings that must agree before money moves.
    pub confirm_after: Span,
    /// Age at which readings count as stale; by default three polls, at most a day.
    pub stale_after: Option<Span>,
    /// How long a person has to approve.
    pub approval_expires: Span,
    /// Payers that are people: an order to them is a task, and moves no money by itself.
    pub assisted: Vec<String>,
    /// How far apart two readings must agree after a sudden drop.
    pub implausible_after: Span,
    /// What each payer sells, as far as it says so.
    pub offers: BTreeMap<String, Offer>,
    /// Payers that say what an order would cost.
    pub quoting: Vec<String>,
    /// A cost above the face value by more than this many percent needs a person.
    pub cost_over: i64,
    /// How long a top-up takes at each payer until it shows on the line, in 99 of 100 cases.
    pub settle_p99: BTreeMap<String, Span>,
    /// The configured limits; rules may only tighten them.
    pub caps: CapLimits,
}

impl Policy {
    /// A reading this old may no longer start a payment.
    pub fn fresh_for(&self) -> Span {
        Span::minutes(5).max(self.confirm_after.times(2))
    }

    /// See [`Policy::stale_after`].
    pub fn stale_age(&self) -> Span {
        self.stale_after.unwrap_or_else(|| self.poll_every.times(3).min(Span::days(1)))
    }
}

/// What stops paying for reasons that have nothing to do with the line.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct MoneySwitch {
    /// `topupd money off`, with its reason.
    pub off: Option<String>,
    /// The storm breaker, with the numbers that tripped it.
    pub storm: Option<String>,
    /// The clock cannot be trusted, and why.
    pub clock: Option<String>,
    /// The flight recorder knows submissions that the database does not, or cannot be trusted.
    pub recovery: Option<String>,
    /// The disk is full or takes no lines of the flight recorder.
    pub disk: Option<String>,
    /// A provider charged what it had called not charged.
    pub books: Option<String>,
    /// Payers with too many unknown outcomes in a row, and why.
    pub payers_out: Vec<(String, String)>,
    /// Readers that fail for most of their lines at once, and why. Stops nothing: one notice for
    /// all lines stands for one each.
    pub readers_out: Vec<(String, String)>,
}

impl MoneySwitch {
    /// The gates that stop all paying, in their order.
    pub const GATES: [&str; 6] = [
        "kill_switch",
        "fleet_anomaly",
        "clock_suspect",
        "recovery",
        "disk_space",
        "books_disagree",
    ];

    /// Everything that stops all paying, as the gate's name and why, in the order of the gates.
    pub fn stops(&self) -> Vec<(&'static str, &str)> {
        let whys = [&self.off, &self.storm, &self.clock, &self.recovery, &self.disk, &self.books];
        let gates = Self::GATES.into_iter().zip(whys);
        gates.filter_map(|(name, why)| Some((name, why.as_deref()?))).collect()
    }

    /// True when both stop the same; how far a clock is off, or how full a disk is, does not
    /// matter.
    pub fn is_like(&self, other: &Self) -> bool {
        let either = |ours: &Option<String>, theirs: &Option<String>| {
            theirs.is_some().then(|| ours.clone()).flatten().or_else(|| theirs.clone())
        };
        *self
            == Self {
                clock: either(&self.clock, &other.clock),
                disk: either(&self.disk, &other.disk),
                ..other.clone()
            }
    }
}

/// How top-ups on this line went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendHistory {
    /// At least one top-up was ever paid.
    pub ever_paid: bool,
    /// When the last one was verified.
    pub last_success_at: Option<Timestamp>,
    /// When the last one failed.
    pub last_failure_at: Option<Timestamp>,
    /// When a person last said no to an order.
    pub last_rejection_at: Option<Timestamp>,
    /// Declines since the last success or the last resume by hand.
    pub failures_in_a_row: i64,
    /// When money of a verified top-up last came back, if since then.
    pub reversed_at: Option<Timestamp>,
    /// The class of the last failure since then.
    pub last_failure: Option<FailureClass>,
    /// The middle of the last settled amounts, where there were at least three.
    pub usual: Option<Money>,
    /// The price of a renewal when the last one was paid.
    pub last_price: Option<Money>,
}

/// One line with everything that matters for what to do about it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The line.
    pub subscription: Subscription,
    /// The rules that cover it.
    pub rules: Vec<Rule>,
    /// The newest `ok` reading.
    pub reading: Option<Reading>,
    /// The `ok` readings before it, newest first; at least one where there is any.
    pub earlier: Vec<Reading>,
    /// Since when the newest reading is doubted: it fell too far too fast.
    pub doubt_since: Option<Timestamp>,
    /// The newest reading of any quality, where it is newer than that.
    pub trouble: Option<Reading>,
    /// When the line was first watched.
    pub watched_since: Timestamp,
    /// When staleness was told, if it was.
    pub stale_since: Option<Timestamp>,
    /// Open episodes, each with the time of the reading that opened it.
    pub episodes: Vec<(Episode, Timestamp)>,
    /// How many episodes of each rule began in the last seven days, where that was asked for.
    pub recent_episodes: Vec<(RuleId, i64)>,
    /// The last milestone told: how far along, and the service end it was counted from.
    pub milestone: Option<(i64, Timestamp)>,
    /// The open need.
    pub need: Option<Need>,
    /// The newest need about a period that a verified top-up served.
    pub served: Option<Need>,
    /// How fast the line uses what it has, where a rule wants to know.
    pub forecast: Option<Forecast>,
    /// The open top-up.
    pub topup: Option<Topup>,
    /// How earlier top-ups went.
    pub history: SpendHistory,
    /// What counts against the limits, in the currency of the order in question.
    pub usage: CapUsage,
    /// What stops paying elsewhere.
    pub money: MoneySwitch,
    /// What payers said an order would cost, where the line has several.
    pub prices: Vec<Price>,
    /// Payers that say the number is with another operator than the fleet says, and with which.
    pub misplaced: Vec<(String, String)>,
    /// When the line is polled next.
    pub next_poll_at: Option<Timestamp>,
}

impl Snapshot {
    /// What the line has, the effect of money in flight added: what rules fire on.
    pub fn effective_balance(&self) -> Option<Money> {
        let read = self.reading.as_ref()?.values.balance?;
        let Some(topup) = self.topup.as_ref().filter(|t| t.state.is_in_flight()) else {
            return Some(read);
        };
        let credit =
            topup.delivered.filter(|d| d.currency() == read.currency()).unwrap_or(topup.amount);
        let arrived = match topup.before.balance.and_then(|before| read.checked_sub(before)) {
            // Half of it is there: the reading already shows the effect.
            Some(gain) => gain.minor() >= credit.minor() / 2,
            None => false,
        };
        if arrived { Some(read) } else { read.checked_add(credit).or(Some(read)) }
    }

    /// The value of `metric` now; `effective` adds money in flight. `None` where nobody said.
    pub fn measure(&self, metric: Metric, effective: bool, now: Timestamp) -> Option<Quantity> {
        let reading = self.reading.as_ref();
        let observed = reading.and_then(|r| r.values.balance);
        let balance = if effective { self.effective_balance() } else { observed };
        self.measure_in(reading, balance, metric, now)
    }

    /// The value of `metric` as an earlier `reading` showed it, at its own time.
    pub fn measured(&self, metric: Metric, reading: &Reading) -> Option<Quantity> {
        self.measure_in(Some(reading), reading.values.balance, metric, reading.at)
    }

    fn measure_in(
        &self,
        reading: Option<&Reading>,
        balance: Option<Money>,
        metric: Metric,
        now: Timestamp,
    ) -> Option<Quantity> {
        let values = reading.map(|r| &r.values);
        let read_at = reading.map_or(now, |r| r.at);
        let balance = balance.map(|b| values.map_or(b, |v| v.still_money(b, read_at, now)));
        let still = |left, metric| values?.still(left, metric, read_at, now);
        match metric {
            Metric::Balance => balance.map(Quantity::Money),
            Metric::DataLeft => still(values?.data_left, metric).map(Quantity::Bytes),
            Metric::MinutesLeft => still(values?.minutes_left, metric).map(Quantity::Count),
            Metric::SmsLeft => still(values?.sms_left, metric).map(Quantity::Count),
            Metric::DaysToServiceEnd => {
                values?.service_end_at.map(|at| Quantity::Days(at.since(now)))
            }
            Metric::DaysToNumberLoss => {
                self.number_loss_in(values?).map(|at| Quantity::Days(at.since(now)))
            }
            Metric::RenewalsAffordable => {
                let price = self.subscription.plan.as_ref()?.price?;
                let balance = balance.filter(|b| b.currency() == price.currency())?;
                balance.minor().checked_div(price.minor()).map(Quantity::Count)
            }
            Metric::ReadingAge => {
                let newest = reading.map_or(self.watched_since, |r| r.at);
                Some(Quantity::Age(now.since(newest)))
            }
            Metric::BurnPerDay => {
                let forecast = self.forecast.as_ref().filter(|f| f.trust != Trust::Collecting)?;
                forecast.burn_p80.map(Quantity::Money)
            }
            Metric::DaysToRunout => {
                let (forecast, read_at) = (self.forecast.as_ref()?, reading?.at);
                let money = forecast.money_runout(balance, read_at);
                let data = values.and_then(|v| forecast.data_runout(v, read_at));
                let ends =
                    [money, data].into_iter().flatten().map(|range| range.earliest_at).min()?;
                Some(Quantity::Days(ends.since(now)))
            }
            Metric::IdleDays => {
                let used_at = self.forecast.as_ref()?.last_used_at.unwrap_or(self.watched_since);
                Some(Quantity::Days(now.since(used_at)))
            }
        }
    }

    /// When the service stops, by the newest `ok` reading.
    pub fn service_end_at(&self) -> Option<Timestamp> {
        self.reading.as_ref()?.values.service_end_at
    }

    /// When the number is lost: as read, or so many days after service end.
    pub fn number_loss_at(&self) -> Option<Timestamp> {
        self.number_loss_in(&self.reading.as_ref()?.values)
    }

    fn number_loss_in(&self, values: &Values) -> Option<Timestamp> {
        values.number_loss_at.or_else(|| {
            let days = self.subscription.plan.as_ref()?.number_loss_days?;
            Some(values.service_end_at?.plus(Span::days(days)))
        })
    }

    /// Half a cycle of the plan, fifteen days where it is not known: two dates closer together than
    /// this are about one period.
    pub fn half_cycle(&self) -> Span {
        let cycle = self.subscription.plan.as_ref().and_then(super::Plan::cycle);
        cycle.unwrap_or(Span::days(30)).divided_by(2)
    }

    /// True when both dates are the end of one and the same period, read with some jitter.
    pub fn same_period(&self, one: Timestamp, other: Timestamp) -> bool {
        let apart = if one > other { one.since(other) } else { other.since(one) };
        apart < self.half_cycle()
    }

    /// True between the two deadlines: the service has ended, the number is not lost yet.
    pub fn in_rescue(&self, now: Timestamp) -> bool {
        self.service_end_at().is_some_and(|end| end <= now)
            && self.number_loss_at().is_none_or(|loss| loss > now)
    }

    /// What the next renewal costs: as the operator says, or the plan's price.
    pub fn renewal_price(&self) -> Option<Money> {
        let said = self.reading.as_ref().and_then(|r| r.values.next_charge);
        said.or_else(|| self.subscription.plan.as_ref()?.price)
    }

    /// The nearer of the two deadlines that is still ahead.
    pub fn nearest_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        [self.service_end_at(), self.number_loss_at()]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// True when the newest reading says that the answer is about somebody else's line.
    pub fn identity_in_doubt(&self) -> bool {
        let kind = super::ErrorKind::Identity;
        self.trouble.as_ref().is_some_and(|r| r.quality == Quality::Error(kind))
    }
}
