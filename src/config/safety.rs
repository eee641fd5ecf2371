//! `[safety]`.

use super::positive_span;
use crate::{
    domain::Span,
    input::{Rate, Section},
};
use std::path::PathBuf;

/// What stops paying, and how doubt about an outcome is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// Where a payer wants more than the face value by more than this many percent, a person is asked.
    pub cost_over: i64,
    /// So many new needs within an hour are no storm, however few lines there are …
    pub storm_min: i64,
    /// … nor is this share of all lines, in hundredths; more than both stops all paying.
    pub storm_share: i64,
    /// Orders per payer and time; bursts wait, none is lost.
    pub payer_rate: Rate,
    /// Whether an order that was proven not to exist may be sent again.
    pub resubmit: Resubmit,
    /// A "not found" counts only this long after the last possible send.
    pub settle_min: Span,
    /// Counted "not found" answers must be spread over this long before anything follows.
    pub not_found_over: Span,
    /// The flag file of `topupd money off`; by default it lies beside the database.
    pub money_off_file: Option<PathBuf>,
    /// The flight recorder; by default it lies beside the database.
    pub recorder_file: Option<PathBuf>,
    /// The key that seals bought codes; else beside the database.
    pub pin_key_file: Option<PathBuf>,
    /// With less room than this, in bytes, on the disks of database and recorder nothing is sent.
    pub disk_min: i64,
    /// So many unknown outcomes in a row at one payer stop paying through it.
    pub unknown_limit: i64,
}

/// Whether an order that was looked up and not found may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resubmit {
    /// No: it is held for a person.
    Never,
    /// With the same reference, only at providers declared `ref_unique = "strict"`.
    Strict,
}

impl Resubmit {
    /// The words in config.
    pub const WORDS: [(&'static str, Self); 2] = [("never", Self::Never), ("strict", Self::Strict)];
}

impl Safety {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let s = &mut section;
        let storm_share = s.parsed("storm_share", "allowed is \"0%\" to \"100%\"", |text| {
            crate::input::parse_percent(text).filter(|share| *share <= 100)
        });
        let money_off_file = s.parsed("money_off_file", "allowed is a path", |text| {
            (!text.trim().is_empty()).then(|| PathBuf::from(text))
        });
        let pin_key_file = s.parsed("pin_key_file", "allowed is a path", |text| {
            (!text.trim().is_empty()).then(|| PathBuf::from(text))
        });
        let recorder_file = s.parsed("recorder_file", "allowed is a path", |text| {
            (!text.trim().is_empty()).then(|| PathBuf::from(text))
        });
        let size = "allowed is a size such as \"64 MB\"";
        let disk_min = s.parsed("disk_min", size, crate::input::parse_bytes);
        let safety = Self {
            cost_over: s.percent("cost_over").unwrap_or(25),
            storm_min: s.integer("storm_min", 1..=1_000_000).unwrap_or(3),
            storm_share: storm_share.unwrap_or(10),
            payer_rate: s.rate("payer_rate").unwrap_or(Rate { events: 10, per: Span::minutes(1) }),
            resubmit: s.word("resubmit", &Resubmit::WORDS).unwrap_or(Resubmit::Never),
            settle_min: positive_span(s, "settle_min", Span::minutes(5)),
            not_found_over: positive_span(s, "not_found_over", Span::minutes(10)),
            money_off_file,
            recorder_file,
            pin_key_file,
            disk_min: disk_min.unwrap_or(64_000_000),
            unknown_limit: s.integer("unknown_limit", 1..=1_000).unwrap_or(3),
        };
        section.finish();
        safety
    }
}
