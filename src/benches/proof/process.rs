//! The real binary as a process that can die, in a folder of its own.

use super::{
    faults::{number, provider},
    house::folder,
    oracle::{Class, Oracle},
};
use anyhow::{Context, ensure};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use topupd::{
    domain::{Timestamp, Topup},
    store::{Anchor, Head, Replay, Store},
};

/// Paces at which everything happens within seconds.
const FAST: &str = "[admin]\nlisten = \"off\"\n[log]\nlevel = \"info\"\n[flow]\npoll_every = \"300ms\"\nconfirm_after = \"100ms\"\n\
    verify_after = [\"100ms\", \"200ms\", \"500ms\", \"1s\", \"2s\", \"4s\"]\nreconcile_after = [\"100ms\", \"200ms\", \"300ms\"]\nretry_after = \"100ms\"\n\
    [safety]\nstorm_min = 100000\npayer_rate = \"1000000/s\"\nresubmit = \"strict\"\nunknown_limit = 1000\ndisk_min = \"0 MB\"\n\
    settle_min = \"1s\"\nnot_found_over = \"500ms\"\n[caps]\nglobal_24h = \"10000000.00 USD\"\norders_24h = 1000\norders_30d = 10000\n";

/// An installation of the real binary.
pub(crate) struct Installation {
    pub(crate) folder: tempfile::TempDir,
}

impl Installation {
    /// Lines from the `first` number on, each with its class of payer; `rule` is added to the rule.
    pub(crate) fn new(
        oracle: &Oracle,
        first: usize,
        lines: &[Class],
        rule: &str,
    ) -> anyhow::Result<Self> {
        let made = Self { folder: folder()? };
        let database = format!("sqlite://{}", made.path("t.db").display());
        let providers: String =
            Class::ALL.iter().map(|class| provider(*class, &oracle.address)).collect();
        std::fs::write(
            made.path("topupd.toml"),
            format!("[database]\nurl = \"{database}\"\n{FAST}{providers}"),
        )?;
        let mut fleet =
            String::from("[[subscribers]]\nid = \"o\"\nname = \"Owner\"\ntime_zone = \"UTC\"\n");
        for (n, class) in lines.iter().enumerate() {
            let (number, word) = (number(first + n), class.word());
            write!(
                fleet,
                "[[subscriptions]]\nid = \"line-{n:05}\"\nsubscriber = \"o\"\nlabel = \"L\"\nmsisdn = \"{number}\"\nreader = \"{word}\"\npayers = [\"{word}\"]\n"
            )?;
        }
        write!(
            fleet,
            "[[rules]]\nid = \"keep\"\napplies_to = {{ all = true }}\nmode = \"auto\"\nany = [{{ metric = \"balance\", at_most = \"5.00 USD\" }}]\n\
             amount = {{ fixed = \"10.00 USD\" }}\napprove_first = false\nmax_declines = 20\n{rule}"
        )?;
        let file = made.path("fleet.toml");
        std::fs::write(&file, fleet)?;
        let done = made.command().arg("apply").arg(&file).output()?;
        ensure!(done.status.success(), "not applied: {}", String::from_utf8_lossy(&done.stderr));
        Ok(made)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topupd"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("--config").arg(self.path("topupd.toml"));
        command
    }

    fn log(&self) -> anyhow::Result<std::fs::File> {
        Ok(std::fs::File::options().create(true).append(true).open(self.path("log"))?)
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        self.start_as(self.command())
    }

    /// Starts `command`, which ends in the binary with its config, as the daemon.
    pub(crate) fn start_as(&self, mut command: Command) -> anyhow::Result<Running> {
        let child = command
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log()?)
            .spawn()?;
        Ok(Running(child))
    }

    pub(crate) fn text_of_log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// All top-ups, while no daemon runs or beside one.
    pub(crate) async fn topups(&self) -> anyhow::Result<Vec<Topup>> {
        let store = self.store().await?;
        let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
        let found = store.topups(None, all.0, all.1, i64::MAX).await;
        store.close().await;
        Ok(found?)
    }

    async fn store(&self) -> anyhow::Result<Store> {
        Store::open(&format!("sqlite://{}", self.path("t.db").display())).await.context("open")
    }

    /// What `topupd verify` says, with the heads that the flight recorder kept, and whether every
    /// charged reference is in the recorder.
    pub(crate) async fn findings(&self) -> anyhow::Result<Vec<String>> {
        let replay = Replay::load(&self.path("t.db.recorder"))?;
        let anchor =
            |(seq, hash)| Anchor { head: Head { seq, hash }, origin: "the flight recorder".into() };
        let anchors: Vec<Anchor> = replay.heads.into_iter().map(anchor).collect();
        let store = self.store().await?;
        let proof = store.prove(&anchors).await;
        store.close().await;
        let findings = proof?.findings;
        let findings = findings.into_iter().map(|f| format!("{}: {}: {}", f.proof, f.row, f.why));
        Ok(findings.chain(replay.damage).collect())
    }

    /// What the recorder knows to have left.
    pub(crate) fn recorded(&self) -> anyhow::Result<Vec<String>> {
        let replay = Replay::load(&self.path("t.db.recorder"))?;
        Ok(replay.sent.into_iter().map(|sent| sent.reference).collect())
    }
}

/// A running daemon; killed when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// `kill -9`
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> anyhow::Result<Option<i32>> {
        Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status()?;
        Ok(self.0.wait()?.code())
    }

    /// Waits until it is gone by itself, for so long at most.
    pub(crate) fn died_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if self.0.try_wait()?.is_some() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits until `check` holds, for so long at most.
pub(crate) async fn until<F, Fut>(patience: Duration, mut check: F) -> anyhow::Result<bool>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<bool>>,
{
    let started = Instant::now();
    loop {
        if check().await? {
            return Ok(true);
        }
        if started.elapsed() > patience {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The path of a helper that may be installed.
pub(crate) fn helper(candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(Path::new).find(|path| path.exists()).map(Path::to_path_buf)
}
