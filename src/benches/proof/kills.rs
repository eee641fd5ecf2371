//! R1: the real binary, killed with SIGKILL at random moments, again and again, while providers of
//! every class charge, lose and break off. R2: the same at every named place.

use super::{
    fake::Dice,
    fault::Fault,
    faults::number,
    oracle::{Class, Line, Oracle},
    process::{Installation, until},
    table::Row,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use topupd::{domain::State, failpoint};

/// Lines of each class.
const LINES: usize = 16;

/// Orders that a person has to look at are looked at: the provider's console tells.
async fn person(place: &Installation, oracle: &Oracle) -> anyhow::Result<usize> {
    let charges = oracle.charges();
    let mut done = 0;
    for topup in place.topups().await?.iter().filter(|t| t.state == State::Held) {
        let was_charged = charges.iter().any(|c| c.reference == topup.reference);
        let word = if was_charged { "paid" } else { "failed" };
        let args = [
            "topups",
            "resolve",
            topup.id.as_str(),
            "--as",
            word,
            "--note",
            "console",
            "--checked",
        ];
        let said = place.command().args(args).output()?;
        done += usize::from(said.status.success());
    }
    Ok(done)
}

/// Lines whose money is there and whose orders are over talk it away: the next need begins.
async fn spend(place: &Installation, oracle: &Oracle, lines: usize) -> anyhow::Result<()> {
    let topups = place.topups().await?;
    let open: BTreeSet<&str> =
        topups.iter().filter(|t| !t.state.is_final()).map(|t| t.subscription.as_str()).collect();
    for n in (0..lines).filter(|n| !open.contains(format!("line-{n:05}").as_str())) {
        oracle.line(&number(n), |line| {
            if line.cents > 900 {
                line.cents = 320;
            }
        });
    }
    Ok(())
}

/// Several installations side by side, since each of them mostly sleeps.
pub(crate) async fn random(kills: u64) -> anyhow::Result<Row> {
    let started = Instant::now();
    let lanes = (kills / 100).clamp(1, 4);
    let mut runs = tokio::task::JoinSet::new();
    for lane in 0..lanes {
        let share = kills / lanes + u64::from(lane < kills % lanes);
        runs.spawn(killed(share, lane));
    }
    let mut row = Row::new("R1 random kill -9");
    let (mut charges, mut orders, mut settled) = (0, 0, 0);
    while let Some(run) = runs.join_next().await {
        let (one, figures) = run??;
        row.add(one);
        charges += figures.charges;
        orders += figures.orders;
        settled += figures.settled;
    }
    row.note = format!(
        "{lanes} installations of {} lines: {charges} charges, {orders} orders, {settled} settled by a person, providers of 6 classes; \
         rows, recorder and provider agree",
        LINES * Class::ALL.len()
    );
    Ok(row.timed(started))
}

/// What one installation came to.
#[derive(Clone, Copy, Debug)]
struct Figures {
    charges: usize,
    orders: usize,
    settled: usize,
}

async fn killed(kills: u64, lane: u64) -> anyhow::Result<(Row, Figures)> {
    let mut row = Row::new("");
    let mut dice = Dice::new(7 + lane);
    let oracle = Oracle::start(Duration::from_millis(15)).await?;
    let lines: Vec<Class> = Class::ALL.into_iter().flat_map(|class| [class; LINES]).collect();
    let fates = [
        Fault::Done,
        Fault::Done,
        Fault::Done,
        Fault::Done,
        Fault::ResetCharged,
        Fault::Done,
        Fault::Code { code: 503, charged: true },
        Fault::Done,
        Fault::Truncated,
        Fault::Refused,
        Fault::Done,
        Fault::ResetUncharged,
        Fault::Done,
        Fault::Pending,
    ];
    for (n, class) in lines.iter().enumerate() {
        // Pending is final at the second look; where nobody looks it would be pending for ever.
        let usable = |fate: &&Fault| class.by_ref() || **fate != Fault::Pending;
        let mut sends: Vec<Fault> = fates.iter().filter(usable).copied().collect();
        let by = n % sends.len();
        sends.rotate_left(by);
        let sends = sends.iter().copied().cycle().take(100_000).collect();
        oracle.set_line(&number(n), Line { cents: 320, sends, ..Line::default() });
    }
    // A cap that some lines reach, so that there is something to overshoot.
    let cap = 10 * (10 + kills / 20);
    let rule = format!(
        "cooldown_attempt = \"1s\"\ncooldown_success = \"1s\"\ncaps = {{ subscription_24h = \"{cap}.00 USD\" }}\n"
    );
    let place = Installation::new(&oracle, 0, &lines, &rule)?;
    let resolved = AtomicUsize::new(0);
    for n in 0..kills {
        let daemon = place.start()?;
        // From before the first statement until well into the work.
        let span = Duration::from_millis(5 + dice.roll(if n % 4 == 0 { 120 } else { 650 }));
        tokio::time::sleep(span).await;
        daemon.kill()?;
        row.trials += 1;
        if n % 500 == 499 {
            println!("  R1, installation {lane}: {} kills", n + 1);
        }
        if n % 8 == 7 {
            spend(&place, &oracle, lines.len()).await?;
        }
        if n % 20 == 19 {
            resolved.fetch_add(person(&place, &oracle).await?, Ordering::SeqCst);
        }
    }
    // Nothing burns any more: what is open comes to its end.
    for n in 0..lines.len() {
        oracle.line(&number(n), |line| {
            line.cents += 10_000;
        });
    }
    let daemon = place.start()?;
    let is_settled = || async {
        resolved.fetch_add(person(&place, &oracle).await?, Ordering::SeqCst);
        let is_over =
            |state: State| state.is_final() || matches!(state, State::Proposed | State::Reserved);
        Ok(place.topups().await?.iter().all(|t| is_over(t.state)))
    };
    if !until(Duration::from_secs(60), is_settled).await? {
        let open: Vec<String> = place
            .topups()
            .await?
            .iter()
            .filter(|t| !t.state.is_final())
            .map(|t| format!("{} {} ({})", t.payer, t.state.as_str(), t.reason))
            .collect();
        row.fault(format!("not settled in a minute: {open:?}"));
    }
    if daemon.stop()? != Some(0) {
        row.fault("the last daemon did not stop in order");
    }
    let (charges, topups) = (oracle.charges(), place.topups().await?);
    row.compare(&charges, &topups);
    row.findings(place.findings().await?);
    let recorded: BTreeSet<String> = place.recorded()?.into_iter().collect();
    for charge in charges.iter().filter(|c| !recorded.contains(&c.reference)) {
        row.lost += 1;
        row.fault(format!("{} was charged and is not in the flight recorder", charge.reference));
    }
    let (charges, orders) = (charges.len(), topups.len());
    Ok((row, Figures { charges, orders, settled: resolved.into_inner() }))
}

/// One run that dies at one place.
#[derive(Clone, Debug)]
struct Point {
    class: Class,
    faults: Vec<Fault>,
    name: String,
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    let both = |arrow: &str| [format!("{arrow}:before"), format!("{arrow}:after")];
    for class in Class::ALL {
        let mut add = |faults: &[Fault], names: Vec<String>| {
            points.extend(names.into_iter().map(|name| Point {
                class,
                faults: faults.to_vec(),
                name,
            }));
        };
        let acts: Vec<String> = failpoint::PLACES
            .iter()
            .filter(|p| p.starts_with("act:"))
            .map(|p| (*p).to_owned())
            .collect();
        let arrows = |arrows: &[&str]| arrows.iter().flat_map(|a| both(a)).collect::<Vec<String>>();
        add(&[Fault::Done], acts.clone());
        add(
            &[Fault::Done],
            arrows(&[
                "none>proposed",
                "proposed>reserved",
                "reserved>submitting",
                "submitting>paid",
                "paid>verified",
            ]),
        );
        add(&[Fault::Refused], arrows(&["submitting>failed"]));
        add(&[Fault::ResetCharged], arrows(&["submitting>unknown", "unknown>paid"]));
        // The same places with an answer that was lost: what the process knew died with it.
        add(&[Fault::ResetCharged], acts.clone());
        if class.by_ref() {
            add(&[Fault::Pending], arrows(&["submitting>pending", "pending>paid"]));
            add(&[Fault::PendingThenRefused], arrows(&["pending>failed"]));
        }
        if class == Class::A {
            let lost = [Fault::ResetUncharged, Fault::Done];
            add(&lost, arrows(&["unknown>reserved"]));
            let second = |names: Vec<String>| {
                names.into_iter().map(|n| format!("{n}#2")).collect::<Vec<_>>()
            };
            add(&lost, second(acts));
            add(&lost, second(arrows(&["reserved>submitting"])));
            add(&[Fault::ResetUncharged, Fault::ResetUncharged], arrows(&["unknown>held"]));
        } else {
            add(&[Fault::ResetUncharged], arrows(&["unknown>held"]));
        }
    }
    points
}

/// How long a place may take to be reached, and an order to be settled: nobody waits so long but on a
/// machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every place, each in an installation of its own, several at a time.
pub(crate) async fn places() -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R2 kill -9 at every named place");
    let oracle = Oracle::start(Duration::ZERO).await?;
    let at_once = Arc::new(tokio::sync::Semaphore::new(8));
    let mut runs = tokio::task::JoinSet::new();
    for (n, point) in points().into_iter().enumerate() {
        let (oracle, at_once) = (oracle.clone(), Arc::clone(&at_once));
        runs.spawn(async move {
            let _turn = at_once.acquire().await;
            one(&oracle, 10_000 + n, &point).await
        });
    }
    while let Some(run) = runs.join_next().await {
        row.add(run??);
    }
    row.note = "before and after every arrow of an order and every step of a send, first and second submission, 6 classes".into();
    Ok(row.timed(started))
}

