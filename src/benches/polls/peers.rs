//! What a poll costs beside what people use today, in one run against one carrier.
//!
//! Each of them polls the same lines at the same pace, one after the other: `topupd run`, a hand-written
//! Python service (`APScheduler`, aiohttp, batched SQLite), Prometheus, and Prometheus with its blackbox
//! exporter. The carrier has one core, they have the other. CPU is of all processes of theirs; what was
//! really polled, the carrier counts.

use super::carrier::Carrier;
use super::figures::{Cost, tenths};
use super::fleet::Installation;
use super::peer::{self, Figures, Peer};
use super::{limit, prometheus, python};
use std::time::Duration;

/// How much is measured.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    /// Seconds between two polls of a line.
    pub(super) every: u64,
    /// Seconds that are measured, after [`SETTLED`] rounds of polls.
    pub(super) seconds: u64,
    /// One of them alone: `topupd`, `python`, `prometheus`, `blackbox`.
    pub(super) one: Option<String>,
}

/// After so many rounds of polls nothing new is read. And after so many each of our lines is polled when it
/// has its turn, as it is from the second day on at a pace of six hours (`domain::Phase`).
const SETTLED: u64 = 2;
const IN_TURN: u64 = 12;

/// Measures and prints.
pub(super) fn run(carrier: &Carrier, lines: usize, plan: &Peers) -> anyhow::Result<()> {
    peer::pin(carrier.pid(), 0);
    let polls = u64::try_from(lines)?.checked_div(plan.every).unwrap_or(0);
    println!("{lines} lines, each every {} s: {polls} polls/s", plan.every);
    println!("\n{:<46}{}", "", Cost::HEADINGS);
    let limit = limit::one_thread(carrier, lines.saturating_mul(3))?;
    println!("{:<46}{limit}", "a bare reqwest loop, as fast as it can");
    let paced = limit::paced(carrier, usize::try_from(polls)?, plan.seconds)?;
    println!("{:<46}{paced}", "the same at this pace, ten bunches a second");
    println!("\n{:<46}{}", "", Figures::HEADINGS);
    let wanted = |name: &str| plan.one.as_deref().is_none_or(|one| one == name);
    let mut ours = None;
    if wanted("topupd") {
        let installation =
            Installation::made(&carrier.base_url(), lines, &format!("{}s", plan.every), "")?;
        let peer = Peer::start(peer::pinned(&installation.topupd(), 1).arg("run"))?;
        let early = measure(carrier, &peer, plan, SETTLED)?;
        println!("{:<46}{early}", "topupd run, its lines not in turn yet");
        let found = measure(carrier, &peer, plan, IN_TURN)?;
        println!("{:<46}{found}", "topupd run (SQLite, every reading durable)");
        for (limit, pace) in [(limit, ""), (paced, ", at the same pace")] {
            if let Some(ratio) = found.hundredths_of(limit) {
                let (whole, part) = (ratio / 100, ratio % 100);
                println!("   {whole}.{part:02} times the CPU of a bare request{pace}");
            }
        }
        ours = Some(found);
    }
    let against = |found: Figures| {
        if let Some(ratio) = ours.and_then(|ours| found.tenths_over(ours)) {
            println!("   {} times topupd's CPU for a poll", tenths(ratio, 10));
        }
    };
    if wanted("python") {
        let folder = tempfile::tempdir()?;
        let peer = python::start(carrier, folder.path(), lines, plan.every)?;
        let found = measure(carrier, &peer, plan, SETTLED)?;
        println!("{:<46}{found}", "Python: APScheduler, aiohttp, batched SQLite");
        against(found);
    }
    for (name, with_exporter) in [("prometheus", false), ("blackbox", true)] {
        if !wanted(name) {
            continue;
        }
        let folder = tempfile::tempdir()?;
        match prometheus::start(carrier, folder.path(), lines, plan.every, with_exporter) {
            Ok(peer) => {
                let found = measure(carrier, &peer, plan, SETTLED)?;
                let words = if with_exporter {
                    "Prometheus with its blackbox exporter"
                } else {
                    "Prometheus, fed in its own format"
                };
                println!("{words:<46}{found}");
                against(found);
            }
            Err(error) => println!("{name}: not measured: {error:#}"),
        }
    }
    Ok(())
}

/// Lets a peer settle for so many rounds, then measures it.
fn measure(carrier: &Carrier, peer: &Peer, plan: &Peers, rounds: u64) -> anyhow::Result<Figures> {
    std::thread::sleep(Duration::from_secs(plan.every.saturating_mul(rounds).saturating_add(5)));
    let (before, asked) = (peer.usage()?, carrier.count()?);
    std::thread::sleep(Duration::from_secs(plan.seconds));
    let (after, answered) = (peer.usage()?, carrier.count()?);
    Ok(Figures {
        polls: answered.saturating_sub(asked),
        seconds: plan.seconds,
        cpu_us: after.cpu_ms.saturating_sub(before.cpu_ms).saturating_mul(1000),
        peak_kib: after.peak_kib,
    })
}
