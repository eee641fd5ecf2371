//! What became of a message after it was accepted: reports come late, twice and out of order.

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// On its way: queued, handed to a carrier, buffered.
    Underway,
    /// It reached the device. Nothing that comes later changes that.
    Delivered,
    /// It will not arrive.
    Failed {
        /// Why, in the vendor's words.
        why: String,
    },
}

impl Delivery {
    /// Failed in the vendor's word for it, with its code where there is one.
    pub(super) fn failed(state: &str, code: Option<&str>) -> Self {
        let code = code.map(|code| format!(" (code {code})")).unwrap_or_default();
        Self::Failed { why: format!("{state}{code}") }
    }
}

/// One report about one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The vendor's id, as [`super::Outcome::Accepted`] gave it, or the notice's own id.
    pub message: String,
    /// What became of it.
    pub delivery: Delivery,
}
