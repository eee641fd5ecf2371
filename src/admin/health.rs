//! Is the process there, does work flow, and the figures for Prometheus.

use super::{Admin, problem::Problem};
use crate::domain::{Span, Timestamp};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::fmt::Write;

/// The type of plain texts.
const TEXT: &str = "text/plain; charset=utf-8";
/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A loop that is busy for longer than this counts as stuck.
const PATIENCE: Span = Span::minutes(5);
/// A store that answers later than this does not answer.
const ANSWERS_IN: Span = Span::seconds(5);

fn text(status: StatusCode, line: &str) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], format!("{line}\n")).into_response()
}

/// The process answers.
pub(super) async fn healthz() -> Response {
    text(StatusCode::OK, "ok")
}

/// The store answers and every loop comes round.
pub(super) async fn readyz(State(admin): State<Admin>) -> Response {
    let trouble = match store_answers(&admin).await {
        true => admin.beats().trouble(PATIENCE, admin.engine().now()),
        false => Some("the store does not answer".to_owned()),
    };
    match trouble {
        None => text(StatusCode::OK, "ready"),
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

async fn store_answers(admin: &Admin) -> bool {
    let ping = tokio::time::timeout(ANSWERS_IN.to_std(), admin.engine().store().ping());
    matches!(ping.await, Ok(Ok(())))
}

/// One metric: its help, then its samples.
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, samples: &[(String, String)]) {
        let mut lines = format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            // Writing to a String cannot fail.
            writeln!(lines, "{name}{labels} {value}").ok();
        }
        self.0.push_str(&lines);
    }

    fn counts(&mut self, name: &str, help: &str, label: &str, counts: &[(&'static str, i64)]) {
        let sample = |(word, n): &(&'static str, i64)| (label_set(&[(label, word)]), n.to_string());
        self.gauge(name, help, &counts.iter().map(sample).collect::<Vec<_>>());
    }
}

fn label_set(labels: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", labels.join(","))
}

/// Seconds from `at` to `now`, with milliseconds, never below zero.
fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    let ms = at.map_or(0, |at| now.since(at).ms().max(0));
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Few figures with stable names.
pub(super) async fn metrics(State(admin): State<Admin>) -> Result<Response, Problem> {
    let now = admin.engine().now();
    let figures = admin.engine().store().figures().await?;
    let switch = admin.engine().money_switch(now).await?;
    let is_off = !switch.stops().is_empty();
    let mut page = Page(String::new());
    page.counts(
        "topupd_subscriptions",
        "Subscriptions by status.",
        "status",
        &figures.subscriptions,
    );
    page.counts("topupd_topups", "Top-ups by state.", "state", &figures.topups);
    page.counts("topupd_notices", "Notices by state.", "state", &figures.notices);
    page.gauge(
        "topupd_oldest_due_poll_seconds",
        "How long the longest waiting poll has been due; 0 when none is.",
        &[(String::new(), age(figures.oldest_due_poll_at, now))],
    );
    let rounds: Vec<(String, String)> = admin
        .beats()
        .all()
        .into_iter()
        .map(|(name, (at, _))| {
            let labels = match name.split_once(' ') {
                Some((stage, reader)) => label_set(&[("stage", stage), ("reader", reader)]),
                None => label_set(&[("stage", &name)]),
            };
            (labels, age(Some(at), now))
        })
        .collect();
    page.gauge(
        "topupd_stage_last_round_age_seconds",
        "How long ago each stage last came round; polling has one loop per reader.",
        &rounds,
    );
    page.gauge(
        "topupd_money_off",
        "1 while all paying is stopped: by hand, by the storm breaker or by a suspect clock.",
        &[(String::new(), i64::from(is_off).to_string())],
    );
    Ok(([(header::CONTENT_TYPE, METRICS)], page.0).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_seconds_and_labels_are_escaped() {
        let now = Timestamp::from_ms(100_000);
        assert_eq!(age(Some(Timestamp::from_ms(98_950)), now), "1.050");
        assert_eq!(age(Some(Timestamp::from_ms(200_000)), now), "0.000");
        assert_eq!(label_set(&[("a", "x\"y\\z")]), "{a=\"x\\\"y\\\\z\"}");
    }
}
