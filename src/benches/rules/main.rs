//! `cargo bench --bench rules`: what a decision costs, and a year of a thousand lines replayed.
//!
//! Every figure stands beside one of the same run: a decision under five rules beside one under
//! none, a replay beside the same readings made and thrown away.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a measurement that cannot be taken should stop where it stands, and says what it found"
)]

mod fleet;

use fleet::{HOURS, LINES, day_of_readings, policy, rules, setup, snapshot, start};
use std::hint::black_box;
use std::time::{Duration, Instant};
use topupd::domain::{Span, decide};
use topupd::sim::replay::{Replay, Report};

/// Decisions timed in one go.
const ROUNDS: u32 = 200_000;

fn main() {
    let none = decisions(0);
    let five = decisions(5);
    println!("decide, no rule:     {:>8.2} µs", micros(none));
    println!("decide, five rules:  {:>8.2} µs   ({} of none)", micros(five), ratio(five, none));
    let walked = walk();
    let (replayed, report) = replay();
    let total = report.total();
    println!(
        "readings made only:  {:>8.2} s    {} lines x {} hours",
        walked.as_secs_f64(),
        LINES,
        HOURS
    );
    println!(
        "readings replayed:   {:>8.2} s    ({} of that), {} orders, {} breaches, peak {} MiB",
        replayed.as_secs_f64(),
        ratio(replayed, walked),
        total.orders,
        total.episodes,
        peak_mib()
    );
    assert_eq!(total.readings, i64::try_from(LINES).unwrap() * HOURS, "not every reading was used");
}

fn decisions(n: usize) -> Duration {
    let (snapshot, policy) = (snapshot(rules().get(..n).unwrap()), policy());
    let now = start().plus(Span::hours(3));
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(decide(black_box(&snapshot), &policy, now));
    }
    started.elapsed() / ROUNDS
}

fn walk() -> Duration {
    let started = Instant::now();
    for day in 0..HOURS / 24 {
        black_box(day_of_readings(day));
    }
    started.elapsed()
}

/// One thread makes the readings of the next day while another replays the present one, as
/// `topupd simulate` does with windows from the database.
fn replay() -> (Duration, Report) {
    let started = Instant::now();
    let (sender, receiver) = std::sync::mpsc::sync_channel(2);
    let report = std::thread::scope(|scope| {
        scope.spawn(move || {
            for day in 0..HOURS / 24 {
                sender.send(day_of_readings(day)).unwrap();
            }
        });
        let mut replay = Replay::new(setup());
        for (day, readings) in (1..).zip(receiver) {
            replay.window(readings, start().plus(Span::days(day)));
        }
        replay.finish()
    });
    (started.elapsed(), report)
}

fn micros(one: Duration) -> f64 {
    one.as_secs_f64() * 1e6
}

fn ratio(a: Duration, b: Duration) -> String {
    format!("{:.1} x", a.as_secs_f64() / b.as_secs_f64())
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kib = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    kib / 1024
}
