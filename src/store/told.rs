//! What pages show of notices, within somebody's scope.

use super::{Scope, Store, StoreError, StoredNotice, notices, rows::Columns};
use crate::domain::{NoticeKind, SubscriberId, Timestamp};

/// What a list of notices is narrowed to; where nothing is said, all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// Of this state.
    pub state: Option<&'a str>,
    /// Of this kind.
    pub kind: Option<NoticeKind>,
    /// About this line.
    pub line: Option<&'a str>,
    /// Not older.
    pub since: Option<Timestamp>,
    /// Only those that nobody has acknowledged.
    pub unseen: bool,
}

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
    /// The newest notices within a scope: those to its subscriber, or about lines with its tag.
    pub async fn notices_within(
        &self,
        scope: &Scope,
        told: &Told<'_>,
        limit: i64,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(
            "SELECT n.* FROM notices n LEFT JOIN subscriptions s ON s.id = n.subscription_id \
             WHERE n.created_at >= $1 AND ($2 IS NULL OR n.state = $2) AND ($3 IS NULL OR n.kind = $3) \
             AND ($4 IS NULL OR n.subscription_id = $4) AND ($5 IS NULL OR n.subscriber_id = $5) \
             AND ($6 IS NULL OR $6 IN {ids s.tags}) AND ($7 = 0 OR n.acknowledged_at IS NULL) \
             ORDER BY n.created_at DESC, n.id LIMIT $8",
        );
        let rows = sqlx::query(sql)
            .bind(told.since.map_or(i64::MIN, Timestamp::ms))
            .bind(told.state.map(str::to_owned))
            .bind(told.kind.map(NoticeKind::as_str))
            .bind(told.line.map(str::to_owned))
            .bind(subscriber)
            .bind(tag)
            .bind(i64::from(told.unseen))
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        Ok(notices::readable(&rows))
    }

    /// One notice within a scope; one that is not in it is not there.
    pub async fn notice_within(&self, scope: &Scope, id: &str) -> Result<StoredNotice, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(
            "SELECT n.* FROM notices n LEFT JOIN subscriptions s ON s.id = n.subscription_id \
             WHERE n.id = $1 AND ($2 IS NULL OR n.subscriber_id = $2) \
             AND ($3 IS NULL OR $3 IN {ids s.tags})",
        );
        let query = sqlx::query(sql).bind(id.to_owned()).bind(subscriber).bind(tag);
        let row = query.fetch_optional(self.reader()).await?;
        notices::stored(&row.ok_or_else(|| StoreError::NotFound(format!("notice {id}")))?)
    }

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
