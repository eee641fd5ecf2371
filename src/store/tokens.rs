//! API tokens: shown once, kept as a hash.

use super::{
    Grant, Role, Scope, Store, StoreError,
    needs::sha256_hex,
    rows::{Cells, Columns},
};
use crate::domain::Timestamp;

/// A token as stored; its text is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id, for revoking.
    pub id: String,
    /// What it may do, and with what.
    pub grant: Grant,
    /// What it is for.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// Makes a token of 256 random bits; the text returned here is never seen again.
    pub async fn create_token(
        &self,
        grant: &Grant,
        note: &str,
        now: Timestamp,
    ) -> Result<(String, String), StoreError> {
        let text = format!("topupd_{}", secret_text()?);
        let hash = sha256_hex(&text);
        let id = format!("k_{}", hash.get(..10).unwrap_or(&hash));
        sqlx::query("INSERT INTO tokens (id, role, hash, note, created_at, revoked_at, scope) VALUES ($1, $2, $3, $4, $5, NULL, $6)")
            .bind(&id)
            .bind(grant.role.as_str())
            .bind(hash)
            .bind(note)
            .bind(now.ms())
            .bind(grant.scope.text())
            .execute(&self.writer())
            .await?;
        Ok((id, text))
    }

    /// What the holder of `text` may do; `None` for unknown and revoked tokens. Looked up by hash,
    /// so that timing tells nothing about other tokens.
    pub async fn token_grant(&self, text: &str) -> Result<Option<(String, Grant)>, StoreError> {
        let row = sqlx::query(
            "SELECT id, role, scope FROM tokens WHERE hash = $1 AND revoked_at IS NULL",
        )
        .bind(sha256_hex(text))
        .fetch_optional(self.reader())
        .await?;
        row.map(|row| {
            let c = Columns { table: "tokens", row: &row };
            Ok((c.text("id")?, grant(&c)?))
        })
        .transpose()
    }

    /// All tokens, revoked ones too.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at, id")
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "tokens", row };
                Ok(Token {
                    id: c.text("id")?,
                    grant: grant(&c)?,
                    note: c.text("note")?,
                    created_at: c.at("created_at")?,
                    revoked_at: c.maybe_at("revoked_at")?,
                })
            })
            .collect()
    }

    /// Revokes a token for good. False when there is none to revoke.
    pub async fn revoke_token(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
                .bind(now.ms())
                .bind(id)
                .execute(&self.writer())
                .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// 256 random bits as text.
pub(super) fn secret_text() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

/// The columns `role` and `scope`.
pub(super) fn grant<R: Cells>(c: &Columns<'_, R>) -> Result<Grant, StoreError> {
    Ok(Grant { role: c.parsed("role", Role::parse)?, scope: c.parsed("scope", Scope::parse)? })
}
