//! What was spent, within somebody's scope. Sums are of one currency each; nothing is converted.

use super::{LedgerEntry, Scope, Store, StoreError, ledger, rows::Columns};
use crate::domain::{CapLimits, Money, Timestamp};

/// What one subscriber spent, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentBy {
    /// Who.
    pub subscriber: String,
    /// What was settled, less what came back.
    pub amount: Money,
    /// In how many top-ups.
    pub topups: i64,
}

impl Store {
    /// What each subscriber spent from `from` up to `to`, by currency.
    pub async fn spent_within(
        &self,
        scope: &Scope,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SpentBy>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(
            "SELECT l.subscriber_id, l.currency, CAST(SUM(CASE l.kind WHEN 'settle' THEN l.amount_minor \
             WHEN 'reverse' THEN -l.amount_minor ELSE 0 END) AS BIGINT) AS amount_minor, \
             COUNT(CASE l.kind WHEN 'settle' THEN 1 END) AS topups \
             FROM ledger l LEFT JOIN subscriptions s ON s.id = l.subscription_id \
             WHERE l.at >= $1 AND l.at < $2 AND l.kind IN ('settle', 'reverse') \
             AND ($3 IS NULL OR l.subscriber_id = $3) AND ($4 IS NULL OR $4 IN {ids s.tags}) \
             GROUP BY l.subscriber_id, l.currency ORDER BY l.subscriber_id, l.currency",
        );
        let query = sqlx::query(sql).bind(from.ms()).bind(to.ms()).bind(subscriber).bind(tag);
        let rows = query.fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "ledger", row };
                let amount = c.money("amount_minor", "currency")?;
                Ok(SpentBy {
                    subscriber: c.text("subscriber_id")?,
                    amount: amount.ok_or_else(|| c.bad("currency", ""))?,
                    topups: c.int("topups")?,
                })
            })
            .collect()
    }

    /// Movements from `from` up to `to`, newest first.
    pub async fn ledger_within(
        &self,
        scope: &Scope,
        from: Timestamp,
        to: Timestamp,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(
            "SELECT l.* FROM ledger l LEFT JOIN subscriptions s ON s.id = l.subscription_id \
             WHERE l.at >= $1 AND l.at < $2 AND ($3 IS NULL OR l.subscriber_id = $3) \
             AND ($4 IS NULL OR $4 IN {ids s.tags}) ORDER BY l.at DESC, l.topup_id, l.seq DESC LIMIT $5",
        );
        let query = sqlx::query(sql).bind(from.ms()).bind(to.ms()).bind(subscriber).bind(tag);
        let rows = query.bind(limit).fetch_all(self.reader()).await?;
        rows.iter().map(ledger::entry).collect()
    }

    /// What counts against the caps of a day, everywhere, by currency.
    pub async fn counted_of_day(&self, now: Timestamp) -> Result<Vec<Money>, StoreError> {
        let rows = sqlx::query(
            "SELECT currency, CAST(SUM(counted_minor) AS BIGINT) AS counted_minor FROM topups \
             WHERE counted_minor > 0 AND reserved_at > $1 GROUP BY currency ORDER BY currency",
        )
        .bind(now.minus(CapLimits::DAY).ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topups", row };
                c.money("counted_minor", "currency")?.ok_or_else(|| c.bad("currency", ""))
            })
            .collect()
    }

    /// What counts against the caps of thirty days, by subscriber and currency.
    pub async fn counted_of_subscribers(
        &self,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Vec<(String, Money)>, StoreError> {
        let (subscriber, _) = scope.keys();
        let rows = sqlx::query(
            "SELECT subscriber_id, currency, CAST(SUM(counted_minor) AS BIGINT) AS counted_minor FROM topups \
             WHERE counted_minor > 0 AND reserved_at > $1 AND ($2 IS NULL OR subscriber_id = $2) \
             GROUP BY subscriber_id, currency ORDER BY subscriber_id, currency",
        )
        .bind(now.minus(CapLimits::MONTH).ms())
        .bind(subscriber)
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topups", row };
                let counted = c.money("counted_minor", "currency")?;
                Ok((c.text("subscriber_id")?, counted.ok_or_else(|| c.bad("currency", ""))?))
            })
            .collect()
    }
}
