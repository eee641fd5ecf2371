//! Notices that are told again while nobody acknowledges them.

use super::{Store, StoreError, StoredNotice, acts, notices};
use crate::domain::{NoticeDraft, NoticeKind, SubscriptionId, Timestamp};

/// What people did with notices; in the journal.
const NOTICE: &str = "notice";

impl Store {
    /// Notices whose next reminder is due.
    pub async fn due_reminders(
        &self,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM notices WHERE remind_at <= $1 ORDER BY remind_at, id LIMIT $2",
        )
        .bind(now.ms())
        .bind(limit)
        .fetch_all(self.reader())
        .await?;
        Ok(notices::readable(&rows))
    }

    /// What a notice says is over: it is not told again, unless somebody gave it another time.
    pub async fn stop_reminding(&self, notice: &StoredNotice) -> Result<(), StoreError> {
        sqlx::query("UPDATE notices SET remind_at = NULL WHERE id = $1 AND remind_at = $2")
            .bind(&notice.id)
            .bind(notice.remind_at.map(Timestamp::ms))
            .execute(&self.writer())
            .await?;
        Ok(())
    }

    /// Writes the next reminder of `before`, which ends its own clock.
    pub async fn remind(
        &self,
        before: &StoredNotice,
        draft: &NoticeDraft,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("UPDATE notices SET remind_at = NULL WHERE id = $1 AND remind_at = $2")
                .bind(&before.id)
                .bind(before.remind_at.map(Timestamp::ms))
                .execute(&mut *tx)
                .await?;
        if done.rows_affected() == 0 {
            return Ok(());
        }
        notices::insert(&mut tx, draft).await?;
        sqlx::query("UPDATE notices SET reminds = $1, reminder_no = $2 WHERE id = $3")
            .bind(before.reminds.as_ref().unwrap_or(&before.id))
            .bind(before.reminder_no.saturating_add(1))
            .bind(notices::notice_id(draft))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Somebody has seen it: no more reminders, or none before `until`. What is not sent yet is
    /// dropped. A notice that is more severe later has a clock of its own.
    pub async fn acknowledge(
        &self,
        id: &str,
        actor: &str,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<StoredNotice, StoreError> {
        let notice = self.notice(id).await?;
        let root = notice.reminds.clone().unwrap_or_else(|| notice.id.clone());
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE notices SET remind_at = NULL, acknowledged_at = $1, acknowledged_by = $2 \
             WHERE id = $3 OR reminds = $3",
        )
        .bind(until.is_none().then(|| now.ms()))
        .bind(actor)
        .bind(&root)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE notices SET state = 'dropped', next_try_at = NULL, last_error = 'acknowledged' \
             WHERE reminds = $1 AND state = 'queued'",
        )
        .bind(&root)
        .execute(&mut *tx)
        .await?;
        if let Some(until) = until {
            sqlx::query(
                "UPDATE notices SET remind_at = $1 WHERE id = \
                 (SELECT id FROM notices WHERE id = $2 OR reminds = $2 ORDER BY reminder_no DESC LIMIT 1)",
            )
            .bind(until.ms())
            .bind(&root)
            .execute(&mut *tx)
            .await?;
        }
        let line = notice.subscription.as_deref().and_then(|id| SubscriptionId::parse(id).ok());
        let what =
            until.map_or("acknowledged".to_owned(), |until| format!("snoozed until {until}"));
        let why = format!("{root} {what} by {actor}");
        acts::write(&mut tx, line.as_ref(), NOTICE, &why, now).await?;
        tx.commit().await?;
        self.notice(id).await
    }

    /// Whether what a notice said of a line, or of everything, is still so; `None` where only its
    /// top-up can tell.
    pub async fn is_still_so(&self, notice: &StoredNotice) -> Result<Option<bool>, StoreError> {
        let (sql, about) = match (notice.kind, &notice.subscription, &notice.facts.topup) {
            (NoticeKind::LowBalance, Some(line), _) => (
                "SELECT COUNT(*) FROM episodes WHERE subscription_id = $1 AND closed_at IS NULL",
                line,
            ),
            (NoticeKind::Stale, Some(line), _) => (
                "SELECT COUNT(*) FROM watches WHERE subscription_id = $1 AND stale_since IS NOT NULL",
                line,
            ),
            (NoticeKind::PinReady, _, Some(topup)) => (
                "SELECT COUNT(*) FROM pins WHERE topup_id = $1 AND state IN ('stored', 'shown', 'redeeming')",
                topup,
            ),
            _ => return Ok(None),
        };
        let open: i64 = sqlx::query_scalar(sql).bind(about).fetch_one(self.reader()).await?;
        Ok(Some(open > 0))
    }

    /// Marks a link as used; false where it was before.
    pub async fn use_link(&self, token: &str, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO used_links (token, at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(token)
        .bind(now.ms())
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// True where a link was used.
    pub async fn is_link_used(&self, token: &str) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM used_links WHERE token = $1")
            .bind(token)
            .fetch_one(self.reader())
            .await?;
        Ok(found > 0)
    }
}
