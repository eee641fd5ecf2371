//! The outbox's inward side: a notice row commits with its cause.

use super::{Store, StoreError, Tx, needs::derived_id, rows, rows::Columns};
use crate::domain::{Facts, NoticeDraft, NoticeKind, Severity, SubscriberId, Timestamp};

/// A notice as stored.
#[derive(Clone, Debug)]
pub struct StoredNotice {
    /// Its id, derived from its dedupe key.
    pub id: String,
    /// Who is told.
    pub subscriber: String,
    /// About which line.
    pub subscription: Option<String>,
    /// What about.
    pub kind: NoticeKind,
    /// How much it matters.
    pub severity: Severity,
    /// The channel it goes by; `None` where the subscriber has none.
    pub channel: Option<String>,
    /// What it says.
    pub facts: Facts,
    /// One of [`StoredNotice::STATES`].
    pub state: String,
    /// Tries so far.
    pub attempts: i64,
    /// Tries that may have been accepted.
    pub ambiguous: i64,
    /// When its cause happened.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_try_at: Option<Timestamp>,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub sent_at: Option<Timestamp>,
    /// What the last try met with.
    pub last_error: Option<String>,
    /// What became of it after it was accepted: `underway`, `delivered` or `failed`.
    pub delivery: Option<String>,
    /// The first notice of the chain, where this is a reminder.
    pub reminds: Option<String>,
    /// The number of the reminder; 0 for a first notice.
    pub reminder_no: i64,
    /// When it is told again, unless somebody acknowledges it.
    pub remind_at: Option<Timestamp>,
    /// When somebody acknowledged it.
    pub acknowledged_at: Option<Timestamp>,
}

impl StoredNotice {
    /// What can have become of one.
    pub const STATES: [&str; 5] = ["queued", "sending", "sent", "dropped", "dead"];
}

/// One row per key: who is told, about which line, and the draft's own key.
fn dedupe_key(draft: &NoticeDraft) -> String {
    let line = draft.subscription.as_ref().map_or("", |id| id.as_str());
    format!("{}|{line}|{}", draft.subscriber, draft.dedupe)
}

/// The id of a notice: the same cause always makes the same id, hence the same Message-ID.
pub fn notice_id(draft: &NoticeDraft) -> String {
    derived_id("m", &dedupe_key(draft))
}

pub(super) fn stored(row: &sqlx::any::AnyRow) -> Result<StoredNotice, StoreError> {
    let c = Columns { table: "notices", row };
    Ok(StoredNotice {
        id: c.text("id")?,
        subscriber: c.text("subscriber_id")?,
        subscription: c.maybe_text("subscription_id")?,
        kind: c.parsed("kind", NoticeKind::parse)?,
        severity: c.parsed("severity", Severity::parse)?,
        channel: c.maybe_text("channel")?,
        facts: c.parsed("facts", |text| serde_json::from_str(text).ok())?,
        state: c.text("state")?,
        attempts: c.int("attempts")?,
        ambiguous: c.int("ambiguous")?,
        created_at: c.at("created_at")?,
        next_try_at: c.maybe_at("next_try_at")?,
        expires_at: c.at("expires_at")?,
        sent_at: c.maybe_at("sent_at")?,
        last_error: c.maybe_text("last_error")?,
        delivery: c.maybe_text("delivery")?,
        reminds: c.maybe_text("reminds")?,
        reminder_no: c.int("reminder_no")?,
        remind_at: c.maybe_at("remind_at")?,
        acknowledged_at: c.maybe_at("acknowledged_at")?,
    })
}

/// Those rows that can be read: one that cannot must not hide the others.
pub(super) fn readable(rows: &[sqlx::any::AnyRow]) -> Vec<StoredNotice> {
    let read = rows.iter().map(stored);
    read.filter_map(|notice| notice.map_err(|error| tracing::error!("{error}")).ok()).collect()
}

