//! What a month cost a subscriber, and what a week of the installation was like.

use super::{Store, StoreError, rows::Columns};
use crate::domain::{Money, Timestamp};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// What was spent on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The line.
    pub subscription: String,
    /// The sum, in one currency.
    pub amount: Money,
    /// In how many top-ups.
    pub topups: i64,
}

/// Figures of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Week {
    /// Lines that are watched.
    pub lines: i64,
    /// Top-ups that are open now.
    pub open: i64,
    /// Notices that were sent.
    pub sent: i64,
    /// Notices that were given up.
    pub dead: i64,
}

/// What was settled from `$1` to `$2`, less what came back, and in how many top-ups.
macro_rules! sums {
    () => {
        "CAST(SUM(CASE kind WHEN 'settle' THEN amount_minor WHEN 'reverse' THEN -amount_minor ELSE 0 END) AS BIGINT) \
         AS amount_minor, COUNT(CASE kind WHEN 'settle' THEN 1 END) AS topups \
         FROM ledger WHERE at >= $1 AND at < $2"
    };
}

impl Store {
    /// Subscribers with an active line who were there before `from`, and who have no statement since
    /// `to`; at most `limit` of them after `after`, in order.
    pub async fn without_statement(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT s.id FROM subscribers s WHERE s.closed_at IS NULL AND s.created_at < $1 \
             AND EXISTS (SELECT 1 FROM subscriptions l WHERE l.subscriber_id = s.id AND l.status = 'active') \
             AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.subscriber_id = s.id AND n.kind = 'statement' AND n.created_at >= $2) \
             AND s.id > $3 ORDER BY s.id LIMIT $4",
        )
        .bind(from.ms())
        .bind(to.ms())
        .bind(after)
        .bind(limit)
        .fetch_all(self.reader())
        .await?)
    }

    /// When the first subscriber came.
    pub async fn first_subscriber_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar("SELECT MIN(created_at) FROM subscribers")
            .fetch_one(self.reader())
            .await?;
        Ok(at.map(Timestamp::from_ms))
    }

    /// The active lines of a subscriber.
    pub async fn lines_of(&self, subscriber: &str) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM subscriptions WHERE subscriber_id = $1 AND status = 'active' ORDER BY id LIMIT 500",
        )
        .bind(subscriber)
        .fetch_all(self.reader())
        .await?)
    }

    /// What was settled from `from` to `to`, less what came back; of one subscriber where given.
    pub async fn spent(
        &self,
        subscriber: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Spent>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT subscription_id, currency, ",
            sums!(),
            " AND ($3 = '' OR subscriber_id = $3) \
             GROUP BY subscription_id, currency ORDER BY subscription_id, currency"
        ))
        .bind(from.ms())
        .bind(to.ms())
        .bind(subscriber.unwrap_or_default())
        .fetch_all(self.reader())
        .await?;
        all_spent(&rows)
    }

    /// What was settled from `from` to `to` on all lines, less what came back: one sum of each
    /// currency, under no line's name.
    pub async fn spent_in_all(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Spent>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT '' AS subscription_id, currency, ",
            sums!(),
            " GROUP BY currency ORDER BY currency"
        ))
        .bind(from.ms())
        .bind(to.ms())
        .fetch_all(self.reader())
        .await?;
        all_spent(&rows)
    }

    /// The figures from `from` on.
    pub async fn week(&self, from: Timestamp) -> Result<Week, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM subscriptions WHERE status = 'active') AS lines, \
             (SELECT COUNT(*) FROM topups WHERE state IN ('proposed', 'awaiting_approval', 'reserved', 'submitting', 'pending', 'unknown', 'paid', 'held')) AS open, \
             (SELECT COUNT(*) FROM notices WHERE sent_at >= $1) AS sent, \
             (SELECT COUNT(*) FROM notices WHERE state = 'dead' AND created_at >= $1) AS dead",
        )
        .bind(from.ms())
        .fetch_one(self.reader())
        .await?;
        let c = Columns { table: "figures", row: &row };
        let (lines, open) = (c.int("lines")?, c.int("open")?);
        Ok(Week { lines, open, sent: c.int("sent")?, dead: c.int("dead")? })
    }
}

/// Rows of sums, but those of lines for which nothing was settled.
fn all_spent(rows: &[AnyRow]) -> Result<Vec<Spent>, StoreError> {
    let spent = rows.iter().map(|row| {
        let c = Columns { table: "ledger", row };
        let amount = c.money("amount_minor", "currency")?;
        let amount = amount.ok_or_else(|| c.bad("amount_minor", "nothing"))?;
        Ok(Spent { subscription: c.text("subscription_id")?, amount, topups: c.int("topups")? })
    });
    let spent: Result<Vec<Spent>, StoreError> = spent.collect();
    Ok(spent?.into_iter().filter(|one| one.topups > 0).collect())
}

/// Sums, one for each currency, as people write them.
pub fn total(spent: &[Spent]) -> Option<String> {
    let mut sums: BTreeMap<&'static str, Money> = BTreeMap::new();
    for one in spent {
        let code = one.amount.currency().code();
        let sum = match sums.get(code) {
            Some(sum) => sum.checked_add(one.amount)?,
            None => one.amount,
        };
        sums.insert(code, sum);
    }
    let words: Vec<String> = sums.values().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| words.join(" + "))
}
