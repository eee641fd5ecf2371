//! How long top-ups take at each payer until they show: what deadlines must leave room for.

use super::{Engine, EngineError};
use crate::domain::{Span, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Worked out anew this often.
const FRESH: Span = Span::minutes(10);

/// So many of the newest verified top-ups count.
const NEWEST: i64 = 200;

#[derive(Debug, Default)]
pub(super) struct SettleTimes(Mutex<(Option<Timestamp>, BTreeMap<String, Span>)>);

impl SettleTimes {
    /// As last worked out.
    pub(super) fn known(&self) -> BTreeMap<String, Span> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let at = self.0.lock().unwrap_or_else(PoisonError::into_inner).0;
        at.is_some_and(|at| now.since(at) < FRESH)
    }
}

impl Engine {
    /// Works out the settle times of all payers, where they are not known freshly.
    pub(super) async fn time_payers(&self, now: Timestamp) -> Result<(), EngineError> {
        if self.0.settle.is_fresh(now) {
            return Ok(());
        }
        let mut times = BTreeMap::new();
        for (name, _) in self.providers().iter().filter(|(_, p)| p.declares().tops_up) {
            if let Some(span) = slowest(self.store().settle_times(name, NEWEST).await?) {
                times.insert(name.clone(), span);
            }
        }
        self.store().keep_settle_times(&times, now).await?;
        *self.0.settle.0.lock().unwrap_or_else(PoisonError::into_inner) = (Some(now), times);
        Ok(())
    }
}

/// The 99th percentile by rank: of fewer than a hundred, the slowest.
fn slowest(mut times: Vec<Span>) -> Option<Span> {
    times.sort_unstable();
    let rank = (times.len().saturating_mul(99)).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_but_one_in_a_hundred() {
        let times = |n: i64| (1..=n).map(Span::minutes).collect::<Vec<_>>();
        assert_eq!(slowest(times(0)), None);
        assert_eq!(slowest(times(1)), Some(Span::minutes(1)));
        assert_eq!(slowest(times(99)), Some(Span::minutes(99)));
        assert_eq!(slowest(times(200)), Some(Span::minutes(198)));
    }
}