/// Writes a notice unless one with its key is there. Quiet hours move its first try; a subscriber
/// without a channel gets a row that is dead from the start, so that the silence can be seen.
pub(crate) async fn insert(tx: &mut Tx, draft: &NoticeDraft) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT * FROM subscribers WHERE id = $1")
        .bind(draft.subscriber.as_str())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("subscriber {}", draft.subscriber)))?;
    let subscriber = rows::subscriber(&row)?;
    let channel = subscriber.channels.first().cloned();
    let quiet_until = subscriber
        .quiet_hours
        .filter(|_| draft.severity != Severity::Critical && draft.kind != NoticeKind::Test)
        .and_then(|quiet| quiet.ends_at(draft.at, subscriber.time_zone));
    let first_try = channel.as_ref().map(|_| quiet_until.unwrap_or(draft.at));
    sqlx::query(
        "INSERT INTO notices (id, dedupe_key, subscriber_id, subscription_id, topup_id, kind, severity, channel, facts, \
         state, created_at, next_try_at, expires_at, last_error) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
    )
    .bind(notice_id(draft))
    .bind(dedupe_key(draft))
    .bind(draft.subscriber.as_str())
    .bind(draft.subscription.as_ref().map(|s| s.as_str().to_owned()))
    .bind(draft.topup.as_ref().map(|t| t.as_str().to_owned()))
    .bind(draft.kind.as_str())
    .bind(draft.severity.as_str())
    .bind(&channel)
    .bind(serde_json::to_string(&draft.facts).unwrap_or_default())
    .bind(if channel.is_some() { "queued" } else { "dead" })
    .bind(draft.at.ms())
    .bind(first_try.map(Timestamp::ms))
    .bind(draft.at.plus(draft.kind.lifetime()).max(first_try.unwrap_or(draft.at)).ms())
    .bind(channel.is_none().then(|| "the subscriber has no channel".to_owned()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Store {
    /// Writes notices that have no other cause than themselves (tests, safeties).
    pub async fn say(&self, drafts: &[NoticeDraft]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for draft in drafts {
            insert(&mut tx, draft).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// True where something of this key was said to `subscriber`, about no line.
    pub async fn was_said(
        &self,
        subscriber: &SubscriberId,
        dedupe: &str,
    ) -> Result<bool, StoreError> {
        let said: Option<i64> =
            sqlx::query_scalar("SELECT created_at FROM notices WHERE dedupe_key = $1")
                .bind(format!("{subscriber}||{dedupe}"))
                .fetch_optional(self.reader())
                .await?;
        Ok(said.is_some())
    }

    /// Writes a notice that goes by `channel` rather than the subscriber's first.
    pub async fn say_by(&self, draft: &NoticeDraft, channel: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, draft).await?;
        sqlx::query(
            "UPDATE notices SET channel = $1 WHERE id = $2 AND state = 'queued' AND attempts = 0",
        )
        .bind(channel)
        .bind(notice_id(draft))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// One notice.
    pub async fn notice(&self, id: &str) -> Result<StoredNotice, StoreError> {
        let row = sqlx::query("SELECT * FROM notices WHERE id = $1")
            .bind(id)
            .fetch_optional(self.reader())
            .await?;
        let row = row.ok_or_else(|| StoreError::NotFound(format!("notice {id}")))?;
        stored(&row)
    }

    /// The newest notices that were given up.
    pub async fn dead_notices(&self, limit: i64) -> Result<Vec<StoredNotice>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM notices WHERE state = 'dead' ORDER BY created_at DESC, id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(readable(&rows))
    }

    /// The newest notices, of one subscriber where given.
    pub async fn notices(
        &self,
        subscriber: Option<&str>,
        limit: i64,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let rows = sqlx::query("SELECT * FROM notices WHERE $1 IS NULL OR subscriber_id = $1 ORDER BY created_at DESC, id LIMIT $2")
            .bind(subscriber.map(str::to_owned))
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        Ok(readable(&rows))
    }
}
