//! `[retention]`.

use super::positive_span;
use crate::{domain::Span, input::Section};

/// How long what is no money is kept. Top-ups, the ledger, the journal and receipts stay for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Readings, each on its own.
    pub readings: Span,
    /// What a day's readings said, after that.
    pub rollups: Span,
    /// Decisions, but for the last of each line.
    pub decisions: Span,
    /// Notices that are settled, with their deliveries.
    pub notices: Span,
}

/// Forecasts look back 60 days, the longest cap 30, payments come back for months: nothing may go
/// before that.
const LEAST: Span = Span::days(90);

impl Retention {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let s = &mut section;
        let retention = Self {
            readings: kept(s, "readings", Span::days(400), LEAST),
            rollups: Span::ZERO,
            decisions: kept(s, "decisions", Span::days(400), LEAST),
            notices: kept(s, "notices", Span::days(400), LEAST),
        };
        let usual = Span::days(1095).max(retention.readings);
        let rollups = kept(s, "rollups", usual, retention.readings);
        section.finish();
        Self { rollups, ..retention }
    }
}

fn kept(section: &mut Section<'_>, key: &str, usual: Span, least: Span) -> Span {
    let span = positive_span(section, key, usual);
    if span < least {
        section.fault(key, format!("allowed is {least} or more, such as \"400d\""));
        return usual;
    }
    span
}
