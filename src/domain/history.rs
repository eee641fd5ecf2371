//! How top-ups on a line went so far, worked out from the newest of them: the same for the
//! daemon, which reads them from rows, and for a replay, which made them up itself.

use super::{FailureClass, Money, Need, NeedOutcome, SpendHistory, State, Timestamp, Topup};

/// What is remembered of one top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Where it stands.
    pub state: State,
    /// Its last reason code.
    pub reason: String,
    /// Why it failed.
    pub failure: Option<FailureClass>,
    /// How much was ordered.
    pub amount: Money,
    /// The price of a renewal when it was reserved.
    pub price: Option<Money>,
    /// When the provider said paid.
    pub paid_at: Option<Timestamp>,
    /// When its story ended.
    pub finalized_at: Option<Timestamp>,
    /// What it was for, and how that ended.
    pub need: Need,
    /// How its need ended.
    pub outcome: Option<NeedOutcome>,
}

/// As many of the newest top-ups are looked at; who failed longer than that asks a person anyway.
pub const PAST_TOPUPS: usize = 30;

impl SpendHistory {
    /// From the newest top-ups, newest first; failures, rejections and reversals before `reset_at`
    /// are forgiven.
    pub fn of(past: &[Past], reset_at: Timestamp) -> Self {
        let since_reset = |p: &&Past| p.finalized_at.is_some_and(|at| at > reset_at);
        let ended = |state: State| past.iter().filter(move |p| p.state == state);
        let last = |state: State| ended(state).filter_map(|p| p.finalized_at).max();
        let last_success_at = last(State::Verified);
        let failures = || {
            ended(State::Failed).filter(since_reset).filter(|p| p.finalized_at > last_success_at)
        };
        let class = |p: &Past| match (p.failure, p.reason.as_str()) {
            (Some(class), _) => class,
            (None, "not_sent") => FailureClass::ProviderDown,
            (None, _) => FailureClass::DeclinedSoft,
        };
        let declines = failures().filter(|p| class(p).counts()).count();
        let newest_failure = failures().max_by_key(|p| p.finalized_at);
        let rejected = ended(State::Cancelled).filter(|p| p.reason == "rejected");
        Self {
            ever_paid: past.iter().any(|p| p.paid_at.is_some()),
            last_success_at,
            last_failure_at: ended(State::Failed)
                .filter(since_reset)
                .filter_map(|p| p.finalized_at)
                .max(),
            last_rejection_at: rejected.filter(since_reset).filter_map(|p| p.finalized_at).max(),
            failures_in_a_row: i64::try_from(declines).unwrap_or(i64::MAX),
            reversed_at: ended(State::Reversed)
                .filter(since_reset)
                .filter_map(|p| p.finalized_at)
                .max(),
            last_failure: newest_failure.map(class),
            usual: usual(past),
            last_price: past
                .iter()
                .filter(|p| p.paid_at.is_some())
                .max_by_key(|p| p.paid_at)
                .and_then(|p| p.price),
        }
    }
}

/// The middle of the newest ten settled amounts, where there are three of one currency.
fn usual(past: &[Past]) -> Option<Money> {
    let settled = || past.iter().filter(|p| p.state == State::Verified).take(10).map(|p| p.amount);
    let currency = settled().next()?.currency();
    let mut amounts: Vec<i64> =
        settled().filter(|m| m.currency() == currency).map(Money::minor).collect();
    amounts.sort_unstable();
    let middle = *amounts.get(amounts.len() / 2)?;
    (amounts.len() >= 3).then(|| Money::new(middle, currency))
}

/// A top-up as history has it.
#[derive(Clone, Debug)]
pub struct RecordedTopup {
    /// As it stood last.
    pub topup: Topup,
    /// When its money was reserved.
    pub reserved_at: Option<Timestamp>,
    /// When its story ended.
    pub finalized_at: Option<Timestamp>,
    /// What it was for.
    pub need: Need,
    /// How that ended.
    pub outcome: Option<NeedOutcome>,
    /// Every move, oldest first.
    pub moves: Vec<Move>,
}

/// One move of a recorded top-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// From where; `None` for the beginning.
    pub from: Option<State>,
    /// To where.
    pub to: State,
    /// True when a decision made it, false when a provider, a look or a person did.
    pub decided: bool,
}

impl RecordedTopup {
    /// Where it stood at `at`; `None` before it was there.
    pub fn state_at(&self, at: Timestamp) -> Option<State> {
        self.moves.iter().rev().find(|m| m.at < at).map(|m| m.to)
    }
}

/// The newest need about a period whose top-up was verified, and not reversed since.
pub fn served_need(past: &[Past]) -> Option<Need> {
    let served = past.iter().filter(|p| {
        p.state == State::Verified
            && p.outcome == Some(NeedOutcome::Served)
            && p.need.period_end_at.is_some()
    });
    served.max_by_key(|p| p.need.seq).map(|p| p.need.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{at, money, need_of};

    fn past(state: State, minute: i64) -> Past {
        Past {
            state,
            reason: String::new(),
            failure: None,
            amount: money("10.00 USD"),
            price: None,
            paid_at: None,
            finalized_at: Some(at(minute)),
            need: need_of("li-tmobile", 1),
            outcome: None,
        }
    }

    #[test]
    fn declines_count_outages_do_not_and_a_success_forgives() {
        let failed = |class, minute| Past { failure: class, ..past(State::Failed, minute) };
        let list = [
            failed(Some(FailureClass::ProviderDown), 40),
            failed(None, 30),
            failed(Some(FailureClass::DeclinedSoft), 20),
            past(State::Verified, 10),
            failed(None, 5),
        ];
        let history = SpendHistory::of(&list, Timestamp::from_ms(0));
        assert_eq!(history.failures_in_a_row, 2);
        assert_eq!(history.last_failure, Some(FailureClass::ProviderDown));
        assert_eq!(
            (history.last_success_at, history.last_failure_at),
            (Some(at(10)), Some(at(40)))
        );
        let forgiven = SpendHistory::of(&list, at(40));
        assert_eq!((forgiven.failures_in_a_row, forgiven.last_failure_at), (0, None));
        let unsent = Past { reason: "not_sent".into(), ..failed(None, 50) };
        assert_eq!(SpendHistory::of(&[unsent], at(0)).failures_in_a_row, 0);
    }

    #[test]
    fn what_is_usual_and_what_was_served() {
        let paid = |amount: &str, minute, seq| Past {
            amount: money(amount),
            price: Some(money("15.00 USD")),
            paid_at: Some(at(minute)),
            need: Need { period_end_at: Some(at(seq)), ..need_of("li-tmobile", seq) },
            outcome: Some(NeedOutcome::Served),
            ..past(State::Verified, minute)
        };
        let list = [paid("10.00 USD", 30, 3), paid("50.00 USD", 20, 2), paid("12.00 USD", 10, 1)];
        let history = SpendHistory::of(&list, at(0));
        assert_eq!(history.usual, Some(money("12.00 USD")));
        assert_eq!(history.last_price, Some(money("15.00 USD")));
        assert_eq!(SpendHistory::of(&list[1..], at(0)).usual, None);
        assert_eq!(served_need(&list).map(|need| need.seq), Some(3));
        let reversed = [Past { state: State::Reversed, ..list[0].clone() }];
        assert_eq!(served_need(&reversed), None);
        assert!(SpendHistory::of(&reversed, at(0)).reversed_at.is_some());
    }
}
