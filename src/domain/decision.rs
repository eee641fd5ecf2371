//! What a decision is made of. The deciding is next door.

use super::{
    EpisodeChange, Gate, Money, NeedKind, NoticeDraft, RuleId, Timestamp, WantedPrice,
    order::PRICES,
};

/// What to do about one line now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Breaches that begin or end.
    pub episodes: Vec<EpisodeChange>,
    /// What happens to the order, if there is or should be one.
    pub order: OrderStep,
    /// Every gate, where there is an order in question.
    pub gates: Vec<Gate>,
    /// What is to be said.
    pub notices: Vec<NoticeDraft>,
    /// A reading is wanted then, sooner than the cadence would bring one.
    pub poll_at: Option<Timestamp>,
    /// When this must be looked at again even if no reading comes.
    pub decide_at: Option<Timestamp>,
    /// `Some(true)`: staleness begins; `Some(false)`: it ends.
    pub stale: Option<bool>,
    /// `Some(true)`: the newest reading is doubted from here on; `Some(false)`: no longer.
    pub doubt: Option<bool>,
    /// The milestone told: days from the service end, and that end.
    pub milestone: Option<(i64, Timestamp)>,
    /// The open need's period ends then, by the newest reading; the need stays the same.
    pub period_end: Option<Timestamp>,
    /// What payers are to be asked before anything can be ordered.
    pub prices: Vec<WantedPrice>,
    /// The same for people.
    pub next: Next,
}

/// A decision as it is written down: what replays of history are compared with. Written when an
/// episode begins or ends, or when the rest differs from the last one written for the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `propose`, `ask`, `reserve`, `cancel`, `wait`, `nothing`.
    pub step: &'static str,
    /// The reason code; for a proposal, the rule.
    pub reason: String,
    /// How much, where the step names an amount.
    pub amount: Option<Money>,
    /// Rules whose episodes begin (`+rule`) or end (`-rule`), with blanks between.
    pub episodes: String,
}

impl Recorded {
    /// The written form of `decision`.
    pub fn of(decision: &Decision) -> Self {
        let (step, reason, amount) = match &decision.order {
            // Waiting for prices takes seconds, and replays know no prices.
            OrderStep::Nothing | OrderStep::Wait { reason: PRICES } => ("nothing", "", None),
            OrderStep::Propose { rule, amount, .. } => ("propose", rule.as_str(), Some(*amount)),
            OrderStep::Ask { amount, .. } => ("ask", "approval_needed", Some(*amount)),
            OrderStep::Reserve { amount } => ("reserve", "every_gate_open", Some(*amount)),
            OrderStep::Cancel { reason, .. } => ("cancel", *reason, None),
            OrderStep::Wait { reason } => ("wait", *reason, None),
        };
        let episodes = decision.episodes.iter().map(|change| match change {
            EpisodeChange::Open { rule, .. } => format!("+{rule}"),
            EpisodeChange::Close { rule, .. } => format!("-{rule}"),
        });
        let episodes = episodes.collect::<Vec<_>>().join(" ");
        Self { step, reason: reason.to_owned(), amount, episodes }
    }

    /// The step of a stored word.
    pub fn step_of(word: &str) -> Option<&'static str> {
        ["propose", "ask", "reserve", "cancel", "wait", "nothing"].into_iter().find(|s| *s == word)
    }

    /// True when this is written after `last`.
    pub fn is_news_after(&self, last: Option<&Self>) -> bool {
        !self.episodes.is_empty()
            || last.is_none_or(|last| {
                (self.step, &self.reason, self.amount) != (last.step, &last.reason, last.amount)
            })
    }
}

/// What happens next, when, and why: the answer to "does it work?".
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Next {
    /// When; `None` when it waits for a person.
    #[serde(serialize_with = "rfc3339")]
    pub at: Option<Timestamp>,
    /// A word: `poll`, `confirm`, `order`, `approve`, `reconcile`, `verify`, `resolve`, `wait`.
    pub what: &'static str,
    /// A sentence.
    pub why: String,
}

fn rfc3339<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_str(&at.rfc3339()),
        None => serializer.serialize_none(),
    }
}

/// One step of an order before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStep {
    /// Nothing to order, nothing to change.
    Nothing,
    /// Write down a need (unless one is open) and a proposed top-up for it.
    Propose {
        /// The rule that asks.
        rule: RuleId,
        /// Period or episode.
        kind: NeedKind,
        /// The service end it is about, or about as well.
        period_end: Option<Timestamp>,
        /// How much, as things stand.
        amount: Money,
        /// Who would pay.
        payer: String,
        /// In words, for the history.
        why: String,
    },
    /// Ask a person to approve exactly this amount.
    Ask {
        /// How much.
        amount: Money,
        /// Why a person is needed.
        why: String,
    },
    /// Every gate is open: count the money and freeze the request.
    Reserve {
        /// How much.
        amount: Money,
    },
    /// Withdraw the order before it is sent.
    Cancel {
        /// The reason code.
        reason: &'static str,
        /// True when the need itself is gone.
        need_gone: bool,
    },
    /// The gates are shut, or a person is asked: stay as it is.
    Wait {
        /// The reason code of the first shut gate.
        reason: &'static str,
    },
}
