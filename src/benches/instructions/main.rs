//! How many instructions the paths take that run for every poll, beside those of the committed baseline.
//!
//! `cargo bench --profile proof --bench instructions` runs each path under callgrind, once with a few
//! and once with many rounds; the difference is what the rounds took, whatever else the machine does.
//! It fails where a path takes more than a tenth more than `baseline.toml` says; `--write` makes
//! what was found the baseline. Figures belong to a compiler and a profile: beside a baseline of another
//! compiler they are printed, and nothing fails.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod paths;
mod world;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};
use world::World;

/// Hidden: this process runs one path so many times: name, times, folder.
const RUN: &str = "--run";

/// Growth that fails, in percent.
const TOLERANCE: u64 = 10;

const BASELINE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/benches/instructions/baseline.toml");

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [RUN, path, times, folder] => paths::run(path, times.parse()?, Path::new(folder)),
        [] => compare(false),
        ["--write"] => compare(true),
        _ => bail!("found {args:?}; allowed is --write"),
    }
}

/// What the paths took when somebody last said that this is as it should be.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Baseline {
    compiler: String,
    instructions: BTreeMap<String, u64>,
}

impl Baseline {
    fn read() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(BASELINE).unwrap_or_default();
        if text.is_empty() { Ok(Self::default()) } else { Ok(toml::from_str(&text)?) }
    }
}

/// `rustc 1.90.0 (…)`
fn compiler() -> anyhow::Result<String> {
    let said = Command::new("rustc").arg("-V").output().context("rustc does not run")?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

fn compare(is_baseline: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let world = runtime.block_on(World::new())?;
    let (baseline, compiler) = (Baseline::read()?, compiler()?);
    let mut found = BTreeMap::new();
    let mut grown = Vec::new();
    println!("{:<44}{:>14}{:>14}{:>9}", "instructions", "baseline", "found", "change");
    for path in paths::ALL {
        let few = counted(path.name, path.times, &world)?;
        let many = counted(path.name, path.times.saturating_mul(3), &world)?;
        let rounds = path.times.saturating_mul(2).saturating_mul(path.each);
        let each = many.saturating_sub(few).checked_div(rounds).unwrap_or(0);
        let before = baseline.instructions.get(path.name).copied();
        let change = before.map_or("new".to_owned(), |before| change(before, each));
        let known = before.map_or("-".to_owned(), |before| before.to_string());
        println!("{:<44}{known:>14}{each:>14}{change:>9}", path.words);
        let most =
            before.map(|before| before.saturating_add(before.saturating_mul(TOLERANCE) / 100));
        if most.is_none_or(|most| each > most) {
            grown.push(path.name);
        }
        found.insert(path.name.to_owned(), each);
    }
    if is_baseline {
        let baseline = Baseline { compiler, instructions: found };
        std::fs::write(BASELINE, toml::to_string(&baseline)?)?;
        return Ok(());
    }
    if compiler != baseline.compiler {
        println!("the baseline is of {}, and this is {compiler}", baseline.compiler);
        return Ok(());
    }
    ensure!(
        grown.is_empty(),
        "{} took over {TOLERANCE} % more than the baseline; where that is meant, run this with --write",
        grown.join(", ")
    );
    Ok(())
}

/// `+3.1%`
fn change(before: u64, after: u64) -> String {
    let (sign, by) = if after >= before { ('+', after - before) } else { ('-', before - after) };
    let tenths = by.saturating_mul(1000).checked_div(before).unwrap_or(0);
    format!("{sign}{}.{}%", tenths / 10, tenths % 10)
}

/// Instructions of a whole process that runs `path` so many times.
fn counted(path: &str, times: u64, world: &World) -> anyhow::Result<u64> {
    world.renew()?;
    let out = world.folder().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args([RUN, path, &times.to_string()])
        .arg(world.folder())
        .stdin(Stdio::null());
    let status =
        command.status().context("valgrind does not run; Debian has a package of that name")?;
    ensure!(status.success(), "{path} failed");
    let text = std::fs::read_to_string(&out)?;
    let totals = text
        .lines()
        .find_map(|line| line.strip_prefix("totals:").or(line.strip_prefix("summary:")));
    let total = totals.and_then(|totals| totals.split_whitespace().next()).context("no totals")?;
    Ok(total.parse()?)
}
