//! Replay of history: the readings that were stored, in the order of time, through the same
//! [`crate::domain::decide()`] that the daemon uses, under the rules that hold or under others.
//!
//! ```text
//! readings, acts, recorded moves ─▶ heap of what is next ─▶ judge (decide, carry) ─▶ report
//!                                      ▲                        │
//!                                      └── looks, top-up steps ─┘
//! ```
//!
//! An order that history has as well takes its recorded course; any other takes the usual course of
//! its payer, and what the line would have read then is worked out from what it did read. So the
//! active rules over recorded history give the recorded decisions, and a draft gives what it would
//! have done.
//!
//! Invariant: no clock, no randomness, no I/O. The same history gives the same report.

mod setup;
mod line;
mod carry;
mod course;
mod correct;
mod queue;
mod purse;
mod report;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod props;

pub use report::{Figures, LineReport, Report, Told};
pub use setup::{Act, Counted, Doing, LineHistory, Pace, Setup};

use crate::domain::{
    Decision, MoneySwitch, Policy, Reading, Timestamp, cap_currency, decide, is_calm,
};
use line::Line;
use purse::Purse;
use queue::{Kind, Queue, What};
use std::collections::BTreeMap;

/// Steps that one instant may take for one line; more would be a circle.
const STEPS: usize = 16;

/// A replay under way: fed with readings window by window.
#[derive(Debug)]
pub struct Replay {
    policy: Policy,
    from: Timestamp,
    to: Timestamp,
    lines: Vec<Line>,
    queue: Queue,
    purse: Purse,
    paces: BTreeMap<String, Pace>,
    acts: Vec<Act>,
    told: Option<Vec<Told>>,
    made: i64,
}

impl Replay {
    /// Everything as it was at the start.
    pub fn new(setup: Setup) -> Self {
        let Setup { policy, from, to, lines, acts, others, paces, money, story } = setup;
        let mut replay = Self {
            policy,
            from,
            to,
            queue: Queue::new(from),
            purse: Purse::new(others),
            paces,
            told: story.then(Vec::new),
            made: 0,
            lines: Vec::with_capacity(lines.len()),
            acts,
        };
        for (n, history) in lines.into_iter().enumerate() {
            let line = Line::new(history, &money, from);
            for (order, recorded) in line.recorded.iter().enumerate() {
                if recorded.topup.rule.is_none() && recorded.topup.created_at >= from {
                    replay.queue.by_a_person(recorded.topup.created_at, n, What::Order(order));
                }
                if let Some(at) = recorded.reserved_at.filter(|at| *at >= from) {
                    replay.queue.at_the_end_of(at, n, What::Missed(order));
                }
                replay.purse.begin(n, recorded, from);
            }
            let open = line.open_recorded;
            replay.lines.push(line);
            if let Some(order) = open {
                replay.follow(n, order);
            }
        }
        for (n, act) in replay.acts.iter().enumerate() {
            match act.doing {
                Doing::Money(_) | Doing::Settle(_) => {
                    replay.queue.at(act.at, Kind::Switch, 0, What::Act(n))
                }
                Doing::Status(..) | Doing::Judged => {
                    replay.queue.by_a_person(act.at, act.line.unwrap_or(0), What::Act(n));
                }
            }
        }
        replay
    }

    /// Replays up to `until` with the readings before it, sorted by time and line. Readings carry
    /// the place of their line in [`Setup::lines`].
    pub fn window(&mut self, readings: Vec<(usize, Reading)>, until: Timestamp) {
        for (n, reading) in readings {
            self.until(reading.at);
            self.queue.now(reading.at);
            self.read(n, reading);
        }
        self.until(until);
    }

    /// Everything that is due before `at`.
    fn until(&mut self, at: Timestamp) {
        while let Some(due) = self.queue.pop_before(at) {
            let (now, n) = (due.at, due.line);
            match due.what {
                What::Decide => self.look(n, now),
                What::Reread => self.reread(n, now),
                What::Move(order, step) => self.recorded_move(n, order, step, now),
                What::Order(order) => self.order_by_hand(n, order, now),
                What::Missed(order) => self.missed(n, order),
                What::Submit | What::Approve | What::Paid | What::Seen => {
                    self.made_step(n, due.what, now);
                }
                What::Act(act) => self.act(act, now),
            }
        }
    }

