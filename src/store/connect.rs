//! Opening the database: pragmas, pools, migrations, transactions.

use super::{changes::Changes, held::HeldPolls};
use sqlx::{AnyPool, any::AnyPoolOptions};
use std::{path::PathBuf, time::Duration};

/// Which database it is, where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded default.
    Sqlite,
    /// The shared one.
    Postgres,
}

/// The database could not be opened, or an operation on it failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is of no known kind.
    #[error("database.url: found {0:?}; allowed are sqlite://FILE and postgres://USER@HOST/NAME")]
    BadUrl(String),
    /// It could not be opened.
    #[error("the database at {url} cannot be opened")]
    Open {
        /// The URL without its password.
        url: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Its setting would make money rows less than durable.
    #[error("the database has {setting} = {found}; money needs it on")]
    NotDurable {
        /// Which setting.
        setting: &'static str,
        /// What it says.
        found: String,
    },
    /// It takes no writes, or follows another server: what it shows may be old.
    #[error("the database at {url} {why}; topupd works on the primary only")]
    NotPrimary {
        /// The URL without its password.
        url: String,
        /// What it is.
        why: &'static str,
    },
    /// The schema could not be brought up to date.
    #[error("the database cannot be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A row holds what this version cannot read.
    #[error("database: {table}.{column} holds {found:?}, which this version cannot read")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What it holds.
        found: String,
    },
    /// Somebody else moved the row first; nothing was changed.
    #[error("{what} changed in the meantime; nothing was done")]
    Conflict {
        /// Which row.
        what: String,
    },
    /// There is no such row.
    #[error("there is no {0}")]
    NotFound(String),
}

impl StoreError {
    /// True when a unique index refused the row.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

/// A transaction on the writer.
pub(crate) type Tx = sqlx::Transaction<'static, sqlx::Any>;

/// The rows, and the way to them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) read: AnyPool,
    /// One connection that never writes, for [`Store::version`].
    pub(super) watch: AnyPool,
    pub(super) write: AnyPool,
    pub(super) dialect: Dialect,
    pub(super) file: Option<PathBuf>,
    /// Where it is, for the connection that listens to other instances.
    pub(super) url: Option<secrecy::SecretString>,
    pub(super) changes: Changes,
    /// SQLite only; see [`super::claims`].
    pub(super) held: HeldPolls,
}

impl Store {
    /// Opens the database; for SQLite the file is made if need be.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url).await
        } else {
            Err(StoreError::BadUrl(without_password(url)))
        }
    }

    /// WAL, so that readers never wait; FULL, so that a committed money row survives a power cut;
    /// one writer, because there is only one anyway and waiting in the pool is fairer than BUSY.
    async fn open_sqlite(url: &str) -> Result<Self, StoreError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or(path);
        let file = PathBuf::from(path);
        let open = |mode: &str, pragmas: &'static [&'static str], most: u32| {
            let options = AnyPoolOptions::new()
                .max_connections(most)
                .min_connections(0)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(60))
                // A file does not go away between two statements, and each question is a talk
                // between two threads.
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        for pragma in pragmas {
                            sqlx::query(*pragma).execute(&mut *connection).await?;
                        }
                        Ok(())
                    })
                });
            options.connect_lazy(&format!("sqlite://{path}?mode={mode}"))
        };
        let failed = |source| StoreError::Open { url: url.to_owned(), source };
        let write = open(
            "rwc",
            &[
                "PRAGMA busy_timeout = 5000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                "PRAGMA cache_size = -4096",
            ],
            1,
        )
        .map_err(failed)?;
        // It alone makes the file and knows whether it is one; the others come when they are asked.
        drop(write.acquire().await.map_err(failed)?);
        // Readers keep what a million lines have above the leaves of their trees, and little more: the
        // pages are in the system's cache anyway, shared by all of them.
        let pragmas: &[&str] =
            &["PRAGMA busy_timeout = 5000", "PRAGMA query_only = ON", "PRAGMA cache_size = -4096"];
        let read = open("rw", pragmas, 2).map_err(failed)?;
        let watch = open("rw", pragmas, 1).map_err(failed)?;
        Ok(Self {
            read,
            watch,
            write,
            dialect: Dialect::Sqlite,
            file: Some(file),
            url: None,
            changes: Changes::default(),
            held: HeldPolls::default(),
        })
    }

    /// Brings the schema up to date. Several processes may try at once (a daemon and a verb): on
    /// PostgreSQL sqlx takes an advisory lock, on SQLite a lock file beside the database does it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let lock = match &self.file {
            Some(file) => {
                let path = PathBuf::from(format!("{}.migrate", file.display()));
                let waiting = tokio::task::spawn_blocking(move || migration_lock(&path)).await;
                Some(waiting.map_err(std::io::Error::other).flatten().map_err(sqlx::Error::Io)?)
            }
            None => None,
        };
        let done = sqlx::migrate!("./migrations").run(&self.write).await;
        drop(lock);
        done.map_err(StoreError::Migrate)?;
        self.divide_readings().await?;
        self.begin_journal().await
    }

    /// The number of applied migrations, and of those this version knows.
    pub async fn migrations(&self) -> Result<(i64, i64), StoreError> {
        let known =
            i64::try_from(sqlx::migrate!("./migrations").iter().count()).unwrap_or(i64::MAX);
        let applied =
            sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations").fetch_one(&self.read).await;
        Ok((applied.unwrap_or(0), known))
    }

    /// True while the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    /// Fails where nothing can be written: a row is changed, and the change taken back.
    pub async fn ping_writer(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE installation SET last_wall_at = last_wall_at")
            .execute(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(())
    }

    /// Waits for running statements and closes.
    pub async fn close(&self) {
        self.read.close().await;
        self.watch.close().await;
        self.write.close().await;
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The database's file, for SQLite.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    /// A consistent copy into a new file (SQLite only; PostgreSQL has `pg_dump`).
    pub async fn backup(&self, to: &str) -> Result<(), StoreError> {
        match self.dialect {
            Dialect::Sqlite => {
                sqlx::query("VACUUM INTO $1").bind(to).execute(&self.write).await?;
                Ok(())
            }
            Dialect::Postgres => {
                Err(StoreError::NotFound("backup for PostgreSQL; use pg_dump".into()))
            }
        }
    }

    pub(crate) fn reader(&self) -> &AnyPool {
        &self.read
    }

    /// The writer, for single statements.
    pub(crate) fn writer(&self) -> AnyPool {
        self.write.clone()
    }

    /// A write transaction. On SQLite it takes the write lock at once: an upgrade in the middle
    /// would fail with BUSY whatever the timeout.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self.dialect {
            Dialect::Sqlite => self.write.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => self.write.begin().await?,
        })
    }
}

fn migration_lock(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// A database URL as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            parsed.set_password(Some("secret")).ok();
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}
