//! A program that polls: started on a core of its own, measured with all its processes, killed at the
//! end.

use super::{
    carrier::{COUNT, Carrier},
    figures::{Cost, Usage, tenths},
};
use anyhow::Context;
use std::{
    fmt,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
};

impl Carrier {
    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many lines it was asked about so far.
    pub(super) fn count(&self) -> anyhow::Result<u64> {
        let mut stream = std::net::TcpStream::connect(self.address)?;
        write!(stream, "GET {COUNT} HTTP/1.1\r\nhost: carrier\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.rsplit("\r\n").next().unwrap_or_default();
        body.parse().with_context(|| format!("the carrier said {answer:?}"))
    }
}

/// What one peer took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) polls: u64,
    pub(super) seconds: u64,
    pub(super) cpu_us: u64,
    pub(super) peak_kib: u64,
}

impl Figures {
    /// Above what [`Figures`] prints.
    pub(super) const HEADINGS: &'static str = "    CPU µs      per s    peak MiB";

    /// Its CPU for a poll in hundredths of that of a request of `limit`.
    pub(super) fn hundredths_of(self, limit: Cost) -> Option<u64> {
        Cost::of(self.polls, self.cpu_us).hundredths_of(limit)
    }

    /// Its CPU for a poll in tenths of that of `other`.
    pub(super) fn tenths_over(self, other: Self) -> Option<u64> {
        let ours = self.cpu_us.checked_mul(10)?.checked_mul(other.polls)?;
        ours.checked_div(other.cpu_us.checked_mul(self.polls)?)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.polls.checked_div(self.seconds).unwrap_or(0);
        let each = tenths(self.cpu_us, self.polls.max(1));
        write!(f, "{each:>10}{rate:>11}{:>12}", tenths(self.peak_kib, 1024))
    }
}

/// Processes that are killed when we are done with them, however that is.
#[derive(Debug)]
pub(super) struct Peer(Vec<Child>);

impl Peer {
    /// Starts one.
    pub(super) fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(vec![command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?]))
    }

    /// Starts another beside it.
    pub(super) fn and(mut self, command: &mut Command) -> anyhow::Result<Self> {
        let mut other = Self::start(command)?;
        self.0.append(&mut other.0);
        Ok(self)
    }

    /// CPU and memory of all of them.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let mut all = Usage { now_kib: 0, peak_kib: 0, cpu_ms: 0 };
        for child in &self.0 {
            let one = Usage::of(child.id())?;
            all.now_kib = all.now_kib.saturating_add(one.now_kib);
            all.peak_kib = all.peak_kib.saturating_add(one.peak_kib);
            all.cpu_ms = all.cpu_ms.saturating_add(one.cpu_ms);
        }
        Ok(all)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// `command` on the core `core` alone, where this machine can do that.
pub(super) fn pinned(command: &Command, core: usize) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut pinned = if cores > core {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", &core.to_string()]).arg(command.get_program());
        taskset
    } else {
        Command::new(command.get_program())
    };
    pinned.args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// A running process on the core `core` alone.
pub(super) fn pin(pid: u32, core: usize) {
    let mut taskset = Command::new("taskset");
    taskset.args(["-a", "-p", "-c", &core.to_string(), &pid.to_string()]);
    taskset.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
}
