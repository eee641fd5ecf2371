//! What verbs share: loading config, opening the app, reading what was typed.

use crate::app::{App, AppError, Paying};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::domain::{SubscriberId, SubscriptionId, Timestamp};
use crate::flow::{Engine, OrderError};
use crate::input::Fault;
use crate::store::{Audited, Store, StoreError};
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Why a verb ends with something other than 0.
#[derive(Debug)]
pub(super) enum CliError {
    /// Bad config or fleet: exit 2, one line a fault.
    Faults(Vec<Fault>),
    /// Bad usage: exit 2.
    Usage(String),
    /// Exit 1 with the chain of causes.
    Failed(anyhow::Error),
    /// Exit 1; everything was said already.
    Quiet,
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<crate::flow::EngineError> for CliError {
    fn from(error: crate::flow::EngineError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<crate::sim::SimulationError> for CliError {
    fn from(error: crate::sim::SimulationError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<OrderError> for CliError {
    fn from(error: OrderError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> Self {
        if let AppError::Faults(faults) = error {
            Self::Faults(faults)
        } else {
            Self::Failed(error.into())
        }
    }
}

/// Where the configuration is, and how to get from it to a running app.
#[derive(Debug)]
pub(super) struct Context {
    files: Vec<PathBuf>,
    /// The engine of the verb, for what is to be said at its end.
    engine: Mutex<Option<Engine>>,
}

impl Context {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        let files = if files.is_empty() { config::default_files() } else { files.to_vec() };
        Self { files, engine: Mutex::new(None) }
    }

    /// Tells running daemons what the verb made due. Where that fails they find it within a second.
    pub(super) async fn speak(&self) {
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine {
            engine.speak().await.ok();
        }
    }

    /// The validated configuration.
    pub(super) fn settings(&self) -> Result<Settings, CliError> {
        Settings::load(&self.files, config::environment()).map_err(CliError::Faults)
    }

    /// The app for a verb that writes rows and leaves the acting to whoever runs the stages.
    pub(super) async fn app(&self) -> Result<App, CliError> {
        self.open(Paying::Never).await
    }

    /// The app for a verb that runs the stages itself; it pays only where no daemon does.
    pub(super) async fn acting_app(&self) -> Result<App, CliError> {
        self.open(Paying::IfFree).await
    }

    /// Quiet enough for a verb: warnings only.
    async fn open(&self, paying: Paying) -> Result<App, CliError> {
        let settings = self.settings()?;
        crate::telemetry::start(settings.log.format, "warn");
        let app = App::open(settings, Clock::System, paying).await?;
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(app.engine().clone());
        Ok(app)
    }

    /// Only the store, migrated.
    pub(super) async fn store(&self) -> Result<Store, CliError> {
        let settings = self.settings()?;
        let store = Store::open(settings.database.url()).await?;
        store.migrate().await?;
        Ok(store)
    }
}

/// Writes into the audit what somebody at the terminal did to `target`, and how that is now.
pub(super) async fn audit(
    store: &Store,
    act: &str,
    target: &str,
    after: Option<serde_json::Value>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let what = Audited {
        actor: actor(),
        act: act.to_owned(),
        target: target.to_owned(),
        status: 200,
        before: None,
        after: after.map(|after| after.to_string()),
    };
    store.audit(&what, now).await
}

/// Who sits at the terminal, for histories.
pub(super) fn actor() -> String {
    format!("cli:uid{}", rustix::process::getuid().as_raw())
}

pub(super) fn subscription_id(text: &str) -> Result<SubscriptionId, CliError> {
    SubscriptionId::parse(text)
        .map_err(|error| CliError::Usage(format!("subscription: found {text:?}; {error}")))
}

pub(super) fn subscriber_id(text: &str) -> Result<SubscriberId, CliError> {
    SubscriberId::parse(text)
        .map_err(|error| CliError::Usage(format!("subscriber: found {text:?}; {error}")))
}

/// A date (its first instant in UTC) or an instant.
pub(super) fn instant(
    key: &str,
    text: Option<&str>,
    default: Timestamp,
) -> Result<Timestamp, CliError> {
    let Some(text) = text else { return Ok(default) };
    let date = || {
        let day = text.parse::<chrono::NaiveDate>().ok()?;
        Timestamp::start_of_day(day, chrono_tz::UTC)
    };
    Timestamp::parse_rfc3339(text).or_else(date).ok_or_else(|| {
        CliError::Usage(format!(
            "--{key}: found {text:?}; allowed is a date such as 2026-11-21 or an RFC 3339 instant"
        ))
    })
}

impl CliError {
    /// All causes on one line, for the log.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Faults(faults) => {
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            Self::Usage(why) => why.clone(),
            Self::Failed(error) => format!("{error:#}"),
            Self::Quiet => String::new(),
        }
    }
}
