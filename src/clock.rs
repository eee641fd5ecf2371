//! The only reader of the time of day. Everything else is handed a [`Timestamp`].

use crate::domain::{Span, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Where `now` comes from: the system, or a test's own hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The wall clock.
    System,
    /// Stands still until it is moved; for tests and replays.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.ms())))
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_ms(chrono::Utc::now().timestamp_millis()),
            Self::Fixed(ms) => Timestamp::from_ms(ms.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock on; the system clock does not move for anyone.
    pub fn advance(&self, span: Span) {
        if let Self::Fixed(ms) = self {
            ms.fetch_add(span.ms(), Ordering::SeqCst);
        }
    }
}

/// Time since boot, suspend included (`CLOCK_BOOTTIME`): what money deadlines are measured with,
/// since neither a changed wall clock nor a sleeping machine can stretch it.
pub fn since_boot() -> Span {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Span::seconds(at.tv_sec).plus(Span::from_ms(at.tv_nsec / 1_000_000))
}
