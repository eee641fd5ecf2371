//! One `topupd run` with a config of its own, over the database of all.

use super::{
    Plan,
    asks::BY,
    carrier::{Carrier, PATH},
    fleet::Installation,
};
use anyhow::{Context, ensure};
use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// How long it may take until it works.
const PATIENCE: Duration = Duration::from_secs(120);

/// A config, and where it answers; what it keeps beside the database is in the folder of the config.
#[derive(Debug)]
pub(super) struct Instance {
    installation: Installation,
    base: String,
}

/// It runs; it is killed when nobody wants it any more.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    base: String,
    log: std::path::PathBuf,
}

impl Instance {
    /// The `n`th over the database at `url`, whose lines are polled every so many seconds.
    pub(super) fn new(
        carrier: &Carrier,
        plan: &Plan,
        url: &str,
        every: u64,
        n: usize,
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let over = vec![
            ("TOPUPD__DATABASE__URL", url.to_owned()),
            ("TOPUPD__ADMIN__LISTEN", format!("127.0.0.1:{port}")),
            // Whoever has more lines than can be asked in time has late readings: no news here.
            ("TOPUPD__FLOW__STALE_AFTER", "1d".to_owned()),
            ("TOPUPD__PROVIDERS__CARRIER__HTTP__CONCURRENCY", plan.concurrency.to_string()),
            (
                "TOPUPD__PROVIDERS__CARRIER__HTTP__READ__PATH",
                format!("{PATH}{{{{ subscription.msisdn }}}}{BY}{n}"),
            ),
        ];
        let installation =
            Installation::empty(&carrier.base_url(), &format!("{every}s"), "", over)?;
        let base = format!("http://127.0.0.1:{port}");
        Ok(Self { installation, base })
    }

    /// Writes the fleet; once for all instances.
    pub(super) fn apply(&self, lines: usize) -> anyhow::Result<()> {
        self.installation.apply(lines)
    }

    /// Starts it.
    pub(super) fn start(&self) -> anyhow::Result<Running> {
        let log = self.installation.config().with_extension("log");
        let mut command = self.installation.topupd();
        let child = command.arg("run").stderr(Stdio::from(File::create(&log)?)).spawn()?;
        Ok(Running { child, base: self.base.clone(), log })
    }
}

impl Running {
    /// Waits until it says that it works.
    pub(super) async fn ready(&mut self, client: &reqwest::Client) -> anyhow::Result<()> {
        let (url, began) = (format!("{}/readyz", self.base), Instant::now());
        while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            self.ensure_alive()?;
            ensure!(began.elapsed() < PATIENCE, "an instance is not ready:\n{}", self.last_words());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Fails where it ended by itself.
    pub(super) fn ensure_alive(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "an instance ended:\n{}", self.last_words());
        Ok(())
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Answers that came too late to count, as the log has them.
    pub(super) fn warnings(&self) -> anyhow::Result<usize> {
        let log = std::fs::read_to_string(&self.log)?;
        Ok(log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// Asks it to end, and waits.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("no process")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "an instance ended with {status}:\n{}", self.last_words());
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
