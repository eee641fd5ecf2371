//! The two servers, each a process of its own on the first core.

use super::fleet::Installation;
use anyhow::{Context, ensure};
use axum::{Router, http::header, routing::get};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Hidden: this process is the bare server.
pub(super) const BARE: &str = "--bare";

/// Holds this process, and those that it starts, to one core.
pub(super) fn sit_on(core: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).context("a second core is needed")
}

/// A program on the first core.
fn on_first_core(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Ends with this.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `topupd run` over an installation.
#[derive(Debug)]
pub(super) struct Daemon {
    running: Running,
    pub(super) base: String,
    pub(super) token: String,
}

impl Daemon {
    /// Starts it and waits until it answers.
    pub(super) async fn start(installation: &Installation) -> anyhow::Result<Self> {
        let made = installation
            .topupd()
            .args(["--json", "token", "create", "--role", "viewer"])
            .stdout(Stdio::piped())
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: serde_json::Value = serde_json::from_slice(&made.stdout)?;
        let token = made.get("token").and_then(|t| t.as_str()).context("no token")?.to_owned();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let topupd = installation.topupd();
        let mut command = on_first_core(topupd.get_program());
        command.args(topupd.get_args()).arg("run").stdin(Stdio::null()).stdout(Stdio::null());
        command.env("TOPUPD__ADMIN__LISTEN", format!("127.0.0.1:{port}"));
        if let Some(folder) = topupd.get_current_dir() {
            command.current_dir(folder);
        }
        let running = Running(command.spawn().context("taskset cannot be run")?);
        let base = format!("http://127.0.0.1:{port}");
        for _ in 0..200 {
            if reqwest::get(format!("{base}/healthz")).await.is_ok() {
                return Ok(Self { running, base, token });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the daemon does not answer")
    }

    pub(super) fn id(&self) -> u32 {
        self.running.0.id()
    }
}

/// A handler that has its answer already.
#[derive(Debug)]
pub(super) struct Bare {
    running: Running,
    pub(super) base: String,
}

impl Bare {
    pub(super) fn start(body: &[u8]) -> anyhow::Result<Self> {
        let mut child = on_first_core(std::env::current_exe()?.as_os_str())
            .arg(BARE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("no input")?.write_all(body)?;
        let mut base = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut base)?;
        Ok(Self { running: Running(child), base: base.trim().to_owned() })
    }

    pub(super) fn id(&self) -> u32 {
        self.running.0.id()
    }
}

/// Answers every request with what stands on its input.
#[expect(clippy::print_stdout, reason = "it tells where it listens")]
pub(super) fn bare() -> anyhow::Result<()> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let body = axum::body::Bytes::from(body);
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        std::io::stdout().flush()?;
        let handler = move || async move { ([(header::CONTENT_TYPE, "application/json")], body) };
        Ok(axum::serve(listener, Router::new().route("/", get(handler))).await?)
    })
}
