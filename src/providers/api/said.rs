//! A whole answer with a JSON body, and what follows from parts of it.

use super::json::text;
use crate::domain::{FailureClass, Money, Subscription};
use crate::providers::{Answer, Evidence, Refusal, is_target};
use serde_json::Value;

/// An answer that was understood as far as its form goes.
#[derive(Clone, Debug)]
pub(in crate::providers) struct Said {
    /// The HTTP status.
    pub(in crate::providers) status: u16,
    /// The body.
    pub(in crate::providers) value: Value,
    /// The body as it may be kept.
    pub(in crate::providers) raw: String,
}

impl Said {
    /// True for 2xx.
    pub(in crate::providers) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The text at a JSON Pointer.
    pub(in crate::providers) fn text(&self, pointer: &str) -> Option<String> {
        text(&self.value, pointer)
    }

    /// A proven "not charged".
    pub(in crate::providers) fn refused(&self, code: &str, class: FailureClass) -> Answer {
        Answer::Refused(Refusal { code: code.to_owned(), class, raw: self.raw.clone() })
    }

    /// It may or may not have been charged.
    pub(in crate::providers) fn unclear(&self, why: impl Into<String>) -> Answer {
        Answer::Unclear { why: why.into(), raw: self.raw.clone() }
    }

    /// Turned away before anything was bought; the same order may be sent again.
    pub(in crate::providers) fn turned_away(&self, why: &str) -> Answer {
        Answer::NotSent { why: format!("HTTP status {}: {why}", self.status) }
    }

    /// The answer names another thing than was asked for.
    pub(in crate::providers) fn mismatch(
        &self,
        transaction_id: Option<String>,
        why: String,
    ) -> Answer {
        let evidence = Evidence { transaction_id, raw: self.raw.clone(), ..Evidence::default() };
        Answer::Mismatch { evidence, why }
    }
}

/// Compares what came back with what was ordered; `Some` says what differs. An echo that is not
/// there differs from nothing.
#[derive(Debug, Default)]
pub(in crate::providers) struct Echo(Option<String>);

impl Echo {
    /// The number or serial that was paid for.
    #[must_use]
    pub(in crate::providers) fn target(self, line: &Subscription, echo: Option<String>) -> Self {
        self.check(
            echo.filter(|echo| !is_target(line, echo))
                .map(|_| "another number or serial".to_owned()),
        )
    }

    /// A word that must be the same.
    #[must_use]
    pub(in crate::providers) fn same(self, what: &str, ours: &str, echo: Option<String>) -> Self {
        let differs = echo.filter(|echo| !echo.trim().eq_ignore_ascii_case(ours.trim()));
        self.check(differs.map(|echo| format!("{what} {} instead of {ours}", cut(&echo, 60))))
    }

    /// An amount that must be the same.
    #[must_use]
    pub(in crate::providers) fn money(self, what: &str, ours: Money, echo: Option<Money>) -> Self {
        let differs = echo.filter(|echo| *echo != ours);
        self.check(differs.map(|echo| format!("{what} {echo} instead of {ours}")))
    }

    /// What differs, if anything.
    pub(in crate::providers) fn differs(self) -> Option<String> {
        self.0
    }

    fn check(self, found: Option<String>) -> Self {
        Self(self.0.or(found))
    }
}

/// The first `n` characters.
pub(in crate::providers) fn cut(text: &str, n: usize) -> String {
    text.chars().take(n).collect()
}
