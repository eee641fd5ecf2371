//! Counts for metrics.

use super::{Store, StoreError, rows::Columns};
use crate::domain::{State, SubscriberId, Timestamp};

/// How much there is of everything; each list has all its words, also those that count zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Subscriptions by status; one with a held top-up counts as `held` instead of `active`.
    pub subscriptions: Vec<(&'static str, i64)>,
    /// Top-ups by state.
    pub topups: Vec<(&'static str, i64)>,
    /// Notices by state.
    pub notices: Vec<(&'static str, i64)>,
    /// When the poll that waits longest became or becomes due.
    pub oldest_due_poll_at: Option<Timestamp>,
}

const STATUSES: [&str; 4] = ["active", "paused", "held", "closed"];
const NOTICE_STATES: [&str; 5] = ["queued", "sending", "sent", "dropped", "dead"];

impl Store {
    /// All the figures.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let lines = self
            .counts(
                "SELECT CASE WHEN s.status = 'active' AND EXISTS (SELECT 1 FROM topups t \
                 WHERE t.subscription_id = s.id AND t.state = 'held') THEN 'held' ELSE s.status END AS word, \
                 COUNT(*) AS n FROM subscriptions s GROUP BY 1",
            )
            .await?;
        let topups =
            self.counts("SELECT state AS word, COUNT(*) AS n FROM topups GROUP BY state").await?;
        let notices =
            self.counts("SELECT state AS word, COUNT(*) AS n FROM notices GROUP BY state").await?;
        let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(next_poll_at) FROM watches")
            .fetch_one(self.reader())
            .await?;
        Ok(Figures {
            subscriptions: filled(&STATUSES, &lines),
            topups: filled(&State::ALL.map(State::as_str), &topups),
            notices: filled(&NOTICE_STATES, &notices),
            oldest_due_poll_at: oldest.map(Timestamp::from_ms),
        })
    }

    /// Of each reader: how many of its polled lines failed at least twice in a row, and how many
    /// there are.
    pub async fn reader_figures(&self) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT reader, COUNT(CASE WHEN poll_failures > 1 THEN 1 END) AS failing, COUNT(*) AS lines \
             FROM watches WHERE next_poll_at IS NOT NULL GROUP BY reader ORDER BY reader",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                Ok((c.text("reader")?, c.int("failing")?, c.int("lines")?))
            })
            .collect()
    }

    /// Who has an active line at `reader`.
    pub async fn subscribers_of_reader(
        &self,
        reader: &str,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT subscriber_id FROM subscriptions WHERE reader = $1 AND status = 'active' ORDER BY subscriber_id",
        )
        .bind(reader)
        .fetch_all(self.reader())
        .await?;
        Ok(ids.into_iter().map(SubscriberId::trusted).collect())
    }

    /// Everybody with an active line that `payer` may pay for.
    pub async fn subscribers_of_payer(&self, payer: &str) -> Result<Vec<SubscriberId>, StoreError> {
        let rows = sqlx::query(
            "SELECT subscriber_id, payers FROM subscriptions WHERE status = 'active' ORDER BY subscriber_id",
        )
        .fetch_all(self.reader())
        .await?;
        let mut owners = Vec::new();
        for row in &rows {
            let c = Columns { table: "subscriptions", row };
            let payers: Vec<String> = serde_json::from_str(&c.text("payers")?).unwrap_or_default();
            let owner = c.text("subscriber_id")?;
            if payers.iter().any(|name| name == payer) && owners.last() != Some(&owner) {
                owners.push(owner);
            }
        }
        Ok(owners.into_iter().map(SubscriberId::trusted).collect())
    }

    async fn counts(&self, sql: &'static str) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query(sql).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "figures", row };
                Ok((c.text("word")?, c.int("n")?))
            })
            .collect()
    }
}

fn filled(words: &[&'static str], counts: &[(String, i64)]) -> Vec<(&'static str, i64)> {
    let count = |word: &str| counts.iter().find(|(w, _)| w == word).map_or(0, |(_, n)| *n);
    words.iter().map(|word| (*word, count(word))).collect()
}
