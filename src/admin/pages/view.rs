//! How pages show instants, lines and top-ups.

use crate::domain::{Span, State, Timestamp, Topup};
use crate::store::{StoredNotice, SubscriptionView};
use chrono_tz::Tz;
use serde::Serialize;
use std::collections::HashMap;

/// An instant as a person reads it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct When {
    pub(super) iso: String,
    pub(super) text: String,
    /// From now: `in 3d4h`, `2h5m ago`, without the words.
    pub(super) away: String,
    pub(super) is_past: bool,
    /// `dark` (over), `urgent` (2 days), `soon` (7 days) or nothing.
    pub(super) class: &'static str,
}

impl When {
    pub(super) fn of(at: Timestamp, zone: Tz, now: Timestamp) -> Self {
        let left = at.since(now);
        let is_past = left <= Span::ZERO;
        let class = if left <= Span::ZERO {
            "dark"
        } else if left <= Span::days(2) {
            "urgent"
        } else if left <= Span::days(7) {
            "soon"
        } else {
            ""
        };
        let away = rounded(if is_past { now.since(at) } else { left }).to_string();
        Self { iso: at.rfc3339(), text: at.in_zone(zone), away, is_past, class }
    }
}

/// As fine as anybody wants to know it.
fn rounded(span: Span) -> Span {
    let steps = [
        (Span::days(30), Span::days(1)),
        (Span::days(1), Span::hours(1)),
        (Span::hours(1), Span::minutes(1)),
    ];
    let step = steps.into_iter().find(|(from, _)| span >= *from);
    let unit = step.map_or(Span::seconds(1), |(_, unit)| unit).ms();
    Span::from_ms(span.ms() - span.ms().rem_euclid(unit))
}

/// Owners by id: their name, and the zone in which they read times.
pub(super) type Owners = HashMap<String, (String, Tz)>;

/// A line in a list.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) owner: String,
    pub(super) number: String,
    pub(super) operator: String,
    pub(super) status: String,
    pub(super) balance: Option<String>,
    pub(super) data_left: Option<String>,
    pub(super) read: Option<When>,
    /// The quality of the newest answer, where it was no good one.
    pub(super) trouble: Option<(String, When)>,
    pub(super) service_end: Option<When>,
    pub(super) number_loss: Option<When>,
    pub(super) next: Option<When>,
    pub(super) next_why: String,
}

/// A line as a list shows it, in its owner's zone.
pub(super) fn line(view: &SubscriptionView, owners: &Owners, now: Timestamp) -> Line {
    let s = &view.subscription;
    let (owner, zone) = owners
        .get(s.subscriber.as_str())
        .cloned()
        .unwrap_or_else(|| (s.subscriber.to_string(), s.time_zone));
    let when = |at: Timestamp| When::of(at, zone, now);
    let values = view.good.as_ref().map(|reading| &reading.values);
    let trouble = view
        .newest
        .as_ref()
        .filter(|newest| view.good.as_ref().is_none_or(|good| good.at < newest.at));
    Line {
        id: s.id.to_string(),
        label: s.label.clone(),
        owner,
        number: s.msisdn.as_ref().map(|n| format!("…{}", n.last4())).unwrap_or_default(),
        operator: s.operator.clone().unwrap_or_default(),
        status: view.status.clone(),
        balance: values.and_then(|values| values.balance).map(|money| money.to_string()),
        data_left: values.and_then(|values| values.data_left).map(bytes),
        read: view.good.as_ref().map(|reading| when(reading.at)),
        trouble: trouble.map(|reading| (reading.quality.to_string(), when(reading.at))),
        service_end: view.service_end_at().map(when),
        number_loss: view.number_loss_at().map(when),
        next: view.next_at().map(when),
        next_why: view.next.2.clone(),
    }
}

