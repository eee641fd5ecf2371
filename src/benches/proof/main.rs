//! The proof of the promise: one need, at most one charge, nothing lost, nobody else's line charged.
//!
//! `cargo bench --profile proof --bench proof --features failpoints` runs everything in the sizes of
//! continuous integration and prints one table; `-- --kills 10000 --seeds 100000 --disks 500 --every 1`
//! in those of a release, `-- --only faults` one part alone. Exit code 1 where anything does not hold.
#![expect(clippy::print_stdout, reason = "a proof prints its table")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a fake does not mind falls to its default"
)]
#![expect(clippy::indexing_slicing, reason = "a proof that meets the unexpected should stop")]

mod apis;
mod chance;
mod class;
mod days;
mod fake;
mod fault;
mod faults;
mod harm;
mod house;
mod kills;
mod oracle;
mod process;
mod seeds;
mod table;
mod wire;

use std::{collections::BTreeMap, process::ExitCode};
use table::{HEAD, Row};

/// The parts, in the order in which they run.
const PARTS: [&str; 11] = [
    "apis", "faults", "kills", "places", "chance", "restored", "disks", "clocks", "downtime",
    "garbage", "silence",
];

/// How much of what, and how much that is where nothing is said.
const SIZES: [(&str, u64, &str); 8] = [
    ("apis", 12, "lives of each adapter of a published API (R20)"),
    ("kills", 500, "random kills (R1)"),
    ("seeds", 1000, "seeds of the simulation (R5)"),
    ("first-seed", 1, "where they begin"),
    ("disks", 45, "full and failing disks (R13)"),
    ("lines", 200, "lines over 90 days (R19)"),
    ("every", 9, "every so-many-th of the 180 restored backups (R12)"),
    ("share", 1, "every so-many-th of the faults of HTTP (R4)"),
];

#[derive(Clone, Debug)]
struct Plan {
    only: Option<String>,
    sizes: BTreeMap<&'static str, u64>,
}

impl Plan {
    fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan =
            Self { only: None, sizes: SIZES.iter().map(|(name, n, _)| (*name, *n)).collect() };
        while let Some(word) = words.next() {
            let name = word.trim_start_matches("--");
            // Cargo's own.
            if name == "bench" {
                continue;
            }
            let value = words.next().unwrap_or_default();
            let size = plan.sizes.get_mut(name).zip(value.parse().ok());
            match (name, size) {
                ("only", _) if PARTS.contains(&value.as_str()) => plan.only = Some(value),
                (_, Some((size, n))) => *size = n,
                _ => {
                    let sizes =
                        SIZES.map(|(name, n, what)| format!("  --{name} {n}    {what}")).join("\n");
                    anyhow::bail!(
                        "{word} {value}: allowed are\n  --only {}\n{sizes}",
                        PARTS.join("|")
                    );
                }
            }
        }
        Ok(plan)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    fn size(&self, name: &str) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.sizes[name])?)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let plan = Plan::read(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows: Vec<Row> = Vec::new();
    // Seeds keep every core busy; most of the others wait for clocks and processes meanwhile.
    let (first, seeds) = (plan.sizes["first-seed"], plan.sizes["seeds"]);
    let chance =
        plan.wants("chance").then(|| std::thread::spawn(move || seeds::lived(first, seeds)));
    for part in PARTS.into_iter().filter(|part| *part != "chance" && plan.wants(part)) {
        rows.push(show(runtime.block_on(Box::pin(run(part, &plan)))?));
    }
    if let Some(chance) = chance {
        rows.push(show(chance.join().map_err(|_| anyhow::anyhow!("the simulation panicked"))??));
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

async fn run(part: &str, plan: &Plan) -> anyhow::Result<Row> {
    match part {
        "apis" => apis::lived(plan.sizes["apis"]).await,
        "faults" => faults::matrix(plan.size("share")?).await,
        "kills" => kills::random(plan.sizes["kills"]).await,
        "places" => kills::places().await,
        "restored" => harm::restored(plan.size("every")?).await,
        "disks" => harm::disks(plan.sizes["disks"]).await,
        "clocks" => harm::clocks().await,
        "downtime" => days::downtime().await,
        "garbage" => days::garbage().await,
        "silence" => days::silence(plan.size("lines")?).await,
        other => anyhow::bail!("{other} is no part"),
    }
}
