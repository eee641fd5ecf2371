//! When a line is decided about again, and what the last decision was.

use super::{Dialect, SnapshotRow, Store, StoreError, Tx, acts, rows::Columns};
use crate::domain::{Decision, Money, Recorded, SubscriptionId, Timestamp};
use serde_json::json;

/// A decision as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDecision {
    /// When.
    pub at: Timestamp,
    /// The step: `propose`, `ask`, `reserve`, `cancel`, `wait`, `nothing`.
    pub step: String,
    /// The reason code.
    pub reason: String,
    /// What happens next, in words.
    pub detail: String,
}

/// A line about which nothing is to be written down but when to look again.
#[derive(Clone, Debug)]
pub struct CalmLine {
    /// Which.
    pub id: SubscriptionId,
    /// The decision.
    pub decision: Decision,
    /// The mark of what it said last, and until when saying it again changes nothing.
    pub steady: Option<(String, Timestamp)>,
}

pub(super) async fn finish(
    tx: &mut Tx,
    row: &SnapshotRow,
    decision: &Decision,
    decide_at: Option<Timestamp>,
    claimed: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = row.snapshot.subscription.id.as_str();
    let stale_since = match decision.stale {
        Some(true) => Some(now.ms()),
        Some(false) => None,
        None => row.snapshot.stale_since.map(Timestamp::ms),
    };
    let doubt_since = match decision.doubt {
        Some(true) => row.snapshot.reading.as_ref().map(|reading| reading.at),
        Some(false) => None,
        None => row.snapshot.doubt_since,
    };
    let milestone = decision.milestone.or(row.snapshot.milestone);
    sqlx::query(
        "UPDATE watches SET next_decide_at = CASE WHEN next_decide_at = $1 THEN $2 ELSE next_decide_at END, \
         stale_since = $3, next_at = $4, next_what = $5, next_why = $6, doubt_since = $7, milestone = $8, \
         milestone_end_at = $9 WHERE subscription_id = $10",
    )
    .bind(claimed.ms())
    .bind(decide_at.map(Timestamp::ms))
    .bind(stale_since)
    .bind(decision.next.at.map(Timestamp::ms))
    .bind(decision.next.what)
    .bind(&decision.next.why)
    .bind(doubt_since.map(Timestamp::ms))
    .bind(milestone.map(|(day, _)| day))
    .bind(milestone.map(|(_, end)| end.ms()))
    .bind(id)
    .execute(&mut **tx)
    .await?;
    let recorded = Recorded::of(decision);
    let amount = recorded.amount.map(Money::minor);
    sqlx::query(
        "INSERT INTO decisions (subscription_id, seq, at, step, reason, amount_minor, currency, episodes, detail) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM decisions WHERE subscription_id = $1 \
         HAVING $7 <> '' OR NOT EXISTS (SELECT 1 FROM decisions d WHERE d.subscription_id = $1 AND d.step = $3 \
         AND d.reason = $4 AND COALESCE(d.amount_minor, 0) = COALESCE($5, 0) \
         AND d.seq = (SELECT MAX(seq) FROM decisions WHERE subscription_id = $1))",
    )
    .bind(id)
    .bind(now.ms())
    .bind(recorded.step)
    .bind(&recorded.reason)
    .bind(amount)
    .bind(recorded.amount.map(|m| m.currency().code()))
    .bind(&recorded.episodes)
    .bind(&decision.next.why)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lines that become due for a decision in one commit: all of a million would hold up everybody
/// who writes for many seconds.
const BUNCH: i64 = 5000;

/// Makes every active line due for a decision: a bunch now, the others after this commit.
pub(super) async fn judge_all(
    tx: &mut Tx,
    occasion: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let next = judge_bunch(tx, "", now).await?;
    sqlx::query("UPDATE installation SET judge_after = $1 WHERE id = 1")
        .bind(next)
        .execute(&mut **tx)
        .await?;
    acts::write(tx, None, acts::JUDGED, occasion, now).await
}

/// A bunch of lines after `after`, by their ids; gives back the last of them where more may follow.
async fn judge_bunch(
    tx: &mut Tx,
    after: &str,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let (lines, last): (i64, Option<String>) = sqlx::query_as(
        "SELECT COUNT(*), MAX(subscription_id) FROM (SELECT subscription_id FROM watches \
         WHERE subscription_id > $1 ORDER BY subscription_id LIMIT $2) bunch",
    )
    .bind(after)
    .bind(BUNCH)
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE watches SET next_decide_at = $1 WHERE subscription_id > $2 AND subscription_id <= $3 \
         AND next_poll_at IS NOT NULL AND (next_decide_at IS NULL OR next_decide_at > $1)",
    )
    .bind(now.ms())
    .bind(after)
    .bind(last.as_deref().unwrap_or_default())
    .execute(&mut **tx)
    .await?;
    Ok(last.filter(|_| lines == BUNCH))
}

