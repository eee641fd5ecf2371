//! The books, proven against what the flight recorder knows of them.

use crate::store::{Anchor, Head, Proof, Replay, Store, StoreError};
use std::path::{Path, PathBuf};

/// What was proven.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What was read, and what does not hold.
    pub proof: Proof,
    /// Where the recorder itself is damaged, in words.
    pub damage: Option<String>,
}

/// Why nothing could be proven.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The flight recorder is there and cannot be read.
    #[error("{path}: {source}")]
    Recorder {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Proves the books of `store` against `anchors` and every head in the recorder, where there is one.
pub async fn prove_books(
    store: &Store,
    recorder: &Path,
    mut anchors: Vec<Anchor>,
) -> Result<Proven, ProofError> {
    let path = recorder.to_owned();
    let loaded = tokio::task::spawn_blocking(move || Replay::load(&path)).await;
    let mut damage = None;
    match loaded.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        Ok(replay) => {
            damage = replay.damage;
            anchors.extend(replay.heads.into_iter().map(|(seq, hash)| Anchor {
                head: Head { seq, hash },
                origin: format!("the flight recorder {}", recorder.display()),
            }));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(ProofError::Recorder { path: recorder.to_owned(), source }),
    }
    Ok(Proven { proof: store.prove(&anchors).await?, damage })
}
