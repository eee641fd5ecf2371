//! Bells of other instances: what rings here is said to them over the database, and what they say
//! rings here. Only stages are named; what is due is in the rows, and the tick finds it anyway.

use super::{Engine, Stage};
use crate::domain::Span;
use crate::store::{Dialect, StoreError};
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::{Notify, watch};

/// Bells that ring within this time are said in one word: a busy instance does not shout.
const GATHER: Span = Span::from_ms(200);
/// After the connection that listens was lost, before the next.
const AGAIN: Span = Span::seconds(1);

/// Which bells rang here and were not said yet.
#[derive(Debug, Default)]
pub(super) struct Rung {
    stages: AtomicU8,
    news: Notify,
}

impl Rung {
    pub(super) fn add(&self, stage: Stage) {
        let bit = Stage::ALL.iter().position(|s| *s == stage).map_or(0, |n| 1_u8 << n);
        // Whoever rings a bell that is to be said anyway wakes nobody.
        if self.stages.fetch_or(bit, Ordering::SeqCst) == 0 {
            self.news.notify_one();
        }
    }

    fn take(&self) -> Vec<Stage> {
        let bits = self.stages.swap(0, Ordering::SeqCst);
        let all = Stage::ALL.into_iter().enumerate();
        all.filter(|(n, _)| bits & (1_u8 << n) != 0).map(|(_, stage)| stage).collect()
    }
}

impl Engine {
    /// Wakes a stage here and nowhere else.
    pub(super) fn wake_here(&self, stage: Stage) {
        self.0.bells.ring(stage);
    }

    /// Says to the others which bells rang here since the last time.
    pub async fn speak(&self) -> Result<(), StoreError> {
        let stages = self.0.rung.take();
        if stages.is_empty() || self.store().dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let words: Vec<&str> = stages.into_iter().map(Stage::as_str).collect();
        self.store().say_aloud(&format!("{} {}", self.instance_id(), words.join(" "))).await
    }

    /// Says what rings until the daemon stops.
    pub(super) async fn speak_up(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            tokio::select! {
                () = self.0.rung.news.notified() => {}
                _ = stopped.changed() => return,
            }
            if let Err(error) = self.speak().await {
                tracing::debug!("other instances were not told: {error}");
            }
            tokio::time::sleep(GATHER.to_std()).await;
        }
    }

    /// Rings what others say until the daemon stops.
    pub(super) async fn hear_others(self, mut stopped: watch::Receiver<bool>) {
        let mut was_deaf = false;
        while !*stopped.borrow() {
            let heard = tokio::select! {
                heard = self.listen() => heard,
                _ = stopped.changed() => return,
            };
            match heard {
                Ok(()) => return,
                Err(error) if was_deaf => tracing::debug!("still not heard: {error}"),
                Err(error) => tracing::warn!("other instances are not heard: {error}"),
            }
            was_deaf = true;
            tokio::select! {
                () = tokio::time::sleep(AGAIN.to_std()) => {}
                _ = stopped.changed() => return,
            }
        }
    }

    /// Until the connection is lost for good; at once where there is nobody to hear.
    async fn listen(&self) -> Result<(), StoreError> {
        let Some(mut ear) = self.store().listen().await? else { return Ok(()) };
        loop {
            match ear.hear().await? {
                Some(words) => self.heard(&words),
                // Something may have been missed.
                None => Stage::ALL.into_iter().for_each(|stage| self.wake_here(stage)),
            }
        }
    }

    fn heard(&self, words: &str) {
        let mut words = words.split(' ');
        if words.next() == Some(self.instance_id()) {
            return;
        }
        for word in words {
            if let Some(stage) = Stage::ALL.into_iter().find(|stage| stage.as_str() == word) {
                self.wake_here(stage);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_are_said_once_however_often_they_rang() {
        let rung = Rung::default();
        for stage in [Stage::Notify, Stage::Poll, Stage::Notify] {
            rung.add(stage);
        }
        assert_eq!(rung.take(), [Stage::Poll, Stage::Notify]);
        assert_eq!(rung.take(), []);
    }
}
