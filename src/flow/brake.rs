//! The brake: one person is never flooded.

use super::{Engine, EngineError};
use crate::domain::{NoticeKind, Severity, Span};
use crate::store::{DueNotice, StoredNotice};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Whom, and by which channel.
type Road = (String, String);

pub(super) fn road(notice: &StoredNotice) -> Road {
    (notice.subscriber.clone(), notice.channel.clone().unwrap_or_default())
}

/// Notices on their way: no row says yet that they were sent, and the brake counts them.
#[derive(Debug, Default)]
pub(super) struct Sending(Mutex<BTreeMap<Road, i64>>);

impl Sending {
    /// One more, until what comes back is dropped.
    pub(super) fn begin(&self, road: Road) -> OnItsWay<'_> {
        self.add(&road, 1);
        OnItsWay { of: self, road }
    }

    fn add(&self, road: &Road, n: i64) {
        let mut roads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let on_it = roads.entry(road.clone()).or_default();
        *on_it = on_it.saturating_add(n);
        if *on_it == 0 {
            roads.remove(road);
        }
    }

    fn on(&self, road: &Road) -> i64 {
        let roads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roads.get(road).copied().unwrap_or(0)
    }
}

/// One notice on its way.
#[derive(Debug)]
pub(super) struct OnItsWay<'a> {
    of: &'a Sending,
    road: Road,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.of.add(&self.road, -1);
    }
}

impl Engine {
    /// Holds back what goes beyond the brake, with all that waits behind it; gives back the rest.
    pub(super) async fn brake(
        &self,
        due: Vec<DueNotice>,
        sending: &Sending,
    ) -> Result<Vec<DueNotice>, EngineError> {
        let (now, rate) = (self.now(), self.settings().notices.brake);
        let since = now.minus(rate.per);
        let mut queues: BTreeMap<Road, Vec<DueNotice>> = BTreeMap::new();
        let mut free = Vec::with_capacity(due.len());
        for due in due {
            let notice = &due.notice;
            if notice.severity == Severity::Critical || notice.kind == NoticeKind::Test {
                free.push(due);
                continue;
            }
            queues.entry(road(notice)).or_default().push(due);
        }
        for (road, mut queue) in queues {
            // Those that end between these two looks count twice, rather than not at all.
            let on_their_way = sending.on(&road);
            let (subscriber, channel) = &road;
            let (sent, first) = self.store().sent_to(subscriber, channel, since).await?;
            let gone = sent.saturating_add(on_their_way);
            let left = i64::from(rate.events).saturating_sub(gone).max(0);
            let over = queue.split_off(queue.len().min(usize::try_from(left).unwrap_or(0)));
            free.extend(queue);
            if !over.is_empty() {
                let first = first.unwrap_or(now);
                let until = first.plus(rate.per).max(now.plus(Span::seconds(1)));
                let ids: Vec<(&str, i64)> =
                    over.iter().map(|due| (due.notice.id.as_str(), due.notice.attempts)).collect();
                self.store().hold_back(&ids, subscriber, channel, until, now).await?;
            }
        }
        Ok(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_counts_until_it_has_arrived() {
        let sending = Sending::default();
        let li = ("li".to_owned(), "mail".to_owned());
        let (first, second) = (sending.begin(li.clone()), sending.begin(li.clone()));
        assert_eq!((sending.on(&li), sending.on(&("li".into(), "sms".into()))), (2, 0));
        drop(first);
        assert_eq!(sending.on(&li), 1);
        drop(second);
        assert!(sending.0.lock().unwrap().is_empty());
    }
}
