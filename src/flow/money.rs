//! What stops all paying: the flag file, the storm breaker, a suspect clock, payers whose outcomes
//! are unknown. Each stops paying only, never polling or telling.

use super::{Engine, EngineError, Stage};
use crate::domain::{MoneySwitch, Span, State, Timestamp};
use std::io::ErrorKind;

/// The storm breaker's name.
const STORM: &str = "storm";

impl Engine {
    /// The switches as they stand.
    pub async fn money_switch(&self, now: Timestamp) -> Result<MoneySwitch, EngineError> {
        let breakers = self.store().breakers().await?;
        let storm = breakers.into_iter().find(|(name, _, _)| name == STORM).map(|(_, _, why)| why);
        let last_wall = self.store().wall(now).await?;
        let back = last_wall.since(now);
        let clock = (back > Span::minutes(1))
            .then(|| format!("the clock went back by {back}; it showed {last_wall} before"));
        let mut payers_out = Vec::new();
        let limit = self.settings().safety.unknown_limit;
        for (name, provider) in self.providers() {
            if !provider.declares().tops_up || provider.declares().assisted {
                continue;
            }
            let outcomes = self.store().last_outcomes(name, limit).await?;
            let all_unknown = i64::try_from(outcomes.len()) == Ok(limit)
                && outcomes.iter().all(|s| matches!(s, State::Unknown | State::Held));
            if all_unknown {
                payers_out.push((
                    name.clone(),
                    format!("the last {limit} outcomes at {name} are unknown; paying through it waits until one is resolved"),
                ));
            }
        }
        Ok(MoneySwitch { off: self.money_off(), storm, clock, payers_out })
    }

    /// Why paying is off by hand; works without the database.
    pub fn money_off(&self) -> Option<String> {
        match std::fs::read_to_string(&self.0.parts.money_off_file) {
            Ok(text) => Some(format!("paying is off by hand{}", reason(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // A flag that cannot be read still is a flag.
            Err(error) => Some(format!("the flag file that stops paying cannot be read: {error}")),
        }
    }

    /// Trips the storm breaker when too many needs came up within an hour. True when it is new.
    pub(super) async fn watch_for_storm(&self, now: Timestamp) -> Result<bool, EngineError> {
        let safety = &self.settings().safety;
        let cleared = self.store().breaker_cleared_at(STORM).await?;
        let hour_ago = now.minus(Span::hours(1));
        let since = cleared.map_or(hour_ago, |at| at.max(hour_ago));
        let (needs, lines) = self.store().storm_figures(since).await?;
        let share = lines.saturating_mul(safety.storm_share) / 100;
        let limit = safety.storm_min.max(share);
        if needs <= limit {
            return Ok(false);
        }
        let why = format!(
            "{needs} lines needed money within an hour, more than {limit}; paying stopped until a person runs `topupd money on`"
        );
        let is_new = self.store().trip(STORM, &why, now).await?;
        if is_new {
            tracing::error!(needs, limit, "storm of simultaneous needs: all paying stopped");
            self.tell_paying_stopped(&why, now).await?;
            self.wake(Stage::Notify);
        }
        Ok(is_new)
    }
}

fn reason(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
