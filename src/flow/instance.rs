//! This process among others over one database: its heartbeat, what it holds, whether its clock
//! agrees with the database's, and who has yet to compare a flight recorder.

use super::{Engine, EngineError};
use crate::clock::Clock;
use crate::domain::{Span, Timestamp};
use crate::store::{Dialect, Holds, Instance};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, Ordering},
};
use tokio::sync::watch;

/// Leases are counted by the clock of whoever claims. Instances whose clocks differ by more than
/// this from the database's take no work: they would take over what is still another's.
const APART: Span = Span::seconds(5);
/// A farewell that the database does not take in this time is left out: the lease tells as well.
const FAREWELL: Span = Span::seconds(2);
/// Who was not heard of for so long is no witness of a failover any more.
const WITNESS: Span = Span::hours(1);

/// What can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Polls,
    Decisions,
    Orders,
    Looks,
    Notices,
}

/// This process as others see it.
#[derive(Debug)]
pub(super) struct Here {
    id: String,
    started_at: Timestamp,
    /// How far its clock is from the database's, when they were compared last.
    apart: Mutex<Span>,
    is_known: AtomicBool,
    polls: AtomicI64,
    decisions: AtomicI64,
    orders: AtomicI64,
    looks: AtomicI64,
    notices: AtomicI64,
}

impl Here {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            id: format!("i_{:012x}", fastrand::u64(..0x1_0000_0000_0000)),
            started_at: now,
            apart: Mutex::new(Span::ZERO),
            is_known: AtomicBool::new(false),
            polls: AtomicI64::new(0),
            decisions: AtomicI64::new(0),
            orders: AtomicI64::new(0),
            looks: AtomicI64::new(0),
            notices: AtomicI64::new(0),
        }
    }

    fn of(&self, work: Work) -> &AtomicI64 {
        match work {
            Work::Polls => &self.polls,
            Work::Decisions => &self.decisions,
            Work::Orders => &self.orders,
            Work::Looks => &self.looks,
            Work::Notices => &self.notices,
        }
    }

    fn holds(&self) -> Holds {
        let n = |work| self.of(work).load(Ordering::Relaxed);
        Holds {
            polls: n(Work::Polls),
            decisions: n(Work::Decisions),
            orders: n(Work::Orders),
            looks: n(Work::Looks),
            notices: n(Work::Notices),
        }
    }
}

/// A figure of what is held; what is left of it goes when this is dropped.
#[derive(Debug)]
pub(super) struct Held<'a> {
    of: &'a AtomicI64,
    n: i64,
}

impl Held<'_> {
    /// So much is held now.
    pub(super) fn set(&mut self, n: usize) {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        self.of.fetch_add(n.saturating_sub(self.n), Ordering::Relaxed);
        self.n = n;
    }

    /// One of them is done.
    pub(super) fn done(&mut self) {
        self.set(usize::try_from(self.n.saturating_sub(1)).unwrap_or(0));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.n, Ordering::Relaxed);
    }
}

impl Engine {
    /// The id of this instance, another one at every start.
    pub fn instance_id(&self) -> &str {
        &self.0.here.id
    }

