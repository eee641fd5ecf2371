//! `[notices]`.

use super::{positive_span, positive_spans};
use crate::{
    domain::Span,
    input::{Rate, Section},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;

/// Who is told when, beyond the fleet file.
#[derive(Clone, Debug)]
pub struct Notices {
    /// What is still so is told again after these; then no more.
    pub remind_after: Vec<Span>,
    /// Subscribers who look after the installation: the weekly report, and what could not be
    /// delivered to others, goes to them.
    pub operators: Vec<String>,
    /// Every subscriber gets a statement of the month before.
    pub statement: bool,
    /// At most so many to one person by one channel, except critical ones.
    pub brake: Rate,
    /// Sentences and layouts that stand in for those compiled in.
    pub templates: Option<PathBuf>,
    /// Who is called after every healthy round, and with `/fail` otherwise.
    pub heartbeat_url: Option<SecretString>,
    /// How often.
    pub heartbeat_every: Span,
}

const REMIND: [Span; 4] = [Span::days(1), Span::days(3), Span::days(7), Span::days(14)];
const BRAKE: Rate = Rate { events: 30, per: Span::hours(1) };

impl Notices {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let s = &mut section;
        let heartbeat_url = s.secret("heartbeat_url").filter(|url| {
            let parsed = url.expose_secret().trim().parse::<url::Url>();
            let is_fine =
                parsed.is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
            if !is_fine {
                let allowed =
                    "allowed is the address of a check, such as \"https://hc-ping.com/UUID\"";
                s.fault_hidden("heartbeat_url", allowed);
            }
            is_fine
        });
        let notices = Self {
            remind_after: positive_spans(s, "remind_after", &REMIND),
            operators: s.texts("operators").unwrap_or_default(),
            statement: s.boolean("statement").unwrap_or(true),
            brake: s.rate("brake").unwrap_or(BRAKE),
            templates: s.text("templates").map(PathBuf::from),
            heartbeat_url,
            heartbeat_every: positive_span(s, "heartbeat_every", Span::minutes(5)),
        };
        section.finish();
        notices
    }
}
