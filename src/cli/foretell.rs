//! Before rules begin to pay by themselves: what they would have spent over the last 90 days.

use super::context::CliError;
use super::out::Out;
use super::simulate::{lines, overlay, run, spend};
use crate::config::fleet::{Fleet, Plan};
use crate::domain::{Mode, Rule, Span, Subscription};
use crate::flow::Engine;
use crate::shapes;
use crate::sim::Simulation;
use crate::sim::replay::Figures;
use serde_json::{Value as Json, json};

/// So far back, where there are readings.
const PERIOD: Span = Span::days(90);

/// More readings than this would keep a person waiting; `simulate` takes any number.
const MOST_READINGS: i64 = 2_000_000;

/// What one rule would have done.
#[derive(Debug)]
pub(super) struct Foretold {
    rule: String,
    lines: usize,
    /// Lines of which fewer days are known.
    short: usize,
    figures: Figures,
    /// Why there are no figures.
    missing: Option<String>,
}

/// The rules of `fleet` that begin to pay by themselves with `plan`.
fn enabled<'a>(fleet: &'a Fleet, plan: &Plan) -> Vec<&'a Rule> {
    let begins = |rule: &&Rule| {
        let id = rule.id.as_str();
        let created = plan.create.iter().any(|item| item.kind.as_str() == "rule" && item.id == id);
        let changed = plan.update.iter().any(|update| {
            update.kind.as_str() == "rule"
                && update.id == id
                && update.changes.get("mode").is_some_and(|change| change.from != "auto")
        });
        rule.mode == Mode::Auto && (created || changed)
    };
    fleet.rules.iter().filter(begins).collect()
}

/// Simulates the last 90 days under the fleet's rules, where one of them begins to pay by itself.
pub(super) async fn foretell(
    engine: &Engine,
    fleet: &Fleet,
    plan: &Plan,
    prune: bool,
    out: &Out,
) -> Result<Vec<Foretold>, CliError> {
    let begin = enabled(fleet, plan);
    if begin.is_empty() {
        return Ok(Vec::new());
    }
    let (from, to) = (engine.now().minus(PERIOD), engine.now());
    let covered = |line: &Subscription| begin.iter().any(|rule| rule.scope.covers(line));
    let lines: Vec<Subscription> = lines(engine, &[]).await?.into_iter().filter(covered).collect();
    let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
    let readings = engine.store().count_readings_of(&ids, from, to).await?;
    if readings == 0 || readings > MOST_READINGS {
        let why = if readings == 0 {
            "no readings of its lines are stored, so its spending cannot be foretold".to_owned()
        } else {
            format!("its lines have {readings} readings; `topupd simulate` foretells its spending")
        };
        let untold = |rule: &&Rule| Foretold {
            rule: rule.id.to_string(),
            lines: lines.iter().filter(|line| rule.scope.covers(line)).count(),
            short: 0,
            figures: Figures::default(),
            missing: Some(why.clone()),
        };
        return Ok(begin.iter().map(untold).collect());
    }
    let draft = Some(overlay(engine, fleet.rules.clone(), prune).await?);
    let what = Simulation { from, to, lines: lines.clone(), draft, story: false };
    let simulated =
        run(engine, &what, |until| out.progress(&format!("foretold up to {until}"))).await?;
    out.progress("");
    let soon = from.plus(Span::days(2));
    let told = begin.iter().map(|rule| {
        let mut told = Foretold {
            rule: rule.id.to_string(),
            lines: 0,
            short: 0,
            figures: Figures::default(),
            missing: None,
        };
        for (line, report) in lines.iter().zip(&simulated.report.lines) {
            if rule.scope.covers(line) {
                told.lines += 1;
                told.figures.add(&report.figures);
                told.short += usize::from(report.first_read_at.is_none_or(|at| at > soon));
            }
        }
        told
    });
    Ok(told.collect())
}

impl Foretold {
    pub(super) fn document(&self) -> Json {
        let mut document = shapes::figures(&self.figures);
        if let Json::Object(fields) = &mut document {
            fields.insert("rule".into(), json!(self.rule));
            fields.insert("lines".into(), json!(self.lines));
            fields.insert("lines_with_fewer_days".into(), json!(self.short));
            fields.insert("days".into(), json!(90));
            fields.insert("missing".into(), json!(self.missing));
        }
        document
    }

    pub(super) fn words(&self) -> String {
        let Self { rule, lines, short, figures, missing } = self;
        if let Some(why) = missing {
            return format!("rule {rule} begins to pay by itself: {why}");
        }
        let mut words = format!(
            "rule {rule} begins to pay by itself: over the last 90 days it would have ordered {} time(s) on {lines} \
             line(s), {}, asked for {} approval(s), and limits would have stopped {} order(s)",
            figures.orders,
            spend(figures),
            figures.approvals,
            figures.cap_hits
        );
        if *short > 0 {
            words += &format!(" ({short} line(s) have fewer days of readings)");
        }
        words
    }
}
