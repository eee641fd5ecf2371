//! Whether the wall clock can be believed. It decides what expires and when to pay, so a leap
//! stops paying; polling and telling go on.

use super::{Engine, EngineError, Stage};
use crate::clock::{Clock, since_boot};
use crate::domain::{Span, Timestamp};
use std::sync::{Mutex, PoisonError};

/// A clock that shows less than it did, by more than this, ran back.
const BACK: Span = Span::minutes(1);
/// Wall clock and time since boot drift apart by less than this in any honest machine.
const LEAP: Span = Span::minutes(5);
/// Two providers' clocks may differ from ours by this much …
const OFF: Span = Span::minutes(5);
/// … and one alone by this.
const FAR_OFF: Span = Span::hours(1);

/// The wall clock beside the clock since boot.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    /// Wall minus boot, in milliseconds, when it was last believed.
    base: Mutex<Option<i64>>,
    /// The same at the last look.
    last: Mutex<Option<i64>>,
}

impl ClockWatch {
    fn base(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the wall clock has leapt since it was last believed.
    fn leapt(&self, now: Timestamp) -> Span {
        let offset = now.ms().saturating_sub(since_boot().ms());
        let base = *self.base().get_or_insert(offset);
        Span::from_ms(offset.saturating_sub(base))
    }

    /// How far the wall clock has leapt since the last look.
    fn stepped(&self, now: Timestamp) -> Span {
        let offset = now.ms().saturating_sub(since_boot().ms());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(offset).unwrap_or(offset);
        Span::from_ms(offset.saturating_sub(before))
    }

    /// Believes the clock as it is.
    pub(super) fn believe(&self, now: Timestamp) {
        *self.base() = Some(now.ms().saturating_sub(since_boot().ms()));
    }
}

impl Engine {
    /// Looks whether the clock leapt since the last look. What is due is written down as wall time,
    /// so after a leap back nothing would be due for as long: it is brought near again.
    pub(super) async fn watch_clock(&self, now: Timestamp) -> Result<(), EngineError> {
        if !matches!(self.0.parts.clock, Clock::System) {
            return Ok(());
        }
        let step = self.0.clock_watch.stepped(now);
        if step.abs() <= BACK {
            return Ok(());
        }
        tracing::warn!("the clock leapt by {step}");
        let soon = now.plus(self.settings().flow.poll_every);
        self.store().nothing_later_than(soon).await?;
        self.switch_turned().await?;
        for stage in Stage::ALL {
            self.wake(stage);
        }
        Ok(())
    }

    /// Why the clock cannot be believed.
    pub(super) async fn clock_doubt(&self, now: Timestamp) -> Result<Option<String>, EngineError> {
        if let Some(why) = self.idle() {
            return Ok(Some(why));
        }
        let off: Vec<(&str, Span)> = self
            .providers()
            .iter()
            .filter_map(|(name, provider)| Some((name.as_str(), provider.clock_skew()?)))
            .collect();
        let beyond = |limit: Span| off.iter().filter(move |(_, skew)| skew.abs() > limit);
        if matches!(self.0.parts.clock, Clock::System) {
            let leapt = self.0.clock_watch.leapt(now);
            if leapt.abs() > LEAP {
                // The providers agree with the new time: it was wrong before.
                if !off.is_empty() && beyond(OFF).next().is_none() {
                    self.0.clock_watch.believe(now);
                    self.store().reset_wall(now).await?;
                    tracing::warn!(
                        "the clock leapt by {leapt}; the providers' clocks agree with it"
                    );
                } else {
                    return Ok(Some(format!(
                        "the clock leapt by {leapt} while the machine ran on"
                    )));
                }
            }
        }
        if beyond(OFF).count() >= 2 || beyond(FAR_OFF).next().is_some() {
            let names: Vec<String> =
                beyond(OFF).map(|(name, skew)| format!("{name} by {skew}")).collect();
            return Ok(Some(format!("the clock differs from those of {}", names.join(", "))));
        }
        let last_wall = self.store().wall(now).await?;
        let back = last_wall.since(now);
        Ok((back > BACK)
            .then(|| format!("the clock went back by {back}; it showed {last_wall} before")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_is_measured_against_the_clock_since_boot() {
        let watch = ClockWatch::default();
        let start = Timestamp::from_ms(1_800_000_000_000);
        assert!(watch.leapt(start).abs() < Span::seconds(1));
        let later = start.plus(Span::days(3));
        assert!(watch.leapt(later) > LEAP);
        assert!(watch.leapt(start.minus(Span::days(3))).abs() > LEAP);
        watch.believe(later);
        assert!(watch.leapt(later).abs() < Span::seconds(1));
    }
}
