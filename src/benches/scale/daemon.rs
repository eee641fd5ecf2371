//! `topupd run` over the fleet: start, pages, memory, stop; as it goes every day, and after a day
//! of silence, when every line is overdue.

use super::{Table, Unit, figures::Usage, place::Place, rows::middle};
use anyhow::{Context, ensure};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use std::{
    net::TcpListener,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// How long it runs before it is looked at.
const RUNS: Duration = Duration::from_secs(10);

/// Prints and notes what takes how long.
pub(super) async fn measure(place: &Place, table: &mut Table) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let running = Running::start(place, &client).await?;
    table.time("start until /readyz says so", running.ready);
    let (first, size) = running.page(&client, "/").await?;
    table.time("overview, the first", first);
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (name, path) in [
        ("overview, first byte", "/"),
        ("/metrics", "/metrics"),
        ("/readyz", "/readyz"),
        ("a line's page", "/lines/line-7"),
    ] {
        let mut times = Vec::new();
        for _ in 0..21 {
            times.push(running.page(&client, path).await?.0);
        }
        table.time(name, middle(&mut times));
        if path == "/" {
            table.time("overview, the slowest of 21", times.last().copied().unwrap_or_default());
        }
    }
    ensure!(size < 300_000, "the overview is {size} bytes long");
    tokio::time::sleep(RUNS).await;
    running.end(table, "resident at most", "stop")?;

    let mut connection = AnyConnection::connect(place.url()).await?;
    connection.execute("UPDATE watches SET next_poll_at = next_poll_at - 86400000").await?;
    connection.close().await?;
    let running = Running::start(place, &client).await?;
    table.time("start after a day of silence", running.ready);
    tokio::time::sleep(RUNS).await;
    let mut times = Vec::new();
    for _ in 0..21 {
        times.push(running.page(&client, "/").await?.0);
    }
    table.time("overview while all that is caught up", middle(&mut times));
    running.end(table, "resident at most after a silence", "stop while all is caught up")
}

/// A daemon, and how long it took until work flowed.
struct Running {
    child: Child,
    base: String,
    ready: Duration,
}

impl Running {
    async fn start(place: &Place, client: &reqwest::Client) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let base = format!("http://127.0.0.1:{port}");
        let mut command = place.topupd();
        command.arg("run").stderr(Stdio::null());
        command.env("TOPUPD__ADMIN__LISTEN", format!("127.0.0.1:{port}"));
        let began = Instant::now();
        let mut running = Self { child: command.spawn()?, base, ready: Duration::ZERO };
        let url = format!("{}/readyz", running.base);
        while running.ready.is_zero() {
            let answer = client.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                running.ready = began.elapsed();
            }
            ensure!(began.elapsed() < Duration::from_secs(600), "the daemon is not ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(running)
    }

    /// Until the first byte, and how many there were.
    async fn page(
        &self,
        client: &reqwest::Client,
        path: &str,
    ) -> anyhow::Result<(Duration, usize)> {
        let began = Instant::now();
        let answer = client.get(format!("{}{path}", self.base)).send().await?.error_for_status()?;
        let first = began.elapsed();
        Ok((first, answer.bytes().await?.len()))
    }

    fn end(
        mut self,
        table: &mut Table,
        memory: &'static str,
        stop: &'static str,
    ) -> anyhow::Result<()> {
        let peak = Usage::of(self.child.id())?.peak_kib;
        println!("   {memory}: {} MiB", peak / 1024);
        table.add(memory, Unit::Kib, peak);
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let began = Instant::now();
        rustix::process::kill_process(pid.context("no process")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        table.time(stop, began.elapsed());
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
