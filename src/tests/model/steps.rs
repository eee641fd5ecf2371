//! What can happen next.

use super::{
    Booked, INTENTS, Lookup, Moment, NOT_FOUND, Person, REFS, SUBMITS, Then, Worker, World,
};
use std::collections::BTreeSet;
use topupd::domain::State;

/// Everything that can happen next. A move of the row that is not the model's design flaw on trial
/// is an arrow of the code; `strays` collects those that are not.
pub(super) fn steps(m: &Moment, w: &World, moves: &mut BTreeSet<(State, State)>) -> Vec<Moment> {
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
