//! Whole rounds of polls by the daemon itself: every line is made due, and the round is over when
//! each has a new reading on disk and is decided about.

use super::figures::{Cost, Meter};
use super::fleet::{Installation, READER};
use anyhow::{anyhow, bail, ensure};
use std::time::Duration;
use topupd::{
    app::{App, Paying},
    clock::Clock,
    config::{LogFormat, Settings},
    domain::{Span, Timestamp},
    flow::{Engine, Stage},
    store::Store,
    telemetry,
};

/// Claims of polls and decisions move the due time by minutes, what is done by hours.
const DONE: Span = Span::hours(1);

/// How often it is looked whether a round is over, and how many times at most.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: usize = 10_000;

/// One round to warm up, then `rounds` that count; `each` is called at the beginning and at the end of those.
pub(super) fn run(
    installation: &Installation,
    lines: usize,
    rounds: usize,
    each: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let faults = |faults: Vec<topupd::input::Fault>| {
        anyhow!(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    telemetry::start(LogFormat::Human, "info");
    let settings = Settings::load(&[installation.config()], std::iter::empty()).map_err(faults)?;
    runtime.block_on(async {
        let app = App::open(settings, Clock::System, Paying::Required).await?;
        let engine = app.engine().clone();
        let daemon = app.start().await?;
        until_done(engine.store(), || engine.now()).await?;

        let mut cost = Cost::of(0, 0);
        for _ in 0..rounds {
            cost = cost.and(round(&engine, lines, &each).await?);
        }

        daemon.stop(Span::seconds(10)).await;
        app.close().await;
        Ok(cost)
    })
}

/// What a round costs; that all lines are made due at once is no part of it.
async fn round(
    engine: &Engine,
    lines: usize,
    each: &impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<Cost> {
    let started = engine.now();
    engine.store().poll_now(&[], started).await?;
    each().await?;
    let meter = Meter::start();
    engine.wake(Stage::Poll);
    until_done(engine.store(), || engine.now()).await?;
    let cost = meter.stop(lines)?;
    each().await?;
    let read = engine.store().lines_read(started).await?;
    ensure!(usize::try_from(read) == Ok(lines), "{read} of {lines} lines were read");
    Ok(cost)
}

/// Waits until no line is due for a poll or a decision, or claimed for one.
pub(super) async fn until_done(store: &Store, now: impl Fn() -> Timestamp) -> anyhow::Result<()> {
    for _ in 0..LOOKS {
        let later = now().plus(DONE);
        let is_later = |at: Option<Timestamp>| at.is_some_and(|at| at > later);
        if is_later(store.next_poll_due(READER).await?)
            && is_later(store.next_decision_due().await?)
        {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("the round did not end; see the daemon's log")
}
