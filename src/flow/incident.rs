//! A reader that fails for most of its lines at once has trouble of its own: that is one incident,
//! told once to everybody it concerns, and not the trouble of each line.

use super::{Engine, EngineError, Stage};
use crate::domain::{Facts, NoticeDraft, NoticeKind, Severity, Span, Timestamp};
use std::sync::PoisonError;

/// Readers are looked at this often at most.
const EVERY: Span = Span::seconds(5);

/// Fewer failing lines are their own trouble.
const LEAST: i64 = 3;

/// What breakers of readers are called.
const PREFIX: &str = "reader:";

/// The reader a breaker is about, where it is about one.
pub(super) fn reader_of(breaker: &str) -> Option<&str> {
    breaker.strip_prefix(PREFIX)
}

impl Engine {
    /// Sees incidents begin and end.
    pub(super) async fn watch_readers(&self, now: Timestamp) -> Result<(), EngineError> {
        {
            let mut seen = self.0.readers_seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.is_some_and(|at| now >= at && now.since(at) < EVERY) {
                return Ok(());
            }
            *seen = Some(now);
        }
        let known = self.store().breakers().await?;
        for (reader, failing, lines) in self.reader_figures().await? {
            let name = format!("{PREFIX}{reader}");
            let is_known = known.iter().any(|(known, _, _)| *known == name);
            if !is_known && failing >= LEAST && failing.saturating_mul(2) >= lines {
                let why = format!(
                    "{failing} of {lines} lines read through {reader} failed twice in a row"
                );
                if self.store().trip(&name, &why, now).await? {
                    tracing::error!(provider = reader, "provider incident: {why}");
                    self.tell_readers(&reader, NoticeKind::ProviderIncident, &why, now, now)
                        .await?;
                }
            } else if is_known && failing.saturating_mul(4) < lines {
                // Over once three of four lines are read again: half and half would flap.
                let began = known.iter().find(|(known, _, _)| *known == name).map(|(_, at, _)| *at);
                if self.store().clear_breaker(&name, now).await? {
                    tracing::info!(provider = reader, "provider incident is over");
                    let began = began.unwrap_or(now);
                    self.tell_readers(&reader, NoticeKind::Recovered, "", began, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Tells everybody with a line at `reader`; once for an incident that began at `began`.
    async fn tell_readers(
        &self,
        reader: &str,
        kind: NoticeKind,
        why: &str,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let over = kind == NoticeKind::Recovered;
        let about = |subscriber| NoticeDraft {
            subscriber,
            subscription: None,
            topup: None,
            kind,
            severity: if over { Severity::Info } else { Severity::High },
            dedupe: format!("{}|{reader}|{}", kind.as_str(), began.ms()),
            at: now,
            facts: Facts {
                label: reader.to_owned(),
                reason: Some("provider_incident".to_owned()),
                detail: (!why.is_empty()).then(|| why.to_owned()),
                ..Facts::default()
            },
        };
        let mut after = String::new();
        loop {
            let page = self.store().subscribers_of_reader(reader, &after).await?;
            let Some(last) = page.last() else { break };
            after = last.to_string();
            self.store().say(&page.into_iter().map(about).collect::<Vec<_>>()).await?;
        }
        self.wake(Stage::Notify);
        Ok(())
    }
}
