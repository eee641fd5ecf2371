//! What the kernel says of this process, under the names that Prometheus gives to it. Where there
//! is no `/proc`, nothing is said.

use super::{catalogue as c, page::Page};
use crate::domain::Span;

/// What `/proc` said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Process {
    /// Time on processors, of user and kernel.
    cpu: Option<Span>,
    /// From boot to the start of the process.
    started: Option<Span>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    threads: Option<u64>,
}

impl Process {
    /// From `/proc/self/stat`; `ticks` per second, `page` bytes. (Names may hold spaces and brackets:
    /// the fields begin after the last one.)
    fn parse(stat: &str, ticks: u64, page: u64) -> Self {
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        // The first of them is the third field of the manual.
        let field = |n: usize| fields.get(n.saturating_sub(3))?.parse::<u64>().ok();
        let span = |n: u64| {
            let ms = n.saturating_mul(1000).checked_div(ticks)?;
            i64::try_from(ms).ok().map(Span::from_ms)
        };
        Self {
            cpu: field(14)
                .zip(field(15))
                .and_then(|(user, kernel)| span(user.saturating_add(kernel))),
            started: field(22).and_then(span),
            resident_bytes: field(24).map(|pages| pages.saturating_mul(page)),
            virtual_bytes: field(23),
            threads: field(20),
        }
    }
}

/// Seconds since 1970 at boot.
fn boot_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

pub(super) fn write(page: &mut Page) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = rustix::param::clock_ticks_per_second();
    let size = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    let process = Process::parse(&stat, ticks, size);
    let started = boot_time().zip(process.started).and_then(|(boot, span)| {
        let boot = i64::try_from(boot).ok()?;
        Some(super::page::seconds(Span::seconds(boot).plus(span)))
    });
    let open = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    page.one(&c::PROCESS_START, started);
    page.one(&c::PROCESS_CPU, process.cpu.map(super::page::seconds));
    page.one(&c::PROCESS_RESIDENT, process.resident_bytes);
    page.one(&c::PROCESS_VIRTUAL, process.virtual_bytes);
    page.one(&c::PROCESS_THREADS, process.threads);
    page.one(&c::PROCESS_OPEN_FDS, open);
    page.one(&c::PROCESS_MAX_FDS, most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 12 0 4200 8192 3 18446744073709551615";
        let process = Process::parse(stat, 100, 4096);
        assert_eq!(process.cpu, Some(Span::seconds(3)));
        assert_eq!(process.started, Some(Span::seconds(42)));
        assert_eq!((process.virtual_bytes, process.resident_bytes), (Some(8192), Some(12288)));
        assert_eq!(process.threads, Some(12));
        assert_eq!(Process::parse("", 100, 4096), Process::default());
    }
}
