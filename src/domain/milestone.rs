//! Reminders that grow nearer: so many days before the service ends, then before the number is
//! lost. They fire on crossing, so a daemon that was down on the day still tells; and only the
//! newest is told, so it does not tell three at once.

use super::{Mode, Renewal, Rule, Severity, Snapshot, Span, Timestamp, renewal};

/// Days after the service end at which people are reminded while the number can be saved.
const AFTER: [i64; 3] = [7, 14, 30];

/// Days before the loss of the number.
const BEFORE_LOSS: [i64; 4] = [7, 3, 1, 0];

/// A reminder that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Milestone {
    /// Where it stands: days from the service end, negative before it.
    pub(super) day: i64,
    /// The service end it is counted from.
    pub(super) end: Timestamp,
}

/// The newest milestone crossed that was not told yet.
pub(super) fn due(snapshot: &Snapshot, now: Timestamp) -> Option<Milestone> {
    let end = snapshot.service_end_at()?;
    let told = snapshot.milestone.filter(|(_, of)| snapshot.same_period(*of, end));
    let day = days(snapshot).filter(|day| at(end, *day) <= now).max()?;
    let is_new = told.is_none_or(|(last, _)| day > last);
    // On the day itself a reading must confirm that the operator did not renew.
    let seen = day != 0 || snapshot.reading.as_ref().is_some_and(|r| r.at > end);
    // Money waits in the account and the operator takes it on the date: nothing to remind of.
    let funded = day <= 0
        && matches!(renewal::semantics(snapshot), Renewal::FundBalance | Renewal::Queue)
        && renewal::is_served(snapshot, now);
    (is_new && seen && !funded).then_some(Milestone { day, end })
}

/// When the next milestone is crossed.
pub(super) fn next(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let end = snapshot.service_end_at()?;
    days(snapshot).map(|day| at(end, day)).filter(|at| *at > now).min()
}

fn at(end: Timestamp, day: i64) -> Timestamp {
    end.plus(Span::days(day))
}

/// The milestones of this line, in days from the service end. From the day before the end on they
/// are for every line that a telling rule covers; earlier ones are for rules that look at dates,
/// and only those that lie within the plan's cycle.
fn days(snapshot: &Snapshot) -> impl Iterator<Item = i64> + '_ {
    let telling = snapshot.rules.iter().filter(|rule| rule.mode >= Mode::Notify);
    let cycle = snapshot.subscription.plan.as_ref().and_then(|plan| plan.cycle_days);
    let before = telling.clone().flat_map(move |rule| {
        let dated = rule.conditions().iter().any(|c| c.metric.is_deadline());
        let near =
            move |day: &&i64| cycle.is_none_or(|cycle| **day < cycle) && (dated || **day <= 1);
        rule.milestones.iter().filter(near).map(|day| -day)
    });
    let ends = snapshot.service_end_at().zip(snapshot.number_loss_at());
    let window = ends.map(|(end, loss)| loss.since(end).ms() / Span::days(1).ms());
    let after = telling.take(1).flat_map(move |_| {
        let last = window.into_iter().flat_map(|days| BEFORE_LOSS.map(|before| days - before));
        let within = move |day: &i64| window.is_none_or(|days| *day < days);
        AFTER.into_iter().filter(within).chain(last.filter(|day| *day > 0))
    });
    before.chain(after)
}

impl Milestone {
    /// In words.
    pub(super) fn words(self, snapshot: &Snapshot, now: Timestamp) -> String {
        let end = self.end;
        let left = |at: Timestamp| {
            let day = Span::days(1).ms();
            match at.since(now).ms().saturating_add(day - 1) / day {
                ..=0 => "now".to_owned(),
                1 => "within a day".to_owned(),
                days => format!("in {days} days"),
            }
        };
        match (end > now, snapshot.number_loss_at()) {
            (true, _) => format!("the service ends {}", left(end)),
            (false, Some(loss)) if loss <= now => "the number is lost".to_owned(),
            (false, Some(loss)) => {
                format!("the service has ended; the number is lost {}", left(loss))
            }
            (false, None) => "the service has ended".to_owned(),
        }
    }
}

/// How much the deadlines matter now.
pub(super) fn severity(snapshot: &Snapshot, now: Timestamp) -> Severity {
    match snapshot.nearest_deadline(now).map(|at| at.since(now)) {
        _ if snapshot.service_end_at().is_some_and(|end| end <= now) => Severity::Critical,
        Some(left) if left <= Span::days(1) => Severity::Critical,
        Some(left) if left <= Span::days(2) => Severity::High,
        Some(_) | None => Severity::Warning,
    }
}

/// True for rules that look at dates and tell.
pub(super) fn tells_dates(rule: &Rule) -> bool {
    rule.mode >= Mode::Notify && rule.conditions().iter().any(|c| c.metric.is_deadline())
}
