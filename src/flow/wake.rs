//! Stages, what a run of one did, and the bells that wake them.

use crate::domain::Timestamp;
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
}

impl Stage {
    /// In the order in which data flows.
    pub const ALL: [Self; 6] =
        [Self::Poll, Self::Decide, Self::Act, Self::Reconcile, Self::Verify, Self::Notify];

    /// The word in logs, metrics and health.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Decide => "decide",
            Self::Act => "act",
            Self::Reconcile => "reconcile",
            Self::Verify => "verify",
            Self::Notify => "notify",
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
pub(super) struct Bells([watch::Sender<u64>; 6]);

impl Bells {
    fn of(&self, stage: Stage) -> &watch::Sender<u64> {
        let [poll, decide, act, reconcile, verify, notify] = &self.0;
        match stage {
            Stage::Poll => poll,
            Stage::Decide => decide,
            Stage::Act => act,
            Stage::Reconcile => reconcile,
            Stage::Verify => verify,
            Stage::Notify => notify,
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