const CALM: &str = "UPDATE watches SET next_decide_at = CASE WHEN next_decide_at = $2 THEN n.d ELSE next_decide_at END, \
     steady = CASE WHEN next_decide_at = $2 THEN n.t END, steady_until = n.u, \
     next_at = n.n, next_what = n.w, next_why = n.y \
     FROM {records $1 s text, d bigint, n bigint, w text, y text, t text, u bigint} \
     WHERE subscription_id = n.s AND (CAST($3 AS bigint) = 1 OR next_decide_at <= $2)";

impl Store {
    /// Writes down many calm decisions at once: nothing to do but to look again then. What somebody
    /// else claimed since is his.
    pub async fn apply_calm(
        &self,
        calm: &[CalmLine],
        claimed: Timestamp,
    ) -> Result<(), StoreError> {
        if calm.is_empty() {
            return Ok(());
        }
        let rows: Vec<serde_json::Value> = calm
            .iter()
            .map(|CalmLine { id, decision, steady }| {
                json!([
                    id.as_str(),
                    decision.decide_at.map(Timestamp::ms),
                    decision.next.at.map(Timestamp::ms),
                    decision.next.what,
                    decision.next.why,
                    steady.as_ref().map(|(mark, _)| mark),
                    steady.as_ref().map(|(_, until)| until.ms()),
                ])
            })
            .collect();
        // Only where others decide as well can a line be somebody else's by now.
        let is_alone = self.dialect() == Dialect::Sqlite;
        let query = sqlx::query(self.sql(CALM))
            .bind(serde_json::Value::Array(rows).to_string())
            .bind(claimed.ms())
            .bind(i64::from(is_alone));
        if is_alone {
            query.execute(&self.writer()).await?;
            return Ok(());
        }
        let ids: Vec<&str> = calm.iter().map(|line| line.id.as_str()).collect();
        let mut tx = self.begin().await?;
        self.lock_watches(&mut tx, &ids).await?;
        query.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest written decision about a line.
    pub async fn last_decision(
        &self,
        id: &SubscriptionId,
    ) -> Result<Option<StoredDecision>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM decisions WHERE subscription_id = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(id.as_str())
        .fetch_optional(self.reader())
        .await?;
        row.as_ref()
            .map(|row| {
                let c = Columns { table: "decisions", row };
                Ok(StoredDecision {
                    at: c.at("at")?,
                    step: c.text("step")?,
                    reason: c.text("reason")?,
                    detail: c.text("detail")?,
                })
            })
            .transpose()
    }

    /// Makes every active line due for a decision now (a switch was turned): a bunch at once, the
    /// others by [`Store::judge_more`].
    pub async fn decide_all(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_on_all_lines().await?;
        judge_all(&mut tx, "a switch was turned", now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The next bunch of lines that are to be judged again because all are. True while there may
    /// be more.
    pub async fn judge_more(&self, now: Timestamp) -> Result<bool, StoreError> {
        let after: Option<Option<String>> =
            sqlx::query_scalar("SELECT judge_after FROM installation WHERE id = 1")
                .fetch_optional(self.reader())
                .await?;
        let Some(after) = after.flatten() else { return Ok(false) };
        let mut tx = self.begin_on_all_lines().await?;
        let next = judge_bunch(&mut tx, &after, now).await?;
        // Another instance may have done the same bunch: then its word stands.
        let moved = sqlx::query(
            "UPDATE installation SET judge_after = $1 WHERE id = 1 AND judge_after = $2",
        )
        .bind(&next)
        .bind(&after)
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() > 0 {
            tx.commit().await?;
        }
        Ok(true)
    }
}
