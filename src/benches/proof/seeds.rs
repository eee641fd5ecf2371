//! Many seeds of the simulation, and whether they came by everywhere.

use super::{
    chance::{Seeded, live},
    table::Row,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::time::Instant;
use topupd::{domain::State, failpoint};

/// `seeds` seeds from `first` on, on every core; every tenth, and in long runs every fiftieth, is
/// lived twice.
pub(crate) fn lived(first: u64, seeds: u64) -> anyhow::Result<Row> {
    let started = Instant::now();
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let twice = if seeds > 10_000 { 50 } else { 10 };
    let workers: Vec<_> = (0..cores)
        .map(|worker| {
            std::thread::spawn(move || -> anyhow::Result<(Row, Seeded)> {
                stay_on(worker);
                // Without sockets a thread that waits is woken more cheaply.
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_time().build()?;
                let (mut row, mut sum) =
                    (Row::new("R5 deterministic simulation"), Seeded::default());
                for seed in (first..first + seeds).filter(|seed| seed % cores == worker) {
                    let lived = runtime.block_on(live(seed, &mut row))?;
                    row.trials += 1;
                    if row.trials.is_multiple_of(2500) {
                        println!("  R5, worker {worker}: {} of its seeds", row.trials);
                    }
                    if seed.is_multiple_of(twice) {
                        let again = runtime.block_on(live(seed, &mut row))?;
                        if again.trace != lived.trace {
                            row.fault(format!("seed {seed}: lived twice, with different traces"));
                        }
                    }
                    sum.charges += lived.charges;
                    sum.crashes += lived.crashes;
                    sum.restores += lived.restores;
                    sum.arrows.extend(lived.arrows);
                    sum.crashed_at.extend(lived.crashed_at);
                }
                Ok((row, sum))
            })
        })
        .collect();
    let mut row = Row::new("R5 deterministic simulation");
    let mut sum = Seeded::default();
    for worker in workers {
        let (one, seeded) = worker.join().map_err(|_| anyhow::anyhow!("a worker died"))??;
        row.add(one);
        sum.charges += seeded.charges;
        sum.crashes += seeded.crashes;
        sum.restores += seeded.restores;
        sum.arrows.extend(seeded.arrows);
        sum.crashed_at.extend(seeded.crashed_at);
    }
    coverage(&sum, (first, seeds), &mut row);
    row.note = format!(
        "seeds {first} to {}: {} charges, {} crashes at {} places, {} restored backups, {} of the arrows",
        first + seeds - 1,
        sum.charges,
        sum.crashes,
        sum.crashed_at.len(),
        sum.restores,
        sum.arrows.len()
    );
    Ok(row.timed(started))
}

/// A life is a talk between two threads, which is twice as quick where both are on one core.
fn stay_on(worker: u64) {
    let Ok(ours) = sched_getaffinity(None) else { return };
    let worker = usize::try_from(worker).unwrap_or(0);
    let mut core = CpuSet::new();
    if let Some(at) = (0..CpuSet::MAX_CPU).filter(|at| ours.is_set(*at)).nth(worker) {
        core.set(at);
        sched_setaffinity(None, &core).ok();
    }
}

/// R2, R3: every arrow of the state machine was gone, and died before and after its commit. The
/// first thousand seeds are known to reach all of them; another thousand may miss a rare one.
fn coverage(sum: &Seeded, (first, seeds): (u64, u64), row: &mut Row) {
    let is_known = first == 1 && seeds >= 1000;
    if !is_known && seeds < 20_000 {
        return;
    }
    let all = State::ALL.iter().flat_map(|from| from.next().iter().map(move |to| (from, to)));
    for (from, to) in all {
        // In the table for providers that take back what they accepted; no look-up says that today.
        if (*from, *to) == (State::Pending, State::Unknown) {
            continue;
        }
        let arrow = format!("{}>{}", from.as_str(), to.as_str());
        if !sum.arrows.contains(&arrow) {
            row.fault(format!("no seed went {arrow}"));
        }
        for side in ["before", "after"] {
            if !sum.crashed_at.contains(&format!("{arrow}:{side}")) {
                row.fault(format!("no seed died {side} {arrow}"));
            }
        }
    }
    for place in failpoint::PLACES {
        if !sum.crashed_at.contains(place) {
            row.fault(format!("no seed died at {place}"));
        }
    }
}
