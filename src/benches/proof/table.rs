//! The table that a proof ends in.

use super::oracle::Charge;
use std::{collections::BTreeMap, fmt, time::Instant};
use topupd::domain::{State, Topup};

/// One proof: how often it was tried and what went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) test: String,
    pub(crate) trials: u64,
    /// Charges of a need beyond its first.
    pub(crate) double: u64,
    /// Charges that no row of ours knows.
    pub(crate) lost: u64,
    /// Charges for another line or amount than was ordered.
    pub(crate) wrong: u64,
    /// Reservations beyond a cap.
    pub(crate) overshoot: u64,
    /// Anything else that did not come out as it must, in words.
    pub(crate) faults: Vec<String>,
    pub(crate) note: String,
    pub(crate) seconds: u64,
}

impl Row {
    pub(crate) fn new(test: &str) -> Self {
        Self { test: test.to_owned(), ..Self::default() }
    }

    pub(crate) fn fault(&mut self, why: impl Into<String>) {
        self.faults.push(why.into());
    }

    /// Adds what another found.
    pub(crate) fn add(&mut self, one: Self) {
        self.trials += one.trials;
        self.double += one.double;
        self.lost += one.lost;
        self.wrong += one.wrong;
        self.overshoot += one.overshoot;
        self.faults.extend(one.faults);
    }

    pub(crate) fn holds(&self) -> bool {
        self.double + self.lost + self.wrong + self.overshoot == 0
            && self.faults.is_empty()
            && self.trials > 0
    }

    pub(crate) fn timed(mut self, since: Instant) -> Self {
        self.seconds = since.elapsed().as_secs();
        self
    }

    /// The provider's books against ours.
    pub(crate) fn compare(&mut self, charges: &[Charge], topups: &[Topup]) {
        let by_reference: BTreeMap<&str, &Topup> =
            topups.iter().map(|t| (t.reference.as_str(), t)).collect();
        let mut of_need: BTreeMap<&str, u64> = BTreeMap::new();
        for charge in charges {
            let Some(topup) = by_reference.get(charge.reference.as_str()) else {
                self.lost_charge(&charge.id, &charge.reference);
                continue;
            };
            *of_need.entry(topup.need.as_str()).or_default() += 1;
            let request = topup.request.as_deref().unwrap_or_default();
            let number = charge.msisdn.trim_start_matches('+');
            if !request.contains(number) || topup.amount.minor() != charge.cents {
                self.wrong += 1;
                self.fault(format!("{}: charged {} for {}", topup.id, charge.cents, charge.msisdn));
            }
            let is_lost = match topup.state {
                State::Proposed | State::AwaitingApproval | State::Cancelled => true,
                // A charge after a refusal is an incident, and is called one.
                State::Failed => !topup.reason.starts_with("refused:"),
                _ => false,
            };
            if is_lost {
                self.lost_order(topup);
            }
        }
        for (need, n) in of_need.into_iter().filter(|(_, n)| *n > 1) {
            self.double += n - 1;
            self.fault(format!("need {need} was charged {n} times"));
        }
    }

    /// A charge whose order is called something that was not charged.
    pub(crate) fn lost_order(&mut self, topup: &Topup) {
        self.lost += 1;
        self.fault(format!(
            "{} was charged and is {} ({})",
            topup.id,
            topup.state.as_str(),
            topup.reason
        ));
    }

    /// A charge that no row of ours knows.
    pub(crate) fn lost_charge(&mut self, id: &str, reference: &str) {
        self.lost += 1;
        self.fault(format!("charge {id} of {reference} has no row"));
    }

    /// What `topupd verify` found.
    pub(crate) fn findings(&mut self, findings: Vec<String>) {
        for finding in findings {
            if finding.starts_with("P3") {
                self.overshoot += 1;
            }
            self.fault(finding);
        }
    }
}

pub(crate) const HEAD: &str = "| test | trials | double | lost | wrong | overshoot | other faults | seconds | what |\n|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.test,
            self.trials,
            self.double,
            self.lost,
            self.wrong,
            self.overshoot,
            self.faults.len(),
            self.seconds,
            self.note
        )
    }
}
