//! The spans of traces, all of them: what they are called and what may stand in them.
//!
//! Invariant: attributes are names from the configuration, words from the code, and counts; never a
//! line, a person, a number, a text, an address, or the words of an error. Without traces nobody
//! wants these spans, and they are not made.

use tracing::{Span, Value, field::Empty};

/// By this logs and traces tell these spans from everything else.
pub(super) const TARGET: &str = "topupd::span";
/// How many rows needed a round of a stage.
pub(super) const SEEN: &str = "topupd.seen";

/// One round of a stage, over all lines or those of one provider.
pub(crate) fn stage(stage: &'static str, provider: Option<&str>) -> Span {
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "stage",
        otel.name = format_args!("stage {stage}"),
        otel.status_code = Empty,
        topupd.stage = stage,
        topupd.provider = provider,
        topupd.seen = Empty,
        topupd.done = Empty,
        topupd.failed = Empty,
    )
}

/// One call of a provider.
pub(crate) fn call(provider: &str, operation: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = format_args!("provider {operation}"),
        otel.kind = "client",
        otel.status_code = Empty,
        topupd.provider = provider,
        topupd.operation = operation,
        topupd.outcome = Empty,
    )
}

/// One try to deliver a notice.
pub(crate) fn delivery(channel: &str, notice: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "delivery",
        otel.name = "notice deliver",
        otel.kind = "client",
        otel.status_code = Empty,
        topupd.channel = channel,
        topupd.notice = notice,
        topupd.outcome = Empty,
    )
}

/// One request of somebody; `route` has `{id}` where an id stood, and is nothing where no route is.
pub(crate) fn request(method: &'static str, route: Option<&str>) -> Span {
    let sep = if route.is_some() { " " } else { "" };
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = format_args!("{method}{sep}{}", route.unwrap_or_default()),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    )
}

/// Writes down what came of a call or a delivery.
pub(crate) fn came_out(span: &Span, outcome: impl Value, is_failed: bool) {
    span.record("topupd.outcome", outcome);
    if is_failed {
        failed(span);
    }
}

/// Writes down what a round did.
pub(crate) fn counted(span: &Span, seen: usize, done: usize, failed: usize) {
    for (key, count) in [(SEEN, seen), ("topupd.done", done), ("topupd.failed", failed)] {
        span.record(key, i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// Writes down what was answered.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        failed(span);
    }
}

/// It failed; why is for the log.
pub(crate) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
