//! When a renewal may be paid: as early as it loses no days, never while the operator renews.

use super::{Policy, Renewal, Snapshot, Span, Timestamp};

/// The least distance to the service end at which a plan that restarts is paid.
const LATE: Span = Span::days(1);

/// What paying does to this line's dates.
pub(super) fn semantics(snapshot: &Snapshot) -> Renewal {
    snapshot.subscription.plan.as_ref().map_or(Renewal::Unknown, |plan| plan.renewal)
}

/// The earliest instant at which paying for the period that ends loses no days; `None` where any
/// time will do. A plan that restarts at the payment is paid as late as is safe: twice the time in
/// which 99 of 100 top-ups of this payer show on the line, a day at least (peers study §5.4).
pub(super) fn earliest(
    snapshot: &Snapshot,
    policy: &Policy,
    payer: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let end = snapshot.service_end_at().filter(|end| *end > now)?;
    match semantics(snapshot) {
        Renewal::FundBalance | Renewal::ExtendFromExpiry | Renewal::Queue => None,
        Renewal::RestartFromPayment | Renewal::Unknown => {
            let settle = policy.settle_p99.get(payer).copied().unwrap_or(Span::ZERO);
            Some(end.minus(settle.times(2).max(LATE)))
        }
    }
}

/// When the operator's charge window that covers `now` ends: it renews on the day of the service
/// end, and money that arrives meanwhile may be taken for another period.
pub(super) fn window_ends_at(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let line = &snapshot.subscription;
    let window = line.plan.as_ref()?.charge_window?;
    let end = snapshot.service_end_at()?;
    let day = |at: Timestamp| at.to_utc().map(|at| at.with_timezone(&line.time_zone).date_naive());
    (day(end)? == day(now)?).then(|| window.ends_at(now, line.time_zone)).flatten()
}

/// True when a top-up already verified pays for the period that ends next: the date alone does
/// not ask for a second. Not so where the money that waits in the account is too little for the
/// renewal, and not once the service has ended all the same: then one more top-up may rescue it.
pub(super) fn is_served(snapshot: &Snapshot, now: Timestamp) -> bool {
    let served = snapshot.served.as_ref().and_then(|need| Some((need, need.period_end_at?)));
    let Some(((need, paid_for), end)) = served.zip(snapshot.service_end_at()) else { return false };
    if !snapshot.same_period(paid_for, end) {
        return false;
    }
    if end <= now {
        return need.opened_at >= end;
    }
    let short = || {
        let balance = snapshot.reading.as_ref()?.values.balance?;
        Some(balance.partial_cmp_same(snapshot.renewal_price()?)?.is_lt())
    };
    semantics(snapshot) != Renewal::FundBalance || short() != Some(true)
}
