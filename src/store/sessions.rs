//! Signed-in browsers. The cookie is never stored, only its hash.

use super::{
    Grant, Store, StoreError,
    needs::sha256_hex,
    rows::Columns,
    tokens::{grant, secret_text},
};
use crate::domain::{Span, Timestamp};

/// Unused this long, a session is over.
const IDLE: Span = Span::days(7);
/// However it is used, it is over after this.
const LONGEST: Span = Span::days(30);
/// Use is written down at most this often.
const NOTED: Span = Span::minutes(10);

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The hash of its cookie.
    pub hash: String,
    /// Who signed in.
    pub user: String,
    /// What they may do, and with what.
    pub grant: Grant,
    /// When they last typed their password.
    pub confirmed_at: Timestamp,
}

impl Store {
    /// Signs `user` in; gives back what the cookie holds, which is never seen again. Sessions that
    /// are over are thrown away.
    pub async fn create_session(&self, user: &str, now: Timestamp) -> Result<String, StoreError> {
        let text = secret_text()?;
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2")
            .bind(now.ms())
            .bind(now.minus(IDLE).ms())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (hash, user_name, created_at, seen_at, expires_at, confirmed_at) \
             VALUES ($1, $2, $3, $3, $4, $3)",
        )
        .bind(sha256_hex(&text))
        .bind(user)
        .bind(now.ms())
        .bind(now.plus(LONGEST).ms())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(text)
    }

    /// Whose browser holds `text`; `None` when it is signed out, or its person disabled.
    pub async fn session(&self, text: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let hash = sha256_hex(text);
        let row = sqlx::query(
            "SELECT s.seen_at, s.confirmed_at, u.name, u.role, u.scope FROM sessions s \
             JOIN users u ON u.name = s.user_name WHERE s.hash = $1 AND s.expires_at > $2 \
             AND s.seen_at > $3 AND u.disabled_at IS NULL",
        )
        .bind(&hash)
        .bind(now.ms())
        .bind(now.minus(IDLE).ms())
        .fetch_optional(self.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let c = Columns { table: "sessions", row: &row };
        if now.since(c.at("seen_at")?) > NOTED {
            sqlx::query("UPDATE sessions SET seen_at = $1 WHERE hash = $2")
                .bind(now.ms())
                .bind(&hash)
                .execute(&self.writer())
                .await?;
        }
        let (user, confirmed_at) = (c.text("name")?, c.at("confirmed_at")?);
        Ok(Some(Session { hash, user, grant: grant(&c)?, confirmed_at }))
    }

    /// The password was typed again.
    pub async fn confirm_session(&self, hash: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET confirmed_at = $1 WHERE hash = $2")
            .bind(now.ms())
            .bind(hash)
            .execute(&self.writer())
            .await?;
        Ok(())
    }

    /// Signs a browser out.
    pub async fn end_session(&self, hash: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE hash = $1")
            .bind(hash)
            .execute(&self.writer())
            .await?;
        Ok(())
    }
}