async fn one(oracle: &Oracle, n: usize, point: &Point) -> anyhow::Result<Row> {
    let mut row = Row::new("");
    let mine = number(n);
    oracle.set_line(&mine, Line { cents: 320, sends: point.faults.clone(), ..Line::default() });
    let rule = "cooldown_attempt = \"90d\"\ncooldown_success = \"90d\"\n";
    let place = Installation::new(oracle, n, &[point.class], rule)?;
    let mut command = place.command();
    command.env("TOPUPD_FAILPOINT", &point.name);
    let mut daemon = place.start_as(command)?;
    let died = tokio::task::block_in_place(|| daemon.died_within(PATIENCE))?;
    drop(daemon);
    if !died {
        row.fault(format!("{point:?}: it never came there"));
        return Ok(row);
    }
    let daemon = place.start()?;
    let is_settled = || async {
        let topups = place.topups().await?;
        Ok(!topups.is_empty()
            && topups.iter().all(|t| t.state.is_final() || t.state == State::Held))
    };
    if !until(PATIENCE, is_settled).await? {
        row.fault(format!("{point:?}: not settled"));
    }
    daemon.stop()?;
    let charges: Vec<_> = oracle.charges().into_iter().filter(|c| c.msisdn == mine).collect();
    let topups = place.topups().await?;
    row.compare(&charges, &topups);
    row.findings(place.findings().await?);
    if topups.len() > 1 {
        row.fault(format!("{point:?}: {} orders for one need", topups.len()));
    }
    row.trials += 1;
    for fault in &mut row.faults {
        *fault = format!("{point:?}: {fault}");
    }
    Ok(row)
}
