//! Logs: for people, as JSON, or into the journal; and traces, where a collector is configured.
//! Numbers are masked by their types.
//!
//! Invariant: logs show the same with traces and without. The spans of traces have a target of
//! their own, which logs leave out; traces have nothing but these spans, and no event ever.

mod otlp;
pub(crate) mod spans;

use crate::config::{Log, LogFormat, Otlp};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterFn, LevelFilter},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// What is not sent this long after the end stays unsent.
const FLUSH: Duration = Duration::from_secs(2);

type Part = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging to standard error (or the journal). A second call changes nothing.
pub fn start(format: LogFormat, level: &str) {
    install(vec![logs(format, level)]);
}

/// Starts logging, and traces where `otlp` says whereto. What stands in the way of traces is logged,
/// and stops nothing else.
pub fn start_traced(log: Log, otlp: Option<&Otlp>) -> Traces {
    let mut parts = vec![logs(log.format, log.level)];
    let built = otlp.map(otlp::provider).transpose();
    if let Ok(Some(provider)) = &built {
        parts.push(traces(provider));
    }
    install(parts);
    match built {
        Ok(provider) => Traces(provider),
        Err(why) => {
            tracing::warn!("there are no traces: {why}");
            Traces(None)
        }
    }
}

/// Traces that are on their way; nothing where there are none.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left, for two seconds at most.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let flush = move || provider.shutdown_with_timeout(FLUSH);
        if !matches!(tokio::task::spawn_blocking(flush).await, Ok(Ok(()))) {
            tracing::debug!("the last spans were not taken in time");
        }
    }
}

fn install(parts: Vec<Part>) {
    tracing_subscriber::registry().with(parts).try_init().ok();
}

fn logs(format: LogFormat, level: &str) -> Part {
    let directives =
        format!("{level},sqlx=warn,hyper=warn,tokio_cron_scheduler=warn,{}=off", spans::TARGET);
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let stderr =
        || tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        LogFormat::Human => {
            let color = std::io::IsTerminal::is_terminal(&std::io::stderr());
            stderr().with_ansi(color).boxed()
        }
        LogFormat::Json => stderr().json().flatten_event(true).boxed(),
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(layer) => layer.boxed(),
            Err(_) => stderr().with_ansi(false).boxed(),
        },
    };
    layer.with_filter(filter).boxed()
}

fn traces(provider: &SdkTracerProvider) -> Part {
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("topupd"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_context_activation(false)
        .with_filter(ours())
        .boxed()
}

/// Our spans and nothing else: events have texts in them, and other crates' spans whatever they like.
fn ours() -> FilterFn {
    let is_ours: fn(&Metadata<'_>) -> bool =
        |meta| meta.is_span() && meta.target() == spans::TARGET;
    FilterFn::new(is_ours).with_max_level_hint(LevelFilter::INFO)
}

#[cfg(test)]
mod tests;
