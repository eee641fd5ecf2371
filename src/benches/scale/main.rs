//! What grows with the fleet: databases of a thousand to a million lines, written by SQL alone, and
//! what claims and looks cost (time of processors), and how long pages, start and stop take, with each.
//!
//! `cargo bench --bench scale -- --sizes 1000,10000,100000,1000000`; with `--postgres` on a server
//! that this program starts; with `--scattered` with lines that have not found their turns yet (`domain::Phase`),
//! so that those that are due lie anywhere. A row is `GROWS` where it takes more than one and a half times what
//! the first size took, and a tenth of a millisecond more.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../polls/carrier.rs"]
mod carrier;
mod daemon;
#[path = "../polls/figures.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod figures;
mod fill;
mod place;
mod rows;
#[path = "../server.rs"]
mod server;

use anyhow::{Context, bail, ensure};
use carrier::Carrier;
use figures::{Machine, tenths};
use place::Place;
use std::time::Duration;

/// The reader's name in the config.
const READER: &str = "carrier";
/// The mark of a line that said the same before, as nearly all have it (of no reading that is here).
const CALM: &str = "USD AAAAAAAAAAAAAAAAAAAAAA";

/// A thing that was measured: its name, whether it must not grow, and what each size gave.
#[derive(Debug)]
struct Row {
    name: &'static str,
    unit: Unit,
    figures: Vec<u64>,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Microseconds.
    Micros,
    /// Kibibytes.
    Kib,
    /// Bytes.
    Bytes,
}

/// The rows, in the order in which they were met first.
#[derive(Debug, Default)]
struct Table(Vec<Row>);

impl Table {
    fn add(&mut self, name: &'static str, unit: Unit, figure: u64) {
        match self.0.iter_mut().find(|row| row.name == name) {
            Some(row) => row.figures.push(figure),
            None => self.0.push(Row { name, unit, figures: vec![figure] }),
        }
    }

    fn time(&mut self, name: &'static str, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        println!("   {name}: {} ms", tenths(micros, 1000));
        self.add(name, Unit::Micros, micros);
    }

    fn print(&self, sizes: &[i64]) {
        print!("\n{:<52}", "");
        for size in sizes {
            print!("{size:>12}");
        }
        println!("{:>12}", "last/first");
        for row in &self.0 {
            print!("{:<52}", row.name);
            for figure in &row.figures {
                let text = match row.unit {
                    Unit::Micros => format!("{} ms", hundredths(*figure, 1000)),
                    Unit::Kib => format!("{} MiB", tenths(*figure, 1024)),
                    Unit::Bytes => format!("{} MB", tenths(*figure, 1_000_000)),
                };
                print!("{text:>12}");
            }
            let (first, last) =
                (row.figures.first().copied(), row.figures.last().copied().unwrap_or(0));
            let first = first.unwrap_or(0);
            let grows = row.unit == Unit::Micros
                && last.saturating_mul(2) > first.saturating_mul(3)
                && last > first.saturating_add(100);
            println!("{:>12}{}", tenths(last, first.max(1)), if grows { "  GROWS" } else { "" });
        }
    }
}

fn hundredths(n: u64, by: u64) -> String {
    let hundredths = n.saturating_mul(100).checked_div(by).unwrap_or(0);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn main() -> anyhow::Result<()> {
    let mut sizes = vec![1_000_i64, 10_000, 100_000, 1_000_000];
    let (mut postgres, mut scattered) = (false, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            carrier::SERVE => return carrier::serve(),
            "--postgres" => postgres = true,
            "--scattered" => scattered = true,
            "--sizes" => {
                let value = args.next().context("--sizes: a list is missing")?;
                let parse = |word: &str| word.trim().parse::<i64>();
                sizes = value
                    .split(',')
                    .map(parse)
                    .collect::<Result<_, _>>()
                    .with_context(|| format!("--sizes: found {value:?}"))?;
            }
            _ => bail!("found {arg}; allowed are --sizes, --postgres and --scattered"),
        }
    }
    ensure!(sizes.iter().all(|size| *size >= 1000), "--sizes: a thousand lines at least");
    sqlx::any::install_default_drivers();
    rustls::crypto::ring::default_provider().install_default().ok();
    let server = if postgres { Some(server::server().context("no PostgreSQL")?) } else { None };
    let kind = if postgres { "PostgreSQL" } else { "SQLite" };
    println!("{}; {kind}", Machine::read()?);
    let carrier = Carrier::start()?;
    let mut table = Table::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for size in &sizes {
            println!("\n{size} lines");
            let url = match server {
                Some(server) => Some(server.database(&format!("lines_{size}")).await),
                None => None,
            };
            let place = Place::new(&carrier, url, scattered)?;
            fill::fill(&place, *size, &mut table).await?;
            rows::measure(&place, *size, &mut table).await?;
            daemon::measure(&place, &mut table).await?;
        }
        anyhow::Ok(())
    })?;
    table.print(&sizes);
    Ok(())
}
