//! Named places at which tests let the program die. In a release they are nothing.
//!
//! `TOPUPD_FAILPOINT=NAME` (or `NAME#3`, the third time round) kills the process there with SIGKILL,
//! as a power cut would. A test in the same process can hang a closure in instead.

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use live::{at, stop_when};

/// Nothing.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
#[expect(clippy::unused_async, reason = "as in builds where it does something")]
pub async fn at(_name: &str) {}

/// The places beside the moves of top-ups, each of which is `STATE>STATE:before` its commit and
/// `STATE>STATE:after` it.
pub const PLACES: [&str; 6] = [
    "act:claimed",
    "act:recorded",
    "act:sending",
    "act:answered",
    "act:outcome_recorded",
    "notify:sent",
];

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod live {
    use std::{
        cell::RefCell,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// The place named in the environment, and how many times round are left.
    static KILL: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let wanted = crate::config::environment().find(|(name, _)| name == "TOPUPD_FAILPOINT")?.1;
        let (name, round) = wanted.split_once('#').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), AtomicU64::new(round.parse().unwrap_or(1))))
    });

    type Hook = Box<dyn FnMut(&str) -> bool>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// The program comes by `name`.
    pub async fn at(name: &str) {
        if let Some((wanted, left)) = &*KILL
            && wanted == name
            && left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).ok();
        }
        let stop = HOOK.with(|hook| hook.borrow_mut().as_mut().is_some_and(|hook| hook(name)));
        if stop {
            // Dead to the world: whoever waits for this must drop it.
            std::future::pending::<()>().await;
        }
    }

    /// On this thread, `hook` decides from now on whether the program stops at a place; `None`
    /// takes it away.
    pub fn stop_when(hook: Option<Hook>) {
        HOOK.with(|slot| *slot.borrow_mut() = hook);
    }
}
