//! Which rule may order, and by which breach: so that two rules never pay for one need.

use super::{
    Condition, Money, OnEnable, Rule, Snapshot, Timestamp, Trust,
    episodes::{Fired, breach, first_read},
    renewal,
};

/// Among the paying rules in breach, the one that may order: highest priority, then the freer
/// mode, then the id. (Rules that tie over one line are refused when the fleet is applied.)
pub(super) fn paying_rule(snapshot: &Snapshot, now: Timestamp) -> Option<(&Rule, Fired<'_>)> {
    let in_breach = snapshot.rules.iter().filter(|rule| rule.mode.pays()).filter_map(|rule| {
        let fired = payable_breach(snapshot, rule, now)?;
        let waits = rule.on_enable == OnEnable::WaitRecross && was_in_breach(snapshot, rule);
        (!waits).then_some((rule, fired))
    });
    in_breach.max_by(|(a, _), (b, _)| {
        (a.priority, a.mode).cmp(&(b.priority, b.mode)).then_with(|| b.id.cmp(&a.id))
    })
}

/// The breach of `rule` that money may answer: a date whose period is paid for already, and a
/// forecast that has not proved itself, are not.
pub(super) fn payable_breach<'a>(
    snapshot: &Snapshot,
    rule: &'a Rule,
    now: Timestamp,
) -> Option<Fired<'a>> {
    let served = renewal::is_served(snapshot, now);
    let proven = snapshot.forecast.as_ref().is_some_and(|f| f.trust == Trust::Proven);
    let counts = |condition: &Condition| {
        !(served && condition.metric.is_deadline()) && (proven || !condition.metric.wants_proof())
    };
    breach(snapshot, rule, now, counts)
}

/// True when the top-up is for the period that ends: nothing but dates fires. Where a level fires
/// as well, that one asks, and what is said of renewals does not hold it up.
pub(super) fn for_period(snapshot: &Snapshot, rule: &Rule, now: Timestamp) -> bool {
    let mut firing = rule.conditions().iter().filter(|c| fires(snapshot, c, now)).peekable();
    firing.peek().is_some()
        && if rule.any.is_empty() {
            firing.any(|c| c.metric.is_deadline())
        } else {
            firing.all(|c| c.metric.is_deadline())
        }
}

/// The service end that a top-up by `rule` is also about: where one of its dates fires, the date
/// needs no second one.
pub(super) fn period_end(snapshot: &Snapshot, rule: &Rule, now: Timestamp) -> Option<Timestamp> {
    let dated = |c: &Condition| c.metric.is_deadline() && fires(snapshot, c, now);
    snapshot.service_end_at().filter(|_| rule.conditions().iter().any(dated))
}

fn fires(snapshot: &Snapshot, condition: &Condition, now: Timestamp) -> bool {
    snapshot.measure(condition.metric, true, now).is_some_and(|value| condition.fires(value))
}

/// True when the line was in breach already when the rule became one that pays.
pub(super) fn was_in_breach(snapshot: &Snapshot, rule: &Rule) -> bool {
    rule.enabled_at
        .zip(first_read(snapshot, rule))
        .is_some_and(|(enabled, first_read)| first_read < enabled)
}

/// True when the operator's date has moved on by itself: somebody else renewed the line.
pub(super) fn renewed_by_others(snapshot: &Snapshot) -> bool {
    let paid_for = snapshot.need.as_ref().and_then(|need| need.period_end_at);
    paid_for
        .zip(snapshot.service_end_at())
        .is_some_and(|(old, new)| new > old && !snapshot.same_period(old, new))
}

/// The price at which the line was renewed last and the price now, where it rose by more than
/// `percent` hundredths.
pub(super) fn price_rise(snapshot: &Snapshot, percent: i64) -> Option<(Money, Money)> {
    let (last, now) = snapshot.history.last_price.zip(snapshot.renewal_price())?;
    let limit = last.percent_ceiling(percent.saturating_add(100))?;
    now.partial_cmp_same(limit)?.is_gt().then_some((last, now))
}
