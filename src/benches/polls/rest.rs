//! The daemon at rest: the real binary, after it has polled every line once.

use super::figures::Usage;
use super::fleet::Installation;
use super::rounds::until_done;
use std::{process::Child, time::Duration};
use topupd::{clock::Clock, store::Store};

/// How long after the last poll memory and CPU count as at rest.
const SETTLE: Duration = Duration::from_secs(3);

/// A child that is killed when we are done with it, however that is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Memory at rest, and the CPU time of `seconds` of rest.
pub(super) fn run(installation: &Installation, seconds: u64) -> anyhow::Result<Usage> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&installation.database()).await?;
        store.poll_now(&[], Clock::System.now()).await?;
        let daemon = Running(installation.topupd().arg("run").spawn()?);
        until_done(&store, || Clock::System.now()).await?;
        store.close().await;
        tokio::time::sleep(SETTLE).await;
        let before = Usage::of(daemon.0.id())?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let after = Usage::of(daemon.0.id())?;
        Ok(Usage { cpu_ms: after.cpu_ms.saturating_sub(before.cpu_ms), ..after })
    })
}
