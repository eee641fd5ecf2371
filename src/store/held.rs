//! Which lines this process is polling, where that need not be written down.

use crate::domain::{SubscriptionId, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Lines that this process has claimed for a poll, each until its lease runs out.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldPolls(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// Rows of `watches`, each with the end of its lease. (Who vacuums the file moves the rows: a line is
    /// polled twice or later then, once.)
    until: HashMap<u64, i64>,
    /// The row of each line.
    places: HashMap<String, u64>,
}

impl HeldPolls {
    fn lines(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are held at `now`.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        let Held { until, places } = &mut *self.lines();
        until.retain(|_, until| *until > now.ms());
        places.retain(|_, place| until.contains_key(place));
        until.len()
    }

    /// Takes up to `limit` of the rows that are `due` and not held.
    pub(super) fn take(&self, due: Vec<u64>, limit: usize, until: Timestamp) -> Vec<u64> {
        let mut held = self.lines();
        let free = due.into_iter().filter(|place| !held.until.contains_key(place)).take(limit);
        let taken: Vec<u64> = free.collect();
        held.until.extend(taken.iter().map(|place| (*place, until.ms())));
        taken
    }

    /// Which lines are in rows that were taken: they are released by their names.
    pub(super) fn name<'a>(&self, lines: impl Iterator<Item = (u64, &'a SubscriptionId)>) {
        let named = lines.map(|(place, id)| (id.as_str().to_owned(), place));
        self.lines().places.extend(named);
    }

    /// They are written, or given up.
    pub(super) fn release<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut held = self.lines();
        for id in ids {
            if let Some(place) = held.places.remove(id) {
                held.until.remove(&place);
            }
        }
    }

    /// Gives all of them up: leases mean nothing any more where the clock was set back.
    pub(super) fn forget(&self) {
        *self.lines() = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_held_once_until_it_is_released_or_its_lease_runs_out() {
        let at = Timestamp::from_ms;
        let lines = ["a", "b", "c"].map(|id| SubscriptionId::parse(id).unwrap());
        let held = HeldPolls::default();
        let claim = |limit: usize, until: i64| {
            let places = held.take(vec![1, 2, 3], limit, at(until));
            let line = |place: &u64| (*place, &lines[usize::try_from(*place).unwrap() - 1]);
            held.name(places.iter().map(line));
            places
        };
        assert_eq!(claim(2, 10), [1, 2]);
        assert_eq!(claim(2, 20), [3]);
        held.release(["a"].into_iter());
        assert_eq!(held.count(at(9)), 2);
        assert_eq!(held.count(at(10)), 1, "a lease ran out");
        assert_eq!(claim(9, 30), [1, 2]);
        held.forget();
        assert_eq!(held.count(at(0)), 0);
    }
}
