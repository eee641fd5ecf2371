//! The paths that run for every poll.

use super::world::{self, LINES};
use anyhow::{Context, bail, ensure};
use std::{hint::black_box, path::Path};
use topupd::{
    app::App,
    domain::{Decision, Quality, Reading, Span, Subscription, Timestamp, decide, steady_until},
    store::{CalmLine, DuePoll, Polled, SeenAgain, steady_mark},
};

/// A path that is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    /// Rounds of the shorter run; the longer one has three times as many.
    pub(super) times: u64,
    /// Lines in a round.
    pub(super) each: u64,
}

/// Lines that one round goes over.
const BUNCH: usize = 128;

/// All of them.
pub(super) const ALL: [Counted; 5] = [
    Counted { name: "decide", words: "a decision about a calm line", times: 4000, each: 1 },
    Counted {
        name: "read",
        words: "a line asked over HTTP, its answer parsed",
        times: 150,
        each: 1,
    },
    Counted { name: "claim", words: "a due line claimed", times: 2, each: 128 },
    Counted { name: "write", words: "a changed reading written", times: 2, each: 128 },
    Counted { name: "again", words: "a reading that says the same counted", times: 2, each: 128 },
];

/// Runs one so many times.
pub(super) fn run(name: &str, times: u64, folder: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = world::open(folder).await?;
        match name {
            "decide" => decisions(&app, times).await?,
            "read" => reads(&app, times).await?,
            "claim" => claims(&app, times).await?,
            "write" => writes(&app, times).await?,
            "again" => agains(&app, times).await?,
            _ => bail!("found {name}; allowed is one of {ALL:?}"),
        }
        app.close().await;
        Ok(())
    })
}

async fn lines(app: &App) -> anyhow::Result<Vec<DuePoll>> {
    let ids: Vec<String> = (0..BUNCH.min(LINES)).map(|n| format!("line-{n}")).collect();
    let due = app.engine().store().due_polls(&ids).await?;
    ensure!(due.len() == BUNCH, "the lines are not there");
    Ok(due)
}

async fn decisions(app: &App, times: u64) -> anyhow::Result<()> {
    let line = lines(app).await?.into_iter().next().context("no line")?;
    let now = app.engine().now();
    app.engine().poll_lines(&[line.subscription.id.to_string()]).await?;
    let (snapshot, _) = app.engine().explain(&line.subscription.id).await?;
    let policy = app.engine().policy();
    for _ in 0..times {
        black_box(decide(black_box(&snapshot), &policy, now));
    }
    Ok(())
}

async fn reads(app: &App, times: u64) -> anyhow::Result<()> {
    let line = lines(app).await?.into_iter().next().context("no line")?.subscription;
    let reader = app.engine().provider(&line.reader).context("no reader")?;
    for _ in 0..times {
        let read = reader.read(&line).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        ensure!(read.quality == Quality::Ok, "the reader said {:?}", read.quality);
    }
    Ok(())
}

async fn claims(app: &App, times: u64) -> anyhow::Result<()> {
    let (store, now) = (app.engine().store(), app.engine().now());
    for n in 0..times {
        let at = now.plus(Span::hours(i64::try_from(n)?));
        // The claims of the round before have run out by then.
        let claimed = store.claim_polls("carrier", BUNCH, at.plus(Span::minutes(1)), at).await?;
        ensure!(claimed.len() == BUNCH, "{} lines were claimed", claimed.len());
    }
    Ok(())
}

/// What a line says in round `n`: another balance each time.
fn reading(line: &Subscription, read: &Reading, n: u64, at: Timestamp) -> anyhow::Result<Reading> {
    let mut values = read.values.clone();
    values.data_left = Some(i64::try_from(n)?);
    Ok(Reading { subscription: line.id.clone(), at, values, ..read.clone() })
}

async fn first_reading(app: &App, line: &DuePoll) -> anyhow::Result<Reading> {
    let read = app.engine().poll_lines(&[line.subscription.id.to_string()]).await?;
    read.into_iter().next().context("the line was not read")
}

async fn writes(app: &App, times: u64) -> anyhow::Result<()> {
    let lines = lines(app).await?;
    let first = lines.first().context("no line")?;
    let read = first_reading(app, first).await?;
    for n in 1..=times {
        let at = read.at.plus(Span::minutes(i64::try_from(n)?));
        let polled = |line: &DuePoll| {
            let reading = reading(&line.subscription, &read, n, at)?;
            Ok(Polled { reading, next_poll_at: at.plus(Span::hours(6)) })
        };
        let polled: anyhow::Result<Vec<Polled>> = lines.iter().map(polled).collect();
        app.engine().store().apply_polls(&polled?, at).await?;
    }
    Ok(())
}

async fn agains(app: &App, times: u64) -> anyhow::Result<()> {
    let (store, lines) = (app.engine().store(), lines(app).await?);
    let first = lines.first().context("no line")?;
    let read = first_reading(app, first).await?;
    let (begun, far) = (read.at.plus(Span::minutes(1)), read.at.plus(Span::days(2)));
    let polled = |line: &DuePoll, at: Timestamp| {
        let reading = reading(&line.subscription, &read, 1, at)?;
        anyhow::Ok(Polled { reading, next_poll_at: at.plus(Span::hours(6)) })
    };
    let all: anyhow::Result<Vec<Polled>> = lines.iter().map(|line| polled(line, begun)).collect();
    let all = all?;
    store.apply_polls(&all, begun).await?;
    let (snapshot, decision) = app.engine().explain(&first.subscription.id).await?;
    let decision = Decision { decide_at: steady_until(&snapshot, &decision, begun), ..decision };
    let ids: Vec<String> = lines.iter().map(|line| line.subscription.id.to_string()).collect();
    store.claim_decisions_of(&ids, far, begun).await?;
    let calm: Vec<CalmLine> = all
        .iter()
        .map(|polled| CalmLine {
            id: polled.reading.subscription.clone(),
            decision: decision.clone(),
            steady: Some((steady_mark(&polled.reading), far)),
        })
        .collect();
    store.apply_calm(&calm, far).await?;
    for n in 1..=times {
        let at = begun.plus(Span::minutes(i64::try_from(n)?));
        let seen = |line: &DuePoll| {
            let polled = polled(line, at)?;
            let mark = steady_mark(&polled.reading);
            Ok(SeenAgain { polled, mark, stale_at: None })
        };
        let seen: anyhow::Result<Vec<SeenAgain>> = lines.iter().map(seen).collect();
        store.apply_round(&[], &seen?, at).await?;
    }
    let steady =
        store.due_polls(&ids).await?.into_iter().filter(|due| due.steady.is_some()).count();
    ensure!(steady == BUNCH, "{steady} lines stayed steady");
    Ok(())
}
