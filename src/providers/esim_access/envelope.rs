//! What every answer is wrapped in, and what its error codes prove.

use crate::domain::{ErrorKind, FailureClass};
use crate::providers::{
    ReadError,
    api::{cut, text},
};
use serde_json::Value;

/// An opened envelope.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Envelope<'v> {
    /// It was done; what it holds.
    Done(&'v Value),
    /// It was not, by this error.
    Refused {
        /// Six digits.
        code: String,
        /// In words.
        message: String,
    },
    /// Neither is said, or both.
    Neither,
}

/// Opens an answer. `success` may be a text, and the message has two names.
pub(super) fn open(value: &Value) -> Envelope<'_> {
    let code = text(value, "/errorCode").filter(|code| !code.trim_start_matches('0').is_empty());
    match (text(value, "/success").as_deref(), code) {
        (Some("true"), None) => {
            value.get("obj").filter(|obj| obj.is_object()).map_or(Envelope::Neither, Envelope::Done)
        }
        (Some("false"), Some(code)) => Envelope::Refused {
            code: format!("{code:0>6}"),
            message: text(value, "/errorMsg")
                .or_else(|| text(value, "/errorMessage"))
                .unwrap_or_default(),
        },
        _ => Envelope::Neither,
    }
}

/// What an error code proves of an order; `otherwise` of one nobody lists. `None`: nothing.
pub(super) fn class(code: &str, otherwise: Option<FailureClass>) -> Option<FailureClass> {
    match code {
        // An error of its server's, a server that is busy; what a reference that was used before
        // may be answered with.
        "000001" | "900001" | "200008" | "200009" => None,
        "200007" => Some(FailureClass::DeclinedSoft),
        "200005" | "200006" => Some(FailureClass::PriceChanged),
        "200011" => Some(FailureClass::OutOfStock),
        // Not ready yet: later it may be.
        "200010" => Some(FailureClass::ProviderDown),
        "310241" | "310243" => Some(FailureClass::DenominationGone),
        // A state that allows no top-up (expired, given back); an eSIM that is not there or not
        // ours.
        "200002" | "200042" | "310403" | "310409" => Some(FailureClass::InvalidTarget),
        // Headers, fields, clock, address, signature; an order that is not there.
        "000101" | "000102" | "000103" | "000104" | "000105" | "000106" | "000107" | "101001"
        | "101002" | "101003" | "310272" => Some(FailureClass::Internal),
        _ if is_unknown_thing(code) => Some(FailureClass::InvalidTarget),
        _ => otherwise,
    }
}

/// What an error code means for a question.
pub(super) fn read_error(code: &str, message: &str) -> ReadError {
    let kind = match code {
        "101002" | "101003" => ErrorKind::Authentication,
        "200042" | "310403" | "310409" => ErrorKind::Permanent,
        _ if is_unknown_thing(code) => ErrorKind::Permanent,
        _ if code.starts_with("0001") || code == "101001" => ErrorKind::Configuration,
        // Busy, broken, or a code nobody lists.
        _ => ErrorKind::Temporary,
    };
    ReadError::new(kind, format!("error {}: {}", cut(code, 20), cut(message, 200)))
}

/// The codes of things it does not know.
fn is_unknown_thing(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| (310_201..=310_251).contains(&code))
}
