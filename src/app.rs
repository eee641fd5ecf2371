//! The program as an object: builds everything from Settings, runs it, drains and stops it.

use crate::clock::Clock;
use crate::config::Settings;
use crate::flow::{BuiltParts, Daemon, Engine, EngineError, Parts, build_parts};
use crate::input::Fault;
use crate::store::{Dialect, Recorder, RecorderError, Store, StoreError};
use crate::vault::Vault;
use crate::words::{Words, WordsError};
use std::{
    fs::{File, TryLockError},
    path::PathBuf,
    sync::Arc,
};

/// The program could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Something a person wrote cannot be used.
    #[error("{} fault(s) in the configuration", .0.len())]
    Faults(Vec<Fault>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The built-in texts are broken.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// Another daemon runs on this database.
    #[error("another topupd runs on {0}; only one may pay from one SQLite database")]
    Taken(PathBuf),
    /// The flight recorder cannot be used.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The lock file beside the database cannot be used.
    #[error("the lock file {path} cannot be used")]
    Lock {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Who may pay: the holder of the lock beside the SQLite file. PostgreSQL needs none, its
/// compare-and-set is enough.
#[derive(Debug)]
pub enum PayRight {
    /// This process holds it; the file is locked while this lives.
    Held(Option<File>),
    /// Another process holds it, or it was not wanted.
    Elsewhere,
}

/// Whether the right to pay is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paying {
    /// No: looking, approving, switching need none, and must not stand in a daemon's way.
    Never,
    /// Where it is free: a verb that runs the stages itself when no daemon does.
    IfFree,
    /// Yes: the daemon. A verb that has it for a moment is waited for.
    Required,
}

/// How long a daemon waits for a verb to give the right back.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// An engine and what must live as long as it.
#[derive(Debug)]
pub struct App {
    engine: Engine,
    right: PayRight,
}

impl App {
    /// Opens the store (migrated), builds providers and channels, takes the right to pay as wanted.
    pub async fn open(settings: Settings, clock: Clock, paying: Paying) -> Result<Self, AppError> {
        let parts = build_parts(&settings).await.map_err(AppError::Faults)?;
        Self::with(settings, clock, paying, parts).await
    }

    /// The same with providers and channels that are built already.
    pub(crate) async fn with(
        settings: Settings,
        clock: Clock,
        paying: Paying,
        (providers, channels): BuiltParts,
    ) -> Result<Self, AppError> {
        let store = Store::open(settings.database.url()).await?;
        store.migrate().await?;
        store.make_months(clock.now()).await?;
        let install_id = store.install_id(clock.now()).await?;
        let right = pay_right(&store, paying).await?;
        let recorder = match &right {
            PayRight::Held(_) => recorder(&settings, &store, &install_id, &clock, paying).await?,
            PayRight::Elsewhere => None,
        };
        let money_off_file = money_off_file(&settings);
        let vault = Vault::at(pin_key_file(&settings));
        let words = Words::from_folder(settings.notices.templates.as_deref())?;
        let parts = Parts {
            settings,
            store,
            clock,
            providers,
            channels,
            install_id,
            money_off_file,
            recorder,
            words: Arc::new(words),
            vault,
        };
        let engine = Engine::new(parts)?;
        engine.compare_clocks().await?;
        Ok(Self { engine, right })
    }

    /// The stages.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// True when this process may pay.
    pub fn may_pay(&self) -> bool {
        matches!(self.right, PayRight::Held(_)) && self.engine.may_pay()
    }

    /// Starts the daemon's loops.
    pub async fn start(&self) -> Result<Daemon, AppError> {
        Ok(Daemon::start(self.engine.clone()).await?)
    }

    /// Closes the store; the right to pay goes with `self`.
    pub async fn close(self) {
        if let Some(recorder) = self.engine.recorder() {
            recorder.close();
        }
        self.engine.store().close().await;
    }
}

/// The flight recorder, for this process alone. Beside SQLite the lock of the database guards it;
/// beside PostgreSQL its own lock keeps a verb and a daemon on one machine apart.
async fn recorder(
    settings: &Settings,
    store: &Store,
    install_id: &str,
    clock: &Clock,
    paying: Paying,
) -> Result<Option<Recorder>, AppError> {
    let path = recorder_file(settings);
    let started = std::time::Instant::now();
    loop {
        match Recorder::open(&path, install_id, clock.now()) {
            Ok((recorder, _)) => return Ok(Some(recorder)),
            Err(RecorderError::Taken(_)) if paying == Paying::IfFree => return Ok(None),
            Err(RecorderError::Taken(_)) if started.elapsed() < PATIENCE => {}
            Err(error) => {
                store.close().await;
                return Err(error.into());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The flight recorder's file: as configured, else beside the SQLite file, else in the working
/// directory.
pub fn recorder_file(settings: &Settings) -> PathBuf {
    settings.safety.recorder_file.clone().unwrap_or_else(|| beside_database(settings, "recorder"))
}

/// The flag file that stops all paying: as configured, else beside the SQLite file, else in the
/// working directory (systemd sets it to the state directory).
pub fn money_off_file(settings: &Settings) -> PathBuf {
    settings.safety.money_off_file.clone().unwrap_or_else(|| beside_database(settings, "money-off"))
}

/// The key that seals bought codes: as configured, else beside the SQLite file, else in the working
/// directory. Without it they cannot be opened, so it belongs in backups, and in another place.
pub fn pin_key_file(settings: &Settings) -> PathBuf {
    settings.safety.pin_key_file.clone().unwrap_or_else(|| beside_database(settings, "pins.key"))
}

fn beside_database(settings: &Settings, what: &str) -> PathBuf {
    let url = settings.database.url();
    match url.strip_prefix("sqlite:") {
        Some(rest) => {
            let path = rest.trim_start_matches("//").split('?').next().unwrap_or(rest);
            PathBuf::from(format!("{path}.{what}"))
        }
        None => PathBuf::from(format!("topupd.{what}")),
    }
}

async fn pay_right(store: &Store, paying: Paying) -> Result<PayRight, AppError> {
    if paying == Paying::Never {
        return Ok(PayRight::Elsewhere);
    }
    let Some(file) = store.file().filter(|_| store.dialect() == Dialect::Sqlite) else {
        return Ok(PayRight::Held(None));
    };
    let path = PathBuf::from(format!("{}.lock", file.display()));
    let failed = |source| AppError::Lock { path: path.clone(), source };
    let lock =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let started = std::time::Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(PayRight::Held(Some(lock))),
            Err(TryLockError::WouldBlock) => {
                if paying == Paying::IfFree {
                    return Ok(PayRight::Elsewhere);
                }
                if started.elapsed() > PATIENCE {
                    return Err(AppError::Taken(file.to_path_buf()));
                }
            }
            Err(TryLockError::Error(source)) => return Err(AppError::Lock { path, source }),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
