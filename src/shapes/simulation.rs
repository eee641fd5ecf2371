//! The figures of a simulation as JSON.

use super::At;
use crate::domain::{Currency, Money, Span};
use crate::sim::{
    Simulated,
    replay::{Figures, Report},
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a simulation found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Simulation {
    /// From where.
    pub from: At,
    /// To where.
    pub to: At,
    /// The figures of each line, with its id.
    #[schema(value_type = Vec<BTreeMap<String, Json>>)]
    pub lines: Vec<Json>,
    /// The figures of all lines.
    #[schema(value_type = BTreeMap<String, Json>)]
    pub total: Json,
    /// The same under the active rules, beside a draft.
    #[schema(value_type = Option<BTreeMap<String, Json>>)]
    pub active: Option<Json>,
    /// What the draft has more, or less where negative.
    #[schema(value_type = Option<BTreeMap<String, Json>>)]
    pub difference: Option<Json>,
    /// How often rules were applied meanwhile.
    pub rules_applied: usize,
    /// What would have happened, where the story was asked for.
    pub story: Vec<Told>,
}

/// One thing that would have happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Happening)]
pub struct Told {
    /// When.
    pub at: At,
    /// To which line.
    pub id: String,
    /// A word for it.
    #[schema(value_type = String)]
    pub what: &'static str,
    /// In words.
    pub why: String,
}

/// A simulation.
pub fn simulation(simulated: &Simulated) -> Simulation {
    let report = &simulated.report;
    let lines = report.lines.iter().map(|line| {
        let mut one = figures(&line.figures);
        if let Json::Object(fields) = &mut one {
            fields.insert("id".into(), json!(line.id.as_str()));
        }
        one
    });
    let story = report.story.iter().map(|told| Told {
        at: At(told.at),
        id: told.line.to_string(),
        what: told.what,
        why: told.why.clone(),
    });
    let active = simulated.active.as_ref().map(Report::total);
    Simulation {
        from: At(report.from),
        to: At(report.to),
        lines: lines.collect(),
        total: figures(&report.total()),
        active: active.as_ref().map(figures),
        difference: active.as_ref().map(|active| figures_less(&report.total(), active)),
        rules_applied: simulated.rules_applied,
        story: story.collect(),
    }
}

/// The figures of a line or of all. Days are decimal numbers with two places.
pub fn figures(f: &Figures) -> Json {
    json!({
        "readings": f.readings,
        "episodes": f.episodes,
        "orders": f.orders,
        "approvals": f.approvals,
        "cap_hits": f.cap_hits,
        "spend": spend(&f.spend),
        "notices": f.notices,
        "days_dark": days(f.dark),
        "days_lost": days(f.lost),
    })
}

/// What was spent, by currency, or a dash.
pub fn spend_words(f: &Figures) -> String {
    let amounts = amounts(&f.spend);
    if amounts.is_empty() { "-".to_owned() } else { amounts.join(" + ") }
}

/// What `f` has more than `other`, or less where negative.
pub fn figures_less(f: &Figures, other: &Figures) -> Json {
    let less = |a: &BTreeMap<&'static str, i64>, b: &BTreeMap<&'static str, i64>| {
        let mut rest = a.clone();
        for (word, n) in b {
            let sum = rest.entry(word).or_default();
            *sum = sum.saturating_sub(*n);
        }
        rest
    };
    let span = |a: Span, b: Span| Span::from_ms(a.ms().saturating_sub(b.ms()));
    figures(&Figures {
        readings: f.readings.saturating_sub(other.readings),
        episodes: f.episodes.saturating_sub(other.episodes),
        orders: f.orders.saturating_sub(other.orders),
        approvals: f.approvals.saturating_sub(other.approvals),
        cap_hits: f.cap_hits.saturating_sub(other.cap_hits),
        spend: less(&f.spend, &other.spend),
        notices: less(&f.notices, &other.notices),
        dark: span(f.dark, other.dark),
        lost: span(f.lost, other.lost),
    })
}

/// Amounts by currency, in words.
pub fn amounts(sums: &BTreeMap<&'static str, i64>) -> Vec<String> {
    let amount = |(code, minor): (&&'static str, &i64)| {
        Currency::parse(code).map(|currency| Money::new(*minor, currency).to_string()).ok()
    };
    sums.iter().filter_map(amount).collect()
}

fn spend(sums: &BTreeMap<&'static str, i64>) -> Json {
    let entry =
        |(code, minor): (&&'static str, &i64)| json!({ "amount_minor": minor, "currency": code });
    Json::Array(sums.iter().map(entry).collect())
}

fn days(span: Span) -> Json {
    let hundredths = span.ms() / (Span::days(1).ms() / 100);
    let (sign, rest) = (if hundredths < 0 { "-" } else { "" }, hundredths.abs());
    let text = format!("{sign}{}.{:02}", rest / 100, rest % 100);
    serde_json::from_str(&text).unwrap_or_else(|_| Json::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_decimal_numbers() {
        assert_eq!(days(Span::hours(36)).to_string(), "1.5");
        assert_eq!(days(Span::from_ms(-Span::hours(6).ms())).to_string(), "-0.25");
        assert_eq!(days(Span::ZERO).to_string(), "0.0");
    }
}