    /// What came out of it.
    pub fn finish(mut self) -> Report {
        self.until(self.to);
        let (from, to) = (self.from, self.to);
        let lines = self.lines.into_iter().map(|line| line.report(to)).collect();
        Report { from, to, lines, story: self.told.unwrap_or_default() }
    }

    fn read(&mut self, n: usize, raw: Reading) {
        let now = raw.at;
        let Some(line) = self.lines.get_mut(n) else { return };
        line.read(raw);
        self.judge(n, now);
    }

    /// An order waits for a reading that history does not have: the line is taken to be as it was.
    fn reread(&mut self, n: usize, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        if line.reread_at.take_if(|at| *at <= now).is_none() || line.is_read_since(now) {
            return;
        }
        if line.read_again(now) {
            self.judge(n, now);
        }
    }

    /// A wake-up: due unless something judged the line meanwhile.
    fn look(&mut self, n: usize, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        if line.queued_at == Some(now) {
            line.queued_at = None;
        }
        if line.decide_at.is_some_and(|at| at <= now) {
            self.judge(n, now)
        } else {
            self.queue_up(n)
        }
    }

    /// Decides about a line until nothing opens the way for more.
    fn judge(&mut self, n: usize, now: Timestamp) {
        for _ in 0..STEPS {
            let Some(decision) = self.weigh(n, now) else { return };
            let Some(line) = self.lines.get_mut(n) else { return };
            line.decide_at = decision.decide_at;
            if is_calm(&line.snapshot, &decision) || !self.carry(n, &decision, now) {
                break;
            }
        }
        self.queue_up(n);
    }

    /// Decides, as the daemon does: with the figures about spending where money is in question.
    fn weigh(&mut self, n: usize, now: Timestamp) -> Option<Decision> {
        let line = self.lines.get_mut(n)?;
        if line.foresee(now) {
            self.note(n, now, || ("notice", "external_topup".to_owned()));
        }
        let line = self.lines.get_mut(n)?;
        line.count_episodes();
        let first = decide(&line.snapshot, &self.policy, now);
        let Some(currency) = cap_currency(&line.snapshot, &first) else { return Some(first) };
        let usage = self.purse.usage(n, &line.snapshot.subscription.subscriber, currency, now);
        line.snapshot.usage = match &line.snapshot.topup {
            Some(topup) => usage.without(topup),
            None => usage,
        };
        let second = decide(&line.snapshot, &self.policy, now);
        line.snapshot.usage = crate::domain::CapUsage::default();
        Some(second)
    }

    /// Puts a line's next look into the queue, unless one stands there for no later.
    fn queue_up(&mut self, n: usize) {
        let Some(line) = self.lines.get_mut(n) else { return };
        let Some(at) = line.decide_at.filter(|at| *at < self.to) else { return };
        if line.queued_at.is_none_or(|queued| at < queued) {
            line.queued_at = Some(at);
            self.queue.at(at, Kind::Decide, n, What::Decide);
        }
    }

    /// The line is judged again at this instant, after what is due in it by now.
    fn judge_soon(&mut self, n: usize, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        line.decide_at = Some(now);
        self.queue_up(n);
    }

    fn act(&mut self, act: usize, now: Timestamp) {
        let Some(Act { line, doing, .. }) = self.acts.get(act).cloned() else { return };
        match doing {
            Doing::Money(switch) => self.switch(&switch),
            Doing::Settle(times) => self.policy.settle_p99 = times,
            Doing::Judged => {
                for n in 0..self.lines.len() {
                    self.judge_soon(n, now);
                }
            }
            Doing::Status(_, status) => {
                let Some(n) = line else { return };
                if let Some(line) = self.lines.get_mut(n) {
                    line.set_status(status, now);
                }
                self.note(n, now, || ("status", status.as_str().to_owned()));
                self.judge_soon(n, now);
            }
        }
    }

    fn switch(&mut self, money: &MoneySwitch) {
        for line in &mut self.lines {
            line.snapshot.money = money.clone();
        }
    }

    /// Adds a line to the story, where one is told.
    fn note(&mut self, n: usize, at: Timestamp, words: impl FnOnce() -> (&'static str, String)) {
        let Some(told) = &mut self.told else { return };
        let Some(line) = self.lines.get(n) else { return };
        let (what, why) = words();
        told.push(Told { at, line: line.snapshot.subscription.id.clone(), what, why });
    }
}
