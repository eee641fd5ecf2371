//! An exhaustive model of one need: two workers, one provider, a network that delays and loses, a
//! process that dies anywhere, a database that may be set back. Every interleaving is visited.
//!
//! Its states are the code's [`State`]s and its moves the code's arrows, checked at every step; what
//! a configuration must come to (clean, charged twice, lost) is asserted for each. It does not model
//! verification, caps, lists or wrong targets: `cargo bench --bench proof` does.

mod steps;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use steps::steps;
use topupd::domain::State;

/// References a need can use up.
const REFS: usize = 3;
/// Orders made for one need.
const INTENTS: u8 = 2;
/// Submissions of one reference.
const SUBMITS: u8 = 2;
/// Counted "not found" that end the waiting (two show everything that three do).
const NOT_FOUND: u8 = 2;

/// What the provider does with references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lookup {
    ByRef,
    List,
    None,
}

/// What follows "not found".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Same,
    Hold,
    NewReference,
    Failed,
}

/// Who may call a held order failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Person {
    Nobody,
    Guarded,
    AnyTime,
}

/// A world, and the design in it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flaw on trial, by its name")]
struct World {
    lookup: Lookup,
    unique: bool,
    atomic: bool,
    reusable: bool,
    late_network: bool,
    late_send: bool,
    then: Then,
    person: Person,
    rollback: bool,
    same_reference_after_rollback: bool,
    recorder: bool,
    recorder_proves_unsent: bool,
    persist_first: bool,
    compare_and_set: bool,
    one_open: bool,
    timeout_is_failed: bool,
}

