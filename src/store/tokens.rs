//! API tokens: shown once, kept as a hash.

use super::{Store, StoreError, needs::sha256_hex, rows::Columns};
use crate::domain::Timestamp;

/// What a token may do, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Poll, order, approve, enter readings.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The words of the command line.
    pub const WORDS: [(&'static str, Self); 3] =
        [("viewer", Self::Viewer), ("operator", Self::Operator), ("admin", Self::Admin)];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, r)| *r == self).map_or("", |(word, _)| word)
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, role)| *role)
    }
}

/// A token as stored; its text is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id, for revoking.
    pub id: String,
    /// What it may do.
    pub role: Role,
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
        role: Role,
        note: &str,
        now: Timestamp,
    ) -> Result<(String, String), StoreError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        let text = format!("topupd_{}", data_encoding::BASE64URL_NOPAD.encode(&bytes));
        let hash = sha256_hex(&text);
        let id = format!("k_{}", hash.get(..10).unwrap_or(&hash));
        sqlx::query("INSERT INTO tokens (id, role, hash, note, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, NULL)")
            .bind(&id)
            .bind(role.as_str())
            .bind(hash)
            .bind(note)
            .bind(now.ms())
            .execute(&self.writer())
            .await?;
        Ok((id, text))
    }

    /// What the holder of `text` may do; `None` for unknown and revoked tokens. Looked up by hash,
    /// so that timing tells nothing about other tokens.
    pub async fn token_role(&self, text: &str) -> Result<Option<(String, Role)>, StoreError> {
        let row = sqlx::query("SELECT id, role FROM tokens WHERE hash = $1 AND revoked_at IS NULL")
            .bind(sha256_hex(text))
            .fetch_optional(self.reader())
            .await?;
        row.map(|row| {
            let c = Columns { table: "tokens", row: &row };
            Ok((c.text("id")?, c.parsed("role", Role::parse)?))
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
                    role: c.parsed("role", Role::parse)?,
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
