//! Logs: for people, as JSON, or into the journal. Numbers are masked by their types.

use crate::config::LogFormat;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging to standard error (or the journal). A second call changes nothing.
pub fn start(format: LogFormat, level: &str) {
    let filter =
        EnvFilter::try_new(format!("{level},sqlx=warn,hyper=warn,tokio_cron_scheduler=warn"))
            .unwrap_or_else(|_| EnvFilter::new("info"));
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
    tracing_subscriber::registry().with(filter).with(layer).try_init().ok();
}
