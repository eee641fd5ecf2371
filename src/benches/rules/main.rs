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

use criterion::Criterion;
use fleet::{HOURS, LINES, day_of_readings, policy, rules, setup, snapshot, start};
use std::hint::black_box;
use std::time::{Duration, Instant};
use topupd::domain::{BurnLog, Forecast, Span, decide};
use topupd::sim::replay::{Replay, Report};

fn main() {
    decisions(&mut Criterion::default().configure_from_args());
    replays();
}

/// One subscription with 90 days of readings behind it: the decision, and what a day's forecast costs.
fn decisions(criterion: &mut Criterion) {
    let (policy, log) = (policy(), quarter());
    let now = start().plus(Span::days(90)).plus(Span::hours(3));
    let forecast = Forecast::of(&log, None, now);
    for n in [0, 5] {
        let mut snapshot = snapshot(rules().get(..n).unwrap());
        snapshot.forecast = Some(forecast.clone());
        let reading = snapshot.reading.as_mut().unwrap();
        reading.at = now;
        reading.values.service_end_at = Some(now.plus(Span::days(20)));
        criterion.bench_function(&format!("decide, {n} rules"), |bencher| {
            bencher.iter(|| black_box(decide(black_box(&snapshot), &policy, now)));
        });
    }
    criterion.bench_function("forecast of 90 days, once a day", |bencher| {
        bencher.iter(|| black_box(Forecast::of(black_box(&log), None, now)));
    });
}

/// Ninety days of hourly readings of one line.
fn quarter() -> BurnLog {
    let mut log = BurnLog::default();
    for day in 0..90 {
        for (_, reading) in day_of_readings(day).into_iter().filter(|(n, _)| *n == 0) {
            log.add(&reading);
        }
    }
    log
}

fn replays() {
    let walked = walk();
    let (replayed, report) = replay();
    let total = report.total();
    println!(
        "readings made only:  {:>8.2} s    {LINES} lines x {HOURS} hours",
        walked.as_secs_f64()
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

fn ratio(a: Duration, b: Duration) -> String {
    format!("{:.1} x", a.as_secs_f64() / b.as_secs_f64())
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    let kib = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    kib / 1024
}
