//! What only a look at every line can tell: counted anew whenever somebody asks while there are few,
//! remembered where there are many. The daemon then counts by itself, so that nobody waits for it.

use super::{Engine, EngineError};
use crate::clock::since_boot;
use crate::domain::{Span, Timestamp};
use crate::store::{Near, Scope, Tally};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// So many lines are many.
const MANY: i64 = 20_000;
/// How often they are counted …
const EVERY: Span = Span::minutes(1);
/// … or, where counting takes long, after so many times what it took.
const REST: i64 = 50;

/// The last count, where there are many lines.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Option<Arc<Tally>>>);

impl Engine {
    fn remembered(&self) -> Option<Arc<Tally>> {
        self.0.tally.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, tally: Option<Arc<Tally>>) {
        *self.0.tally.0.lock().unwrap_or_else(PoisonError::into_inner) = tally;
    }

    /// The count: as it stands now, or as it was remembered not long ago (see [`Tally::at`]).
    pub async fn tally(&self, now: Timestamp) -> Result<Arc<Tally>, EngineError> {
        if let Some(tally) = self.remembered() {
            return Ok(tally);
        }
        let counted = self.store().tally(now, || true).await?;
        Ok(Arc::new(counted.unwrap_or_else(|| Tally::of_none(now))))
    }

    /// How near the lines of a scope are to their ends, and when they were counted; `None` while
    /// many are still to be counted for the first time: no page waits for that.
    pub async fn near_dark(
        &self,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Option<(Near, Timestamp)>, EngineError> {
        match scope {
            Scope::All => match self.remembered() {
                Some(tally) => Ok(Some((tally.near.clone(), tally.at))),
                None if self.store().has_lines(MANY).await? => Ok(None),
                None => self.near_now(scope, now).await,
            },
            Scope::Subscriber(_) => {
                let near = self.store().near_dark(scope, ("", ""), now).await?;
                Ok(Some((near, now)))
            }
            Scope::Tag(_) => self.near_now(scope, now).await,
        }
    }

    async fn near_now(
        &self,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Option<(Near, Timestamp)>, EngineError> {
        let near = self.store().near_all(scope, now, || !self.is_stopping()).await?;
        Ok(near.map(|near| (near, now)))
    }

    /// Of each reader: how many of its polled lines failed at least twice in a row, which is known
    /// now, and how many there are.
    pub async fn reader_figures(&self) -> Result<Vec<(String, i64, i64)>, EngineError> {
        let Some(tally) = self.remembered() else {
            // While many are counted for the first time, nobody knows how many they are.
            let many = self.store().has_lines(MANY).await?;
            return Ok(if many { Vec::new() } else { self.store().reader_figures().await? });
        };
        let failing = self.store().failing().await?;
        let failing =
            |name: &str| failing.iter().find(|(one, _)| one == name).map_or(0, |(_, n)| *n);
        let readers = tally.readers.iter();
        Ok(readers.map(|one| (one.reader.clone(), failing(&one.reader), one.lines)).collect())
    }

    /// How many lines are active.
    pub(super) async fn active_lines(&self) -> Result<i64, EngineError> {
        match self.remembered() {
            Some(tally) => Ok(tally.active()),
            None => Ok(self.store().active_lines().await?),
        }
    }

    /// Counts again and again, where there are many lines, until the daemon stops.
    pub(super) async fn keep_counting(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let began = since_boot();
            if let Err(error) = self.count().await {
                tracing::warn!("the lines could not be counted: {error}");
            }
            let took = Span::from_ms(since_boot().ms().saturating_sub(began.ms()));
            tokio::select! {
                () = tokio::time::sleep(EVERY.max(took.times(REST)).to_std()) => {}
                _ = stopped.changed() => {}
            }
        }
    }

    async fn count(&self) -> Result<(), EngineError> {
        if !self.store().has_lines(MANY).await? {
            self.remember(None);
            return Ok(());
        }
        let (now, goes_on) = (self.now(), || !self.is_stopping());
        let Some(tally) = self.store().tally(now, goes_on).await? else { return Ok(()) };
        if let Some(near) = self.store().near_all(&Scope::All, now, goes_on).await? {
            self.remember(Some(Arc::new(tally.with(near))));
        }
        Ok(())
    }
}
