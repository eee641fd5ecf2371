//! What a poll costs: topupd against the least that any program on the same HTTP client could need.
//!
//! `cargo bench --bench polls -- --lines 10000 --rounds 3` starts one carrier in a process of its
//! own and measures, one after the other and against that same process: a bare request loop, whole
//! rounds of polls by the daemon (claim, read, durable store, decide), and the daemon at rest.
//!
//! `cargo bench --bench polls -- --only peers` measures it at a steady pace (`--every 10`: each line
//! every ten seconds), beside what people use today; `--only latency` how long it takes at that pace from
//! a balance that fell to the order and the mail (`--falls 3`: so many fall in a second); `--only postgres` has the
//! rounds with the rows in PostgreSQL, and what each poll writes into its log.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod carrier;
mod fleet;
mod figures;
mod latency;
mod limit;
mod peer;
mod peers;
mod prometheus;
mod python;
mod rest;
mod rounds;
#[path = "../server.rs"]
mod server;
mod wal;

use anyhow::{Context, bail};
use carrier::Carrier;
use figures::{Cost, Machine, tenths};
use fleet::Installation;
use peers::Peers;
use std::ops::ControlFlow;

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
struct Plan {
    lines: usize,
    rounds: usize,
    rest_seconds: u64,
    falls: u64,
    part: Part,
    peers: Peers,
}

/// `--only`: one part alone, for profiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Limit,
    Rounds,
    Rest,
    /// Not among all: it takes minutes, and programs of others.
    Peers,
    /// Neither: it looks at single lines.
    Latency,
    /// Neither: it starts a server.
    Postgres,
}

fn main() -> anyhow::Result<()> {
    let ControlFlow::Continue(plan) = arguments(std::env::args().skip(1))? else {
        return carrier::serve();
    };
    println!("{}", Machine::read()?);
    let carrier = Carrier::start()?;
    if plan.part == Part::Latency {
        drop(carrier);
        return latency::run(plan.lines, plan.peers.every, plan.falls);
    }
    if plan.part == Part::Peers {
        return peers::run(&carrier, plan.lines, &plan.peers);
    }
    if plan.part == Part::Postgres {
        return wal::run(&carrier, plan.lines, plan.rounds);
    }
    let wants = |part| plan.part == Part::All || plan.part == part;

    let mut limit = None;
    if wants(Part::Limit) {
        let requests = plan.lines.saturating_mul(plan.rounds.max(1));
        println!("\n{:<46}{}", "per request or poll", Cost::HEADINGS);
        let (one, many) =
            (limit::one_thread(&carrier, requests)?, limit::threads(&carrier, requests)?);
        println!("{:<46}{one}", "a  bare reqwest loop, one thread");
        println!("{:<46}{many}", "a' the same on the daemon's kind of runtime");
        limit = Some(one);
    }
    if plan.part == Part::Limit {
        return Ok(());
    }

    let installation = Installation::new(&carrier, plan.lines, None)?;
    if wants(Part::Rounds) {
        let cost = rounds::run(&installation, plan.lines, plan.rounds, || async { Ok(()) })?;
        println!("{:<46}{cost}", "b  topupd: claim, read, store, decide");
        if let Some(ratio) = limit.and_then(|limit| cost.hundredths_of(limit)) {
            println!(
                "   b / a: {}.{:02} times the CPU of a bare request",
                ratio / 100,
                ratio % 100
            );
        }
    }
    if wants(Part::Rest) {
        let rest = rest::run(&installation, plan.rest_seconds)?;
        println!("\nc  `topupd run` with {} lines, all polled once, then at rest", plan.lines);
        println!(
            "   resident   {} MiB (peak {} MiB)",
            tenths(rest.now_kib, 1024),
            tenths(rest.peak_kib, 1024)
        );
        println!("   CPU        {} ms in {} s", rest.cpu_ms, plan.rest_seconds);
    }
    Ok(())
}

/// Reads the command line. `Break` where this process is the carrier.
fn arguments(mut args: impl Iterator<Item = String>) -> anyhow::Result<ControlFlow<(), Plan>> {
    let mut plan = Plan {
        lines: 10_000,
        rounds: 3,
        rest_seconds: 10,
        falls: 3,
        part: Part::All,
        peers: Peers { every: 10, seconds: 30, one: None },
    };
    while let Some(name) = args.next() {
        // Cargo adds `--bench` by itself.
        if name == "--bench" {
            continue;
        }
        if name == carrier::SERVE {
            return Ok(ControlFlow::Break(()));
        }
        let value = args.next().with_context(|| format!("{name}: a value is missing"))?;
        let number = || {
            value.parse().with_context(|| format!("{name}: found {value:?}; allowed is a number"))
        };
        match name.as_str() {
            "--lines" => plan.lines = number()?,
            "--rounds" => plan.rounds = number()?,
            "--rest" => {
                plan.rest_seconds =
                    value.parse().with_context(|| format!("--rest: found {value:?}"))?
            }
            "--falls" => plan.falls = u64::try_from(number()?)?.max(1),
            "--every" => plan.peers.every = u64::try_from(number()?)?.max(1),
            "--seconds" => plan.peers.seconds = u64::try_from(number()?)?.max(1),
            "--peer" => plan.peers.one = Some(value.clone()),
            "--only" => {
                plan.part = match value.as_str() {
                    "limit" => Part::Limit,
                    "rounds" => Part::Rounds,
                    "rest" => Part::Rest,
                    "peers" => Part::Peers,
                    "latency" => Part::Latency,
                    "postgres" => Part::Postgres,
                    _ => bail!(
                        "--only: found {value:?}; allowed are limit, rounds, rest, peers, latency, postgres"
                    ),
                }
            }
            _ => bail!(
                "found {name}; allowed are --lines, --rounds, --rest, --falls, --every, --seconds, --peer, --only"
            ),
        }
    }
    Ok(ControlFlow::Continue(plan))
}
