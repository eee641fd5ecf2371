//! How notices and channels fared.

use super::{Store, StoreError, rows::Columns};
use crate::domain::{SubscriberId, Timestamp};

/// One try of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub attempt: i64,
    /// By which channel.
    pub channel: String,
    /// When it ended.
    pub at: Timestamp,
    /// How, in a word.
    pub outcome: String,
    /// What the channel said.
    pub detail: Option<String>,
}

/// How a channel fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFigures {
    /// Its name.
    pub channel: String,
    /// Notices it took.
    pub sent: i64,
    /// Notices that wait for it.
    pub waiting: i64,
    /// Notices that were given up with it.
    pub dead: i64,
}

impl Store {
    /// The tries of a notice, oldest first.
    pub async fn deliveries(&self, notice: &str) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query("SELECT * FROM deliveries WHERE notice_id = $1 ORDER BY attempt")
            .bind(notice.to_owned())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "deliveries", row };
                Ok(Delivery {
                    attempt: c.int("attempt")?,
                    channel: c.text("channel")?,
                    at: c.at("at")?,
                    outcome: c.text("outcome")?,
                    detail: c.maybe_text("detail")?,
                })
            })
            .collect()
    }

    /// How each channel fared with notices written from `from` on.
    pub async fn channel_figures(
        &self,
        from: Timestamp,
    ) -> Result<Vec<ChannelFigures>, StoreError> {
        let rows = sqlx::query(
            "SELECT channel, COUNT(CASE WHEN state = 'sent' THEN 1 END) AS sent, \
             COUNT(CASE WHEN state IN ('queued', 'sending') THEN 1 END) AS waiting, \
             COUNT(CASE WHEN state = 'dead' THEN 1 END) AS dead FROM notices \
             WHERE created_at >= $1 AND channel IS NOT NULL GROUP BY channel ORDER BY channel",
        )
        .bind(from.ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "notices", row };
                let (sent, waiting) = (c.int("sent")?, c.int("waiting")?);
                Ok(ChannelFigures {
                    channel: c.text("channel")?,
                    sent,
                    waiting,
                    dead: c.int("dead")?,
                })
            })
            .collect()
    }

    /// True as long as a subscriber is there and was not closed.
    pub async fn is_subscriber(&self, id: &SubscriberId) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM subscribers WHERE id = $1 AND closed_at IS NULL",
        )
        .bind(id.as_str())
        .fetch_one(self.reader())
        .await?;
        Ok(found > 0)
    }
}
