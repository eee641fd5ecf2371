//! The carrier: a process of its own, so that its CPU time is nobody's. It answers any line with
//! the JSON of the README's `http` example and does nothing else.

use anyhow::Context;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The argument that makes this program the carrier.
pub(super) const SERVE: &str = "--serve";

/// Where a line is asked for; its number follows.
pub(super) const PATH: &str = "/v1/lines/";

/// The same in the format of Prometheus.
pub(super) const METRICS: &str = "/v1/metrics/";

/// Lines that were asked about.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Where it tells how many lines it was asked about.
pub(super) const COUNT: &str = "/count";

/// `[providers.NAME.http]` in the config of who asks this carrier, with `more` in it.
pub(super) fn provider(name: &str, base_url: &str, more: &str) -> String {
    format!(
        r#"
[providers.{name}.http]
base_url = "{base_url}"
allow_private_network = true
timeout = "10s"
{more}
[providers.{name}.http.read]
path = "{PATH}{{{{ subscription.msisdn }}}}"
balance = "/balance/amount"
currency = "/balance/currency"
service_end = "/expires_at"
data_left = {{ at = "/data/left_mb", unit = "MB" }}
[providers.{name}.http.topup]
method = "POST"
path = "/v1/topups"
body = '{{"ref":"{{{{ reference }}}}","msisdn":"{{{{ subscription.msisdn }}}}","amount":"{{{{ amount }}}}","currency":"{{{{ currency }}}}"}}'
transaction_id = "/id"
status = "/status"
paid = ["done"]
"#
    )
}

/// How a carrier answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How long it thinks about a line.
    pub(super) thinks: Duration,
    /// Hears every path. What it says itself is the answer, at once, and the last on that connection.
    pub(super) hears: fn(&str) -> Option<String>,
}

impl Manner {
    /// As fast as it can.
    const PLAIN: Self = Self { thinks: Duration::ZERO, hears: |_| None };
}

/// A running carrier; it ends when its standard input is closed, so at the latest with us.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
}

impl Carrier {
    /// Starts this program again as a carrier and waits until it listens.
    pub(super) fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with something to read after [`SERVE`].
    pub(super) fn start_with(more: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the carrier cannot start")?;
        let mut said = String::new();
        let stdout = child.stdout.take().context("the carrier has no standard output")?;
        BufReader::new(stdout).read_line(&mut said)?;
        let address = said.trim().parse().with_context(|| format!("the carrier said {said:?}"))?;
        Ok(Self { child, address })
    }

    /// `http://127.0.0.1:PORT`
    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Is the carrier until the parent goes away.
pub(super) fn serve() -> anyhow::Result<()> {
    serve_as(Manner::PLAIN)
}

/// The same in a manner of its own.
pub(super) fn serve_as(manner: Manner) -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    if !manner.thinks.is_zero() {
        runtime.enable_time();
    }
    let runtime = runtime.enable_io().build()?;
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .ok();
    });
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(answer(stream, manner));
        }
    })
}

/// Answers one request after the other on one connection.
async fn answer(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let path = path(&request);
        let said = (manner.hears)(path);
        let is_last = said.is_some() || path == COUNT;
        if !is_last && !manner.thinks.is_zero() {
            tokio::time::sleep(manner.thinks).await;
        }
        let (body, kind) = said.map_or_else(|| body(path), |said| (said, "text/plain"));
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        if is_last {
            return Ok(());
        }
        request.clear();
    }
}

/// The answer to a path, and its content type.
fn body(path: &str) -> (String, &'static str) {
    if path == COUNT {
        return (ASKED.load(Ordering::Relaxed).to_string(), "text/plain");
    }
    ASKED.fetch_add(1, Ordering::Relaxed);
    if path.starts_with(METRICS) {
        let text = "balance 23.45\ndata_left_mb 2048\nexpires_at 4073414400\n";
        return (text.to_owned(), "text/plain; version=0.0.4");
    }
    let number =
        path.strip_prefix(PATH).and_then(|rest| rest.split('?').next()).unwrap_or_default();
    let body = format!(
        r#"{{"msisdn":"{number}","balance":{{"amount":"23.45","currency":"USD"}},"expires_at":"2099-01-31T00:00:00Z","data":{{"left_mb":2048}}}}"#
    );
    (body, "application/json")
}

/// The path in the request line.
fn path(request: &[u8]) -> &str {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    std::str::from_utf8(line).unwrap_or_default().split(' ').nth(1).unwrap_or_default()
}
