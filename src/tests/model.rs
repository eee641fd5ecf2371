//! An exhaustive model of one need: two workers, one provider, a network that delays and loses, a
//! process that dies anywhere, a database that may be set back. Every interleaving is visited.
//!
//! Its states are the code's [`State`]s and its moves the code's arrows, checked at every step; what
//! a configuration must come to (clean, charged twice, lost) is asserted for each. It does not model
//! verification, caps, lists or wrong targets: `cargo bench --bench proof` does.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
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

/// Everything that can happen next. A move of the row that is not the model's design flaw on trial
/// is an arrow of the code; `strays` collects those that are not.
fn steps(m: &Moment, w: &World, moves: &mut BTreeSet<(State, State)>) -> Vec<Moment> {
    let mut out = Vec::new();
    let state = m.row.map(|row| row.0);
    let is_open = |state: Option<State>| state.is_some_and(|s| !s.is_final());
    let allowed = state.is_none()
        || state == Some(State::Failed)
        || (!w.one_open
            && matches!(state, Some(State::Unknown | State::Submitting | State::Pending)));
    if allowed && (!w.one_open || !is_open(state)) && m.intents < INTENTS && m.next < REFS {
        out.push(m.with(|n| {
            n.row = Some((State::Reserved, m.next, 0, 0));
            n.intents += 1;
            n.next += 1;
        }));
    }
    let Some((state, reference, submits, not_found)) = m.row else {
        network(m, w, &mut out);
        return out;
    };
    let mut go = |to: State, next: Moment, out: &mut Vec<Moment>| {
        moves.insert((state, to));
        out.push(next);
    };
    if w.rollback
        && !m.is_rolled
        && matches!(state, State::Submitting | State::Unknown | State::Pending)
    {
        out.push(m.with(|n| {
            n.is_rolled = true;
            if w.recorder {
                n.row = Some((State::Unknown, reference, submits, 0));
            } else {
                n.row = None;
                n.intents -= 1;
                n.next = if w.same_reference_after_rollback { reference } else { m.next };
            }
        }));
    }
    for i in 0..2 {
        let put = |next: &mut Moment, worker| next.workers[i] = worker;
        match m.workers[i] {
            Worker::Idle => {
                if state == State::Reserved {
                    let claim = m.with(|n| {
                        if w.persist_first {
                            n.row = Some((State::Submitting, reference, submits + 1, 0));
                        }
                        put(n, Worker::Claimed(reference, submits + 1));
                    });
                    if w.persist_first {
                        go(State::Submitting, claim, &mut out);
                    } else {
                        out.push(claim);
                    }
                    if w.persist_first && !w.compare_and_set {
                        // Another worker read the row before and believes that it owns it.
                        out.push(m.with(|n| put(n, Worker::Claimed(reference, submits + 1))));
                    }
                }
                if matches!(state, State::Unknown | State::Pending) {
                    look(m, w, (state, reference, submits, not_found), &mut go, &mut out);
                }
            }
            Worker::Claimed(of, number) => {
                out.push(m.with(|n| put(n, Worker::Idle)));
                let is_mine = state == State::Submitting && of == reference && number == submits;
                if w.recorder_proves_unsent
                    && number < SUBMITS
                    && of == reference
                    && number == submits
                    && matches!(state, State::Submitting | State::Unknown)
                {
                    go(
                        State::Reserved,
                        m.set(State::Reserved, reference, submits).with(|n| put(n, Worker::Idle)),
                        &mut out,
                    );
                }
                // The budget: whoever slept too long gives up.
                if (w.late_send || is_mine || !w.persist_first || !w.compare_and_set)
                    && m.wire.iter().sum::<u8>() < 3
                {
                    out.push(m.with(|n| {
                        n.wire[of] += 1;
                        put(n, Worker::Waiting(of, number));
                    }));
                }
            }
            Worker::Waiting(of, number) => {
                out.push(m.with(|n| put(n, Worker::Idle)));
                let same = of == reference;
                let is_mine = same && (number == submits || !w.persist_first || !w.compare_and_set);
                let welcomes = matches!(
                    state,
                    State::Submitting
                        | State::Unknown
                        | State::Pending
                        | State::Reserved
                        | State::Held
                );
                match m.booked[of] {
                    Booked::Paid if same && welcomes => {
                        // From `reserved` it comes by way of the claim that it answers.
                        let next =
                            m.set(State::Paid, reference, submits).with(|n| put(n, Worker::Idle));
                        if state == State::Reserved {
                            out.push(next)
                        } else {
                            go(State::Paid, next, &mut out)
                        }
                    }
                    Booked::Refused
                        if is_mine
                            && matches!(
                                state,
                                State::Submitting | State::Unknown | State::Pending
                            ) =>
                    {
                        go(
                            State::Failed,
                            m.set(State::Failed, reference, submits).with(|n| put(n, Worker::Idle)),
                            &mut out,
                        );
                    }
                    Booked::Pending
                        if is_mine && matches!(state, State::Submitting | State::Unknown) =>
                    {
                        go(
                            State::Pending,
                            m.set(State::Pending, reference, submits)
                                .with(|n| put(n, Worker::Idle)),
                            &mut out,
                        );
                    }
                    Booked::Nothing | Booked::Pending | Booked::Paid | Booked::Refused => {}
                }
                // Silence.
                let to = if w.timeout_is_failed { State::Failed } else { State::Unknown };
                let silent = m.set(to, reference, submits).with(|n| put(n, Worker::Idle));
                let is_flawed = !w.persist_first || !w.compare_and_set;
                if is_mine && state == State::Submitting {
                    go(to, silent, &mut out);
                } else if is_mine && is_flawed && state == State::Reserved {
                    out.push(silent);
                }
            }
        }
    }
    if state == State::Held && w.person != Person::Nobody {
        let alive = m.wire[reference] > 0
            || m.booked[reference] == Booked::Pending
            || m.workers.iter().any(|w| matches!(w, Worker::Claimed(of, _) | Worker::Waiting(of, _) if *of == reference));
        if m.booked[reference] == Booked::Paid {
            go(State::Paid, m.set(State::Paid, reference, submits), &mut out);
        }
        if w.person == Person::AnyTime || (!alive && m.booked[reference] != Booked::Paid) {
            go(State::Failed, m.set(State::Failed, reference, submits), &mut out);
        }
    }
    if state == State::Submitting {
        // The sweeper: whoever claimed it may only be asleep.
        go(State::Unknown, m.set(State::Unknown, reference, submits), &mut out);
    }
    network(m, w, &mut out);
    out
}