/// Bytes as plans are sold: in steps of 1024, one digit.
pub(super) fn bytes(n: i64) -> String {
    let units = [(1_i64 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let (unit, name) = units
        .into_iter()
        .find(|(unit, _)| n.unsigned_abs() >= unit.unsigned_abs())
        .unwrap_or((1, "B"));
    let tenths = n.saturating_mul(10).div_euclid(unit);
    match (unit, tenths.rem_euclid(10)) {
        (1, _) | (_, 0) => format!("{} {name}", tenths.div_euclid(10)),
        (_, tenth) => format!("{}.{tenth} {name}", tenths.div_euclid(10)),
    }
}

/// A top-up in a list.
#[derive(Debug, Serialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) subscription: String,
    pub(super) amount: String,
    pub(super) charged: Option<String>,
    pub(super) payer: String,
    pub(super) state: &'static str,
    pub(super) reason: String,
    pub(super) created: When,
    pub(super) updated: When,
    pub(super) wants_person: bool,
}

/// A top-up as a list shows it, in its owner's zone.
pub(super) fn order(topup: &Topup, owners: &Owners, now: Timestamp) -> Order {
    let zone = owners.get(topup.subscriber.as_str()).map_or(chrono_tz::UTC, |(_, zone)| *zone);
    Order {
        id: topup.id.to_string(),
        subscription: topup.subscription.to_string(),
        amount: topup.amount.to_string(),
        charged: topup.charged.map(|money| money.to_string()),
        payer: topup.payer.clone(),
        state: topup.state.as_str(),
        reason: topup.reason.clone(),
        created: When::of(topup.created_at, zone, now),
        updated: When::of(topup.updated_at, zone, now),
        wants_person: matches!(topup.state, State::AwaitingApproval | State::Held),
    }
}

/// A notice in a list.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) severity: &'static str,
    pub(super) owner: String,
    pub(super) line: Option<String>,
    pub(super) label: String,
    pub(super) channel: Option<String>,
    pub(super) state: String,
    /// What the last try met with.
    pub(super) trouble: Option<String>,
    /// What the vendor reports of it.
    pub(super) delivery: Option<String>,
    pub(super) reminder: i64,
    pub(super) created: When,
    /// When somebody acknowledged it.
    pub(super) seen: Option<When>,
}

/// A notice as a list shows it, in its reader's zone.
pub(super) fn told(notice: &StoredNotice, owners: &Owners, now: Timestamp) -> Told {
    let (owner, zone) = owners
        .get(&notice.subscriber)
        .cloned()
        .unwrap_or_else(|| (notice.subscriber.clone(), chrono_tz::UTC));
    Told {
        id: notice.id.clone(),
        kind: notice.kind.as_str(),
        severity: notice.severity.as_str(),
        owner,
        line: notice.subscription.clone(),
        label: notice.facts.label.clone(),
        channel: notice.channel.clone(),
        state: notice.state.clone(),
        trouble: notice.last_error.clone(),
        delivery: notice.delivery.clone(),
        reminder: notice.reminder_no,
        created: When::of(notice.created_at, zone, now),
        seen: notice.acknowledged_at.map(|at| When::of(at, zone, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_has_three_steps() {
        let now = Timestamp::from_ms(0);
        let class = |span| When::of(now.plus(span), chrono_tz::UTC, now).class;
        assert_eq!(class(Span::days(8)), "");
        assert_eq!(class(Span::days(7)), "soon");
        assert_eq!(class(Span::days(2)), "urgent");
        assert_eq!(class(Span::ZERO), "dark");
        let past = When::of(now, chrono_tz::UTC, now.plus(Span::hours(2)));
        assert_eq!((past.away.as_str(), past.is_past), ("2h", true));
    }

    #[test]
    fn spans_are_as_fine_as_anybody_wants_them() {
        for (ms, text) in
            [(2306, "2s"), (315, "0s"), (90_061_000, "1d1h"), (129_690_061_000, "1501d")]
        {
            assert_eq!(rounded(Span::from_ms(ms)).to_string(), text);
        }
    }

    #[test]
    fn bytes_are_read_as_plans_are_sold() {
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 20, "1 MB"),
            (1_610_612_736, "1.5 GB"),
            (314_572_800, "300 MB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }
}
