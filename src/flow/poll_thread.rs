//! A thread of its own for polls. An answer that comes to the thread that waits for it costs about half
//! of one that must wake another thread first, and of a poll that is most of the price. It gives way to
//! the others: while hundreds of lines are asked at once, orders and notices have the processor first.

use super::EngineError;
use std::sync::OnceLock;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The thread, once there is one; it ends with its owner.
#[derive(Debug, Default)]
pub(super) struct PollThread(OnceLock<(Handle, oneshot::Sender<()>)>);

impl PollThread {
    /// Where polls run. Connections that are made there stay with it, so it lasts as long as the engine
    /// and not only as long as its loops.
    pub(super) fn handle(&self) -> Result<&Handle, EngineError> {
        if self.0.get().is_none() {
            self.0.set(start().map_err(EngineError::Thread)?).ok();
        }
        let found = self.0.get().map(|(handle, _)| handle);
        found.ok_or_else(|| EngineError::Thread(std::io::Error::other("there is none")))
    }
}

/// How far the thread gives way: a third of the share of one at 0, where both want the processor
/// (sched(7)).
const NICE: i32 = 5;

fn start() -> std::io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (owner, gone) = oneshot::channel::<()>();
    std::thread::Builder::new().name("topupd-polls".into()).spawn(move || {
        // On Linux nobody named is the calling thread (setpriority(2)); refused, it is as it was.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!("polls run like everything else: {error}");
        }
        runtime.block_on(gone).ok();
    })?;
    Ok((handle, owner))
}
