//! What people see: lines with their newest reading and what happens next.

use super::{Store, StoreError, rows, rows::Columns};
use crate::domain::{Quality, Reading, Span, Subscription, SubscriptionStatus, Timestamp};
use std::collections::HashMap;

/// A line as lists show it.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// The line.
    pub subscription: Subscription,
    /// `active`, `paused`, `held` or `closed`.
    pub status: String,
    /// Its newest reading of any quality.
    pub newest: Option<Reading>,
    /// Its newest `ok` reading.
    pub good: Option<Reading>,
    /// What happens next: when, a word, a sentence.
    pub next: (Option<Timestamp>, String, String),
    /// When it is polled next.
    pub next_poll_at: Option<Timestamp>,
}

impl SubscriptionView {
    /// How a line can be.
    pub const STATUSES: [&str; 4] = ["active", "paused", "held", "closed"];

    /// When the service stops, by the newest `ok` reading.
    pub fn service_end_at(&self) -> Option<Timestamp> {
        self.good.as_ref()?.values.service_end_at
    }

    /// When the number is lost: as read, or so many days after service end.
    pub fn number_loss_at(&self) -> Option<Timestamp> {
        let days = self.subscription.plan.as_ref().and_then(|plan| plan.number_loss_days);
        let by_plan = days.and_then(|days| Some(self.service_end_at()?.plus(Span::days(days))));
        self.good.as_ref()?.values.number_loss_at.or(by_plan)
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Timestamp> {
        let (at, what, _) = &self.next;
        if what == "poll" { self.next_poll_at } else { *at }
    }
}

/// Counts for health and overview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeView {
    /// Notices by state.
    pub by_state: Vec<(String, i64)>,
}

impl Store {
    /// Lines in order of their ids, after `after` (for paging); of one subscriber where given.
    pub async fn views(
        &self,
        subscriber: Option<&str>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SubscriptionView>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM subscriptions WHERE id > $1 AND status <> 'closed' AND ($2 IS NULL OR subscriber_id = $2) ORDER BY id LIMIT $3",
        )
        .bind(after)
        .bind(subscriber.map(str::to_owned))
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        self.views_of(&ids).await
    }

    /// Every line, page by page so that no connection is held for long.
    pub async fn every_view(&self) -> Result<Vec<SubscriptionView>, StoreError> {
        let (mut views, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.views(None, &after, 1000).await?;
            let Some(last) = page.last() else { return Ok(views) };
            after = last.subscription.id.to_string();
            views.extend(page);
        }
    }

    /// The named lines, in order of their ids.
    pub async fn views_of(&self, ids: &[String]) -> Result<Vec<SubscriptionView>, StoreError> {
        // A line has at most one open top-up, so at most one that is held.
        const LINES: &str = "FROM subscriptions s JOIN watches w ON w.subscription_id = s.id \
             LEFT JOIN topups h ON h.subscription_id = s.id AND h.state = 'held' WHERE s.id IN {ids $1}";
        const READINGS: &str = "FROM watches w JOIN readings r ON r.subscription_id = w.subscription_id \
             AND r.at IN (COALESCE(w.kept_at, w.ok_at), w.newest_at) WHERE w.subscription_id IN {ids $1}";
        let more = ["w.next_at", "w.next_what", "w.next_why", "w.next_poll_at", "h.state"];
        let list = serde_json::json!(ids).to_string();
        let lines = self.bunch(&[&rows::SUBSCRIPTION[..], &more].concat(), LINES, &list).await?;
        let mut readings: HashMap<String, Vec<Reading>> = HashMap::with_capacity(ids.len());
        for row in self.bunch(&rows::READING, READINGS, &list).await?.rows()? {
            let reading = rows::reading(&row)?;
            readings.entry(reading.subscription.to_string()).or_default().push(reading);
        }
        let view = |row| {
            let c = Columns { table: "watches", row: &row };
            let subscription = rows::subscription(&row)?;
            let mut of_line = readings.remove(subscription.id.as_str()).unwrap_or_default();
            of_line.sort_by_key(|reading| reading.at);
            let is_active = subscription.status == SubscriptionStatus::Active;
            let is_held = is_active && c.maybe_text("state")?.is_some();
            Ok(SubscriptionView {
                status: if is_held { "held".into() } else { subscription.status.as_str().into() },
                good: of_line.iter().rev().find(|r| r.quality == Quality::Ok).cloned(),
                newest: of_line.pop(),
                next: (c.maybe_at("next_at")?, c.text("next_what")?, c.text("next_why")?),
                next_poll_at: c.maybe_at("next_poll_at")?,
                subscription,
            })
        };
        let mut views = lines.rows()?.map(view).collect::<Result<Vec<_>, StoreError>>()?;
        views.sort_by(|a, b| a.subscription.id.cmp(&b.subscription.id));
        Ok(views)
    }

    /// How many notices there are by state.
    pub async fn notice_counts(&self) -> Result<NoticeView, StoreError> {
        let rows =
            sqlx::query("SELECT state, COUNT(*) AS n FROM notices GROUP BY state ORDER BY state")
                .fetch_all(self.reader())
                .await?;
        let by_state = rows
            .iter()
            .map(|row| {
                let c = Columns { table: "notices", row };
                Ok((c.text("state")?, c.int("n")?))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(NoticeView { by_state })
    }
}
