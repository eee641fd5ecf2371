//! Episodes and needs: rows that outlive readings, and the ids derived from them.

use super::{Store, StoreError, Tx, rows::Columns};
use crate::domain::{
    EpisodeId, Need, NeedId, NeedKind, NeedOutcome, RuleId, Snapshot, SubscriptionId, Timestamp,
};
use sha2::{Digest, Sha256};

/// SHA-256 of a text, in lower-case hexadecimal.
pub(super) fn sha256_hex(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// A short id derived from an identity: `prefix` and 16 hexadecimal digits.
pub(super) fn derived_id(prefix: &str, identity: &str) -> String {
    let hash = sha256_hex(identity);
    format!("{prefix}_{}", hash.get(..16).unwrap_or(&hash))
}

pub(super) async fn open_episode(
    tx: &mut Tx,
    rule: &RuleId,
    subscription: &SubscriptionId,
    cause: &str,
    is_deadline: bool,
    read_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = derived_id("e", &format!("{rule}|{subscription}|{}", now.ms()));
    sqlx::query(
        "INSERT INTO episodes (id, rule_id, subscription_id, opened_at, first_read_at, is_deadline, cause, closed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(rule.as_str())
    .bind(subscription.as_str())
    .bind(now.ms())
    .bind(read_at.ms())
    .bind(i64::from(is_deadline))
    .bind(cause)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn close_episode(
    tx: &mut Tx,
    id: &EpisodeId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE episodes SET closed_at = $1 WHERE id = $2 AND closed_at IS NULL")
        .bind(now.ms())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Store {
    /// The number of a need within its line, and its kind.
    pub(crate) async fn need_identity(&self, id: &NeedId) -> Result<(i64, String), StoreError> {
        let row = sqlx::query("SELECT seq, kind FROM needs WHERE id = $1")
            .bind(id.as_str())
            .fetch_one(self.reader())
            .await?;
        let c = Columns { table: "needs", row: &row };
        Ok((c.int("seq")?, c.text("kind")?))
    }
}

/// What a need is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct NeedOf<'a> {
    pub(super) rule: Option<&'a RuleId>,
    pub(super) kind: NeedKind,
    pub(super) period_end: Option<Timestamp>,
}

impl NeedOf<'_> {
    /// A person asked.
    pub(super) const fn by_hand() -> Self {
        Self { rule: None, kind: NeedKind::Manual, period_end: None }
    }
}

/// The open need of the line, made if there is none.
pub(super) async fn open_need(
    tx: &mut Tx,
    snapshot: &Snapshot,
    about: NeedOf<'_>,
    now: Timestamp,
) -> Result<Need, StoreError> {
    if let Some(need) = &snapshot.need {
        return Ok(need.clone());
    }
    let subscription = &snapshot.subscription.id;
    let row = sqlx::query(
        "SELECT COALESCE(MAX(seq), 0) + 1 AS seq FROM needs WHERE subscription_id = $1",
    )
    .bind(subscription.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let seq = Columns { table: "needs", row: &row }.int("seq")?;
    let need = Need {
        id: NeedId::trusted(derived_id("n", &format!("{subscription}|{seq}"))),
        subscription: subscription.clone(),
        rule: about.rule.cloned(),
        kind: about.kind,
        seq,
        opened_at: now,
        period_end_at: about.period_end,
    };
    sqlx::query(
        "INSERT INTO needs (id, subscription_id, seq, rule_id, kind, period_end_at, opened_at, closed_at, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL)",
    )
    .bind(need.id.as_str())
    .bind(subscription.as_str())
    .bind(seq)
    .bind(about.rule.map(|rule| rule.as_str().to_owned()))
    .bind(about.kind.as_str())
    .bind(need.period_end_at.map(Timestamp::ms))
    .bind(now.ms())
    .execute(&mut **tx)
    .await?;
    Ok(need)
}

/// The date moved a little: the need stays the same one.
pub(super) async fn move_period(
    tx: &mut Tx,
    id: &NeedId,
    end: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE needs SET period_end_at = $1 WHERE id = $2 AND closed_at IS NULL")
        .bind(end.ms())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn close_need(
    tx: &mut Tx,
    id: &NeedId,
    outcome: NeedOutcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE needs SET closed_at = $1, outcome = $2 WHERE id = $3 AND closed_at IS NULL",
    )
    .bind(now.ms())
    .bind(outcome.as_str())
    .bind(id.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Store {
    /// Needs that rules opened since `since`.
    pub async fn needs_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        let count = "SELECT COUNT(*) FROM needs WHERE opened_at > $1 AND kind <> 'manual'";
        Ok(sqlx::query_scalar(count).bind(since.ms()).fetch_one(self.reader()).await?)
    }
}
