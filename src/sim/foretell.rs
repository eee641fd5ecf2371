//! Before rules begin to pay by themselves: what they would have spent over the last 90 days.

use super::{Past, Simulation, SimulationError, replay::Figures};
use crate::config::fleet::{Fleet, Plan};
use crate::domain::{Mode, Rule, RuleBook, Span, Subscription, SubscriptionStatus, Timestamp};
use crate::shapes;
use crate::store::{Store, StoreError};
use serde_json::{Value as Json, json};

/// So far back, where there are readings.
const PERIOD: Span = Span::days(90);

/// With more readings than this a person at a terminal would wait too long; `simulate` takes any
/// number.
pub const PATIENT: i64 = 2_000_000;
/// The same for somebody who waits for a page or an answer.
pub const AT_ONCE: i64 = 200_000;

/// What one rule would have done.
#[derive(Debug)]
pub struct Foretold {
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

/// The rules as they would be once `rules` were applied; with `prune`, only those.
pub fn overlay(active: &RuleBook, rules: Vec<Rule>, prune: bool) -> Vec<Rule> {
    if prune {
        return rules;
    }
    let kept = active.all().filter(|a| rules.iter().all(|rule| rule.id != a.id)).cloned();
    let kept: Vec<Rule> = kept.collect();
    rules.into_iter().chain(kept).collect()
}

/// Every line that is not closed.
pub async fn open_lines(store: &Store) -> Result<Vec<Subscription>, StoreError> {
    let views = store.every_view().await?;
    let lines = views.into_iter().map(|view| view.subscription);
    Ok(lines.filter(|line| line.status != SubscriptionStatus::Closed).collect())
}

/// Simulates the last 90 days under the fleet's rules, where one of them begins to pay by itself and
/// its lines have no more than `most` readings. `progress` hears how far it is.
pub async fn foretell(
    past: &Past<'_>,
    (fleet, plan, prune): (&Fleet, &Plan, bool),
    now: Timestamp,
    most: i64,
    progress: impl FnMut(Timestamp),
) -> Result<Vec<Foretold>, SimulationError> {
    let begin = enabled(fleet, plan);
    if begin.is_empty() {
        return Ok(Vec::new());
    }
    let (from, to) = (now.minus(PERIOD), now);
    let covered = |line: &Subscription| begin.iter().any(|rule| rule.scope.covers(line));
    let lines = open_lines(past.store).await?;
    let lines: Vec<Subscription> = lines.into_iter().filter(covered).collect();
    let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
    let readings = past.store.count_readings_of(&ids, from, to).await?;
    if readings == 0 || readings > most {
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
    let draft = Some(overlay(past.rules, fleet.rules.clone(), prune));
    let what = Simulation { from, to, lines: lines.clone(), draft, story: false };
    let simulated = past.simulate(&what, progress).await?;
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
    /// As `apply` and the API tell it.
    pub fn document(&self) -> Json {
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

    /// In one sentence.
    pub fn words(&self) -> String {
        let Self { rule, lines, short, figures, missing } = self;
        if let Some(why) = missing {
            return format!("rule {rule} begins to pay by itself: {why}");
        }
        let mut words = format!(
            "rule {rule} begins to pay by itself: over the last 90 days it would have ordered {} time(s) on {lines} \
             line(s), {}, asked for {} approval(s), and limits would have stopped {} order(s)",
            figures.orders,
            shapes::spend_words(figures),
            figures.approvals,
            figures.cap_hits
        );
        if *short > 0 {
            words += &format!(" ({short} line(s) have fewer days of readings)");
        }
        words
    }
}
