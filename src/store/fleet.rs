//! What people declared: subscribers, subscriptions, rules. Applied in one transaction.

use super::{Store, StoreError, Tx, acts, decisions, rows, rows::Columns, stored_plan};
use crate::domain::{
    Rule, RuleId, Subscriber, SubscriberId, Subscription, SubscriptionId, SubscriptionStatus,
    Timestamp,
};
use std::collections::BTreeMap;

/// What an `apply` changes; everything else stays as it is.
#[derive(Clone, Debug, Default)]
pub struct FleetChanges {
    /// New or changed, each with its canonical document.
    pub subscribers: Vec<(Subscriber, String)>,
    /// New or changed, each with its canonical document.
    pub subscriptions: Vec<(Subscription, String)>,
    /// New or changed documents.
    pub rules: Vec<(Rule, String)>,
    /// To be closed; history stays.
    pub close_subscriptions: Vec<SubscriptionId>,
    /// To be closed; history stays.
    pub close_subscribers: Vec<SubscriberId>,
    /// To be removed.
    pub remove_rules: Vec<RuleId>,
}

/// Canonical documents by id, as last applied.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Of subscribers that are not closed.
    pub subscribers: BTreeMap<String, String>,
    /// Of subscriptions that are not closed.
    pub subscriptions: BTreeMap<String, String>,
    /// Of all rules.
    pub rules: BTreeMap<String, String>,
}

