//! What can come of a call. Three things can follow a send (safe again, final, ask), so the
//! answers are sorted by what may follow, not by what went wrong.

use super::Pin;
use crate::domain::{ErrorKind, FailureClass, Money, Quality, Span, Subscription, Values};

/// A usable answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOk {
    /// The values found.
    pub values: Values,
    /// [`Quality::Ok`], or [`Quality::Partial`] where a configured value was missing.
    pub quality: Quality,
    /// What was missing.
    pub detail: Option<String>,
}

/// No usable answer to a read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{quality}: {detail}")]
pub struct ReadError {
    /// [`Quality::Unparseable`] or [`Quality::Error`].
    pub quality: Quality,
    /// In words, without secrets.
    pub detail: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Span>,
}

impl ReadError {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { quality: Quality::Error(kind), detail: detail.into(), retry_after: None }
    }

    /// True for an error of `kind`.
    pub(super) fn is(&self, kind: ErrorKind) -> bool {
        self.quality == Quality::Error(kind)
    }

    /// An answer that could not be understood.
    pub fn unparseable(detail: impl Into<String>) -> Self {
        Self { quality: Quality::Unparseable, detail: detail.into(), retry_after: None }
    }
}

/// An order as an adapter sees it; identical on every try.
#[derive(Clone, Debug)]
pub struct Order {
    /// The line to be topped up.
    pub line: Subscription,
    /// Our idempotency key.
    pub reference: String,
    /// The face value.
    pub amount: Money,
    /// The product, where one is named.
    pub product: Option<String>,
    /// The provider's own id, once known.
    pub transaction_id: Option<String>,
}

/// An order that cannot be turned into a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FreezeError(pub String);

/// What the provider said of one top-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its transaction id.
    pub transaction_id: Option<String>,
    /// What it charged us.
    pub charged: Option<Money>,
    /// What the line got.
    pub delivered: Option<Money>,
    /// The code it handed out, where it sold one.
    pub pin: Option<Pin>,
    /// The answer, cut to 4 KiB, without secrets and codes.
    pub raw: String,
}

/// A proven "not charged".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's code or word.
    pub code: String,
    /// What kind of refusal it is; what nobody sorted counts as [`FailureClass::DeclinedSoft`].
    pub class: FailureClass,
    /// The answer, cut to 4 KiB, without secrets.
    pub raw: String,
}

/// What came of sending, or what a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Paid, and every field that was echoed agrees.
    Paid(Evidence),
    /// Accepted, not final.
    Pending(Evidence),
    /// Proven not charged.
    Refused(Refusal),
    /// It was paid, and the money came back.
    Reversed(Evidence),
    /// Paid or accepted, but another number, amount, currency or reference came back.
    Mismatch {
        /// What came back.
        evidence: Evidence,
        /// Which field differs, in words.
        why: String,
    },
    /// Provably nothing was done: no byte of the request left, or it was turned away at the door
    /// (a token that ran out, too many requests) as the provider documents it.
    NotSent {
        /// Why, in words.
        why: String,
    },
    /// Anything else: it may or may not have been charged.
    Unclear {
        /// Why, in words.
        why: String,
        /// The answer if there was one, cut, without secrets.
        raw: String,
    },
}

/// What a look-up by reference found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The provider answered, and has no such top-up.
    Nothing,
    /// Exactly one. ([`Answer::NotSent`] never appears here.)
    One(Answer),
    /// More than one: a double charge is suspected.
    Several {
        /// How many.
        count: usize,
        /// The answer, cut.
        raw: String,
    },
    /// The look-up itself failed; it proves nothing.
    Blind {
        /// Why, in words.
        why: String,
    },
}

/// What `provider test` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// In words.
    pub detail: String,
}
