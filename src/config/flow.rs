//! `[flow]`.

use super::{positive_span, positive_spans};
use crate::{domain::Span, input::Section};

/// How often lines are read, and how patiently outcomes are waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Cadence of a calm line; urgency shortens it.
    pub poll_every: Span,
    /// Least distance of the two readings that must agree before money moves.
    pub confirm_after: Span,
    /// After a payment: when to look whether it shows on the line; the last one repeats.
    pub verify_after: Vec<Span>,
    /// After an unknown outcome: when to look it up; the last one repeats.
    pub reconcile_after: Vec<Span>,
    /// After a poll without an answer: the first distance to the next; it doubles from there.
    pub retry_after: Span,
    /// Age at which readings count as stale; by default three polls.
    pub stale_after: Option<Span>,
    /// After a notice that could not be sent: when to try again; the last one repeats.
    pub notify_after: Vec<Span>,
    /// How long a person has to approve an order.
    pub approval_expires: Span,
    /// Orders, and look-ups, under way at once.
    pub concurrency: usize,
    /// How long what an instance claimed is its own, beside the time that calls may take.
    pub lease: Span,
    /// How long work under way may take to end when the daemon stops.
    pub drain: Span,
}

const VERIFY: [Span; 6] = [
    Span::minutes(1),
    Span::minutes(2),
    Span::minutes(5),
    Span::minutes(15),
    Span::minutes(30),
    Span::hours(1),
];

const RECONCILE: [Span; 8] = [
    Span::seconds(15),
    Span::seconds(30),
    Span::minutes(1),
    Span::minutes(2),
    Span::minutes(5),
    Span::minutes(15),
    Span::minutes(30),
    Span::hours(1),
];

const NOTIFY: [Span; 8] = [
    Span::seconds(5),
    Span::seconds(15),
    Span::seconds(30),
    Span::minutes(2),
    Span::minutes(5),
    Span::minutes(15),
    Span::minutes(30),
    Span::hours(1),
];

impl Flow {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let s = &mut section;
        let poll_every = positive_span(s, "poll_every", Span::hours(6));
        let has_stale = s.has("stale_after");
        let stale_after = positive_span(s, "stale_after", poll_every.times(3));
        let flow = Self {
            poll_every,
            confirm_after: positive_span(s, "confirm_after", Span::minutes(2)),
            verify_after: positive_spans(s, "verify_after", &VERIFY),
            reconcile_after: positive_spans(s, "reconcile_after", &RECONCILE),
            retry_after: positive_span(s, "retry_after", Span::minutes(1)),
            stale_after: has_stale.then_some(stale_after),
            notify_after: positive_spans(s, "notify_after", &NOTIFY),
            approval_expires: positive_span(s, "approval_expires", Span::hours(24)),
            concurrency: s
                .integer("concurrency", 1..=256)
                .map_or(16, |n| usize::try_from(n).unwrap_or(1)),
            lease: positive_span(s, "lease", Span::minutes(1)),
            drain: positive_span(s, "drain", Span::seconds(30)),
        };
        section.finish();
        flow
    }
}