/// The design as it is, at a class A provider.
const A: World = World {
    lookup: Lookup::ByRef,
    unique: true,
    atomic: true,
    reusable: false,
    late_network: true,
    late_send: true,
    then: Then::Same,
    person: Person::Nobody,
    rollback: false,
    same_reference_after_rollback: true,
    recorder: false,
    recorder_proves_unsent: false,
    persist_first: true,
    compare_and_set: true,
    one_open: true,
    timeout_is_failed: false,
};
const B: World = World { unique: false, then: Then::Hold, ..A };
const C: World = World { lookup: Lookup::List, ..B };
const D: World = World { lookup: Lookup::None, ..B };

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Worker {
    Idle,
    /// The claim is committed; the request has not left.
    Claimed(usize, u8),
    Waiting(usize, u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Booked {
    Nothing,
    Pending,
    Paid,
    Refused,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Moment {
    row: Option<(State, usize, u8, u8)>,
    workers: [Worker; 2],
    charges: [u8; REFS],
    booked: [Booked; REFS],
    /// Copies on the wire.
    wire: [u8; REFS],
    intents: u8,
    next: usize,
    is_rolled: bool,
}

impl Moment {
    const START: Self = Self {
        row: None,
        workers: [Worker::Idle; 2],
        charges: [0; REFS],
        booked: [Booked::Nothing; REFS],
        wire: [0; REFS],
        intents: 0,
        next: 0,
        is_rolled: false,
    };

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    fn set(&self, state: State, reference: usize, submits: u8) -> Self {
        self.with(|m| m.row = Some((state, reference, submits, 0)))
    }

    fn total(&self) -> u8 {
        self.charges.iter().sum()
    }

    /// Nothing moves any more by itself.
    fn is_quiet(&self) -> bool {
        self.wire.iter().all(|n| *n == 0)
            && self.workers.iter().all(|w| *w == Worker::Idle)
            && !self.booked.contains(&Booked::Pending)
    }
}

/// What a world comes to.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct Found {
    /// Charged more than once.
    doubled: bool,
    /// Charged, and nobody knows.
    lost: bool,
    /// A moment from which no end can be reached.
    stuck: bool,
    moments: usize,
}

fn explore(w: &World, moves: &mut BTreeSet<(State, State)>) -> Found {
    let mut found = Found::default();
    let mut known: HashSet<Moment> = HashSet::from([Moment::START]);
    let mut before: HashMap<Moment, Vec<Moment>> = HashMap::new();
    let mut queue = VecDeque::from([Moment::START]);
    let mut ends = Vec::new();
    while let Some(m) = queue.pop_front() {
        let state = m.row.map(|row| row.0);
        found.doubled |= m.total() > 1;
        found.lost |= m.is_quiet() && m.total() > 0 && matches!(state, None | Some(State::Failed));
        if matches!(state, Some(State::Paid | State::Failed | State::Held)) {
            ends.push(m.clone());
        }
        if m.total() > 1 {
            continue;
        }
        for next in steps(&m, w, moves) {
            before.entry(next.clone()).or_default().push(m.clone());
            if known.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    let mut good: HashSet<Moment> = ends.iter().cloned().collect();
    while let Some(m) = ends.pop() {
        for earlier in before.get(&m).into_iter().flatten() {
            if good.insert(earlier.clone()) {
                ends.push(earlier.clone());
            }
        }
    }
    found.stuck = known.iter().any(|m| m.total() <= 1 && !good.contains(m));
    found.moments = known.len();
    found
}

#[test]
fn every_interleaving_of_one_need_comes_to_what_it_must() {
    let guarded = World { late_network: false, late_send: false, ..A };
    let clean = (false, false);
    let (doubled, both, lost) = ((true, false), (true, true), (false, true));
    let recorder = |world: World| World {
        rollback: true,
        recorder: true,
        same_reference_after_rollback: false,
        ..world
    };
    let worlds = [
        ("A: paused senders and late packets", A, clean),
        ("A' reusable after a failure, no guards", World { reusable: true, ..A }, both),
        ("A' reusable, send budget and quiet period", World { reusable: true, ..guarded }, clean),
        ("A' not atomic, no guards", World { atomic: false, ..A }, doubled),
        ("A' not atomic, send budget and quiet period", World { atomic: false, ..guarded }, clean),
        (
            "A' both, send budget and quiet period",
            World { atomic: false, reusable: true, ..guarded },
            clean,
        ),
        ("A' not atomic, held on not found", World { atomic: false, then: Then::Hold, ..A }, clean),
        ("B held on not found", B, clean),
        ("C held where the list has nothing", C, clean),
        ("D held", D, clean),
        (
            "D, the recorder proves what never left",
            World { recorder_proves_unsent: true, ..D },
            clean,
        ),
        ("B, a guarded person", World { person: Person::Guarded, ..B }, clean),
        ("D, a guarded person", World { person: Person::Guarded, ..D }, clean),
        ("rollback: A, same reference, no recorder", World { rollback: true, ..A }, lost),
        ("rollback: A with recorder", recorder(A), clean),
        ("rollback: B, no recorder", World { rollback: true, ..B }, both),
        ("rollback: B with recorder", recorder(B), clean),
        ("rollback: D, no recorder", World { rollback: true, ..D }, both),
        ("rollback: D with recorder", recorder(D), clean),
        // What must not be built: each flaw is found.
        ("B sends again after not found", World { then: Then::Same, ..B }, both),
        (
            "B sends again, with both guards",
            World { then: Then::Same, unique: false, ..guarded },
            clean,
        ),
        ("A with a new reference", World { then: Then::NewReference, ..A }, both),
        ("A, a timeout is a failure", World { timeout_is_failed: true, ..A }, both),
        ("A, not found is a failure", World { then: Then::Failed, ..A }, both),
        ("D sends before it writes", World { persist_first: false, ..D }, both),
        ("D claims without compare-and-set", World { compare_and_set: false, ..D }, both),
        ("D, a person at any time", World { person: Person::AnyTime, ..D }, both),
        ("A without the index of one open order", World { one_open: false, ..A }, both),
    ];
    let mut moments = 0;
    let mut moves = BTreeSet::new();
    for (name, world, must) in worlds {
        let found = explore(&world, &mut moves);
        assert_eq!((found.doubled, found.lost), must, "{name}: {found:?}");
        assert!(!found.stuck, "{name}: no end can be reached from somewhere");
        moments += found.moments;
    }
    assert!(moments > 50_000, "only {moments} moments were visited");
    // Every move of the model is an arrow of the code …
    for (from, to) in &moves {
        assert!(from == to || from.may_go_to(*to), "the code has no {from:?} → {to:?}");
    }
    // … and every arrow of the code between its states is a move of the model, but those of
    // verification and of answers that do not match, which it does not have.
    let mapped = [
        State::Reserved,
        State::Submitting,
        State::Pending,
        State::Unknown,
        State::Paid,
        State::Held,
        State::Failed,
    ];
    let without = [
        (State::Submitting, State::Held),
        (State::Pending, State::Unknown),
        (State::Paid, State::Held),
    ];
    for from in mapped {
        for to in from.next().iter().filter(|to| mapped.contains(to)) {
            let is_missing = !moves.contains(&(from, *to)) && !without.contains(&(from, *to));
            assert!(!is_missing, "the model has no {from:?} → {to:?}");
        }
    }
}
