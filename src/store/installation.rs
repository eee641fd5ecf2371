//! Who we are, whether the clock ran back, which safeties tripped.

use super::{Store, StoreError, rows::Columns};
use crate::domain::{Span, Timestamp};

impl Store {
    /// The id of this installation, made at the first start.
    pub async fn install_id(&self, now: Timestamp) -> Result<String, StoreError> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        let fresh = data_encoding::HEXLOWER.encode(&bytes);
        sqlx::query(
            "INSERT INTO installation (id, install_id, created_at, last_wall_at) VALUES (1, $1, $2, $2) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(fresh)
        .bind(now.ms())
        .execute(&self.writer())
        .await?;
        Ok(sqlx::query_scalar("SELECT install_id FROM installation WHERE id = 1")
            .fetch_one(self.reader())
            .await?)
    }

    /// Notes that the clock shows `now`, and says what it showed at most before.
    pub async fn wall(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let before: Option<i64> =
            sqlx::query_scalar("SELECT last_wall_at FROM installation WHERE id = 1")
                .fetch_optional(self.reader())
                .await?;
        let before = before.map_or(now, Timestamp::from_ms);
        // Written at most once a minute: it only has to notice leaps.
        if now.since(before) >= Span::minutes(1) {
            sqlx::query(
                "UPDATE installation SET last_wall_at = $1 WHERE id = 1 AND last_wall_at < $1",
            )
            .bind(now.ms())
            .execute(&self.writer())
            .await?;
        }
        Ok(before)
    }

    /// Believes the clock as it is, whatever it showed before.
    pub async fn reset_wall(&self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE installation SET last_wall_at = $1 WHERE id = 1")
            .bind(now.ms())
            .execute(&self.writer())
            .await?;
        Ok(())
    }

    /// Why the safety `name` last tripped, and when it was cleared since, if it was.
    pub async fn last_breaker(
        &self,
        name: &str,
    ) -> Result<Option<(String, Option<Timestamp>)>, StoreError> {
        let row = sqlx::query("SELECT why, cleared_at FROM breakers WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let c = Columns { table: "breakers", row: &row };
        Ok(Some((c.text("why")?, c.maybe_at("cleared_at")?)))
    }

    /// Trips a safety; an already tripped one keeps its time. True when it is new.
    pub async fn trip(&self, name: &str, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO breakers (name, tripped_at, why, cleared_at) VALUES ($1, $2, $3, NULL) \
             ON CONFLICT (name) DO UPDATE SET tripped_at = excluded.tripped_at, why = excluded.why, cleared_at = NULL \
             WHERE breakers.cleared_at IS NOT NULL",
        )
        .bind(name)
        .bind(now.ms())
        .bind(why)
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A person clears every tripped safety that stops paying. Returns their names.
    pub async fn clear_breakers(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "UPDATE breakers SET cleared_at = $1 WHERE cleared_at IS NULL AND name NOT LIKE 'reader:%' RETURNING name",
        )
        .bind(now.ms())
        .fetch_all(&self.writer())
        .await?;
        rows.iter().map(|row| Columns { table: "breakers", row }.text("name")).collect()
    }

    /// One breaker that watches by itself is over.
    pub async fn clear_breaker(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE breakers SET cleared_at = $1 WHERE cleared_at IS NULL AND name = $2",
        )
        .bind(now.ms())
        .bind(name)
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Tripped safeties: name, since when, why. `reader:NAME` stops nothing: see
    /// [`crate::domain::MoneySwitch::readers_out`].
    pub async fn breakers(&self) -> Result<Vec<(String, Timestamp, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, tripped_at, why FROM breakers WHERE cleared_at IS NULL ORDER BY name",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "breakers", row };
                Ok((c.text("name")?, c.at("tripped_at")?, c.text("why")?))
            })
            .collect()
    }

    /// When a person last cleared `name`; needs before that no longer count.
    pub async fn breaker_cleared_at(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<Option<i64>> =
            sqlx::query_scalar("SELECT cleared_at FROM breakers WHERE name = $1")
                .bind(name)
                .fetch_optional(self.reader())
                .await?;
        Ok(at.flatten().map(Timestamp::from_ms))
    }
}
