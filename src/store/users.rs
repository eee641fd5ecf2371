//! People who sign in with a browser. Their passwords are kept as hashes that others make.

use super::{Grant, Store, StoreError, rows::Columns, tokens::grant};
use crate::domain::Timestamp;

/// A person as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name they sign in with.
    pub name: String,
    /// What they may do, and with what.
    pub grant: Grant,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they may not sign in any more.
    pub disabled_at: Option<Timestamp>,
}

impl Store {
    /// Adds a person, or gives one that is there this grant and password; who was disabled may sign
    /// in again. Whoever was signed in under the name is not any more.
    pub async fn save_user(
        &self,
        name: &str,
        grant: &Grant,
        password: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO users (name, role, scope, password, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (name) DO UPDATE SET role = excluded.role, scope = excluded.scope, \
             password = excluded.password, disabled_at = NULL",
        )
        .bind(name)
        .bind(grant.role.as_str())
        .bind(grant.scope.text())
        .bind(password)
        .bind(now.ms())
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM sessions WHERE user_name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives somebody another password; every browser but `except` (the hash of its cookie) is
    /// signed out.
    pub async fn set_password(
        &self,
        name: &str,
        password: &str,
        except: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE users SET password = $1 WHERE name = $2")
            .bind(password)
            .bind(name)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_name = $1 AND hash <> $2")
            .bind(name)
            .bind(except)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Nobody signs in under this name any more. False when there is nobody to disable.
    pub async fn disable_user(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE users SET disabled_at = $1 WHERE name = $2 AND disabled_at IS NULL",
        )
        .bind(now.ms())
        .bind(name)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM sessions WHERE user_name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Everybody, in order of their names.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM users ORDER BY name").fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "users", row };
                Ok(User {
                    name: c.text("name")?,
                    grant: grant(&c)?,
                    created_at: c.at("created_at")?,
                    disabled_at: c.maybe_at("disabled_at")?,
                })
            })
            .collect()
    }

    /// True once somebody may sign in.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM users WHERE disabled_at IS NULL LIMIT 1")
                .fetch_optional(self.reader())
                .await?;
        Ok(found.is_some())
    }

    /// The hash of somebody's password; `None` for who may not sign in.
    pub async fn password_of(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT password FROM users WHERE name = $1 AND disabled_at IS NULL")
            .bind(name)
            .fetch_optional(self.reader())
            .await?)
    }
}
