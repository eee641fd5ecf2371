//! The proof of the promise: one need, at most one charge, nothing lost, nobody else's line charged.
//!
//! `cargo bench --bench proof --features failpoints` runs everything in the sizes of continuous
//! integration and prints one table; `-- --kills 10000 --seeds 100000` in those of a release,
//! `-- --only faults` one part alone. Exit code 1 where anything does not hold.
#![expect(clippy::print_stdout, reason = "a proof prints its table")]

mod chance;
mod days;
mod fault;
mod faults;
mod harm;
mod house;
mod kills;
mod oracle;
mod process;
mod table;

use std::process::ExitCode;
use table::{HEAD, Row};

/// How much of what.
#[derive(Clone, Debug)]
struct Plan {
    only: Option<String>,
    kills: u64,
    seeds: u64,
    disks: u64,
    lines: usize,
    first_seed: u64,
    share: usize,
}

fn plan() -> anyhow::Result<Plan> {
    let mut plan = Plan {
        only: None,
        kills: 500,
        seeds: 1000,
        disks: 60,
        lines: 1000,
        first_seed: 1,
        share: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value =
            || words.next().ok_or_else(|| anyhow::anyhow!("{word}: a value is missing"));
        match word.as_str() {
            "--only" => plan.only = Some(value()?),
            "--kills" => plan.kills = value()?.parse()?,
            "--seeds" => plan.seeds = value()?.parse()?,
            "--disks" => plan.disks = value()?.parse()?,
            "--lines" => plan.lines = value()?.parse()?,
            "--first-seed" => plan.first_seed = value()?.parse()?,
            "--share" => plan.share = value()?.parse()?,
            // Cargo's own.
            "--bench" => {}
            other => anyhow::bail!(
                "{other}: allowed are --only PART, --kills N, --seeds N, --disks N, --lines N, --first-seed N, --share N"
            ),
        }
    }
    Ok(plan)
}

fn main() -> anyhow::Result<ExitCode> {
    let plan = plan()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows: Vec<Row> = Vec::new();
    let wants = |part: &str| plan.only.as_deref().is_none_or(|only| only == part);
    if wants("faults") {
        rows.push(show(runtime.block_on(Box::pin(faults::matrix(plan.share)))?));
    }
    if wants("kills") {
        rows.push(show(runtime.block_on(Box::pin(kills::random(plan.kills)))?));
    }
    if wants("places") {
        rows.push(show(runtime.block_on(Box::pin(kills::places()))?));
    }
    if wants("restored") {
        rows.push(show(runtime.block_on(Box::pin(harm::restored()))?));
    }
    if wants("disks") {
        rows.push(show(runtime.block_on(Box::pin(harm::disks(plan.disks)))?));
    }
    if wants("clocks") {
        rows.push(show(runtime.block_on(Box::pin(harm::clocks()))?));
    }
    if wants("downtime") {
        rows.push(show(runtime.block_on(Box::pin(days::downtime()))?));
    }
    if wants("garbage") {
        rows.push(show(runtime.block_on(Box::pin(days::garbage()))?));
    }
    if wants("silence") {
        rows.push(show(runtime.block_on(Box::pin(days::silence(plan.lines)))?));
    }
    if wants("chance") {
        rows.push(show(chance::seeds(plan.first_seed, plan.seeds)?));
    }
    println!("\n{HEAD}");
    for row in &rows {
        println!("{row}");
    }
    let holds = !rows.is_empty() && rows.iter().all(Row::holds);
    println!("\n{}", if holds { "everything holds" } else { "NOT everything holds" });
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(row: Row) -> Row {
    println!("{}: {} trials in {} s", row.test, row.trials, row.seconds);
    for fault in row.faults.iter().take(40) {
        println!("  {fault}");
    }
    row
}
