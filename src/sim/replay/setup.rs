//! What a replay begins with.

use crate::domain::{
    BurnLog, Currency, Episode, MoneySwitch, Need, Policy, Reading, RecordedTopup, Rule, RuleId,
    Span, SubscriberId, Subscription, SubscriptionStatus, Timestamp,
};
use std::collections::BTreeMap;

/// Everything about the past but the readings.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configured part of decisions.
    pub policy: Policy,
    /// Where the replay begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// The lines, as they were at the beginning.
    pub lines: Vec<LineHistory>,
    /// What people and switches did meanwhile, oldest first.
    pub acts: Vec<Act>,
    /// Money that lines outside the replay spent: it counts against common caps.
    pub others: Vec<Counted>,
    /// How long top-ups take, by payer.
    pub paces: BTreeMap<String, Pace>,
    /// The switches at the beginning.
    pub money: MoneySwitch,
    /// Tell the story as well.
    pub story: bool,
}

/// One line at the beginning, and the top-ups that history has of it.
#[derive(Clone, Debug)]
pub struct LineHistory {
    /// The line; its status as it was then.
    pub subscription: Subscription,
    /// The rules that cover it in this replay.
    pub rules: Vec<Rule>,
    /// When it was first watched.
    pub watched_since: Timestamp,
    /// Failures before this were forgiven.
    pub reset_at: Timestamp,
    /// The newest `ok` readings before the beginning, newest first.
    pub earlier: Vec<Reading>,
    /// The newest reading before the beginning, where it was not `ok`.
    pub trouble: Option<Reading>,
    /// Episodes of these rules that were open then, each with the time of the reading that opened it.
    pub episodes: Vec<(Episode, Timestamp)>,
    /// When episodes began in the week before, by rule.
    pub recent: Vec<(RuleId, Timestamp)>,
    /// The need that was open then.
    pub need: Option<Need>,
    /// The number of the last need before.
    pub need_seq: i64,
    /// Its top-ups, oldest first: those before the beginning and those after.
    pub topups: Vec<RecordedTopup>,
    /// Its use of the weeks before, where a rule wants a forecast.
    pub burn: Option<BurnLog>,
}

/// Something done to a line, or to all, that decisions depend on.
#[derive(Clone, Debug)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The line's place in [`Setup::lines`], where it is about one.
    pub line: Option<usize>,
    /// What.
    pub doing: Doing,
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Doing {
    /// A line was paused, resumed or closed: its status before and after.
    Status(SubscriptionStatus, SubscriptionStatus),
    /// The switches that stop paying stood like this from then on.
    Money(MoneySwitch),
    /// How long top-ups took at each payer was known anew.
    Settle(BTreeMap<String, Span>),
    /// Every line was judged again.
    Judged,
}

/// Money that counts against caps.
#[derive(Clone, Debug)]
pub struct Counted {
    /// When it was reserved.
    pub at: Timestamp,
    /// Whose it was.
    pub subscriber: SubscriberId,
    /// How much, in minor units.
    pub minor: i64,
    /// In what.
    pub currency: Currency,
}

/// The usual course of a top-up at one payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the order to "paid".
    pub paid_after: Span,
    /// From "paid" to money on the line.
    pub seen_after: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self { paid_after: Span::seconds(5), seen_after: Span::minutes(1) }
    }
}

/// Decisions follow their reading within moments; a replay takes none.
pub(super) fn is_about(recorded: Timestamp, replayed: Timestamp) -> bool {
    recorded >= replayed && recorded.since(replayed) <= Span::minutes(2)
}
