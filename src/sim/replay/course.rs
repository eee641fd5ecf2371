//! The way of a top-up after the decision: as history has it, or as the payer usually takes it.

use super::{
    Replay,
    line::{Line, past_of},
    queue::{Kind, What},
    setup::is_about,
};
use crate::domain::{
    Credit, NeedOutcome, NoticeKind, Plan, Renewal, Span, State, Timestamp, Topup,
};

/// Which way the open top-up of a line goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Course {
    /// There is none.
    #[default]
    None,
    /// As this recorded top-up went.
    Recorded(usize),
    /// As top-ups usually go.
    Made,
}

/// How soon a person approves an order that history does not have.
const APPROVED_AFTER: Span = Span::minutes(10);

impl Replay {
    /// The open top-up of a line is this recorded one: what others did to it happens again.
    pub(super) fn follow(&mut self, n: usize, order: usize) {
        let from = self.from;
        let Some(line) = self.lines.get_mut(n) else { return };
        line.course = Course::Recorded(order);
        line.followed.push(order);
        let Some(recorded) = line.recorded.get(order) else { return };
        for (step, moved) in recorded.moves.iter().enumerate() {
            if !moved.decided && moved.from.is_some() && moved.at >= from {
                self.queue.at(moved.at, Kind::Step, n, What::Move(order, step));
            }
        }
    }

    /// The recorded top-up that a proposal of this instant is.
    pub(super) fn find_recorded(line: &Line, topup: &Topup, now: Timestamp) -> Option<usize> {
        line.recorded.iter().position(|recorded| {
            let it = &recorded.topup;
            is_about(it.created_at, now)
                && it.rule == topup.rule
                && it.payer == topup.payer
                && recorded.moves.first().is_some_and(|m| m.to == State::Proposed)
        })
    }

    /// A decision that history did not make leaves the recorded course.
    pub(super) fn leave(&mut self, n: usize) {
        let Some(line) = self.lines.get_mut(n) else { return };
        if let Course::Recorded(order) = line.course {
            line.keep_raw();
            line.unfollow(order);
            line.course = Course::Made;
        }
    }

    /// After a decision about an order that goes its own way: what follows.
    pub(super) fn go_on(&mut self, n: usize, now: Timestamp) {
        let Some(line) = self.lines.get(n).filter(|line| line.course == Course::Made) else {
            return;
        };
        match line.snapshot.topup.as_ref().map(|topup| topup.state) {
            Some(State::Reserved) => self.queue.at(now, Kind::Step, n, What::Submit),
            Some(State::AwaitingApproval) => {
                self.queue.at(now.plus(APPROVED_AFTER), Kind::Step, n, What::Approve);
            }
            Some(
                State::Proposed
                | State::Submitting
                | State::Pending
                | State::Unknown
                | State::Paid
                | State::Held
                | State::Verified
                | State::Failed
                | State::Cancelled
                | State::Reversed,
            )
            | None => {}
        }
    }

    /// History sends an order now. Where ours did not make it, it never happens here.
    pub(super) fn missed(&mut self, n: usize, order: usize) {
        let Some(line) = self.lines.get_mut(n) else { return };
        if !line.followed.contains(&order) {
            line.keep_raw();
            line.unfollow(order);
        }
    }

