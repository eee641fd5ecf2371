//! `simulate`: stored readings under rules: what they would have ordered, told and lost.

use super::apply::read;
use super::args::SimulateArgs;
use super::context::{CliError, Context, instant, subscription_id};
use super::out::{Out, table};
use crate::domain::{Span, Subscription, Timestamp};
use crate::flow::Engine;
use crate::shapes;
use crate::sim::replay::{Figures, Told};
use crate::sim::{Past, Simulated, Simulation, open_lines, overlay};

pub(super) async fn simulate(
    context: &Context,
    args: &SimulateArgs,
    out: &Out,
) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let now = engine.now();
    let from = instant("from", Some(&args.from), now)?;
    let to = instant("to", args.to.as_deref(), now)?.min(now);
    if from >= to {
        return Err(CliError::Usage(format!(
            "--from: found {}; allowed is an instant before --to, {to}",
            args.from
        )));
    }
    let draft = if args.rules.is_empty() {
        None
    } else {
        let (fleet, _) = read(engine, &args.rules, false).await?;
        Some(overlay(&*engine.rules().await?, fleet.rules, args.prune))
    };
    let lines = lines(engine, &args.lines).await?;
    let what = Simulation { from, to, lines, draft, story: args.story };
    let simulated =
        run(engine, &what, |until| out.progress(&format!("replayed up to {until}"))).await?;
    out.progress("");
    out.result(&shapes::simulation(&simulated), || words(&simulated));
    Ok(())
}

/// Replays the stored past of `engine`.
async fn run(
    engine: &Engine,
    what: &Simulation,
    progress: impl FnMut(Timestamp),
) -> Result<Simulated, CliError> {
    let rules = engine.rules().await?;
    let past = Past { store: engine.store(), policy: engine.policy(), rules: &rules };
    Ok(past.simulate(what, progress).await?)
}

/// The named lines; every line that is not closed where none is named.
async fn lines(engine: &Engine, ids: &[String]) -> Result<Vec<Subscription>, CliError> {
    let mut lines = Vec::new();
    for id in ids {
        lines.push(engine.store().subscription(&subscription_id(id)?).await?);
    }
    if ids.is_empty() {
        lines = open_lines(engine.store()).await?;
    }
    Ok(lines)
}

fn words(simulated: &Simulated) -> String {
    let report = &simulated.report;
    let mut text: Vec<String> = report.story.iter().map(told).collect();
    let heads = [
        "SUBSCRIPTION",
        "READINGS",
        "BREACHES",
        "ORDERS",
        "SPEND",
        "ASKED",
        "STOPPED",
        "NOTICES",
        "DARK",
        "LOST",
    ];
    let mut rows: Vec<Vec<String>> =
        report.lines.iter().map(|line| row(line.id.as_str(), &line.figures)).collect();
    let name = if simulated.active.is_some() { "draft, all lines" } else { "all lines" };
    rows.push(row(name, &report.total()));
    if let Some(active) = &simulated.active {
        rows.push(row("active rules", &active.total()));
    }
    text.push(table(&heads, &rows));
    let kinds = report.total().notices;
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        text.push(format!("notices: {}", kinds.join(", ")));
    }
    text.push(format!(
        "{} to {}. ASKED: approvals, taken as given after ten minutes. STOPPED: by a cap or a count. DARK: time \
         without service. LOST: paid time lost to early renewal.",
        report.from, report.to
    ));
    if simulated.rules_applied > 0 {
        text.push(format!(
            "Rules were applied {} time(s) in this period: what really happened before the last time was under others.",
            simulated.rules_applied
        ));
    }
    text.join("\n")
}

fn told(told: &Told) -> String {
    format!("{}  {}  {}  {}", told.at, told.line, told.what, told.why)
}

fn row(name: &str, f: &Figures) -> Vec<String> {
    let notices: i64 = f.notices.values().sum();
    vec![
        name.to_owned(),
        f.readings.to_string(),
        f.episodes.to_string(),
        f.orders.to_string(),
        shapes::spend_words(f),
        f.approvals.to_string(),
        f.cap_hits.to_string(),
        notices.to_string(),
        span(f.dark),
        span(f.lost),
    ]
}

fn span(span: Span) -> String {
    if span == Span::ZERO { "-".to_owned() } else { span.to_string() }
}
