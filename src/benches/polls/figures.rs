//! CPU time, memory, the machine; and how figures are printed (in whole numbers throughout).

use anyhow::Context;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// What a number of requests or polls took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    done: u64,
    cpu_us: u64,
    wall_us: u64,
}

impl Cost {
    /// Above what [`Cost`] prints.
    pub(super) const HEADINGS: &'static str = "    CPU µs      per s   per CPU s";

    /// What `done` took of CPU; how long it took is no matter.
    pub(super) const fn of(done: u64, cpu_us: u64) -> Self {
        Self { done, cpu_us, wall_us: 0 }
    }

    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            done: self.done.saturating_add(other.done),
            cpu_us: self.cpu_us.saturating_add(other.cpu_us),
            wall_us: self.wall_us.saturating_add(other.wall_us),
        }
    }

    /// CPU of this in hundredths of that of `other`, each for one.
    pub(super) fn hundredths_of(self, other: Self) -> Option<u64> {
        let ours = self.cpu_us.checked_mul(100)?.checked_mul(other.done)?;
        ours.checked_div(other.cpu_us.checked_mul(self.done)?)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |us: u64| self.done.saturating_mul(1_000_000).checked_div(us).unwrap_or(0);
        let each = tenths(self.cpu_us, self.done.max(1));
        write!(f, "{each:>10}{:>11}{:>12}", rate(self.wall_us), rate(self.cpu_us))
    }
}

/// Runs from its making to [`Meter::stop`].
#[derive(Debug)]
pub(super) struct Meter {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    /// Starts now.
    pub(super) fn start() -> Self {
        Self { cpu: own_cpu(), wall: Instant::now() }
    }

    /// The cost of what was `done` since the start.
    pub(super) fn stop(self, done: usize) -> anyhow::Result<Cost> {
        let (wall, cpu) = (self.wall.elapsed(), own_cpu().saturating_sub(self.cpu));
        Ok(Cost {
            done: u64::try_from(done)?,
            cpu_us: u64::try_from(cpu.as_micros())?,
            wall_us: u64::try_from(wall.as_micros())?,
        })
    }
}

/// User and system time of all threads of this process.
fn own_cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(at.tv_sec)).saturating_add(Duration::from_nanos(part(at.tv_nsec)))
}

/// `n / by` to one decimal.
pub(super) fn tenths(n: u64, by: u64) -> String {
    let tenths = n.saturating_mul(10).checked_div(by).unwrap_or(0);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Where this was measured.
#[derive(Debug)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
}

impl Machine {
    /// As the kernel tells it.
    pub(super) fn read() -> anyhow::Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).with_context(|| path.to_owned());
        let info = read("/proc/cpuinfo")?;
        let model = info.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = model.map(|text| text.trim_start_matches(['\t', ' ', ':']).to_owned());
        Ok(Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, kernel } = self;
        write!(f, "{processor}, {cores} cores usable, Linux {kernel}; loopback")
    }
}

/// `USER_HZ` is 100 on every architecture we build for, whatever the kernel's own tick.
const TICK_MS: u64 = 10;

/// Memory and CPU time of another process, from `/proc`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Resident now.
    pub(super) now_kib: u64,
    /// Resident at most so far.
    pub(super) peak_kib: u64,
    /// User and system time so far.
    pub(super) cpu_ms: u64,
}

impl Usage {
    /// Of the process `pid`.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            number.and_then(|n| n.parse().ok()).with_context(|| format!("no {key} in status"))
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let ticks: Vec<u64> =
            after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        let cpu_ms = ticks.iter().sum::<u64>().saturating_mul(TICK_MS);
        Ok(Self { now_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")?, cpu_ms })
    }
}
