//! What people do to a line by hand: have it polled, stop and resume it, give a reading.
//!
//! Readings by hand come from a person or a forwarder of the operator's text messages. They weigh as
//! much as a provider's, so they pass the same checks.

use super::{Engine, OrderError, Stage, assess::assess};
use crate::domain::{
    Money, Quality, Reading, Snapshot, Subscription, SubscriptionId, SubscriptionStatus, Timestamp,
    Values,
};
use crate::input::HandReading;
use crate::providers::ReadOk;
use crate::store::Polled;

fn invalid<T>(why: impl Into<String>) -> Result<T, OrderError> {
    Err(OrderError::Invalid(why.into()))
}

/// A line that is in the fleet.
async fn open_line(engine: &Engine, id: &SubscriptionId) -> Result<Subscription, OrderError> {
    let line = engine.store().subscription(id).await?;
    if line.status == SubscriptionStatus::Closed {
        let why = format!("subscription {id} is closed; allowed is an active or paused one");
        return Err(OrderError::Refused(why));
    }
    Ok(line)
}

impl Engine {
    /// Makes an active line due; the reading comes when the reader answers.
    ///
    /// # Errors
    ///
    /// [`OrderError::Refused`] for a line that is paused or closed.
    pub async fn poll_by_hand(&self, id: &SubscriptionId) -> Result<(), OrderError> {
        let status = self.store().subscription(id).await?.status;
        if status != SubscriptionStatus::Active {
            let why = format!("subscription {id} is {}; allowed is an active one", status.as_str());
            return Err(OrderError::Refused(why));
        }
        self.store().poll_now(std::slice::from_ref(id), self.now()).await?;
        self.wake(Stage::Poll);
        Ok(())
    }

    /// Stops everything for a line, or watches it again, with earlier failures forgiven.
    ///
    /// # Errors
    ///
    /// [`OrderError::Refused`] for a line that is no longer in the fleet.
    pub async fn set_watched(
        &self,
        id: &SubscriptionId,
        is_watched: bool,
    ) -> Result<(), OrderError> {
        open_line(self, id).await?;
        let status =
            if is_watched { SubscriptionStatus::Active } else { SubscriptionStatus::Paused };
        self.store().set_status(id, status, self.now()).await?;
        self.wake(Stage::Poll);
        self.wake(Stage::Decide);
        Ok(())
    }

    /// Writes down a reading by hand, as if the line's reader had given it.
    ///
    /// Dates that it does not name stay as they were told last: who types in a balance does not
    /// mean to forget when the number is lost.
    pub async fn reading_by_hand(
        &self,
        id: &SubscriptionId,
        given: HandReading,
    ) -> Result<Reading, OrderError> {
        let now = self.now();
        open_line(self, id).await?;
        let snapshot = self.store().snapshot(id).await?.snapshot;
        let line = &snapshot.subscription;
        let at = taken_at(&snapshot, given.at, now)?;
        let mut values = given.values(line.time_zone);
        if values.is_empty() {
            return invalid(
                "the reading is empty; allowed is at least one of balance, data_left, \
                 minutes_left, sms_left, service_end, number_loss, next_charge, buckets",
            );
        }
        let before = snapshot.reading.as_ref();
        let known = before.and_then(|r| r.values.balance).map(Money::currency);
        keep_dates(&mut values, before);
        let answer = ReadOk { values, quality: Quality::Ok, detail: None };
        let (quality, values, detail) = assess(line, known, Ok(answer));
        if quality != Quality::Ok {
            return invalid(detail.unwrap_or_else(|| quality.to_string()));
        }
        let provider = line.reader.clone();
        let reading = Reading { subscription: id.clone(), provider, at, quality, values, detail };
        let next_poll_at = self.next_poll(&reading, now);
        self.store().apply_polls(&[Polled { reading: reading.clone(), next_poll_at }], now).await?;
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        Ok(reading)
    }
}

/// Dates that somebody does not name stay as they were told last.
pub(super) fn keep_dates(values: &mut Values, before: Option<&Reading>) {
    if let Some(before) = before {
        values.service_end_at = values.service_end_at.or(before.values.service_end_at);
        values.number_loss_at = values.number_loss_at.or(before.values.number_loss_at);
    }
}

/// Readings are appended, never put in between: what is newest decides about money.
pub(super) fn taken_at(
    snapshot: &Snapshot,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, OrderError> {
    let taken = at.unwrap_or(now);
    if taken > now {
        return invalid(format!("at: found {taken}; allowed is an instant up to now, {now}"));
    }
    let readings = [snapshot.reading.as_ref(), snapshot.trouble.as_ref()];
    match readings.into_iter().flatten().map(|r| r.at).max() {
        Some(newest) if taken <= newest => {
            let id = &snapshot.subscription.id;
            let why = format!(
                "subscription {id} was read at {newest}; allowed is a reading later than that"
            );
            Err(OrderError::Refused(why))
        }
        _ => Ok(taken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures;

    #[test]
    fn a_reading_is_neither_of_the_future_nor_older_than_the_newest() {
        let snapshot = fixtures::snapshot(fixtures::reading("5.00 USD", 10));
        let now = fixtures::at(20);
        assert_eq!(taken_at(&snapshot, None, now).unwrap(), now);
        let refused = taken_at(&snapshot, Some(fixtures::at(10)), now);
        assert!(matches!(refused, Err(OrderError::Refused(_))), "{refused:?}");
        let future = taken_at(&snapshot, Some(fixtures::at(21)), now);
        assert!(matches!(future, Err(OrderError::Invalid(_))), "{future:?}");
    }
}