impl Store {
    /// The documents as last applied, for comparison.
    pub async fn documents(&self) -> Result<Documents, StoreError> {
        let load = async |sql: &'static str| -> Result<BTreeMap<String, String>, StoreError> {
            let rows = sqlx::query(sql).fetch_all(self.reader()).await?;
            rows.iter()
                .map(|row| {
                    let c = Columns { table: "documents", row };
                    Ok((c.text("id")?, c.text("document")?))
                })
                .collect()
        };
        Ok(Documents {
            subscribers: load("SELECT id, document FROM subscribers WHERE closed_at IS NULL")
                .await?,
            subscriptions: load("SELECT id, document FROM subscriptions WHERE status <> 'closed'")
                .await?,
            rules: load("SELECT id, document FROM rules").await?,
        })
    }

    /// The version of the fleet; rises with every apply.
    pub async fn fleet_version(&self) -> Result<i64, StoreError> {
        let version = sqlx::query_scalar("SELECT fleet_version FROM installation WHERE id = 1");
        Ok(version.fetch_optional(self.reader()).await?.unwrap_or(0))
    }

    /// Writes all changes, or none.
    pub async fn save_fleet(
        &self,
        changes: &FleetChanges,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.install_id(now).await?;
        let mut tx = self.begin_on_all_lines().await?;
        for (subscriber, document) in &changes.subscribers {
            upsert_subscriber(&mut tx, subscriber, document, now).await?;
        }
        for (subscription, document) in &changes.subscriptions {
            upsert_subscription(&mut tx, subscription, document, now).await?;
        }
        for (rule, document) in &changes.rules {
            // A rule that pays goes on as it was; one that begins to is marked, so that a line in
            // breach already does not surprise its owner with a charge.
            sqlx::query(
                "INSERT INTO rules (id, document, created_at, updated_at, enabled_at) VALUES ($1, $2, $3, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at, \
                 enabled_at = CASE WHEN excluded.enabled_at IS NULL THEN NULL \
                 ELSE COALESCE(rules.enabled_at, excluded.enabled_at) END",
            )
            .bind(rule.id.as_str())
            .bind(document)
            .bind(now.ms())
            .bind(rule.mode.pays().then(|| now.ms()))
            .execute(&mut *tx)
            .await?;
        }
        for id in &changes.remove_rules {
            sqlx::query("DELETE FROM rules WHERE id = $1")
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        for id in &changes.close_subscriptions {
            set_status(&mut tx, id, SubscriptionStatus::Closed, now).await?;
        }
        for id in &changes.close_subscribers {
            sqlx::query("UPDATE subscribers SET closed_at = $1 WHERE id = $2")
                .bind(now.ms())
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        // Rules may mean other lines now: every line is judged again.
        if !changes.rules.is_empty() || !changes.remove_rules.is_empty() {
            decisions::judge_all(&mut tx, "rules were applied", now).await?;
        }
        sqlx::query("UPDATE installation SET fleet_version = fleet_version + 1 WHERE id = 1")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// All rule documents.
    pub async fn rule_documents(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query("SELECT id, document FROM rules ORDER BY id")
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "rules", row };
                Ok((c.text("id")?, c.text("document")?))
            })
            .collect()
    }

    /// When each paying rule became one.
    pub async fn enabled_rules(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let rows = sqlx::query("SELECT id, enabled_at FROM rules WHERE enabled_at IS NOT NULL")
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "rules", row };
                Ok((c.text("id")?, c.at("enabled_at")?))
            })
            .collect()
    }

    /// One subscriber.
    pub async fn subscriber(&self, id: &SubscriberId) -> Result<Subscriber, StoreError> {
        let row = sqlx::query("SELECT * FROM subscribers WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(self.reader())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("subscriber {id}")))?;
        rows::subscriber(&row)
    }

    /// All subscribers that are not closed.
    pub async fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        let rows = sqlx::query("SELECT * FROM subscribers WHERE closed_at IS NULL ORDER BY id")
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(rows::subscriber).collect()
    }

    /// Those of `ids` that are there and not closed.
    pub async fn subscribers_of(&self, ids: &[&str]) -> Result<Vec<Subscriber>, StoreError> {
        let rows = sqlx::query(
            self.sql("SELECT * FROM subscribers WHERE closed_at IS NULL AND id IN {ids $1}"),
        )
        .bind(serde_json::json!(ids).to_string())
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::subscriber).collect()
    }

    /// One subscription.
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Subscription, StoreError> {
        let row = sqlx::query("SELECT * FROM subscriptions WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(self.reader())
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("subscription {id}")))?;
        rows::subscription(&row)
    }

    /// Pauses or resumes a line. Resuming also forgives earlier failures.
    pub async fn set_status(
        &self,
        id: &SubscriptionId,
        status: SubscriptionStatus,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let known = set_status(&mut tx, id, status, now).await?;
        if !known {
            return Err(StoreError::NotFound(format!("subscription {id}")));
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn set_status(
    tx: &mut Tx,
    id: &SubscriptionId,
    status: SubscriptionStatus,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let was: Option<String> = sqlx::query_scalar("SELECT status FROM subscriptions WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(was) = was else { return Ok(false) };
    sqlx::query("UPDATE subscriptions SET status = $1, updated_at = $2 WHERE id = $3")
        .bind(status.as_str())
        .bind(now.ms())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
    let poll_at = (status == SubscriptionStatus::Active).then(|| now.ms());
    sqlx::query(
        "UPDATE watches SET next_poll_at = $1, next_decide_at = $2, \
         failures_reset_at = CASE WHEN $1 IS NULL THEN failures_reset_at ELSE $2 END WHERE subscription_id = $3",
    )
    .bind(poll_at)
    .bind(now.ms())
    .bind(id.as_str())
    .execute(&mut **tx)
    .await?;
    if status == SubscriptionStatus::Closed {
        // It ends no more, and must not stand before those that do.
        sqlx::query("UPDATE watches SET service_end_at = NULL, number_loss_at = NULL WHERE subscription_id = $1")
            .bind(id.as_str())
            .execute(&mut **tx)
            .await?;
    }
    let what = format!("{was}>{}", status.as_str());
    acts::write(tx, Some(id), acts::STATUS, &what, now).await?;
    Ok(true)
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

async fn upsert_subscriber(
    tx: &mut Tx,
    s: &Subscriber,
    document: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO subscribers (id, name, email, phone, locale, time_zone, quiet_hours, channels, document, created_at, updated_at, addresses) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) ON CONFLICT (id) DO UPDATE SET \
         name = excluded.name, email = excluded.email, phone = excluded.phone, locale = excluded.locale, \
         time_zone = excluded.time_zone, quiet_hours = excluded.quiet_hours, channels = excluded.channels, \
         document = excluded.document, updated_at = excluded.updated_at, addresses = excluded.addresses, closed_at = NULL",
    )
    .bind(s.id.as_str())
    .bind(&s.name)
    .bind(&s.email)
    .bind(s.phone.as_ref().map(|p| p.as_str().to_owned()))
    .bind(&s.locale)
    .bind(s.time_zone.name())
    .bind(s.quiet_hours.map(|q| q.to_string()))
    .bind(json(&s.channels))
    .bind(document)
    .bind(now.ms())
    .bind(json(&s.addresses))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A paused line stays paused; a closed one comes back. A line that is read elsewhere or is another
/// number now is read again at once.
async fn upsert_subscription(
    tx: &mut Tx,
    s: &Subscription,
    document: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO subscriptions (id, subscriber_id, label, msisdn, iccid, operator, time_zone, reader, payers, tags, plan, products, status, document, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'active', $13, $14, $14) ON CONFLICT (id) DO UPDATE SET \
         subscriber_id = excluded.subscriber_id, label = excluded.label, msisdn = excluded.msisdn, iccid = excluded.iccid, \
         operator = excluded.operator, time_zone = excluded.time_zone, reader = excluded.reader, payers = excluded.payers, \
         tags = excluded.tags, plan = excluded.plan, products = excluded.products, document = excluded.document, \
         updated_at = excluded.updated_at, status = CASE WHEN subscriptions.status = 'closed' THEN 'active' ELSE subscriptions.status END",
    )
    .bind(s.id.as_str())
    .bind(s.subscriber.as_str())
    .bind(&s.label)
    .bind(s.msisdn.as_ref().map(|m| m.as_str().to_owned()))
    .bind(s.iccid.as_ref().map(|i| i.as_str().to_owned()))
    .bind(&s.operator)
    .bind(s.time_zone.name())
    .bind(&s.reader)
    .bind(json(&s.payers))
    .bind(json(&s.tags))
    .bind(s.plan.as_ref().map(stored_plan::text))
    .bind(json(&s.products))
    .bind(document)
    .bind(now.ms())
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO watches (subscription_id, reader, watched_since, next_poll_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (subscription_id) DO UPDATE SET reader = excluded.reader, next_decide_at = $3, \
         next_poll_at = CASE WHEN (SELECT status FROM subscriptions WHERE id = $1) = 'paused' THEN NULL ELSE $3 END",
    )
    .bind(s.id.as_str())
    .bind(&s.reader)
    .bind(now.ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
