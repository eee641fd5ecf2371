//! Telling systemd how we are: ready, stopping, alive. Without systemd all of this does nothing.

use crate::domain::Span;
use crate::flow::{Beats, Engine};
use sd_notify::NotifyState;

/// Work flows: start-up is over.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The daemon is draining.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// One line for `systemctl status`.
pub fn status(line: &str) {
    notify(&[NotifyState::Status(line)]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// A loop that is busy for longer than this counts as stuck.
const PATIENCE: Span = Span::minutes(5);

/// Beats the watchdog at half its interval, but only while the store answers and every loop makes
/// progress: a stuck daemon is restarted instead of being silent.
pub async fn watchdog(engine: Engine, beats: Beats) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(interval / 2);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answered = tokio::time::timeout(interval / 4, engine.store().ping()).await;
        let stuck = beats.trouble(PATIENCE, engine.now());
        match (answered, stuck) {
            (Ok(Ok(())), None) => notify(&[NotifyState::Watchdog]),
            (Ok(Ok(())), Some(why)) => tracing::error!("no watchdog beat: {why}"),
            _ => tracing::error!("no watchdog beat: the store does not answer"),
        }
    }
}
