//! Calls that are under way, and what came of those that ended: orders at a payer, notices.

use super::{EngineError, StageReport};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::time::Duration;
use tokio::sync::watch;

/// While calls are under way, what is due by the clock is looked for this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// They go on only while somebody waits through this: everything that takes time and is done
/// meanwhile goes through [`Calls::beside`].
pub(super) struct Calls<'a> {
    /// Rings when there may be more to begin.
    bell: watch::Receiver<u64>,
    under_way: FuturesUnordered<BoxFuture<'a, Result<bool, EngineError>>>,
    pub(super) report: StageReport,
    trouble: Option<EngineError>,
}

impl<'a> Calls<'a> {
    /// None yet.
    pub(super) fn hearing(bell: watch::Receiver<u64>) -> Self {
        let (under_way, report) = (FuturesUnordered::new(), StageReport::default());
        Self { bell, under_way, report, trouble: None }
    }

    /// One more; it says whether it moved its row on.
    pub(super) fn begin(
        &mut self,
        call: impl Future<Output = Result<bool, EngineError>> + Send + 'a,
    ) {
        self.under_way.push(call.boxed());
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Counts what ended; the first error is kept.
    pub(super) fn note(&mut self, outcome: Result<bool, EngineError>) {
        match outcome {
            Ok(true) => self.report.done += 1,
            Ok(false) => self.report.failed += 1,
            Err(error) => drop(self.trouble.get_or_insert(error)),
        }
    }

    /// True once something went wrong: nothing new is begun, what is under way is heard out.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// Does `work` while the calls go on.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(outcome) = self.under_way.next() => self.note(outcome),
            }
        }
    }

    /// Waits until there is room for another among `most`.
    pub(super) async fn make_room(&mut self, most: usize) {
        while self.under_way.len() >= most.max(1)
            && let Some(outcome) = self.under_way.next().await
        {
            self.note(outcome);
        }
    }

    /// After a look for what is due, and what came of it: waits for calls to end; true when another
    /// look is worth it before the last of them did.
    pub(super) async fn go_on(&mut self, looked: Result<(), EngineError>) -> bool {
        if let Err(error) = looked {
            self.note(Err(error));
        }
        let mut later = std::pin::pin!(tokio::time::sleep(LOOK_AGAIN));
        while !self.is_in_trouble() {
            tokio::select! {
                biased;
                ended = self.under_way.next() => match ended {
                    Some(outcome) => self.note(outcome),
                    None => return false,
                },
                _ = self.bell.changed() => return true,
                () = &mut later => return true,
            }
        }
        false
    }

    /// Hears out what is under way, and says what was done, or the first thing that went wrong.
    pub(super) async fn end(mut self) -> Result<StageReport, EngineError> {
        while let Some(outcome) = self.under_way.next().await {
            self.note(outcome);
        }
        match self.trouble {
            Some(error) => Err(error),
            None => Ok(self.report),
        }
    }
}
