//! `run`: the daemon, from start-up to drain.

use super::context::{CliError, Context};
use crate::app::{App, Paying};
use crate::clock::Clock;
use crate::config::Settings;
use crate::{admin, systemd, telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What ended one life of the daemon.
#[derive(PartialEq, Eq)]
enum End {
    Stop,
    Reload,
}

pub(super) async fn run(context: &Context, accept_missing: bool) -> Result<(), CliError> {
    let settings = context.settings()?;
    let traces = telemetry::start_traced(settings.log, settings.telemetry.otlp.as_ref());
    let ended = lives(context, settings, accept_missing).await;
    traces.end().await;
    ended
}

/// One life after the other, until somebody stops the daemon.
async fn lives(
    context: &Context,
    mut settings: Settings,
    accept_missing: bool,
) -> Result<(), CliError> {
    let listen = |kind| signal(kind).map_err(anyhow::Error::from);
    let mut signals = Signals {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
        hangup: listen(SignalKind::hangup())?,
    };
    loop {
        let app = App::open(settings.clone(), Clock::System, Paying::Required).await?;
        super::apply::apply_configured(&app).await?;
        app.engine().recover().await?;
        if accept_missing {
            app.engine().accept_recovery().await?;
        }
        let end = life(&app, context, &mut signals).await?;
        app.close().await;
        if end == End::Stop {
            tracing::info!("stopped");
            return Ok(());
        }
        settings = context.settings()?;
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Starts everything, waits for a reason to end, drains.
async fn life(app: &App, context: &Context, signals: &mut Signals) -> Result<End, CliError> {
    let engine = app.engine().clone();
    let settings = engine.settings().clone();
    // The address is taken first, so that a bad one is an error and not a silence.
    let listener = match settings.admin.listen {
        Some(address) => {
            let bound = tokio::net::TcpListener::bind(address).await;
            Some(bound.map_err(|error| anyhow::anyhow!("admin.listen: {address}: {error}"))?)
        }
        None => None,
    };
    let daemon = app.start().await?;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let mut helpers = tokio::task::JoinSet::new();
    if let Some(listener) = listener {
        if let Ok(address) = listener.local_addr() {
            tracing::info!("dashboard and API at http://{address}/");
        }
        let (engine, beats) = (engine.clone(), daemon.beats());
        helpers.spawn(async move {
            let done = async move { drop(stopped.changed().await) };
            if let Err(error) = admin::serve(engine, beats, listener, done).await {
                tracing::error!("the dashboard stopped: {error}");
            }
        });
    }
    let watchdog = tokio::spawn(systemd::watchdog(engine.clone(), daemon.beats()));
    systemd::ready();
    tracing::info!(
        providers = settings.providers.len(),
        channels = settings.channels.len(),
        "topupd {} runs",
        env!("CARGO_PKG_VERSION")
    );
    let end = wait(context, signals).await;
    if end == End::Stop {
        systemd::stopping();
    }
    tracing::info!("draining: calls under way end first");
    daemon.stop(settings.flow.drain).await;
    watchdog.abort();
    stop.send_replace(true);
    let closed = async { while helpers.join_next().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), closed).await.ok();
    Ok(end)
}

/// Waits for a signal. A reload with a broken configuration is refused and the daemon goes on.
async fn wait(context: &Context, signals: &mut Signals) -> End {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return End::Stop,
            _ = signals.interrupt.recv() => return End::Stop,
            _ = signals.hangup.recv() => match context.settings() {
                Ok(settings) => match super::apply::check_configured(&settings).await {
                    Ok(()) => {
                        tracing::info!("reloading configuration and fleet");
                        return End::Reload;
                    }
                    Err(error) => tracing::error!("not reloaded: {}", error.summary()),
                },
                Err(error) => tracing::error!("not reloaded: {}", error.summary()),
            },
        }
    }
}