    /// Counts `n` of `work` as held for as long as the answer lives.
    pub(super) fn holds(&self, work: Work, n: usize) -> Held<'_> {
        let mut held = Held { of: self.0.here.of(work), n: 0 };
        held.set(n);
        held
    }

    /// How long a claim lasts, beside the time that calls may take.
    pub(super) fn lease(&self) -> Span {
        self.settings().flow.lease
    }

    fn shared(&self) -> bool {
        self.store().dialect() == Dialect::Postgres
    }

    /// A figure of its own, so that an embedded database is hardly written to at rest.
    fn beat_every(&self) -> Span {
        if self.shared() {
            self.lease().divided_by(12).max(Span::from_ms(500)).min(Span::seconds(5))
        } else {
            Span::minutes(1)
        }
    }

    /// Compares this machine's clock with the database's.
    pub(crate) async fn compare_clocks(&self) -> Result<(), EngineError> {
        if !self.shared() || !matches!(self.0.parts.clock, Clock::System) {
            return Ok(());
        }
        let before = self.now();
        let Some(theirs) = self.store().database_clock().await? else { return Ok(()) };
        let apart = difference(before, theirs, self.now());
        let was = self.is_idle();
        *self.0.here.apart.lock().unwrap_or_else(PoisonError::into_inner) = apart;
        match (was, self.idle()) {
            (false, Some(why)) => tracing::error!("{why}"),
            (true, None) => tracing::warn!("this machine's clock agrees with the database's again"),
            (true, Some(_)) | (false, None) => {}
        }
        Ok(())
    }

    /// Why this instance takes no work.
    pub(super) fn idle(&self) -> Option<String> {
        let apart = *self.0.here.apart.lock().unwrap_or_else(PoisonError::into_inner);
        (apart.abs() > APART).then(|| {
            let way = if apart > Span::ZERO { "behind" } else { "ahead of" };
            let by = apart.abs();
            format!("this machine's clock is {by} {way} the database's: nothing is claimed or paid here until they agree")
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle().is_some()
    }

    /// Says that this instance is alive and what it holds; before that it looks whether its clock
    /// agrees, and whether the database is still the one that its flight recorder was compared with.
    pub async fn beat(&self) -> Result<(), EngineError> {
        self.compare_clocks().await?;
        if self.may_pay() && self.shared() {
            self.recover().await?;
        }
        self.write_heartbeat(None).await
    }

    async fn write_heartbeat(&self, stopped_at: Option<Timestamp>) -> Result<(), EngineError> {
        let now = self.now();
        let lease = self.beat_every().times(3).max(self.lease());
        let here = &self.0.here;
        let row = Instance {
            id: here.id.clone(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: i64::from(std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: here.started_at,
            seen_at: now,
            lease_until: now.plus(lease),
            stopped_at,
            holds: here.holds(),
            compared: self.0.recovery.lock().await.compared(),
            idle: self.idle(),
        };
        let is_first = !here.is_known.load(Ordering::Relaxed);
        self.store().heartbeat(&row, is_first).await?;
        here.is_known.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Beats until the daemon stops.
    pub(super) async fn stay_known(self, mut stopped: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.beat().await {
                tracing::warn!("the instance's heartbeat failed: {error}");
            }
            tokio::select! {
                () = tokio::time::sleep(self.beat_every().to_std()) => {}
                _ = stopped.changed() => {}
            }
            if *stopped.borrow() {
                return;
            }
        }
    }

    /// Says that this instance ended in good order.
    pub(super) async fn farewell(&self) {
        let said = self.write_heartbeat(Some(self.now()));
        match tokio::time::timeout(FAREWELL.to_std(), said).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the farewell was not written: {error}"),
            Err(_) => tracing::warn!("the farewell was not written: the database is silent"),
        }
    }

    /// After a failover: who has not compared a flight recorder with the rows as they are now. Until
    /// then nobody knows what was sent and forgotten, and no money moves. Who stays silent for a
    /// lease is not waited for.
    pub(super) async fn others_behind(
        &self,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        if !self.shared() {
            return Ok(None);
        }
        let (Some(compared), Some(since)) = self.0.recovery.lock().await.known() else {
            return Ok(None);
        };
        let waits_for = |other: &Instance| {
            let until = other.lease_until.max(since.plus(self.lease()));
            other.id != self.instance_id()
                && other.stopped_at.is_none()
                && other.compared.as_ref().is_some_and(|theirs| *theirs != compared)
                && now.since(other.seen_at) < WITNESS
                && now < until
        };
        let others = self.store().instances().await?;
        Ok(others.iter().find(|other| waits_for(other)).map(|other| {
            let Instance { host, pid, .. } = other;
            format!(
                "the database is another one than before; the instance on {host} (process {pid}) has not compared its flight recorder with it yet"
            )
        }))
    }
}

/// How far `theirs`, read between the two, is from our clock; nothing where it fits between them.
fn difference(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Span {
    if theirs > after {
        theirs.since(after)
    } else if theirs < before {
        theirs.since(before)
    } else {
        Span::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_proves_no_difference() {
        let at = |seconds| Timestamp::from_ms(1_800_000_000_000).plus(Span::seconds(seconds));
        assert_eq!(difference(at(0), at(3), at(9)), Span::ZERO);
        assert_eq!(difference(at(0), at(12), at(9)), Span::seconds(3));
        assert_eq!(difference(at(0), at(-7), at(9)), Span::seconds(-7));
    }

    #[test]
    fn what_is_held_is_let_go() {
        let here = Here::new(Timestamp::from_ms(0));
        {
            let mut held = Held { of: here.of(Work::Polls), n: 0 };
            held.set(5);
            held.done();
            assert_eq!(here.holds().polls, 4);
            let other = Held { of: here.of(Work::Polls), n: 0 };
            drop(other);
            assert_eq!(here.holds().polls, 4);
        }
        assert_eq!(here.holds(), Holds::default());
    }
}
