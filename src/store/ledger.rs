//! Append-only money movements, and what already counts against the caps.

use super::{Dialect, Store, StoreError, Tx, journal, rows::Columns};
use crate::domain::{
    CapLimits, CapUsage, Currency, Money, SubscriberId, SubscriptionId, Timestamp, Topup,
};

/// One money movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The top-up it belongs to.
    pub topup: String,
    /// Its number there.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// `reserve`, `settle`, `release` or `reverse`.
    pub kind: String,
    /// How much, always positive; the kind tells the direction.
    pub amount: Money,
    /// The line.
    pub subscription: String,
    /// Its owner.
    pub subscriber: String,
    /// Who was to pay.
    pub payer: String,
}

/// Writes a movement of money, and gives back its link, which is the caller's to append.
pub(super) async fn insert(
    tx: &mut Tx,
    topup: &Topup,
    kind: &str,
    amount: Money,
    now: Timestamp,
) -> Result<journal::Entry, StoreError> {
    let row = sqlx::query(
        "INSERT INTO ledger (topup_id, seq, at, kind, amount_minor, currency, subscription_id, subscriber_id, payer) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM ledger WHERE topup_id = $1 RETURNING *",
    )
    .bind(topup.id.as_str())
    .bind(now.ms())
    .bind(kind)
    .bind(amount.minor())
    .bind(amount.currency().code())
    .bind(topup.subscription.as_str())
    .bind(topup.subscriber.as_str())
    .bind(&topup.payer)
    .fetch_one(&mut **tx)
    .await?;
    journal::Table::Ledger.entry(&row)
}

/// Rolling windows end now and are open at the far end, like the calendar never is.
const USAGE: &str = "SELECT \
    CAST(COALESCE(SUM(CASE WHEN subscription_id = $1 AND reserved_at > $4 THEN counted_minor END), 0) AS BIGINT) AS line_24h, \
    CAST(COALESCE(SUM(CASE WHEN subscription_id = $1 THEN counted_minor END), 0) AS BIGINT) AS line_30d, \
    CAST(COALESCE(SUM(CASE WHEN subscriber_id = $2 THEN counted_minor END), 0) AS BIGINT) AS owner_30d, \
    CAST(COALESCE(SUM(CASE WHEN reserved_at > $4 THEN counted_minor END), 0) AS BIGINT) AS all_24h, \
    CAST(COUNT(CASE WHEN subscription_id = $1 AND reserved_at > $4 THEN 1 END) AS BIGINT) AS orders_24h, \
    CAST(COUNT(CASE WHEN subscription_id = $1 THEN 1 END) AS BIGINT) AS orders_30d \
    FROM topups WHERE counted_minor > 0 AND reserved_at > $5 AND currency = $3";

impl Store {
    /// What counts against the caps for one more order on `subscription` in `currency`.
    pub async fn cap_usage(
        &self,
        subscription: &SubscriptionId,
        subscriber: &SubscriberId,
        currency: Currency,
        now: Timestamp,
    ) -> Result<CapUsage, StoreError> {
        let query = usage_query(subscription, subscriber, currency, now);
        usage(&query.fetch_one(self.reader()).await?)
    }

    /// The same inside the reserving transaction, where nobody else can reserve meanwhile.
    pub(super) async fn cap_usage_locked(
        &self,
        tx: &mut Tx,
        subscription: &SubscriptionId,
        subscriber: &SubscriberId,
        currency: Currency,
        now: Timestamp,
    ) -> Result<CapUsage, StoreError> {
        if self.dialect() == Dialect::Postgres {
            // One reservation at a time; SQLite has the write lock already.
            sqlx::query("SELECT pg_advisory_xact_lock(7878)").execute(&mut **tx).await?;
        }
        let query = usage_query(subscription, subscriber, currency, now);
        usage(&query.fetch_one(&mut **tx).await?)
    }

    /// Money that other lines than the named ones reserved from `from` on and before `to`, and that
    /// still counts: when, whose, how much.
    pub async fn counted_elsewhere(
        &self,
        ids: &[String],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, SubscriberId, Money)>, StoreError> {
        let sql = self.sql(
            "SELECT reserved_at, subscriber_id, counted_minor, currency FROM topups WHERE counted_minor > 0 \
             AND reserved_at > $2 AND reserved_at < $3 AND subscription_id NOT IN {ids $1} ORDER BY reserved_at",
        );
        let query = sqlx::query(sql).bind(serde_json::json!(ids).to_string());
        let rows = query.bind(from.ms()).bind(to.ms()).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topups", row };
                let amount = c.money("counted_minor", "currency")?;
                Ok((
                    c.at("reserved_at")?,
                    SubscriberId::trusted(c.text("subscriber_id")?),
                    amount.ok_or_else(|| c.bad("currency", ""))?,
                ))
            })
            .collect()
    }

    /// Movements from `from` up to `to`, oldest first.
    pub async fn ledger(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM ledger WHERE at >= $1 AND at < $2 ORDER BY at, topup_id, seq",
        )
        .bind(from.ms())
        .bind(to.ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(entry).collect()
    }
}

pub(super) fn entry(row: &sqlx::any::AnyRow) -> Result<LedgerEntry, StoreError> {
    let c = Columns { table: "ledger", row };
    Ok(LedgerEntry {
        topup: c.text("topup_id")?,
        seq: c.int("seq")?,
        at: c.at("at")?,
        kind: c.text("kind")?,
        amount: c.money("amount_minor", "currency")?.ok_or_else(|| c.bad("currency", ""))?,
        subscription: c.text("subscription_id")?,
        subscriber: c.text("subscriber_id")?,
        payer: c.text("payer")?,
    })
}

fn usage_query<'q>(
    subscription: &'q SubscriptionId,
    subscriber: &'q SubscriberId,
    currency: Currency,
    now: Timestamp,
) -> sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments> {
    sqlx::query(USAGE)
        .bind(subscription.as_str())
        .bind(subscriber.as_str())
        .bind(currency.code())
        .bind(now.minus(CapLimits::DAY).ms())
        .bind(now.minus(CapLimits::MONTH).ms())
}

fn usage(row: &sqlx::any::AnyRow) -> Result<CapUsage, StoreError> {
    let c = Columns { table: "topups", row };
    Ok(CapUsage {
        subscription_24h: c.int("line_24h")?,
        subscription_30d: c.int("line_30d")?,
        subscriber_30d: c.int("owner_30d")?,
        global_24h: c.int("all_24h")?,
        orders_24h: c.int("orders_24h")?,
        orders_30d: c.int("orders_30d")?,
    })
}
