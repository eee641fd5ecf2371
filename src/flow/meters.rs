//! What this process counted since it started, for `/metrics`: what the rows do not remember.
//!
//! Invariant: labels are names from the configuration and words from the code, never a line's.
//! Every counter that can be foreseen is there from the start, at zero, so that its first step shows.

use super::Stage;
use crate::channels::Channel;
use crate::domain::{Quality, Span, State, Timestamp, Topup};
use crate::providers::Provider;
use crate::store::Tried;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Upper bounds, in milliseconds, of the buckets for one answer of somebody else's computer.
const ANSWERS: &[i64] = &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
/// The same for one round of a stage.
const ROUNDS: &[i64] = &[5, 25, 100, 500, 2_500, 10_000, 60_000, 300_000];
/// The same for the way from a decision to a payment.
const PAYMENTS: &[i64] =
    &[1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000];

/// What may become of a top-up at a payer.
const RESULTS: [State; 7] = [
    State::Pending,
    State::Unknown,
    State::Paid,
    State::Held,
    State::Verified,
    State::Failed,
    State::Reversed,
];
/// What may become of a try to send a notice.
const TRIES: [&str; 4] = ["sent", "again", "dropped", "dead"];

/// Times sorted into buckets.
#[derive(Clone, Debug)]
pub struct Times {
    bounds: &'static [i64],
    counts: Vec<u64>,
    longer: u64,
    sum: Span,
}

impl Times {
    fn within(bounds: &'static [i64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], longer: 0, sum: Span::ZERO }
    }

    fn add(&mut self, span: Span) {
        let fits = self.bounds.iter().zip(&mut self.counts).find(|(bound, _)| span.ms() <= **bound);
        let count = fits.map_or(&mut self.longer, |(_, count)| count);
        *count = count.saturating_add(1);
        self.sum = self.sum.plus(span.max(Span::ZERO));
    }

    /// Each upper bound with how many took no longer.
    pub fn buckets(&self) -> impl Iterator<Item = (Span, u64)> + '_ {
        let so_far = self.counts.iter().scan(0_u64, |sum, count| {
            *sum = sum.saturating_add(*count);
            Some(*sum)
        });
        self.bounds.iter().map(|bound| Span::from_ms(*bound)).zip(so_far)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(self.longer, |sum, count| sum.saturating_add(*count))
    }

    /// How long all of them took together.
    pub fn sum(&self) -> Span {
        self.sum
    }
}

/// Everything counted, by name and word.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Polls by reader and quality.
    pub polls: BTreeMap<(String, String), u64>,
    /// How long readers took to answer.
    pub poll_times: BTreeMap<String, Times>,
    /// Top-ups by payer and the state they came to.
    pub results: BTreeMap<(String, &'static str), u64>,
    /// From the decision to the payment, by payer.
    pub payment_times: BTreeMap<String, Times>,
    /// Tries to send a notice, by channel and what followed.
    pub tries: BTreeMap<(String, &'static str), u64>,
    /// Rounds of stages that found something to do.
    pub round_times: BTreeMap<&'static str, Times>,
    /// Rounds of stages that failed as a whole.
    pub failed_rounds: BTreeMap<&'static str, u64>,
}

/// The counters of one engine.
#[derive(Debug, Default)]
pub struct Meters(Mutex<Counted>);

impl Meters {
    pub(super) fn new(
        providers: &BTreeMap<String, Arc<dyn Provider>>,
        channels: &BTreeMap<String, Arc<dyn Channel>>,
    ) -> Self {
        let mut counted = Counted::default();
        for (name, provider) in providers {
            let declares = provider.declares();
            if declares.reads && declares.polled {
                for quality in [Quality::Ok, Quality::Partial, Quality::Unparseable] {
                    counted.polls.insert((name.clone(), quality.to_string()), 0);
                }
                counted.poll_times.insert(name.clone(), Times::within(ANSWERS));
            }
            if declares.tops_up {
                for state in RESULTS {
                    counted.results.insert((name.clone(), state.as_str()), 0);
                }
                counted.payment_times.insert(name.clone(), Times::within(PAYMENTS));
            }
        }
        for (name, word) in channels.keys().flat_map(|name| TRIES.map(|word| (name, word))) {
            counted.tries.insert((name.clone(), word), 0);
        }
        for stage in Stage::ALL {
            counted.round_times.insert(stage.as_str(), Times::within(ROUNDS));
            counted.failed_rounds.insert(stage.as_str(), 0);
        }
        Self(Mutex::new(counted))
    }

    /// Everything as it stands.
    pub fn all(&self) -> Counted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn polled(&self, reader: &str, quality: Quality, took: Span) {
        self.change(|counted| {
            step(&mut counted.polls, (reader.to_owned(), quality.to_string()));
            let times = counted.poll_times.entry(reader.to_owned());
            times.or_insert_with(|| Times::within(ANSWERS)).add(took);
        });
    }

    /// A top-up came to another state.
    pub(super) fn moved(&self, before: &Topup, after: &Topup, now: Timestamp) {
        if before.state == after.state || !RESULTS.contains(&after.state) {
            return;
        }
        self.change(|counted| {
            step(&mut counted.results, (after.payer.clone(), after.state.as_str()));
            if after.state == State::Paid && before.paid_at.is_none() {
                let times = counted.payment_times.entry(after.payer.clone());
                let took = now.since(after.created_at);
                times.or_insert_with(|| Times::within(PAYMENTS)).add(took);
            }
        });
    }

    pub(super) fn tried(&self, channel: &str, then: &Tried) {
        let [sent, again, dropped, dead] = TRIES;
        let word = match then {
            Tried::Sent { .. } => sent,
            Tried::Again { .. } => again,
            Tried::Dropped => dropped,
            Tried::Dead => dead,
        };
        self.change(|counted| step(&mut counted.tries, (channel.to_owned(), word)));
    }

    pub(super) fn came_round(&self, stage: Stage, took: Span) {
        self.change(|counted| {
            let times = counted.round_times.entry(stage.as_str());
            times.or_insert_with(|| Times::within(ROUNDS)).add(took);
        });
    }

    pub(super) fn failed(&self, stage: Stage) {
        self.change(|counted| step(&mut counted.failed_rounds, stage.as_str()));
    }
}

fn step<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_whatever_took_no_longer() {
        let mut times = Times::within(ROUNDS);
        for ms in [0, 5, 6, 400_000, -1] {
            times.add(Span::from_ms(ms));
        }
        let buckets: Vec<(i64, u64)> = times.buckets().map(|(le, n)| (le.ms(), n)).collect();
        assert_eq!(buckets[..2], [(5, 3), (25, 4)]);
        assert_eq!(buckets.last(), Some(&(300_000, 4)), "one is longer than every bound");
        assert_eq!((times.count(), times.sum().ms()), (5, 400_011));
    }

    #[test]
    fn a_word_that_nobody_foresaw_counts_too() {
        let meters = Meters::default();
        let error = Quality::Error(crate::domain::ErrorKind::Temporary);
        meters.polled("carrier", error, Span::seconds(1));
        meters.polled("carrier", error, Span::seconds(1));
        let counted = meters.all();
        let key = ("carrier".to_owned(), "error(temporary)".to_owned());
        assert_eq!(counted.polls.get(&key), Some(&2));
        assert_eq!(counted.poll_times.get("carrier").map(Times::count), Some(2));
    }
}
