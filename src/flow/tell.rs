//! What is said when a top-up moves. The facts are put together here; the words are not.

use super::{Engine, EngineError};
use crate::domain::{
    Facts, Money, NoticeDraft, NoticeKind, Severity, Snapshot, Span, State, Timestamp, Topup,
    line_facts,
};

/// A notice about a top-up that has just reached its present state.
///
/// `snapshot` supplies the line's facts; `detail` says why, `next` what follows.
pub(super) fn about_topup(
    snapshot: &Snapshot,
    topup: &Topup,
    kind: NoticeKind,
    detail: Option<String>,
    next: Option<(String, Option<Timestamp>)>,
    now: Timestamp,
) -> NoticeDraft {
    let urgent = snapshot.nearest_deadline(now).is_some_and(|at| at.since(now) <= Span::days(1));
    let severity = severity(kind, urgent);
    let (next, next_at) = next.unzip();
    let facts = Facts {
        amount: Some(
            topup
                .charged
                .filter(|_| topup.state == State::Paid)
                .unwrap_or(topup.amount)
                .to_string(),
        ),
        payer: Some(topup.payer.clone()),
        balance_before: topup.before.balance.map(|m: Money| m.to_string()),
        transaction_id: topup.transaction_id.clone(),
        reference: Some(topup.reference.clone()),
        topup: Some(topup.id.to_string()),
        order_hash: Some(topup.order_hash.clone()),
        reason: Some(topup.reason.clone()),
        detail,
        next,
        next_at: next_at.flatten().map(Timestamp::ms),
        ..line_facts(snapshot)
    };
    NoticeDraft {
        subscriber: topup.subscriber.clone(),
        subscription: Some(topup.subscription.clone()),
        topup: Some(topup.id.clone()),
        kind,
        severity,
        // One notice of a kind per top-up and submission, whatever is looked up how often.
        dedupe: format!("{}|{}|{}", kind.as_str(), topup.id, topup.submit_no),
        at: now,
        facts,
    }
}

/// A day or less to a deadline makes critical what a person must act on.
const fn severity(kind: NoticeKind, urgent: bool) -> Severity {
    match kind {
        NoticeKind::TopupHeld | NoticeKind::PayingStopped => Severity::Critical,
        NoticeKind::TopupUnknown | NoticeKind::ApprovalWanted | NoticeKind::TopupTask if urgent => {
            Severity::Critical
        }
        NoticeKind::TopupUnknown
        | NoticeKind::ApprovalWanted
        | NoticeKind::TopupTask
        | NoticeKind::TopupFailed
        | NoticeKind::ChannelTrouble
        | NoticeKind::ProviderIncident
        | NoticeKind::TopupReversed
        | NoticeKind::BooksDisagree
        | NoticeKind::PinReady
        | NoticeKind::Undelivered
        | NoticeKind::TopupRefused => Severity::High,
        NoticeKind::LowBalance
        | NoticeKind::ExpiryNear
        | NoticeKind::Stale
        | NoticeKind::Flapping
        | NoticeKind::Digest => Severity::Warning,
        NoticeKind::TopupStarted
        | NoticeKind::TopupPaid
        | NoticeKind::TopupVerified
        | NoticeKind::Recovered
        | NoticeKind::ExternalTopup
        | NoticeKind::Statement
        | NoticeKind::Report
        | NoticeKind::Test => Severity::Info,
    }
}

impl Engine {
    /// The notice for a move of a top-up to `after.state`; none for moves that are not news.
    pub(super) async fn notices_of(
        &self,
        after: &Topup,
        why: &str,
        now: Timestamp,
    ) -> Result<Vec<NoticeDraft>, EngineError> {
        let lookup =
            "the outcome is looked up by our reference; nothing is sent again until it is known";
        let (kind, next) = match after.state {
            State::Paid => {
                (NoticeKind::TopupPaid, Some("the line is read until the money shows".to_owned()))
            }
            State::Verified => (NoticeKind::TopupVerified, None),
            State::Failed => {
                (NoticeKind::TopupFailed, Some("the line is judged again after a pause".to_owned()))
            }
            State::Unknown => (NoticeKind::TopupUnknown, Some(lookup.to_owned())),
            State::Held => (NoticeKind::TopupHeld, None),
            State::Reversed => (NoticeKind::TopupReversed, None),
            State::Pending if self.is_assisted(&after.payer) => (NoticeKind::TopupTask, None),
            State::Proposed
            | State::AwaitingApproval
            | State::Reserved
            | State::Submitting
            | State::Pending
            | State::Cancelled => {
                return Ok(Vec::new());
            }
        };
        let row = self.store().snapshot(&after.subscription).await?;
        let next = next.map(|words| (words, after.next_action_at));
        Ok(vec![about_topup(&row.snapshot, after, kind, Some(why.to_owned()), next, now)])
    }

    pub(super) fn is_assisted(&self, payer: &str) -> bool {
        self.provider(payer).is_some_and(|p| p.declares().assisted)
    }

    /// Tells every subscriber that all paying stopped, and why.
    pub(super) async fn tell_paying_stopped(
        &self,
        why: &str,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let about = |subscriber| NoticeDraft {
            subscriber,
            subscription: None,
            topup: None,
            kind: NoticeKind::PayingStopped,
            severity: Severity::Critical,
            dedupe: format!("paying_stopped|{}", now.ms()),
            at: now,
            facts: Facts { detail: Some(why.to_owned()), ..Facts::default() },
        };
        let mut after = String::new();
        loop {
            let page = self.store().subscribers_after(&after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.to_string();
            self.store().say(&page.into_iter().map(about).collect::<Vec<_>>()).await?;
        }
    }
}
