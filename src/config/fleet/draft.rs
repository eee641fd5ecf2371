//! What was read of one entry, while it is still being checked against the others.

use super::Fleet;
use crate::{
    domain::{IdError, Rule, Subscriber, Subscription},
    input::{Intake, Section},
};
use std::fmt::Display;

/// One entry of a fleet file.
#[derive(Debug)]
pub(super) struct Draft<'a, T> {
    /// Its id, where that could be read.
    pub(super) id: Option<String>,
    /// What was read. Where it is not `clean`, defaults stand in for what could not be read.
    pub(super) value: Option<T>,
    /// True when nothing in it was wrong by itself.
    pub(super) clean: bool,
    /// Where to report what else is wrong.
    pub(super) section: Section<'a>,
}

/// All entries of all files.
#[derive(Debug, Default)]
pub(super) struct Drafts<'a> {
    pub(super) subscribers: Vec<Draft<'a, Subscriber>>,
    pub(super) subscriptions: Vec<Draft<'a, Subscription>>,
    pub(super) rules: Vec<Draft<'a, Rule>>,
}

impl<'a, T> Draft<'a, T> {
    /// Reads one entry; `read` gives its id and the rest.
    pub(super) fn read(
        mut section: Section<'a>,
        intake: &Intake,
        read: impl FnOnce(&mut Section<'a>) -> (Option<String>, Option<T>),
    ) -> Self {
        let before = intake.count();
        let (id, value) = read(&mut section);
        Self { id, value, clean: intake.count() == before, section }
    }

    /// What was read, where nothing was wrong with it.
    pub(super) fn sound(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.clean)
    }

    fn finish(self) -> Option<T> {
        self.section.finish();
        self.value
    }
}

impl Drafts<'_> {
    /// Reports unknown keys and gives the fleet; it counts only if there are no faults.
    pub(super) fn finish(self) -> Fleet {
        Fleet {
            subscribers: self.subscribers.into_iter().filter_map(Draft::finish).collect(),
            subscriptions: self.subscriptions.into_iter().filter_map(Draft::finish).collect(),
            rules: self.rules.into_iter().filter_map(Draft::finish).collect(),
        }
    }
}

/// Reads `id`, and names the section by it from here on.
pub(super) fn read_id<T: Display>(
    section: &mut Section<'_>,
    parse: fn(&str) -> Result<T, IdError>,
) -> Option<T> {
    section.required("id", "allowed is an id of your choice, such as \"li-tmobile\"")?;
    let id = section.checked("id", parse)?;
    let path = format!("{} {:?}", section.path(), id.to_string());
    section.rename(&path);
    Some(id)
}

/// An IANA time zone, or `default`.
pub(super) fn read_zone(section: &mut Section<'_>, default: chrono_tz::Tz) -> chrono_tz::Tz {
    let allowed = "allowed is an IANA time zone such as \"America/New_York\"";
    section.parsed("time_zone", allowed, |text| text.trim().parse().ok()).unwrap_or(default)
}
