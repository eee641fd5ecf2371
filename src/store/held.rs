//! Which lines this process is polling, where that need not be written down.

use crate::domain::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Lines that this process has claimed for a poll, each until its lease runs out.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldPolls(Arc<Mutex<HashMap<String, i64>>>);

impl HeldPolls {
    fn lines(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are held at `now`.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        let mut lines = self.lines();
        lines.retain(|_, until| *until > now.ms());
        lines.len()
    }

    /// Takes up to `limit` of the lines that are `due` and not held.
    pub(super) fn take(&self, due: Vec<String>, limit: usize, until: Timestamp) -> Vec<String> {
        let mut lines = self.lines();
        let free = due.into_iter().filter(|id| !lines.contains_key(id)).take(limit);
        let taken: Vec<String> = free.collect();
        lines.extend(taken.iter().map(|id| (id.clone(), until.ms())));
        taken
    }

    /// They are written, or given up.
    pub(super) fn release<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut lines = self.lines();
        for id in ids {
            lines.remove(id);
        }
    }

    /// Gives all of them up: leases mean nothing any more where the clock was set back.
    pub(super) fn forget(&self) {
        self.lines().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_held_once_until_it_is_released_or_its_lease_runs_out() {
        let at = Timestamp::from_ms;
        let due = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let held = HeldPolls::default();
        assert_eq!(held.take(due(), 2, at(10)), ["a", "b"]);
        assert_eq!(held.take(due(), 2, at(20)), ["c"]);
        held.release(["a"].into_iter());
        assert_eq!(held.count(at(9)), 2);
        assert_eq!(held.count(at(10)), 1, "a lease ran out");
        assert_eq!(held.take(due(), 9, at(30)), ["a", "b"]);
        held.forget();
        assert_eq!(held.count(at(0)), 0);
    }
}
