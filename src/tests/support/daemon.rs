//! The real binary as a child process, with config and fleet in a folder of its own.

use serde_json::Value;
use std::{
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// One installation in a temporary folder.
#[derive(Debug)]
pub(crate) struct Install {
    folder: tempfile::TempDir,
    pub(crate) config: PathBuf,
}

/// The sample fleet's line.
pub(crate) const LINE: &str = "+12025550123";

impl Install {
    /// `carrier` is the provider's base URL, `mail` the mail server's.
    pub(crate) fn new(carrier: &str, mail: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("topupd.toml");
        let install = Self { folder, config };
        let database = install.path("topupd.db").display().to_string();
        let text = include_str!("topupd.toml")
            .replace("{database}", &database)
            .replace("{carrier}", carrier)
            .replace("{mail}", mail);
        std::fs::write(&install.config, text).unwrap();
        std::fs::write(install.path("fleet.toml"), include_str!("fleet.toml")).unwrap();
        install
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a piece of a file; the piece must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topupd"));
        command.current_dir(self.folder.path()).env_remove("CREDENTIALS_DIRECTORY");
        command.arg("--config").arg(&self.config).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a verb with a line on its standard input.
    pub(crate) fn feed(&self, args: &[&str], line: &str) -> Output {
        use std::io::Write as _;
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs a verb that must succeed, and returns its JSON document.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[&["--json"], args].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{args:?}: {stderr}{}",
            String::from_utf8_lossy(&output.stdout)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// Applies the fleet file.
    pub(crate) fn apply(&self) -> Value {
        self.json(&["apply", self.path("fleet.toml").to_str().unwrap()])
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Daemon {
        self.start_as(&mut self.command(&["run"]))
    }

    /// Starts the daemon, which dies at a place of `failpoint.rs`; returns when it is dead.
    pub(crate) fn die_at(&self, place: &str) {
        let mut daemon = self.start_as(self.command(&["run"]).env("TOPUPD_FAILPOINT", place));
        self.wait(place, || !daemon.is_running());
        assert_eq!(daemon.child.wait().unwrap().signal(), Some(9), "{}", self.log());
    }

    fn start_as(&self, command: &mut Command) -> Daemon {
        let log =
            std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The states of all top-ups, newest first.
    pub(crate) fn states(&self) -> Vec<String> {
        let topups = self.json(&["topups", "list"]);
        topups.as_array().unwrap().iter().map(|t| t["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until `check` holds; fails with the log when it does not for a minute and a half.
    pub(crate) fn wait(&self, what: &str, mut check: impl FnMut() -> bool) {
        let started = Instant::now();
        while !check() {
            assert!(
                started.elapsed() < Duration::from_secs(90),
                "{what} did not come; states {:?}, log:\n{}",
                self.states(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the only top-up is in `state`.
    pub(crate) fn wait_state(&self, state: &str) {
        self.wait(state, || self.states() == [state]);
    }
}

/// A running daemon; killed when the test ends.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// kill -9
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
