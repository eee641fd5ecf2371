//! The proof of the promise: one need, at most one charge, nothing lost, nobody else's line charged.
//!
//! `cargo bench --bench proof --features failpoints` runs everything in the sizes of continuous
//! integration and prints one table; `-- --kills 10000 --seeds 100000` in those of a release,
//! `-- --only faults` one part alone. Exit code 1 where anything does not hold.
#![expect(clippy::print_stdout, reason = "a proof prints its table")]

mod chance;
mod fault;
mod faults;
mod house;
mod oracle;
mod table;

use std::process::ExitCode;
use table::{HEAD, Row};

/// How much of what.
#[derive(Clone, Debug)]
struct Plan {
    only: Option<String>,
    kills: u64,
    seeds: u64,
    first_seed: u64,
    share: usize,
}

fn plan() -> anyhow::Result<Plan> {
    let mut plan = Plan { only: None, kills: 500, seeds: 1000, first_seed: 1, share: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value =
            || words.next().ok_or_else(|| anyhow::anyhow!("{word}: a value is missing"));
        match word.as_str() {
            "--only" => plan.only = Some(value()?),
            "--kills" => plan.kills = value()?.parse()?,
            "--seeds" => plan.seeds = value()?.parse()?,
            "--first-seed" => plan.first_seed = value()?.parse()?,
            "--share" => plan.share = value()?.parse()?,
            // Cargo's own.
            "--bench" => {}
            other => anyhow::bail!(
                "{other}: allowed are --only PART, --kills N, --seeds N, --first-seed N, --share N"
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