    /// What a provider, a look or a person did to a recorded top-up.
    pub(super) fn recorded_move(&mut self, n: usize, order: usize, step: usize, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        let Some(recorded) = line.recorded.get(order) else { return };
        let Some(moved) = recorded.moves.get(step).copied() else { return };
        let last = &recorded.topup;
        if moved.to == State::Reversed && moved.from == Some(State::Verified) {
            let (reference, reversed) =
                (last.reference.clone(), Topup { state: State::Reversed, ..last.clone() });
            line.reverse(&reference, now);
            self.purse.count(&reversed);
            self.say_moved(n, &reversed, now);
            self.judge_soon(n, now);
            return;
        }
        let Some(open) =
            line.snapshot.topup.as_ref().filter(|_| line.course == Course::Recorded(order))
        else {
            return;
        };
        if moved.from != Some(open.state) {
            // A person may open the way for it in this very instant.
            if self.queue.after_people(n, What::Move(order, step)) {
                return;
            }
            self.leave(n);
            self.go_on(n, now);
            return;
        }
        let approved = last.approved.clone().filter(|(at, _)| *at <= now);
        let is_last = moved.to == last.state || moved.to.is_final();
        let after = Topup {
            state: moved.to,
            reason: if is_last { last.reason.clone() } else { moved.to.as_str().to_owned() },
            failure: last.failure.filter(|_| moved.to == State::Failed),
            charged: last.charged.filter(|_| last.paid_at.is_some_and(|at| at <= now)),
            delivered: last.delivered.filter(|_| last.paid_at.is_some_and(|at| at <= now)),
            paid_at: last.paid_at.filter(|at| *at <= now),
            next_action_at: if approved.is_some() { None } else { open.next_action_at },
            approved,
            maybe_sent: match moved.to {
                State::Pending | State::Unknown | State::Paid | State::Held => {
                    last.maybe_sent.min(1)
                }
                State::Proposed
                | State::AwaitingApproval
                | State::Reserved
                | State::Submitting
                | State::Verified
                | State::Failed
                | State::Cancelled
                | State::Reversed => open.maybe_sent,
            },
            ..open.clone()
        };
        self.moved(n, after, now);
        self.judge_soon(n, now);
    }

    /// A step of an order that history does not have.
    pub(super) fn made_step(&mut self, n: usize, what: What, now: Timestamp) {
        let Some(line) = self.lines.get(n).filter(|line| line.course == Course::Made) else {
            return;
        };
        let Some(open) = line.snapshot.topup.clone() else { return };
        let pace = self.paces.get(&open.payer).copied().unwrap_or_default();
        match (what, open.state) {
            (What::Submit, State::Reserved) => {
                self.moved(n, Topup { state: State::Submitting, ..open }, now);
                self.queue.at(now.plus(pace.paid_after), Kind::Step, n, What::Paid);
            }
            (What::Approve, State::AwaitingApproval) if open.approved.is_none() => {
                let approved = Some((now, "replay".to_owned()));
                self.moved(n, Topup { approved, next_action_at: None, ..open }, now);
                self.judge_soon(n, now);
            }
            (What::Paid, State::Submitting) => {
                let paid = Topup { state: State::Paid, paid_at: Some(now), maybe_sent: 1, ..open };
                self.moved(n, paid, now);
                self.queue.at(now.plus(pace.seen_after), Kind::Step, n, What::Seen);
                self.judge_soon(n, now);
            }
            (What::Seen, State::Paid) => {
                if let Some(line) = self.lines.get_mut(n) {
                    line.keep_raw();
                    line.credit(&open, now);
                    line.read_again(now);
                }
                self.moved(n, Topup { state: State::Verified, ..open }, now);
                self.judge_soon(n, now);
            }
            // The order was called off meanwhile, or it is another one by now.
            _ => {}
        }
    }

    /// The open top-up stands like `after` now: history, caps, need and notices follow.
    pub(super) fn moved(&mut self, n: usize, after: Topup, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        let before = line.snapshot.topup.as_ref().map(|topup| topup.state);
        let Some(need) = line.snapshot.need.clone() else { return };
        let state = after.state;
        let mut past = past_of(&after, &need);
        past.finalized_at = state.is_final().then_some(now);
        if state == State::Verified {
            past.outcome = Some(NeedOutcome::Served);
            line.snapshot.need = None;
        } else if state == State::Reversed {
            past.outcome = Some(NeedOutcome::Gone);
            line.snapshot.need = None;
        }
        line.remember(&after, past);
        if state == State::Submitting && before == Some(State::Reserved) {
            line.figures.orders += 1;
        }
        if state == State::Paid && before != Some(State::Paid) {
            let charged = after.charged.filter(|c| c.is_positive()).unwrap_or(after.amount);
            line.figures.spent(charged.minor(), charged.currency());
            line.figures.lost = line.figures.lost.plus(lost_by(
                &after,
                line.snapshot.subscription.plan.as_ref(),
                now,
            ));
        }
        if state.is_final() {
            line.course = Course::None;
        }
        self.purse.count(&after);
        if before != Some(state) {
            self.say_moved(n, &after, now);
        }
        if let Some(line) = self.lines.get_mut(n) {
            line.snapshot.topup = (!state.is_final()).then_some(after);
        }
    }

