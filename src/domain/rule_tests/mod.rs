//! What rules do, told as short stories; the names follow the acceptance list of the peers study.

mod dates;
mod money;
mod payers;
mod reasons;

use super::fixtures::{
    at, episode_of, keep_alive, money, need_of, order, policy, reading, snapshot,
};
use super::*;

pub(super) fn step(s: &Snapshot, now: Timestamp) -> &'static str {
    match decide(s, &policy(), now).order {
        OrderStep::Nothing => "nothing",
        OrderStep::Propose { .. } => "propose",
        OrderStep::Ask { .. } => "ask",
        OrderStep::Reserve { .. } => "reserve",
        OrderStep::Cancel { reason, .. } | OrderStep::Wait { reason } => reason,
    }
}

pub(super) fn asked_why(s: &Snapshot, now: Timestamp) -> String {
    let order = decide(s, &policy(), now).order;
    let OrderStep::Ask { why, .. } = order else { panic!("no question: {order:?}") };
    why
}

pub(super) fn kinds(s: &Snapshot, now: Timestamp) -> Vec<NoticeKind> {
    decide(s, &policy(), now).notices.iter().map(|notice| notice.kind).collect()
}

/// A low line with everything in place for an order: two readings agree, the order is proposed.
pub(super) fn ready() -> Snapshot {
    let mut s = snapshot(reading("3.10 USD", 2));
    s.earlier = vec![reading("3.20 USD", 0)];
    s.episodes = vec![episode_of(&keep_alive(), at(0))];
    s.need = Some(need_of("li-tmobile", 1));
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    s
}

/// A line with money whose service ends in `hours`, under a rule on dates alone.
pub(super) fn ending(hours: i64, renewal: Renewal) -> Snapshot {
    let mut s = snapshot(reading("20.00 USD", 0));
    s.rules[0].any.remove(0);
    s.subscription.plan.as_mut().unwrap().renewal = renewal;
    end_at(&mut s, at(0).plus(Span::hours(hours)));
    s
}

pub(super) fn end_at(s: &mut Snapshot, end: Timestamp) {
    s.reading.as_mut().unwrap().values.service_end_at = Some(end);
}

pub(super) fn failed(s: &mut Snapshot, class: FailureClass) {
    s.history.last_failure = Some(class);
    s.history.last_failure_at = Some(at(-600));
}
