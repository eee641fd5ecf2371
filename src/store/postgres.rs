//! Opening PostgreSQL: only a primary that keeps what it commits.

use super::{
    Dialect, Store, StoreError, changes::Changes, connect::without_password, held::HeldPolls,
};
use secrecy::SecretString;
use sqlx::{AnyConnection, AnyPool, Connection as _, any::AnyPoolOptions};
use std::time::Duration;

/// Connections of one instance, besides the one that listens.
const CONNECTIONS: u32 = 8;
/// How long a stage waits for a connection before it gives up its round.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection that was in use so shortly before is not asked first whether it still stands: that would
/// be a way to the server and back for every statement.
const TRUSTED: Duration = Duration::from_secs(1);

/// What every connection asks of its server. A process that is paused in the middle of a transaction
/// (a stopped process, a machine that was suspended) would keep its locks for as long: the server ends such a
/// transaction, and nothing of it was done. No transaction waits for anything but the database. Nor
/// does a statement wait longer than this for a lock.
const SESSION: [&str; 2] =
    ["SET idle_in_transaction_session_timeout = '5s'", "SET lock_timeout = '30s'"];

/// Why a server must not be given money, in its own word; empty where it may.
const FITNESS: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' \
    WHEN current_setting('transaction_read_only') = 'on' THEN 'read_only' \
    WHEN current_setting('fsync') = 'off' THEN 'fsync' \
    WHEN current_setting('synchronous_commit') = 'off' THEN 'synchronous_commit' ELSE '' END";

async fn fitness(connection: &mut AnyConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(FITNESS).fetch_one(connection).await
}

fn refusal(found: &str, url: &str) -> Option<StoreError> {
    let url = || without_password(url);
    match found {
        "" => None,
        "fsync" => Some(StoreError::NotDurable { setting: "fsync", found: "off".into() }),
        "synchronous_commit" => {
            Some(StoreError::NotDurable { setting: "synchronous_commit", found: "off".into() })
        }
        "read_only" => Some(StoreError::NotPrimary { url: url(), why: "is read-only" }),
        _ => Some(StoreError::NotPrimary { url: url(), why: "is a standby" }),
    }
}

impl Store {
    pub(super) async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { url: without_password(url), source };
        // Once by itself, so that what is wrong is said at once and in one sentence.
        let mut first = AnyConnection::connect(url).await.map_err(failed)?;
        let found = fitness(&mut first).await?;
        first.close().await.ok();
        if let Some(refused) = refusal(&found, url) {
            return Err(refused);
        }
        // And again for every later connection: after a failover the server is another one.
        let pool: AnyPool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(|connection, was| {
                Box::pin(async move {
                    if was.idle_for >= TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    let found = fitness(&mut *connection).await?;
                    if let Some(refused) = refusal(&found, "postgres:") {
                        return Err(sqlx::Error::Configuration(refused.into()));
                    }
                    for setting in SESSION {
                        sqlx::query(setting).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await
            .map_err(failed)?;
        Ok(Self {
            read: pool.clone(),
            watch: pool.clone(),
            write: pool,
            dialect: Dialect::Postgres,
            file: None,
            url: Some(SecretString::from(url)),
            changes: Changes::default(),
            held: HeldPolls::default(),
        })
    }
}
