//! A test notice: said to one person now, on the same road as every other.

use super::{Engine, EngineError, Stage};
use crate::domain::{Facts, NoticeDraft, NoticeKind, Severity, SubscriberId};
use crate::store::{StoreError, StoredNotice, notice_id};

impl Engine {
    /// Says a test notice and sends what is due; gives back how far it came.
    pub async fn send_test(&self, subscriber: &SubscriberId) -> Result<StoredNotice, EngineError> {
        let subscriber = self.store().subscriber(subscriber).await?;
        let now = self.now();
        let draft = NoticeDraft {
            subscriber: subscriber.id.clone(),
            subscription: None,
            topup: None,
            kind: NoticeKind::Test,
            severity: Severity::Info,
            dedupe: format!("test|{}", now.ms()),
            at: now,
            facts: Facts { label: "topupd".into(), ..Facts::default() },
        };
        let id = notice_id(&draft);
        self.store().say(&[draft]).await?;
        self.run_stage(Stage::Notify).await?;
        let found = self.store().notices(Some(subscriber.id.as_str()), 1000).await?;
        let sent = found.into_iter().find(|notice| notice.id == id);
        Ok(sent.ok_or_else(|| StoreError::NotFound(format!("notice {id}")))?)
    }
}