type Row = (State, usize, u8, u8);

/// A look-up by an idle worker.
fn look(
    m: &Moment,
    w: &World,
    row: Row,
    go: &mut impl FnMut(State, Moment, &mut Vec<Moment>),
    out: &mut Vec<Moment>,
) {
    let (state, reference, submits, not_found) = row;
    match w.lookup {
        Lookup::ByRef => match m.booked[reference] {
            Booked::Paid => go(State::Paid, m.set(State::Paid, reference, submits), out),
            Booked::Refused => go(State::Failed, m.set(State::Failed, reference, submits), out),
            Booked::Pending if state == State::Unknown => {
                go(State::Pending, m.set(State::Pending, reference, submits), out);
            }
            Booked::Nothing if state == State::Unknown => {
                if not_found + 1 < NOT_FOUND {
                    out.push(m.with(|n| n.row = Some((state, reference, submits, not_found + 1))));
                } else if w.late_network || m.wire[reference] == 0 {
                    match w.then {
                        Then::Same if submits < SUBMITS => {
                            go(State::Reserved, m.set(State::Reserved, reference, submits), out);
                        }
                        Then::NewReference if submits < SUBMITS && m.next < REFS => {
                            out.push(m.set(State::Reserved, m.next, submits).with(|n| n.next += 1));
                        }
                        Then::Failed => {
                            go(State::Failed, m.set(State::Failed, reference, submits), out)
                        }
                        Then::Same | Then::NewReference | Then::Hold => {
                            go(State::Held, m.set(State::Held, reference, submits), out);
                        }
                    }
                }
            }
            Booked::Pending | Booked::Nothing => {}
        },
        Lookup::List | Lookup::None => {
            if w.lookup == Lookup::List && m.booked[reference] == Booked::Paid {
                go(State::Paid, m.set(State::Paid, reference, submits), out);
            }
            go(State::Held, m.set(State::Held, reference, submits), out);
        }
    }
}

/// What wire and provider do.
fn network(m: &Moment, w: &World, out: &mut Vec<Moment>) {
    for r in 0..REFS {
        if m.wire[r] > 0 {
            let lost = m.with(|n| n.wire[r] -= 1);
            out.push(lost.clone());
            if !w.atomic && m.wire[r] >= 2 && m.booked[r] == Booked::Nothing {
                // Look, then insert: copies in parallel all pass.
                out.push(m.with(|n| {
                    n.wire[r] -= 2;
                    n.booked[r] = Booked::Paid;
                    n.charges[r] = (n.charges[r] + 2).min(3);
                }));
            }
            let known = m.booked[r] != Booked::Nothing;
            let refuses = known && w.unique && !(w.reusable && m.booked[r] == Booked::Refused);
            if !refuses {
                out.push(lost.with(|n| {
                    if n.booked[r] != Booked::Paid {
                        n.booked[r] = Booked::Refused;
                    }
                }));
                if !known {
                    out.push(lost.with(|n| n.booked[r] = Booked::Pending));
                }
                out.push(lost.with(|n| {
                    n.booked[r] = Booked::Paid;
                    n.charges[r] = (n.charges[r] + 1).min(3);
                }));
            }
        }
        if m.booked[r] == Booked::Pending {
            out.push(m.with(|n| {
                n.booked[r] = Booked::Paid;
                n.charges[r] = (n.charges[r] + 1).min(3);
            }));
            out.push(m.with(|n| n.booked[r] = Booked::Refused));
        }
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
