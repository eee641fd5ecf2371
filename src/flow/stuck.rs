//! Does work flow? Asked by `/readyz` and by the heartbeat. Only looks.
//!
//! A loop may come round and still move nothing: whatever is overdue while its loop did nothing for
//! as long is stuck. A loop with too much to do is late, not stuck.

use super::{Beats, Engine, EngineError, Stage};
use crate::domain::{Span, Timestamp};

/// A store that answers later than this does not answer.
const ANSWERS_IN: Span = Span::seconds(5);

impl Engine {
    /// Why work does not flow; `None` when the store takes writes, every loop came round within
    /// `patience`, the flight recorder takes lines, and nothing due waits longer than that while
    /// its loop does nothing.
    pub async fn trouble(&self, beats: &Beats, patience: Span, now: Timestamp) -> Option<String> {
        let ping = tokio::time::timeout(ANSWERS_IN.to_std(), self.store().ping_writer());
        match ping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!("the store takes no writes: {error}");
                return Some("the store takes no writes".to_owned());
            }
            Err(_) => return Some("the store does not answer".to_owned()),
        }
        if let Some(why) = beats.trouble(patience, now) {
            return Some(why);
        }
        if let Some(recorder) = self.recorder()
            && let Some(why) = recorder.trouble(now).await
        {
            return Some(format!("the flight recorder: {why}"));
        }
        match self.stuck(beats, patience, now).await {
            Ok(stuck) => stuck,
            Err(error) => {
                tracing::error!("what is due cannot be read: {error}");
                Some("what is due cannot be read; see the log".to_owned())
            }
        }
    }

    async fn stuck(
        &self,
        beats: &Beats,
        patience: Span,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let progressed = beats.progressed();
        let is_late = |at: Timestamp| now.since(at) > patience;
        let mut late = Vec::new();
        for (stage, provider, due) in self.store().oldest_due().await? {
            // Whoever tells by himself is not asked, however long it was due.
            let is_asked = |name: &String| self.provider(name).is_some_and(|p| p.declares().polled);
            if stage == Stage::Poll.as_str() && !provider.as_ref().is_some_and(is_asked) {
                continue;
            }
            let name = provider.map_or_else(|| stage.clone(), |name| format!("{stage} {name}"));
            if let Some(at) = progressed.get(&name).filter(|at| is_late(due) && is_late(**at)) {
                late.push((name, due, *at));
            }
        }
        if late.is_empty() {
            return Ok(None);
        }
        // While paying is stopped, orders wait as they should.
        let is_off = !self.money_switch(now).await?.stops().is_empty();
        let stuck =
            late.into_iter().find(|(name, ..)| !(is_off && name.starts_with(Stage::Act.as_str())));
        Ok(stuck.map(|(name, due, at)| {
            let (due, at) = (now.since(due), now.since(at));
            format!("{name} is {due} behind and did nothing for {at}")
        }))
    }
}
