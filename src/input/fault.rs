//! One fault a line: where, what was found, what is allowed.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Something a person wrote that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `the environment`, or `the command line`.
    pub file: String,
    /// The line in that file, where known.
    pub line: Option<usize>,
    /// The key, dotted: `flow.poll_every`, `subscriptions[2] "li-tmobile".msisdn`.
    pub key: String,
    /// The value found; empty where a key is missing; `<secret>` for secrets.
    pub found: String,
    /// What would be right, in words.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: ", self.key)?;
        if self.found.is_empty() {
            write!(f, "missing; {}", self.allowed)
        } else {
            write!(f, "found {}; {}", self.found, self.allowed)
        }
    }
}

/// What one reading of files shares: the list of faults, and where systemd put credentials.
#[derive(Debug, Default)]
pub struct Intake {
    faults: Mutex<Vec<Fault>>,
    credentials: Option<PathBuf>,
}

impl Intake {
    /// No faults yet, no credentials directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// With systemd's `$CREDENTIALS_DIRECTORY`, where secrets may lie.
    pub fn with_credentials(directory: Option<PathBuf>) -> Self {
        Self { credentials: directory, ..Self::default() }
    }

    /// systemd's credentials directory, if it set one.
    pub fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref()
    }

    /// Adds a fault.
    pub fn push(&self, fault: Fault) {
        self.list().push(fault);
    }

    /// True when nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.list().is_empty()
    }

    /// How many faults there are so far.
    pub fn count(&self) -> usize {
        self.list().len()
    }

    /// All faults, in the order found.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
