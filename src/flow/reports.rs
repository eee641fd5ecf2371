//! What became of messages after they were accepted: told by calls, or asked for.
//!
//! Invariant: a terminal report wins whatever comes later; a message that will not arrive goes on to
//! the reader's next channel.

use super::{Engine, EngineError, Stage};
use crate::channels::{Delivery, HookCall, HookError, Report};
use crate::domain::Span;
use crate::store::Reported;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Messages asked about in one round, all at once: a vendor that is silent must not hold up what is
/// to be sent.
const BATCH: i64 = 16;
/// How long one answer may take.
const LIMIT: Span = Span::seconds(10);
/// Who has no report yet is asked again after these.
const ASK_AFTER: [Span; 4] = [Span::minutes(2), Span::minutes(15), Span::hours(1), Span::hours(4)];

/// A message may be reported on before its channel's answer is written down: how long a report that
/// seems to be about nothing is kept, and how often it is looked at.
const EARLY: Duration = Duration::from_secs(3);
const EARLY_LOOK: Duration = Duration::from_millis(50);

/// Why a call is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such channel.
    #[error("there is no channel {0}")]
    NoChannel(String),
    /// It is not proved, or cannot be read.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The rows could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Takes a call of the vendor of `channel`. Gives back what the vendor wants to be answered.
    pub async fn hear_reports(&self, channel: &str, call: &HookCall) -> Result<Value, ReportError> {
        let found = self.channels().get(channel);
        let found = found.ok_or_else(|| ReportError::NoChannel(channel.to_owned()))?;
        let mut reports = found.hear(call)?;
        let mut news = 0;
        let come = Instant::now();
        loop {
            let mut early = Vec::new();
            for report in reports {
                if self.note_report(channel, &report).await? {
                    news += 1;
                } else if self.may_be_early(channel, &report).await? {
                    early.push(report);
                }
            }
            if early.is_empty() || come.elapsed() > EARLY {
                return Ok(found.answer(news));
            }
            tokio::time::sleep(EARLY_LOOK).await;
            reports = early;
        }
    }

    async fn may_be_early(&self, channel: &str, report: &Report) -> Result<bool, EngineError> {
        let (lease, now) = (self.try_lease(), self.now());
        Ok(self.store().may_be_early(channel, &report.message, lease, now).await?)
    }

    /// Asks about messages that no report came for.
    pub(super) async fn ask_deliveries(&self) -> Result<(), EngineError> {
        let now = self.now();
        let due = self.store().deliveries_to_ask(BATCH, now.plus(self.lease()), now).await?;
        let asking = due.into_iter().map(|due| async move {
            let channel = self.channels().get(&due.channel).filter(|c| c.can_be_asked());
            let answer = match channel {
                Some(channel) => {
                    let asked = channel.delivery(&due.vendor_id);
                    let late = |_| Err("no answer in time".to_owned());
                    tokio::time::timeout(LIMIT.to_std(), asked).await.unwrap_or_else(late)
                }
                None => Ok(None),
            };
            (due, answer)
        });
        for (due, answer) in futures_util::future::join_all(asking).await {
            let delivery = answer.unwrap_or_else(|why| {
                tracing::debug!(notice.id = due.notice, "what became of it is not known: {why}");
                Some(Delivery::Underway)
            });
            let pace = usize::try_from(due.asked).ok().and_then(|asked| ASK_AFTER.get(asked));
            let again = match delivery {
                Some(Delivery::Underway) => pace.map(|pace| now.plus(*pace)),
                Some(Delivery::Delivered | Delivery::Failed { .. }) | None => None,
            };
            self.store().asked(&due, again).await?;
            if let Some(delivery) = delivery {
                self.note_report(&due.channel, &Report { message: due.vendor_id, delivery })
                    .await?;
            }
        }
        Ok(())
    }

    async fn note_report(&self, channel: &str, report: &Report) -> Result<bool, EngineError> {
        let (word, why) = match &report.delivery {
            Delivery::Underway => ("underway", None),
            Delivery::Delivered => ("delivered", None),
            Delivery::Failed { why } => ("failed", Some(why.as_str())),
        };
        let now = self.now();
        let noted = self.store().note_report(channel, &report.message, word, why, now).await?;
        match noted {
            Reported::Known => return Ok(false),
            Reported::Noted => {}
            Reported::GoesOn { notice, channel } => {
                tracing::warn!(
                    notice.id = notice,
                    next = channel,
                    "not delivered: {}",
                    why.unwrap_or_default()
                );
                self.wake(Stage::Notify);
            }
            Reported::Dead { notice } => {
                tracing::error!(
                    notice.id = notice,
                    "not delivered, and there is no other channel: {}",
                    why.unwrap_or_default()
                );
            }
        }
        Ok(true)
    }
}
