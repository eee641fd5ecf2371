//! Is the newest reading believable? A balance that falls to nothing from one reading to the next
//! is more often a broken page than a spent balance: money waits for a second look.

use super::{Policy, Reading, Snapshot, Timestamp};

/// `Some(true)`: doubt begins with the newest reading; `Some(false)`: it is over; `None`: as before.
pub(super) fn change(snapshot: &Snapshot, policy: &Policy) -> Option<bool> {
    let newest = snapshot.reading.as_ref()?;
    match snapshot.doubt_since {
        // A reading far enough from the first that fell tells the same: it is so.
        Some(since) => (newest.at.since(since) >= policy.implausible_after && newest.at > since)
            .then_some(false),
        None => {
            let before = snapshot.earlier.first()?;
            implausible(snapshot, before, newest).then_some(true)
        }
    }
}

/// Since when the newest reading is doubted, `change` taken into account.
pub(super) fn since(snapshot: &Snapshot, policy: &Policy) -> Option<Timestamp> {
    match change(snapshot, policy) {
        Some(true) => snapshot.reading.as_ref().map(|reading| reading.at),
        Some(false) => None,
        None => snapshot.doubt_since,
    }
}

/// A fall to exactly nothing, by more than four fifths, or other buckets than before.
fn implausible(snapshot: &Snapshot, before: &Reading, newest: &Reading) -> bool {
    let (old, new) = (&before.values, &newest.values);
    let renewed = old
        .service_end_at
        .zip(new.service_end_at)
        .is_some_and(|(old, new)| new > old && !snapshot.same_period(old, new));
    if renewed {
        // The operator took its money and opened a new period: everything may be different.
        return false;
    }
    let fell = |old: Option<i64>, new: Option<i64>| {
        old.zip(new).is_some_and(|(old, new)| old > 0 && (new == 0 || new.saturating_mul(5) < old))
    };
    let names = |reading: &Reading| -> Vec<String> {
        reading.values.buckets.iter().map(|bucket| bucket.name.clone()).collect()
    };
    let lapsed = before
        .values
        .buckets
        .iter()
        .any(|bucket| bucket.expires_at.is_some_and(|at| at <= newest.at));
    fell(old.balance.map(|m| m.minor()), new.balance.map(|m| m.minor()))
        || fell(old.data_left, new.data_left)
        || fell(old.minutes_left, new.minutes_left)
        || fell(old.sms_left, new.sms_left)
        || (!lapsed && !old.buckets.is_empty() && names(before) != names(newest))
}
