//! The applied rules, parsed once per version of the fleet.

use super::{Engine, EngineError};
use crate::config::fleet::rule_from_document;
use crate::domain::{Rule, RuleBook};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct RuleCache(Mutex<Option<(i64, Arc<RuleBook>)>>);

impl Engine {
    /// The rules as last applied; parsed again only when the fleet changed.
    pub async fn rules(&self) -> Result<Arc<RuleBook>, EngineError> {
        let version = self.store().fleet_version().await?;
        let cached = self.0.rules.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, book)) = cached.filter(|(cached, _)| *cached == version) {
            return Ok(book);
        }
        let mut rules = Vec::new();
        let enabled = self.store().enabled_rules().await?;
        for (id, document) in self.store().rule_documents().await? {
            let bad = |why: String| EngineError::Rule { rule: id.clone(), why };
            let json = serde_json::from_str(&document).map_err(|error| bad(error.to_string()))?;
            let rule = rule_from_document(&json).map_err(bad)?;
            rules.push(Rule { enabled_at: enabled.get(&id).copied(), ..rule });
        }
        let book = Arc::new(RuleBook::new(rules));
        *self.0.rules.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((version, Arc::clone(&book)));
        Ok(book)
    }
}
