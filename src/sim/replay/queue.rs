//! What is next. Within one instant things happen in rounds, in the order of the daemon's stages:
//! switches, decisions, steps of top-ups, people.

use crate::domain::Timestamp;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The stage a thing belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A switch that was turned; what is decided in this instant sees it.
    Switch,
    /// A look at a line.
    Decide,
    /// A step of a top-up, a reading for one.
    Step,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Decide,
    Reread,
    /// Of a recorded top-up: which, and which move of it.
    Move(usize, usize),
    /// A person ordered: which recorded top-up.
    Order(usize),
    /// History sends a recorded top-up now.
    Missed(usize),
    Submit,
    Approve,
    Paid,
    Seen,
    Act(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at: Timestamp,
    round: u32,
    kind: Kind,
    pub(super) line: usize,
    pub(super) what: What,
}

/// The round in which people act: after the stages are through.
const PEOPLE: u32 = 1 << 20;

#[derive(Debug)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Due>>,
    now: (Timestamp, u32, Kind),
}

impl Queue {
    pub(super) fn new(from: Timestamp) -> Self {
        Self { heap: BinaryHeap::new(), now: (from, 0, Kind::Switch) }
    }

    /// A reading arrives: a new instant begins with it.
    pub(super) fn now(&mut self, at: Timestamp) {
        if at > self.now.0 {
            self.now = (at, 0, Kind::Decide);
        }
    }

    /// At `at`, or now where that is past.
    pub(super) fn at(&mut self, at: Timestamp, kind: Kind, line: usize, what: What) {
        let (now, round, running) = self.now;
        let (at, round) = if at > now {
            (at, 0)
        } else {
            (now, if kind > running { round } else { round.saturating_add(1) })
        };
        self.heap.push(Reverse(Due { at, round, kind, line, what }));
    }

    pub(super) fn by_a_person(&mut self, at: Timestamp, line: usize, what: What) {
        self.heap.push(Reverse(Due { at, round: PEOPLE, kind: Kind::Step, line, what }));
    }

    /// Once more after what people do in this instant, and what is decided because of it. False
    /// where that is over.
    pub(super) fn after_people(&mut self, line: usize, what: What) -> bool {
        let (at, round, _) = self.now;
        if round > PEOPLE {
            return false;
        }
        let round = PEOPLE.saturating_add(1);
        self.heap.push(Reverse(Due { at, round, kind: Kind::Step, line, what }));
        true
    }

    /// After everything else of that instant, what people made possible included.
    pub(super) fn at_the_end_of(&mut self, at: Timestamp, line: usize, what: What) {
        self.heap.push(Reverse(Due { at, round: u32::MAX, kind: Kind::Step, line, what }));
    }

    /// The next thing before `end`.
    pub(super) fn pop_before(&mut self, end: Timestamp) -> Option<Due> {
        self.heap.peek().filter(|due| due.0.at < end)?;
        let due = self.heap.pop()?.0;
        self.now = (due.at, due.round, due.kind);
        Some(due)
    }
}
