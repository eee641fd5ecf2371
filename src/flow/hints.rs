//! A provider calls and says that there is news: whatever it names is looked at soon.
//!
//! Invariant: nothing that a call says is believed; it moves no money and no state.

use super::{Engine, EngineError, Stage};
use crate::transport::hook::{HookCall, HookError};
use serde_json::Value;
use std::collections::BTreeSet;

/// More words than an answer about a few orders has.
const WORDS_MAX: usize = 500;

/// Why a call is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HintError {
    /// It is not proved, or cannot be read.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The rows could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Takes a call of `provider`: its orders and lines that are named in it are looked at now.
    /// Gives back how many that are.
    pub async fn hint(&self, provider: &str, call: &HookCall) -> Result<u64, HintError> {
        let hook = self.settings().hooks.get(provider);
        hook.ok_or(HookError::Closed("there is no [hooks.NAME] for it"))?.prove(call)?;
        let said = call.json()?;
        let mut words = BTreeSet::new();
        gather(&said, &mut words);
        let named: Vec<String> = words.into_iter().take(WORDS_MAX).collect();
        let found = self.store().look_at_named(provider, &named, self.now()).await;
        let found = found.map_err(EngineError::from)?;
        if found > 0 {
            for stage in [Stage::Reconcile, Stage::Poll, Stage::Verify] {
                self.wake(stage);
            }
        }
        tracing::info!(provider, named = found, "a provider called");
        Ok(found)
    }
}

/// Every text and number that could be an id.
fn gather(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => keep(text, words),
        Value::Number(number) => keep(&number.to_string(), words),
        Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
        Value::Object(fields) => fields.values().for_each(|field| gather(field, words)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Short words would name strangers: the shortest ids are those of transactions.
fn keep(word: &str, words: &mut BTreeSet<String>) {
    if (4..=64).contains(&word.len()) && words.len() < WORDS_MAX {
        words.insert(word.to_owned());
    }
}
