//! Whether anything was committed since a look: what an answer was made from is either still all
//! there is, or it is not.

use super::{Dialect, Store, StoreError};
use std::sync::Arc;

/// Two looks that see the same version see the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Arc<str>);

impl Store {
    /// The version of all rows, whoever writes them.
    ///
    /// SQLite counts for a connection what others committed (`PRAGMA data_version`), so that one
    /// connection is kept for this question and writes nothing. PostgreSQL names the transactions
    /// that a look sees (`pg_current_snapshot`).
    pub async fn version(&self) -> Result<Version, StoreError> {
        let text = match self.dialect() {
            Dialect::Sqlite => {
                let count: i64 =
                    sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.watch).await?;
                count.to_string()
            }
            Dialect::Postgres => {
                sqlx::query_scalar("SELECT CAST(pg_current_snapshot() AS text)")
                    .fetch_one(&self.watch)
                    .await?
            }
        };
        Ok(Version(text.into()))
    }
}