    fn say_moved(&mut self, n: usize, after: &Topup, now: Timestamp) {
        let kind = match after.state {
            State::Paid => Some(NoticeKind::TopupPaid),
            State::Verified => Some(NoticeKind::TopupVerified),
            State::Failed => Some(NoticeKind::TopupFailed),
            State::Unknown => Some(NoticeKind::TopupUnknown),
            State::Held => Some(NoticeKind::TopupHeld),
            State::Reversed => Some(NoticeKind::TopupReversed),
            State::Pending if self.policy.assisted.contains(&after.payer) => {
                Some(NoticeKind::TopupTask)
            }
            State::Proposed
            | State::AwaitingApproval
            | State::Reserved
            | State::Submitting
            | State::Pending
            | State::Cancelled => None,
        };
        if let Some(line) = self.lines.get_mut(n).filter(|_| kind.is_some()) {
            line.say(
                kind.map_or("", NoticeKind::as_str),
                &format!("{}|{}", after.state.as_str(), after.reference),
            );
        }
        self.note(n, now, || {
            (after.state.as_str(), format!("{} at {}", after.amount, after.payer))
        });
    }

    /// A person ordered: the same road as a rule's.
    pub(super) fn order_by_hand(&mut self, n: usize, order: usize, now: Timestamp) {
        let Some(line) = self.lines.get_mut(n) else { return };
        let Some(recorded) = line.recorded.get(order) else { return };
        let topup = Topup {
            state: State::Proposed,
            reason: "proposed".into(),
            next_action_at: None,
            approved: None,
            paid_at: None,
            maybe_sent: 0,
            ..recorded.topup.clone()
        };
        let need = recorded.need.clone();
        if line.snapshot.topup.is_some() {
            return;
        }
        line.open_need(need);
        line.snapshot.topup = Some(topup);
        self.note(n, now, || ("propose", "ordered by hand".to_owned()));
        self.follow(n, order);
        self.judge_soon(n, now);
    }
}

/// Paid time that a new period beginning now throws away.
fn lost_by(topup: &Topup, plan: Option<&Plan>, now: Timestamp) -> Span {
    let restarts = plan.is_some_and(|plan| plan.renewal == Renewal::RestartFromPayment);
    match topup.before.service_end_at {
        Some(end) if restarts && end > now => end.since(now),
        _ => Span::ZERO,
    }
}

impl Line {
    /// Money of ours that may show from now on.
    pub(super) fn expect_topup(&mut self, topup: &Topup, now: Timestamp) {
        let pays = match self.course {
            Course::Recorded(order) => {
                self.recorded.get(order).is_some_and(|r| r.topup.paid_at.is_some())
            }
            Course::Made => true,
            Course::None => false,
        };
        if pays {
            self.expect(Credit { from: now, amount: topup.delivered.unwrap_or(topup.amount) });
        }
    }

    fn unfollow(&mut self, order: usize) {
        if let Some(recorded) = self.recorded.get(order).filter(|r| r.topup.paid_at.is_some()) {
            self.correction.unfollow(
                &recorded.topup,
                recorded.reserved_at.unwrap_or(recorded.topup.created_at),
            );
        }
    }

    fn credit(&mut self, topup: &Topup, now: Timestamp) {
        let plan = self.snapshot.subscription.plan.clone();
        let end = self.snapshot.service_end_at();
        self.correction.credit(topup, plan.as_ref(), end, now);
    }
}
