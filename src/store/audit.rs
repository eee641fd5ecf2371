//! What people and tokens did.

use super::{Store, StoreError, rows::Columns};
use crate::domain::Timestamp;

/// One act of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Who: `api:TOKEN`, `user:NAME`, `cli:NAME` or `link:SUBSCRIBER`.
    pub actor: String,
    /// What, such as `approve` or `sign in`.
    pub act: String,
    /// Of what: a line, a top-up, a notice, a rule; empty for the installation.
    pub target: String,
    /// How it ended, as an HTTP status.
    pub status: i64,
    /// How it was, as JSON, where something changed.
    pub before: Option<String>,
    /// How it is now.
    pub after: Option<String>,
}

/// [`Audited`] as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, for paging.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Audited,
}

/// Two processes may reach for the same number.
const TRIES: u32 = 4;

impl Store {
    /// Writes an act down.
    pub async fn audit(&self, what: &Audited, now: Timestamp) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let done = sqlx::query(
                "INSERT INTO audit (seq, at, actor, act, target, status, before_is, after_is) \
                 SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM audit",
            )
            .bind(now.ms())
            .bind(&what.actor)
            .bind(&what.act)
            .bind(&what.target)
            .bind(what.status)
            .bind(&what.before)
            .bind(&what.after)
            .execute(&self.writer())
            .await
            .map_err(StoreError::from);
            match done {
                Err(error) if error.is_duplicate() && tries < TRIES => {}
                done => return done.map(drop),
            }
        }
    }
}

pub(super) fn row(row: &sqlx::any::AnyRow) -> Result<AuditRow, StoreError> {
    let c = Columns { table: "audit", row };
    let what = Audited {
        actor: c.text("actor")?,
        act: c.text("act")?,
        target: c.text("target")?,
        status: c.int("status")?,
        before: c.maybe_text("before_is")?,
        after: c.maybe_text("after_is")?,
    };
    Ok(AuditRow { seq: c.int("seq")?, at: c.at("at")?, what })
}
