//! The words of topupd, as types. PURE: no async, no I/O, no clock, no SQL, no wire formats.
//!
//! | word | type |
//! |---|---|
//! | subscriber | [`Subscriber`]: who owns lines and gets notices |
//! | subscription | [`Subscription`]: one watched line or wallet |
//! | reading | [`Reading`]: what a provider said at a time; append-only |
//! | rule, episode | [`Rule`]: conditions + mode + amount + caps; [`Episode`]: one breach |
//! | need | [`Need`]: "this subscription must be paid"; what a top-up serves |
//! | top-up | [`Topup`]: one order for value, with its whole life ([`State`]) |
//! | notice | [`NoticeDraft`]: what is said, to whom, why |
//!
//! The heart is [`decide()`]: a function of a [`Snapshot`] and `now`.

mod time;
mod money;
mod ids;
mod subscription;
mod reading;
mod buckets;
mod quantity;
mod rule;
mod rule_book;
mod caps;
mod need;
mod failure;
mod forecast;
mod offer;
mod history;
mod topup;
mod snapshot;
mod episodes;
mod amount;
mod gates;
mod decision;
mod decide;
mod doubt;
mod renewal;
mod milestone;
mod payer;
mod paying;
mod approval;
mod order;
pub mod reasons;
#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod rule_tests;
mod speak;
mod steady;
mod explain;
mod cadence;
mod phase;
mod day;
mod verify;
mod notice;
#[cfg(test)]
pub(crate) mod fixtures;

pub use amount::{AmountError, OrderSize, amount_needed};
pub use cadence::{Cadence, MOST_JITTER, next_poll};
pub use caps::{CapBreach, CapLimits, CapUsage, cap_currency, check_caps};
pub use day::{DayBalance, ReadingDay, day_of, day_start};
pub use decide::{decide, is_calm};
pub use decision::{Decision, Next, OrderStep, Recorded};
pub use episodes::EpisodeChange;
pub use explain::explain_gates;
pub use failure::FailureClass;
pub use forecast::{
    BurnLog, Credit, ExternalTopup, Forecast, LEAST_CHANGES, LEAST_DAYS, Runout, Trust,
};
pub use gates::Gate;
pub use history::{Move, PAST_TOPUPS, Past, RecordedTopup, served_need};
pub use ids::{
    EpisodeId, Iccid, IdError, Msisdn, NeedId, RuleId, SubscriberId, SubscriptionId, TopupId,
};
pub use money::{Currency, Money, MoneyError, Rounding};
pub use need::{Episode, Need, NeedKind, NeedOutcome, reference};
pub use notice::{Facts, Item, NoticeDraft, NoticeKind, Severity};
pub use offer::Offer;
pub use payer::{Price, WantedPrice};
pub use phase::{Phase, Place};
pub use quantity::{Metric, Quantity, Unit};
pub use reading::{Bucket, ErrorKind, Quality, Reading, Values};
pub use rule::{Amount, Condition, Mode, OnEnable, OnStale, Op, Rule, RuleFault, Scope};
pub use rule_book::RuleBook;
pub use snapshot::{MoneySwitch, Policy, Snapshot, SpendHistory};
pub use speak::line_facts;
pub use steady::steady_until;
pub use subscription::{Plan, QuietHours, Renewal, Subscriber, Subscription, SubscriptionStatus};
pub use time::{Span, Timestamp};
pub use topup::{Before, State, Topup};
pub use verify::{Movement, movement};
