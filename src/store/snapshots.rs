//! Gathers everything a decision looks at, for many lines at once.

use super::{Store, StoreError, rows, rows::Columns};
use crate::domain::{
    CapUsage, MoneySwitch, PAST_TOPUPS, Past, Quality, Snapshot, Span, SpendHistory,
    SubscriptionId, Timestamp, served_need,
};
use serde_json::json;
use std::collections::HashMap;

/// A snapshot without rules and switches (the caller knows those), and the last stored words.
#[derive(Clone, Debug)]
pub struct SnapshotRow {
    /// The line as the rows have it.
    pub snapshot: Snapshot,
    /// `next_what` as last stored, to write only changes.
    pub next_what: String,
    /// `next_why` as last stored.
    pub next_why: String,
}

/// Due decisions, in the order of their index.
pub(super) const DUE: &str = "SELECT subscription_id FROM watches WHERE next_decide_at <= $1 \
    ORDER BY next_decide_at, subscription_id LIMIT $2";

impl Store {
    /// The lines that are due for a decision, oldest first.
    pub async fn due_decisions(
        &self,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(DUE).bind(now.ms()).bind(limit).fetch_all(self.reader()).await?)
    }

    /// The earliest instant at which a decision is due.
    pub async fn next_decision_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(next_decide_at) FROM watches WHERE next_decide_at IS NOT NULL",
        )
        .fetch_one(self.reader())
        .await?;
        Ok(at.map(Timestamp::from_ms))
    }

    /// Snapshots of the named lines.
    pub async fn snapshots(&self, ids: &[String]) -> Result<Vec<SnapshotRow>, StoreError> {
        let list = json!(ids).to_string();
        let watch = [
            "w.watched_since",
            "w.next_poll_at",
            "w.stale_since",
            "w.doubt_since",
            "w.milestone",
            "w.milestone_end_at",
            "w.next_what",
            "w.next_why",
        ];
        let rest = "FROM subscriptions s JOIN watches w ON w.subscription_id = s.id \
                    WHERE s.id IN {ids $1}";
        let lines = self.bunch(&[&rows::SUBSCRIPTION[..], &watch].concat(), rest, &list).await?;
        let mut snapshots: HashMap<String, SnapshotRow> = HashMap::with_capacity(ids.len());
        for row in lines.rows()? {
            let c = Columns { table: "watches", row: &row };
            let snapshot = Snapshot {
                subscription: rows::subscription(&row)?,
                rules: Vec::new(),
                reading: None,
                earlier: Vec::new(),
                doubt_since: c.maybe_at("doubt_since")?,
                trouble: None,
                watched_since: c.at("watched_since")?,
                stale_since: c.maybe_at("stale_since")?,
                episodes: Vec::new(),
                recent_episodes: Vec::new(),
                milestone: c.maybe_int("milestone")?.zip(c.maybe_at("milestone_end_at")?),
                need: None,
                served: None,
                forecast: None,
                topup: None,
                history: SpendHistory::default(),
                usage: CapUsage::default(),
                money: MoneySwitch::default(),
                prices: Vec::new(),
                misplaced: Vec::new(),
                next_poll_at: c.maybe_at("next_poll_at")?,
            };
            let row = SnapshotRow {
                snapshot,
                next_what: c.text("next_what")?,
                next_why: c.text("next_why")?,
            };
            snapshots.insert(row.snapshot.subscription.id.to_string(), row);
        }
        self.add_readings(&list, &mut snapshots).await?;
        self.add_forecasts(&list, &mut snapshots).await?;
        self.add_breaches(&list, &mut snapshots).await?;
        self.add_topups(&list, &mut snapshots).await?;
        // In the order asked for, so that decisions are reproducible.
        Ok(ids.iter().filter_map(|id| snapshots.remove(id)).collect())
    }

    /// One line's snapshot.
    pub async fn snapshot(&self, id: &SubscriptionId) -> Result<SnapshotRow, StoreError> {
        let found = self.snapshots(&[id.to_string()]).await?;
        found.into_iter().next().ok_or_else(|| StoreError::NotFound(format!("subscription {id}")))
    }

    async fn add_readings(
        &self,
        list: &str,
        snapshots: &mut HashMap<String, SnapshotRow>,
    ) -> Result<(), StoreError> {
        let rest = "FROM watches w JOIN readings r ON r.subscription_id = w.subscription_id \
                    AND r.at IN (COALESCE(w.kept_at, w.ok_at), w.newest_at, w.ok_before_at) WHERE w.subscription_id IN {ids $1}";
        for row in self.bunch(&rows::READING, rest, list).await?.rows()? {
            let reading = rows::reading(&row)?;
            let Some(entry) = snapshots.get_mut(reading.subscription.as_str()) else { continue };
            let snapshot = &mut entry.snapshot;
            match &snapshot.reading {
                _ if reading.quality != Quality::Ok => snapshot.trouble = Some(reading),
                Some(newer) if newer.at > reading.at => snapshot.earlier.push(reading),
                _ => snapshot.earlier.extend(snapshot.reading.replace(reading)),
            }
        }
        Ok(())
    }

    async fn add_breaches(
        &self,
        list: &str,
        snapshots: &mut HashMap<String, SnapshotRow>,
    ) -> Result<(), StoreError> {
        let sql = self.sql(
            "SELECT e.* FROM episodes e JOIN watches w ON w.subscription_id = e.subscription_id \
             WHERE (e.closed_at IS NULL OR e.opened_at > w.newest_at - 604800000) AND e.subscription_id IN {ids $1} \
             ORDER BY e.opened_at, e.id",
        );
        for row in sqlx::query(sql).bind(list).fetch_all(self.reader()).await? {
            let (episode, first_read_at) = rows::episode(&row)?;
            let Some(entry) = snapshots.get_mut(episode.subscription.as_str()) else { continue };
            let (snapshot, rule) = (&mut entry.snapshot, &episode.rule);
            let newest = snapshot.reading.as_ref().map(|r| r.at);
            let newest = newest.max(snapshot.trouble.as_ref().map(|r| r.at));
            if newest.is_some_and(|at| at.since(episode.opened_at) < Span::days(7)) {
                match snapshot.recent_episodes.iter_mut().find(|(id, _)| id == rule) {
                    Some((_, n)) => *n = n.saturating_add(1),
                    None => snapshot.recent_episodes.push((rule.clone(), 1)),
                }
            }
            if episode.closed_at.is_none() {
                snapshot.episodes.push((episode, first_read_at));
            }
        }
        let sql =
            self.sql("SELECT * FROM needs WHERE closed_at IS NULL AND subscription_id IN {ids $1}");
        for row in sqlx::query(sql).bind(list).fetch_all(self.reader()).await? {
            let need = rows::need(&row)?;
            if let Some(entry) = snapshots.get_mut(need.subscription.as_str()) {
                entry.snapshot.need = Some(need);
            }
        }
        Ok(())
    }

    async fn add_topups(
        &self,
        list: &str,
        snapshots: &mut HashMap<String, SnapshotRow>,
    ) -> Result<(), StoreError> {
        let sql = self.sql(
            "SELECT * FROM topups WHERE state IN ('proposed', 'awaiting_approval', 'reserved', 'submitting', \
             'pending', 'unknown', 'paid', 'held') AND subscription_id IN {ids $1}",
        );
        for row in sqlx::query(sql).bind(list).fetch_all(self.reader()).await? {
            let topup = rows::topup(&row)?;
            if let Some(entry) = snapshots.get_mut(topup.subscription.as_str()) {
                entry.snapshot.topup = Some(topup);
            }
        }
        self.add_history(list, snapshots).await
    }

    /// How earlier top-ups went; lines that never had one cost nothing here.
    async fn add_history(
        &self,
        list: &str,
        snapshots: &mut HashMap<String, SnapshotRow>,
    ) -> Result<(), StoreError> {
        let sql = self.sql(
            "SELECT p.state, p.reason, p.failure, p.amount_minor, p.currency, p.price_minor, p.price_currency, p.paid_at, \
             p.finalized_at, w.failures_reset_at, n.* FROM (SELECT t.*, ROW_NUMBER() OVER (PARTITION BY t.subscription_id \
             ORDER BY t.created_at DESC, t.id DESC) AS place FROM topups t WHERE t.subscription_id IN {ids $1}) p \
             JOIN watches w ON w.subscription_id = p.subscription_id JOIN needs n ON n.id = p.need_id \
             WHERE p.place <= $2 ORDER BY p.subscription_id, p.place",
        );
        let most = i64::try_from(PAST_TOPUPS).unwrap_or(i64::MAX);
        let rows = sqlx::query(sql).bind(list).bind(most).fetch_all(self.reader()).await?;
        let mut lines: HashMap<String, (Timestamp, Vec<Past>)> = HashMap::new();
        for row in &rows {
            let (past, reset_at) = rows::past(row)?;
            let line = lines.entry(past.need.subscription.to_string());
            line.or_insert((reset_at, Vec::new())).1.push(past);
        }
        for (id, (reset_at, past)) in lines {
            if let Some(entry) = snapshots.get_mut(&id) {
                entry.snapshot.history = SpendHistory::of(&past, reset_at);
                entry.snapshot.served = served_need(&past);
            }
        }
        Ok(())
    }
}
