//! Rules: conditions, mode, amount, caps. Validated once, when the fleet is applied.

use super::{
    CapLimits, Metric, Money, Quantity, RuleId, Span, SubscriberId, Subscription, SubscriptionId,
    Timestamp,
};
use std::{cmp::Ordering, fmt};

/// Conditions on metrics, what may be done when they hold, how much, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id in the fleet file.
    pub id: RuleId,
    /// Which subscriptions it is for.
    pub scope: Scope,
    /// Among rules that would pay for the same need, the highest goes first.
    pub priority: i64,
    /// What it may do.
    pub mode: Mode,
    /// It fires when one of these holds …
    pub any: Vec<Condition>,
    /// … or, where `any` is empty, when all of these hold.
    pub all: Vec<Condition>,
    /// How much to buy; needed for `approve` and `auto`.
    pub amount: Option<Amount>,
    /// Hard limits of this rule, on top of the configured ones.
    pub caps: CapLimits,
    /// The first charge of a line waits for a person.
    pub approve_first: bool,
    /// Orders above this wait for a person.
    pub approve_above: Option<Money>,
    /// Quiet time on the line after a failed top-up; doubled with each further failure.
    pub cooldown_attempt: Span,
    /// Quiet time on the line after a verified top-up.
    pub cooldown_success: Span,
    /// It never fires while one of these holds.
    pub unless: Vec<Condition>,
    /// `ok` readings in a row that must breach before an episode opens.
    pub fire_after: i64,
    /// `ok` readings in a row that must be clear before it closes.
    pub clear_after: i64,
    /// Days before the service end at which people are reminded, falling.
    pub milestones: Vec<i64>,
    /// The least this rule orders.
    pub order_min: Option<Money>,
    /// The most it orders at once.
    pub order_max: Option<Money>,
    /// A renewal whose price rose by more than this many hundredths waits for a person.
    pub approve_if_price_up: i64,
    /// An order of more than twice the usual amount waits for a person.
    pub approve_if_unusual: bool,
    /// Declines in a row after which paying stops for the line.
    pub max_declines: i64,
    /// What to do about a line that was in breach before the rule could pay.
    pub on_enable: OnEnable,
    /// What to do where no reading comes and the deadline does.
    pub on_stale: OnStale,
    /// It holds from then on.
    pub valid_from: Option<Timestamp>,
    /// It holds until then.
    pub valid_until: Option<Timestamp>,
    /// When it became a rule that pays; set by the store, no part of the document.
    pub enabled_at: Option<Timestamp>,
}

impl Rule {
    /// The reminders of a rule that names none.
    pub const MILESTONES: [i64; 5] = [30, 7, 3, 1, 0];
}

/// What a rule does about a line that was in breach before the rule could pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnable {
    /// Ask a person.
    Approve,
    /// Pay as always.
    Charge,
    /// Wait until the line was clear once.
    WaitRecross,
}

impl OnEnable {
    /// The words of the fleet file.
    pub const WORDS: [(&'static str, Self); 3] =
        [("approve", Self::Approve), ("charge", Self::Charge), ("wait_recross", Self::WaitRecross)];
}

/// What a rule does where no reading comes and a known deadline does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStale {
    /// Tell.
    Notify,
    /// Pay once before the deadline, after a person's yes.
    AutoIfDeadline,
}

impl OnStale {
    /// The words of the fleet file.
    pub const WORDS: [(&'static str, Self); 2] =
        [("notify", Self::Notify), ("auto_if_deadline", Self::AutoIfDeadline)];
}

/// Which subscriptions a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One.
    Subscription(SubscriptionId),
    /// All of one subscriber.
    Subscriber(SubscriberId),
    /// All with a tag.
    Tag(String),
    /// All read by a provider.
    Provider(String),
    /// All.
    All,
}

impl Scope {
    /// True when `subscription` is meant.
    pub fn covers(&self, subscription: &Subscription) -> bool {
        match self {
            Self::Subscription(id) => *id == subscription.id,
            Self::Subscriber(id) => *id == subscription.subscriber,
            Self::Tag(tag) => subscription.tags.contains(tag),
            Self::Provider(name) => subscription.reader == *name,
            Self::All => true,
        }
    }
}

/// What a rule may do, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Record only.
    Observe,
    /// Tell.
    Notify,
    /// Propose a top-up that a person must approve.
    Approve,
    /// Pay, within caps and gates.
    Auto,
}

impl Mode {
    /// The words of the fleet file.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("observe", Self::Observe),
        ("notify", Self::Notify),
        ("approve", Self::Approve),
        ("auto", Self::Auto),
    ];

    /// The word of the fleet file.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, m)| *m == self).map_or("", |(word, _)| word)
    }

    /// True when the rule may lead to a top-up.
    pub fn pays(self) -> bool {
        self >= Self::Approve
    }
}

/// Which side of the threshold fires; both are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Fires at or below.
    AtMost,
    /// Fires at or above.
    AtLeast,
}

impl Op {
    /// The key in the fleet file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
        }
    }
}

/// One comparison, with a separate level at which it counts as over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is looked at.
    pub metric: Metric,
    /// Which side fires.
    pub op: Op,
    /// Fires here, inclusive.
    pub threshold: Quantity,
    /// Clears here, inclusive; strictly beyond the threshold.
    pub clear_at: Quantity,
}

