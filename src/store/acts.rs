//! What people and switches did that decisions depend on, so that history can be replayed.

use super::{Store, StoreError, Tx, journal, rows::Columns};
use crate::domain::{MoneySwitch, Span, SubscriptionId, Timestamp};
use std::collections::BTreeMap;

/// One act, as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAct {
    /// When.
    pub at: Timestamp,
    /// The line, where it is about one.
    pub subscription: Option<SubscriptionId>,
    /// `status`, `money`, `settle` or `judged`.
    pub what: String,
    /// For `status` the old and the new word (`active>paused`), for `money` the switches and for
    /// `settle` the times by payer as JSON, for `judged` the occasion.
    pub why: String,
}

/// A line got another status, or the same again; the old word, `>`, the new one.
pub(super) const STATUS: &str = "status";
/// The switches that stop paying stand differently; the switches as JSON.
pub(super) const MONEY: &str = "money";
/// How long top-ups take at each payer, in milliseconds; JSON.
const SETTLE: &str = "settle";
/// Every line is judged again; the occasion.
pub(super) const JUDGED: &str = "judged";

pub(super) async fn write(
    tx: &mut Tx,
    subscription: Option<&SubscriptionId>,
    what: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Whoever numbers acts holds the journal's head: two instances never reach for one number.
    sqlx::query("UPDATE journal_head SET seq = seq WHERE id = 1").execute(&mut **tx).await?;
    let row = sqlx::query(
        "INSERT INTO acts (seq, at, subscription_id, what, why) \
         SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3, $4 FROM acts RETURNING *",
    )
    .bind(now.ms())
    .bind(subscription.map(|id| id.as_str().to_owned()))
    .bind(what)
    .bind(why)
    .fetch_one(&mut **tx)
    .await?;
    journal::link(tx, &[journal::Table::Acts.entry(&row)?], now).await
}

impl Store {
    /// Writes down how the switches stand, unless they stood like that already.
    pub async fn keep_switch(
        &self,
        switch: &MoneySwitch,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.switch_before(Timestamp::from_ms(i64::MAX)).await?.is_like(switch) {
            return Ok(());
        }
        let document = serde_json::to_string(switch).unwrap_or_default();
        let mut tx = self.begin().await?;
        write(&mut tx, None, MONEY, &document, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How the switches stood before `at`.
    pub async fn switch_before(&self, at: Timestamp) -> Result<MoneySwitch, StoreError> {
        let document = self.last_act(MONEY, at).await?;
        let switch = document.and_then(|document| serde_json::from_str(&document).ok());
        Ok(switch.unwrap_or_default())
    }

    /// Writes down how long top-ups take, unless that was known already.
    pub async fn keep_settle_times(
        &self,
        times: &BTreeMap<String, Span>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.settle_times_before(Timestamp::from_ms(i64::MAX)).await? == *times {
            return Ok(());
        }
        let ms: BTreeMap<&str, i64> = times.iter().map(|(k, v)| (k.as_str(), v.ms())).collect();
        let document = serde_json::to_string(&ms).unwrap_or_default();
        let mut tx = self.begin().await?;
        write(&mut tx, None, SETTLE, &document, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How long top-ups took, as known before `at`.
    pub async fn settle_times_before(
        &self,
        at: Timestamp,
    ) -> Result<BTreeMap<String, Span>, StoreError> {
        let document = self.last_act(SETTLE, at).await?;
        Ok(document.as_deref().map(settle_times).unwrap_or_default())
    }

    async fn last_act(&self, what: &str, before: Timestamp) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar(
            "SELECT why FROM acts WHERE what = $1 AND at < $2 ORDER BY seq DESC LIMIT 1",
        );
        let query = query.bind(what.to_owned()).bind(before.ms());
        Ok(query.fetch_optional(self.reader()).await?)
    }

    /// What was done from `from` on and before `to`, in order.
    pub async fn acts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<StoredAct>, StoreError> {
        let rows = sqlx::query("SELECT * FROM acts WHERE at >= $1 AND at < $2 ORDER BY seq")
            .bind(from.ms())
            .bind(to.ms())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "acts", row };
                Ok(StoredAct {
                    at: c.at("at")?,
                    subscription: c.maybe_text("subscription_id")?.map(SubscriptionId::trusted),
                    what: c.text("what")?,
                    why: c.text("why")?,
                })
            })
            .collect()
    }
}

/// The times of a `settle` act.
pub fn settle_times(document: &str) -> BTreeMap<String, Span> {
    let ms: BTreeMap<String, i64> = serde_json::from_str(document).unwrap_or_default();
    ms.into_iter().map(|(payer, ms)| (payer, Span::from_ms(ms))).collect()
}
