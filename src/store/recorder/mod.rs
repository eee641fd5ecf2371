//! The flight recorder: an append-only file beside the database that remembers what was sent even
//! where the database forgets it (an old backup, a failover that lost commits).
//!
//! Invariants: a `SEND` line is on the disk before the first byte of its request leaves; lines are
//! numbered without gaps and carry a checksum; a half-written last line was never acted upon, and
//! is cut off; damage anywhere else is reported, never skipped. One process writes it at a time.

mod line;
mod scan;

pub use line::{Outcome, Sent};
pub use scan::Replay;

use crate::domain::{Span, Timestamp};
use line::Line;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A file this long is put aside and another one begun.
const ROTATE_AT: u64 = 8 << 20;

/// Files put aside are kept this long after their last line: longer than any look-up reaches.
const KEEP: Span = Span::days(400);

/// The recorder could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// Another process writes it.
    #[error("the flight recorder {0} is in use by another topupd")]
    Taken(PathBuf),
    /// The file system refused.
    #[error("the flight recorder {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[derive(Debug)]
struct Inner {
    file: File,
    next: u64,
    length: u64,
    closed: bool,
    last_at: Option<Timestamp>,
    /// Since a line failed: nothing is sent until one succeeds again.
    failed: Option<String>,
}

/// The open recorder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    path: PathBuf,
    id: String,
    install: String,
    inner: Arc<Mutex<Inner>>,
}

impl Recorder {
    /// Opens the recorder at `path`, made if need be, for writing by this process alone, and reads
    /// all of it.
    pub fn open(
        path: &Path,
        install: &str,
        now: Timestamp,
    ) -> Result<(Self, Replay), RecorderError> {
        let failed = |source| RecorderError::Io { path: path.to_path_buf(), source };
        let open =
            || OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path);
        let mut file = open().map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecorderError::Taken(path.to_path_buf())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut replay = Replay::default();
        for old in scan::put_aside(path).map_err(failed)? {
            replay.read(&old, true).map_err(failed)?;
        }
        let length = replay.read(path, false).map_err(failed)?;
        if replay.torn_at.is_some() {
            // Cut off: its fsync never came back, so nothing was done in its name.
            file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        if length >= ROTATE_AT {
            file = rotate(path, replay.next, now).map_err(failed)?;
        }
        let id = match &replay.recorder {
            Some(id) => id.clone(),
            None => fresh_id().map_err(failed)?,
        };
        let length = file.metadata().map_err(failed)?.len();
        let last_at = replay.last_at;
        let inner = Inner { file, next: replay.next, length, closed: false, last_at, failed: None };
        let recorder = Self {
            path: path.to_path_buf(),
            id,
            install: install.to_owned(),
            inner: Arc::new(Mutex::new(inner)),
        };
        if length == 0 {
            let begin =
                Line::Open { recorder: recorder.id.clone(), install: recorder.install.clone() };
            recorder.write(&begin, now).map_err(failed)?;
            sync_folder(path).map_err(failed)?;
        }
        Ok((recorder, replay))
    }

    /// Its identity, which outlives the process and is written into every top-up it knows of.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Gives it up: another process may have it, and this one can send nothing any more.
    pub fn close(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.closed = true;
        if let Err(error) = inner.file.unlock() {
            tracing::warn!("the flight recorder stays locked: {error}");
        }
    }

    /// Reads all of it once more.
    pub fn replay(&self) -> io::Result<Replay> {
        Replay::load(&self.path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes that `sent` is about to leave. Only after `Ok` may it.
    pub async fn send(&self, sent: Sent, now: Timestamp) -> io::Result<()> {
        self.append(Line::Send(Box::new(sent)), now).await
    }

    /// Writes what came of a submission.
    pub async fn result(
        &self,
        reference: &str,
        submit_no: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> io::Result<()> {
        self.append(Line::Result { reference: reference.to_owned(), submit_no, outcome }, now).await
    }

    /// Writes that the rows were brought up to date after a restore.
    pub async fn rebased(&self, now: Timestamp) -> io::Result<()> {
        self.append(Line::Rebased, now).await
    }

    /// Why lines cannot be written; where the last one failed, another is tried.
    pub async fn trouble(&self, now: Timestamp) -> Option<String> {
        if self.is_closed() {
            return Some("it is closed".to_owned());
        }
        self.failed()?;
        self.append(Line::Probe, now).await.ok();
        self.failed()
    }

    fn is_closed(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// When its last line was written.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).last_at
    }

    fn failed(&self) -> Option<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).failed.clone()
    }

    async fn append(&self, line: Line, now: Timestamp) -> io::Result<()> {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || this.write(&line, now)).await;
        written.map_err(io::Error::other).flatten()
    }

    fn write(&self, line: &Line, now: Timestamp) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { file, next, length, closed, last_at, failed } = &mut *inner;
        if *closed {
            return Err(io::Error::other("it is closed"));
        }
        let text = line::write(*next, now, line).map_err(io::Error::other)?;
        let mut write = || -> io::Result<()> {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        match write() {
            Ok(()) => {
                *next = next.saturating_add(1);
                *length = length.saturating_add(text.len() as u64);
                *last_at = Some(now);
                *failed = None;
                Ok(())
            }
            Err(error) => {
                // Whatever was written of it is taken back, so that the next line stands alone.
                file.set_len(*length).ok();
                *failed = Some(error.to_string());
                Err(error)
            }
        }
    }
}

/// Puts the file aside under the number of its last line, drops what is too old, begins another.
fn rotate(path: &Path, next: u64, now: Timestamp) -> io::Result<File> {
    for old in scan::put_aside(path)? {
        let mut replay = Replay::default();
        replay.read(&old, true)?;
        if replay.last_at.is_some_and(|at| now.since(at) > KEEP) {
            std::fs::remove_file(old)?;
        }
    }
    std::fs::rename(path, scan::aside(path, next))?;
    let file =
        OpenOptions::new().create_new(true).read(true).append(true).mode(0o600).open(path)?;
    file.try_lock().map_err(io::Error::from)?;
    sync_folder(path)?;
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn fresh_id() -> io::Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests;
