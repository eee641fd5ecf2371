//! A notice that no channel delivered is told to those who look after the installation.

use super::{Engine, EngineError};
use crate::domain::{
    Facts, NoticeDraft, NoticeKind, Severity, SubscriberId, SubscriptionId, Timestamp,
};
use crate::store::StoredNotice;

/// Notices that were given up, looked at in one go.
const BATCH: i64 = 50;

impl Engine {
    /// Tells others what somebody could not be told.
    pub(super) async fn escalate(&self) -> Result<(), EngineError> {
        let now = self.now();
        for notice in self.store().given_up(BATCH).await? {
            let drafts = self.told_to_others(&notice, now).await?;
            if drafts.is_empty() {
                let (kind, error) = (notice.kind.as_str(), notice.last_error.as_deref());
                tracing::error!(
                    notice.id = notice.id,
                    notice.kind = kind,
                    subscriber.id = notice.subscriber,
                    "nobody was told, and nobody else is named in notices.operators: {}",
                    error.unwrap_or_default()
                );
            }
            self.store().escalate(&notice.id, &drafts).await?;
        }
        Ok(())
    }

    async fn told_to_others(
        &self,
        notice: &StoredNotice,
        now: Timestamp,
    ) -> Result<Vec<NoticeDraft>, EngineError> {
        let owner = SubscriberId::trusted(&notice.subscriber);
        let name = self.store().subscriber(&owner).await.map(|s| s.name);
        let about = notice.kind.as_str().replace('_', " ");
        let line = &notice.facts.label;
        let of_line = if line.is_empty() { String::new() } else { format!(" ({line})") };
        let why = notice.last_error.as_deref().unwrap_or("no reason is known");
        let facts = Facts {
            label: name.unwrap_or_else(|_| notice.subscriber.clone()),
            detail: Some(format!("{about}{of_line}: {why}")),
            ..Facts::default()
        };
        let mut drafts = Vec::new();
        for operator in self.operators_of(&owner).await? {
            drafts.push(NoticeDraft {
                subscriber: operator,
                subscription: notice
                    .subscription
                    .as_deref()
                    .and_then(|id| SubscriptionId::parse(id).ok()),
                topup: None,
                kind: NoticeKind::Undelivered,
                severity: Severity::High,
                dedupe: format!("undelivered|{}", notice.id),
                at: now,
                facts: facts.clone(),
            });
        }
        Ok(drafts)
    }

    /// Those who look after the installation, as far as they are in the fleet, but `without`.
    pub(super) async fn operators_of(
        &self,
        without: &SubscriberId,
    ) -> Result<Vec<SubscriberId>, EngineError> {
        let mut found = Vec::new();
        for name in &self.settings().notices.operators {
            let id = SubscriberId::trusted(name);
            if id != *without && self.store().subscriber(&id).await.is_ok() {
                found.push(id);
            }
        }
        Ok(found)
    }
}
