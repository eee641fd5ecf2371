//! A day of a fleet larger than this machine: who waits for whom, and for how long.
//!
//! `cargo bench --bench scaling` follows the polls of a day second by second, as a fluid: lines become
//! due at their cadence (near a deadline more often), providers serve no faster than their rates,
//! instances no faster than their cores, the database no faster than it commits. In the middle of the
//! day everything is down for an hour, and what is overdue then is spread over ten minutes. The fleets
//! and layouts are those of `docs/scaling.md`, whose table this prints; so are the assumptions.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod day;

use day::{Day, Layout, Provider};

/// Polls a second that one instance carries with PostgreSQL, the server on the same two cores (`cargo bench
/// --bench polls -- --only postgres`).
const PER_INSTANCE: u64 = 7_000;
/// Polls a second that one primary commits while others ask it: assumed, a third of what bunches of
/// 500 rows reach.
const PER_PRIMARY: u64 = 12_000;
/// Bytes of write-ahead log for a poll that says the same, and for one that brings news and is decided
/// about (the same command).
const WAL: (u64, u64) = (1_600, 5_400);
/// Bytes that stay for a poll that brings news: assumed, with its index.
const KEPT: u64 = 260;

/// Shares of the lines in percent, and what the provider allows a second.
const PROVIDERS: [Provider; 4] = [
    Provider { name: "wholesale", percent: 55, rate: 2_000 },
    Provider { name: "reseller", percent: 30, rate: 500 },
    Provider { name: "portal", percent: 14, rate: 100 },
    Provider { name: "one by one", percent: 1, rate: 8 },
];

fn main() {
    println!(
        "{:<12}{:<34}{:>8}{:>9}{:>11}{:>13}{:>11}{:>10}",
        "lines", "layout", "polls/s", "peak/s", "late p99", "after outage", "WAL GB/day", "MB/year"
    );
    for (lines, layout) in layouts() {
        let day = Day::of(lines, layout, &PROVIDERS);
        let per_day = day.polls;
        let news = per_day / 10;
        let wal = per_day
            .saturating_sub(news)
            .saturating_mul(WAL.0)
            .saturating_add(news.saturating_mul(WAL.1));
        println!(
            "{lines:<12}{:<34}{:>8}{:>9}{:>9} s{:>11} s{:>11}{:>10}",
            layout.words,
            per_day / 86_400,
            day.peak,
            day.late_p99,
            day.recovered_after,
            wal / 1_000_000_000,
            news.saturating_mul(KEPT).saturating_mul(365) / 1_000_000,
        );
        for (provider, late) in day.slowest {
            println!("{:<12}waits for {provider}: {late} s at most", "");
        }
    }
}

fn layouts() -> [(u64, Layout); 7] {
    let of = |words, instances: u64| Layout {
        words,
        instances: instances.saturating_mul(PER_INSTANCE),
        primary: PER_PRIMARY,
    };
    [
        (10_000, of("one instance, SQLite", 1)),
        (100_000, of("one instance, SQLite", 1)),
        (1_000_000, of("one instance, PostgreSQL", 1)),
        (1_000_000, of("three instances", 3)),
        (10_000_000, of("one instance", 1)),
        (10_000_000, of("three instances", 3)),
        (10_000_000, of("eight instances", 8)),
    ]
}
