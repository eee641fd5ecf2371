//! What was worked out about the use of lines, and rises that others paid for.

use super::{SnapshotRow, Store, StoreError, rows, rows::Columns};
use crate::domain::{
    Credit, Currency, ExternalTopup, Forecast, Money, Reading, SubscriptionId, Timestamp, Trust,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A forecast as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    trust: Trust,
    days: i64,
    changes: i64,
    currency: Option<String>,
    burn_median: Option<i64>,
    burn_p80: Option<i64>,
    data_median: Option<i64>,
    data_p80: Option<i64>,
    last_used_at: Option<i64>,
}

impl Document {
    fn of(forecast: &Forecast) -> Self {
        let burn = forecast.burn_p80.or(forecast.burn_median);
        Self {
            trust: forecast.trust,
            days: forecast.days,
            changes: forecast.changes,
            currency: burn.map(|m| m.currency().code().to_owned()),
            burn_median: forecast.burn_median.map(Money::minor),
            burn_p80: forecast.burn_p80.map(Money::minor),
            data_median: forecast.data_median,
            data_p80: forecast.data_p80,
            last_used_at: forecast.last_used_at.map(Timestamp::ms),
        }
    }

    fn forecast(self, at: Timestamp) -> Forecast {
        let currency = self.currency.and_then(|code| Currency::parse(&code).ok());
        let money = |minor: Option<i64>| currency.zip(minor).map(|(c, m)| Money::new(m, c));
        Forecast {
            at,
            trust: self.trust,
            days: self.days,
            changes: self.changes,
            burn_median: money(self.burn_median),
            burn_p80: money(self.burn_p80),
            data_median: self.data_median,
            data_p80: self.data_p80,
            last_used_at: self.last_used_at.map(Timestamp::from_ms),
        }
    }
}

impl Store {
    /// Lines that no rule asks a forecast of have none.
    pub(super) async fn add_forecasts(
        &self,
        list: &str,
        snapshots: &mut HashMap<String, SnapshotRow>,
    ) -> Result<(), StoreError> {
        let sql = self.sql(
            "SELECT subscription_id, at, document FROM forecasts WHERE subscription_id IN {ids $1}",
        );
        for row in sqlx::query(sql).bind(list).fetch_all(self.reader()).await? {
            let c = Columns { table: "forecasts", row: &row };
            let document: Document =
                c.parsed("document", |text| serde_json::from_str(text).ok())?;
            if let Some(entry) = snapshots.get_mut(&c.text("subscription_id")?) {
                entry.snapshot.forecast = Some(document.forecast(c.at("at")?));
            }
        }
        Ok(())
    }

    /// Keeps a forecast, and the rises that others paid for. Returns those that are news.
    pub async fn keep_forecast(
        &self,
        id: &SubscriptionId,
        forecast: &Forecast,
        external: &[ExternalTopup],
    ) -> Result<Vec<ExternalTopup>, StoreError> {
        let document = serde_json::to_string(&Document::of(forecast)).unwrap_or_default();
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO forecasts (subscription_id, at, document) VALUES ($1, $2, $3) \
             ON CONFLICT (subscription_id) DO UPDATE SET at = excluded.at, document = excluded.document",
        )
        .bind(id.as_str())
        .bind(forecast.at.ms())
        .bind(document)
        .execute(&mut *tx)
        .await?;
        let mut news = Vec::new();
        for rise in external {
            let done = sqlx::query(
                "INSERT INTO external_topups (subscription_id, at, amount_minor, currency) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(id.as_str())
            .bind(rise.at.ms())
            .bind(rise.amount.minor())
            .bind(rise.amount.currency().code())
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() > 0 {
                news.push(*rise);
            }
        }
        tx.commit().await?;
        Ok(news)
    }

    /// The `ok` readings of a line from `since` on, oldest first, and the one before as a base.
    pub async fn readings_since(
        &self,
        id: &SubscriptionId,
        since: Timestamp,
    ) -> Result<Vec<Reading>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sightings WHERE subscription_id = $1 AND quality = 'ok' AND at >= \
             COALESCE((SELECT MAX(at) FROM sightings WHERE subscription_id = $1 AND quality = 'ok' AND at < $2), $2) \
             ORDER BY at",
        )
        .bind(id.as_str())
        .bind(since.ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::reading).collect()
    }

    /// What top-ups of ours brought to a line, in the order in which they may have shown.
    pub async fn credits(&self, id: &SubscriptionId) -> Result<Vec<Credit>, StoreError> {
        let rows = sqlx::query(
            "SELECT reserved_at, COALESCE(delivered_minor, amount_minor) AS minor, \
             COALESCE(delivered_currency, currency) AS code FROM topups WHERE subscription_id = $1 \
             AND paid_at IS NOT NULL AND reserved_at IS NOT NULL ORDER BY reserved_at, id",
        )
        .bind(id.as_str())
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topups", row };
                let amount = c.money("minor", "code")?.ok_or_else(|| c.bad("code", ""))?;
                Ok(Credit { from: c.at("reserved_at")?, amount })
            })
            .collect()
    }
}
