//! What a second and a third instance bring where the provider's answers take long, and whether any line is
//! asked twice for one due poll.
//!
//! `cargo bench --bench instances -- --instances 1,2,3 --lines 6000 --every 5 --seconds 20 --latency-ms 100
//! --concurrency 32` (these are the defaults) starts one PostgreSQL server, one carrier that answers each
//! question after 100 ms, and then so many `topupd run` over a database of their own. Each instance has
//! as many calls under way as `--concurrency` says, so that it asks 320 lines a second at most; 6,000 lines,
//! each due every 5 s, are more than three can ask. What is due lies minutes behind at most, so nothing
//! is spread as after a silence.
//!
//! It counts once all instances are ready and every line was asked twice since, for `--seconds`. A *duplicate*
//! is a line that is asked less than nine tenths of its interval after it was asked before (the
//! interval less the jitter; it is counted from the answer, so an honest poll is later still), in that time, by
//! any instance. After the last of the list the same number of instances runs at ease: lines are due
//! half as often as all can ask them, spread evenly, and everybody looks for the same few; that is looked at for whole
//! intervals. A ratio never fails, the machine may be
//! busy; a duplicate does.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod asks;
#[path = "../polls/carrier.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod carrier;
#[path = "../polls/figures.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod figures;
#[path = "../polls/fleet.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod fleet;
mod instance;
mod processors;
mod round;
#[path = "../server.rs"]
mod server;

use anyhow::{Context, bail, ensure};
use carrier::{Carrier, Manner};
use figures::{Machine, tenths};
use round::{Found, Round};
use std::time::Duration;

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    lines: usize,
    every: u64,
    seconds: u64,
    latency_ms: u64,
    instances: Vec<usize>,
    concurrency: u64,
}

impl Plan {
    /// Lines that so many instances can ask in a second.
    fn capacity(&self, instances: usize) -> u64 {
        let slots = self.concurrency.saturating_mul(u64::try_from(instances).unwrap_or(u64::MAX));
        slots.saturating_mul(1000).checked_div(self.latency_ms).unwrap_or(0)
    }

    /// Every number of instances, then the last of them at ease.
    fn rounds(&self) -> anyhow::Result<Vec<Round>> {
        let lines = u64::try_from(self.lines)?;
        let most = self.capacity(self.instances.iter().copied().max().unwrap_or(1));
        ensure!(
            lines > most.saturating_mul(self.every),
            "{lines} lines every {} s are no more than the {most}/s that can be asked; more --lines",
            self.every
        );
        let mut rounds: Vec<Round> = self
            .instances
            .iter()
            .map(|instances| Round { instances: *instances, every: self.every, is_saturated: true })
            .collect();
        let instances = self.instances.last().copied().context("--instances: none")?;
        let every = lines.saturating_mul(2).div_ceil(self.capacity(instances).max(1));
        rounds.push(Round { instances, every, is_saturated: false });
        Ok(rounds)
    }
}

/// Hundredths of one instance's polls that so many should make at least.
const fn target(instances: usize) -> Option<u64> {
    match instances {
        2 => Some(160),
        3 => Some(200),
        _ => None,
    }
}

fn main() -> anyhow::Result<()> {
    let mut plan = Plan {
        lines: 6000,
        every: 5,
        seconds: 20,
        latency_ms: 100,
        instances: vec![1, 2, 3],
        concurrency: 32,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        // Cargo adds `--bench` by itself.
        if arg == "--bench" {
            continue;
        }
        let value = args.next().with_context(|| format!("{arg}: a value is missing"))?;
        let number = || value.parse::<u64>().with_context(|| format!("{arg}: found {value:?}"));
        match arg.as_str() {
            carrier::SERVE => {
                let thinks = Duration::from_millis(number()?);
                return carrier::serve_as(Manner { thinks, hears: asks::hears });
            }
            "--lines" => plan.lines = usize::try_from(number()?)?,
            "--every" => plan.every = number()?.max(1),
            "--seconds" => plan.seconds = number()?.max(1),
            "--latency-ms" => plan.latency_ms = number()?.max(1),
            "--concurrency" => plan.concurrency = number()?.max(1),
            "--instances" => {
                plan.instances = value
                    .split(',')
                    .map(|word| word.trim().parse())
                    .collect::<Result<_, _>>()
                    .with_context(|| format!("--instances: found {value:?}"))?;
                ensure!(plan.instances.iter().all(|n| *n > 0), "--instances: one at least");
            }
            _ => bail!(
                "found {arg}; allowed are --lines, --every, --seconds, --latency-ms, --instances, --concurrency"
            ),
        }
    }
    measure(&plan)
}

fn measure(plan: &Plan) -> anyhow::Result<()> {
    let rounds = plan.rounds()?;
    rustls::crypto::ring::default_provider().install_default().ok();
    println!("{}", Machine::read()?);
    println!(
        "{} lines; answers after {} ms; {} calls under way at each instance: {}/s at most",
        plan.lines,
        plan.latency_ms,
        plan.concurrency,
        plan.capacity(1)
    );
    let carrier = Carrier::start_with(&[&plan.latency_ms.to_string()])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut all = Vec::new();
    for round in rounds {
        let found = runtime.block_on(round::run(&carrier, plan, round))?;
        println!(
            "   {} at {} polls/s; load {} to {}; {} warnings in the logs",
            round.instances,
            tenths(found.tenths_per_second(), 10),
            found.load[0],
            found.load[1],
            found.warnings
        );
        all.push(found);
    }
    print(plan, &all);
    let again: usize = all.iter().map(|found| found.again.all).sum();
    ensure!(again == 0, "{again} polls were made twice");
    Ok(())
}

fn print(plan: &Plan, all: &[Found]) {
    let one = all.iter().find(|found| found.round.instances == 1 && found.round.is_saturated);
    println!(
        "\n{:<26}{:>9}{:>9}{:>9}{:>9}  {:<18}{:<16}{:>11}{:>11}",
        "instances",
        "due/s",
        "polls/s",
        "ratio",
        "target",
        "of each",
        "CPU of each",
        "PostgreSQL",
        "duplicates"
    );
    for found in all {
        let Round { instances, every, is_saturated } = found.round;
        let rate = found.tenths_per_second();
        let ratio = one
            .filter(|_| is_saturated)
            .and_then(|one| rate.saturating_mul(100).checked_div(one.tenths_per_second()));
        let wanted = target(instances).filter(|_| is_saturated);
        let each = |numbers: &[u64], by: u64, end: &str| {
            let parts: Vec<String> = numbers
                .iter()
                .map(|n| n.saturating_mul(by).checked_div(found.window).unwrap_or(0).to_string())
                .collect();
            format!("{}{end}", parts.join(" + "))
        };
        let name = if is_saturated {
            format!("{instances}")
        } else {
            format!("{instances} at ease, every {every} s")
        };
        println!(
            "{name:<26}{:>9}{:>9}{:>9}{:>9}  {:<18}{:<16}{:>11}{:>11}",
            u64::try_from(plan.lines).unwrap_or(0) / every.max(1),
            tenths(rate, 10),
            ratio.map_or_else(String::new, hundredths),
            wanted.map_or_else(String::new, |wanted| format!(">= {}", hundredths(wanted))),
            each(&found.polls, 1000, ""),
            each(&found.cpu, 100, " %"),
            each(&[found.server_cpu], 100, " %"),
            found.again.all,
        );
        if found.again.all > 0 {
            println!("   {} of them by another instance", found.again.by_another);
        }
    }
}

fn hundredths(n: u64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}
