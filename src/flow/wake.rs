//! Stages, what a run of one did, and the bells that wake them.

use crate::domain::{Span, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// A step of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Due lines → readings.
    Poll,
    /// Readings → decisions.
    Decide,
    /// Reserved orders → sent.
    Act,
    /// Unknown and pending outcomes → looked up.
    Reconcile,
    /// Paid → seen on the line.
    Verify,
    /// Notices → sent.
    Notify,
    /// Old rows → days, or nothing.
    Retain,
}

impl Stage {
    /// In the order in which data flows.
    pub const ALL: [Self; 7] = [
        Self::Poll,
        Self::Decide,
        Self::Act,
        Self::Reconcile,
        Self::Verify,
        Self::Notify,
        Self::Retain,
    ];

    /// The word in logs, metrics and health.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Decide => "decide",
            Self::Act => "act",
            Self::Reconcile => "reconcile",
            Self::Verify => "verify",
            Self::Notify => "notify",
            Self::Retain => "retain",
        }
    }
}

/// What one run of a stage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageReport {
    /// Rows that needed it.
    pub seen: usize,
    /// Rows it moved on.
    pub done: usize,
    /// Rows it could not move on now.
    pub failed: usize,
    /// When the next row is due, if any.
    pub next_at: Option<Timestamp>,
}

impl StageReport {
    /// Adds another run's figures; the earlier due time wins.
    pub fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.done += other.done;
        self.failed += other.failed;
        self.next_at = match (self.next_at, other.next_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// One bell per stage, heard by every loop of that stage. Ringing carries no data and is never
/// lost: whoever was busy hears it at the next wait.
#[derive(Debug, Default)]
pub(super) struct Bells([watch::Sender<u64>; 7]);

impl Bells {
    fn of(&self, stage: Stage) -> &watch::Sender<u64> {
        let [poll, decide, act, reconcile, verify, notify, retain] = &self.0;
        match stage {
            Stage::Poll => poll,
            Stage::Decide => decide,
            Stage::Act => act,
            Stage::Reconcile => reconcile,
            Stage::Verify => verify,
            Stage::Notify => notify,
            Stage::Retain => retain,
        }
    }

    /// Wakes a stage.
    pub(super) fn ring(&self, stage: Stage) {
        self.of(stage).send_modify(|n| *n = n.wrapping_add(1));
    }

    /// An ear for the stage's bell.
    pub(super) fn listen(&self, stage: Stage) -> watch::Receiver<u64> {
        self.of(stage).subscribe()
    }
}

/// When each loop last came round; the watchdog and `/readyz` look at it.
#[derive(Clone, Debug, Default)]
pub struct Beats {
    rounds: Arc<Mutex<Rounds>>,
    progress: Arc<Mutex<BTreeMap<String, Timestamp>>>,
}

/// Per loop: when it last came round, and what went wrong.
type Rounds = BTreeMap<String, (Timestamp, Option<String>)>;

impl Beats {
    pub(crate) fn beat(&self, name: &str, now: Timestamp, error: Option<String>) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.insert(name.to_owned(), (now, error));
        // A loop that has only begun is not late with anything.
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.entry(name.to_owned()).or_insert(now);
    }

    /// A loop did something that was due.
    pub(super) fn progress(&self, name: &str, now: Timestamp) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.insert(name.to_owned(), now);
    }

    /// When each loop last did something that was due, or when it began.
    pub fn progressed(&self) -> BTreeMap<String, Timestamp> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every loop with the time it last came round, and its error if that round failed.
    pub fn all(&self) -> Rounds {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why work does not flow; `None` when every loop came round within `patience`.
    pub fn trouble(&self, patience: Span, now: Timestamp) -> Option<String> {
        let all = self.all();
        if all.is_empty() {
            return Some("no loop has started".into());
        }
        all.into_iter().find_map(|(name, (at, error))| match error {
            Some(error) => Some(format!("{name}: {error}")),
            None if now.since(at) > patience => {
                Some(format!("{name} made no progress for {}", now.since(at)))
            }
            None => None,
        })
    }
}
