//! Remind: what is still so is told again, ever more rarely, until somebody acknowledges it.

use super::{Engine, EngineError};
use crate::domain::{
    Facts, NoticeDraft, NoticeKind, Severity, Span, State, SubscriberId, SubscriptionId, Timestamp,
    TopupId, line_facts,
};
use crate::store::StoredNotice;

/// Reminders looked at in one go.
const BATCH: i64 = 50;

impl Engine {
    /// Writes every reminder that is due.
    pub(super) async fn remind_due(&self) -> Result<(), EngineError> {
        let now = self.now();
        for notice in self.store().due_reminders(BATCH, now).await? {
            if self.is_still_so(&notice, now).await? {
                let draft = self.reminder(&notice, now).await?;
                self.store().remind(&notice, &draft).await?;
            } else {
                self.store().stop_reminding(&notice).await?;
            }
        }
        Ok(())
    }

    /// When a notice that was just accepted is told again: never after the last of the list.
    pub(super) fn remind_at(&self, notice: &StoredNotice, now: Timestamp) -> Option<Timestamp> {
        let paces = &self.settings().notices.remind_after;
        let pace = paces.get(usize::try_from(notice.reminder_no).ok()?)?;
        let pace = match notice.severity {
            Severity::Critical => pace.divided_by(4).max(Span::minutes(1)),
            Severity::Info | Severity::Warning | Severity::High => *pace,
        };
        notice.kind.reminds().then(|| now.plus(pace))
    }

    /// Whether what a notice says is still so.
    pub(super) async fn is_still_so(
        &self,
        notice: &StoredNotice,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        if notice.kind == NoticeKind::PayingStopped {
            return Ok(!self.money_switch(now).await?.stops().is_empty());
        }
        if let Some(is_so) = self.store().is_still_so(notice).await? {
            return Ok(is_so);
        }
        let Some(id) = &notice.facts.topup else { return Ok(true) };
        let Ok(topup) = self.store().topup(id).await else { return Ok(true) };
        Ok(match notice.kind {
            NoticeKind::ApprovalWanted => topup.state == State::AwaitingApproval,
            NoticeKind::TopupUnknown => matches!(topup.state, State::Unknown | State::Pending),
            NoticeKind::TopupHeld => topup.state == State::Held,
            NoticeKind::TopupTask => topup.state == State::Pending,
            NoticeKind::TopupStarted | NoticeKind::TopupPaid => !topup.state.is_final(),
            NoticeKind::LowBalance
            | NoticeKind::ExpiryNear
            | NoticeKind::TopupVerified
            | NoticeKind::TopupFailed
            | NoticeKind::TopupReversed
            | NoticeKind::TopupRefused
            | NoticeKind::Stale
            | NoticeKind::Recovered
            | NoticeKind::Digest
            | NoticeKind::ExternalTopup
            | NoticeKind::ProviderIncident
            | NoticeKind::ChannelTrouble
            | NoticeKind::Flapping
            | NoticeKind::PayingStopped
            | NoticeKind::BooksDisagree
            | NoticeKind::PinReady
            | NoticeKind::Undelivered
            | NoticeKind::Statement
            | NoticeKind::Report
            | NoticeKind::Test => true,
        })
    }

    /// The same with what is known of the line now.
    async fn reminder(
        &self,
        before: &StoredNotice,
        now: Timestamp,
    ) -> Result<NoticeDraft, EngineError> {
        let no = before.reminder_no.saturating_add(1);
        let line = before.subscription.as_deref().and_then(|id| SubscriptionId::parse(id).ok());
        let fresh = match &line {
            Some(id) => self.store().snapshot(id).await.ok().map(|row| line_facts(&row.snapshot)),
            None => None,
        };
        let old = before.facts.clone();
        let facts = match fresh {
            Some(line) => Facts {
                label: line.label,
                last4: line.last4,
                balance: line.balance,
                data_left: line.data_left,
                read_at: line.read_at,
                service_end_at: line.service_end_at,
                number_loss_at: line.number_loss_at,
                ..old
            },
            None => old,
        };
        let root = before.reminds.as_ref().unwrap_or(&before.id);
        Ok(NoticeDraft {
            subscriber: SubscriberId::trusted(&before.subscriber),
            subscription: line,
            topup: facts.topup.as_deref().and_then(|id| TopupId::parse(id).ok()),
            kind: before.kind,
            severity: before.severity,
            dedupe: format!("reminder|{root}|{no}"),
            at: now,
            facts: Facts { reminder: Some(no), ..facts },
        })
    }
}