impl Condition {
    /// True when `value` fires it. A value of another unit or currency never does.
    pub fn fires(&self, value: Quantity) -> bool {
        value.compare(self.threshold).is_some_and(|order| match self.op {
            Op::AtMost => order.is_le(),
            Op::AtLeast => order.is_ge(),
        })
    }

    /// True when `value` is back beyond the clear level.
    pub fn clears(&self, value: Quantity) -> bool {
        value.compare(self.clear_at).is_some_and(|order| match self.op {
            Op::AtMost => order.is_ge(),
            Op::AtLeast => order.is_le(),
        })
    }

    /// What its clear level would have to be, where it is not beyond the threshold.
    pub fn level_fault(&self) -> Option<String> {
        let order = self.clear_at.compare(self.threshold);
        let (is_beyond, side) = match self.op {
            Op::AtMost => (order.is_some_and(Ordering::is_gt), "above"),
            Op::AtLeast => (order.is_some_and(Ordering::is_lt), "below"),
        };
        let threshold = self.threshold;
        (!is_beyond).then(|| {
            format!("allowed is a level {side} the threshold {threshold}, in the same unit")
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.op {
            Op::AtMost => "at most",
            Op::AtLeast => "at least",
        };
        write!(f, "{} {words} {}", self.metric.as_str(), self.threshold)
    }
}

/// How much to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// This much, or as many times this much as closes the gap in one order.
    Fixed(Money),
    /// What is missing to this balance.
    ToTarget(Money),
    /// What is missing to pay the next renewal, with a margin for taxes.
    CoverNextRenewal {
        /// Hundredths on top of the plan's price.
        margin_percent: i64,
    },
    /// What is missing to last this many days at the pace that four of five days stay below.
    CoverDays(i64),
}

/// Why a rule cannot be saved: the key at fault and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault {
    /// The key in the rule.
    pub key: &'static str,
    /// What would be right.
    pub allowed: String,
}

impl Rule {
    /// The conditions, whichever list they are in.
    pub fn conditions(&self) -> &[Condition] {
        if self.any.is_empty() { &self.all } else { &self.any }
    }

    /// True where a forecast of the line's use is needed to judge it.
    pub fn wants_forecast(&self) -> bool {
        let conditions = self.conditions().iter().chain(&self.unless);
        matches!(self.amount, Some(Amount::CoverDays(_)))
            || conditions.map(|c| c.metric).any(Metric::is_forecast)
    }

    /// How many `ok` readings before the newest one it looks at.
    pub fn looks_back(&self) -> i64 {
        self.fire_after.max(self.clear_after).saturating_sub(1)
    }

    /// Checks what can be known without a subscription: levels, caps, amounts that can be reached.
    pub fn validate(&self) -> Vec<RuleFault> {
        let mut faults = Vec::new();
        let mut fault =
            |key: &'static str, allowed: String| faults.push(RuleFault { key, allowed });
        match (self.any.is_empty(), self.all.is_empty()) {
            (true, true) => {
                fault("any", "allowed is at least one condition in `any` or `all`".into())
            }
            (false, false) => fault("all", "allowed is either `any` or `all`, not both".into()),
            _ => {}
        }
        for condition in self.conditions() {
            if let Some(allowed) = condition.level_fault() {
                fault("clear_at", allowed);
            }
        }
        if self.mode.pays() && self.amount.is_none() {
            let example = "{ fixed = \"10.00 USD\" }";
            fault(
                "amount",
                format!("mode \"{}\" needs an amount such as {example}", self.mode.as_str()),
            );
        }
        for (key, allowed) in self.amount_faults() {
            fault(key, allowed);
        }
        faults
    }

    fn amount_faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let least = match self.amount {
            Some(Amount::Fixed(money)) => Some(money),
            Some(Amount::ToTarget(target)) => {
                for condition in self.conditions().iter().filter(|c| c.metric == Metric::Balance) {
                    let (Quantity::Money(threshold), Quantity::Money(clear)) =
                        (condition.threshold, condition.clear_at)
                    else {
                        continue;
                    };
                    if threshold.currency() != target.currency() {
                        faults.push((
                            "amount",
                            format!(
                                "allowed is a target in {}, as the threshold",
                                threshold.currency()
                            ),
                        ));
                    } else if target.minor() < clear.minor() {
                        faults.push(("amount", format!("allowed is a target of at least the clear level {clear}, or the rule never clears")));
                    }
                }
                // The smallest order it can ask for: from the highest threshold up to the target.
                self.conditions()
                    .iter()
                    .filter(|c| c.metric == Metric::Balance)
                    .filter_map(|c| {
                        let Quantity::Money(threshold) = c.threshold else { return None };
                        target.checked_sub(threshold)
                    })
                    .min_by_key(|m| m.minor())
            }
            Some(Amount::CoverNextRenewal { .. } | Amount::CoverDays(_)) | None => None,
        };
        let Some(least) = least else { return faults };
        for (name, cap) in self.caps.amounts() {
            if cap.currency() != least.currency() {
                faults.push((
                    "caps",
                    format!("allowed is the cap `{name}` in {}, as the amount", least.currency()),
                ));
            } else if cap.minor() < least.minor() {
                faults.push(("caps", format!("allowed is the cap `{name}` of at least one order, {least}; {cap} can never be met")));
            }
        }
        if let Some(limit) = self.approve_above.filter(|l| l.currency() != least.currency()) {
            faults.push((
                "approve_above",
                format!("found {limit}; allowed is an amount in {}", least.currency()),
            ));
        }
        faults
    }
}
