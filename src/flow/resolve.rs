//! What people do: order by hand, approve, reject, resolve. They write rows; the stages act.

use super::{Engine, EngineError, Stage, answer, traced};
use crate::domain::{Money, Span, State, SubscriptionId, SubscriptionStatus, Topup};
use crate::providers::{Answer, Found, Lookup};
use crate::store::{Change, HandOrder, StoreError};

/// A person's order or answer cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The rows could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It does not fit what the rows say; the sentence tells what would.
    #[error("{0}")]
    Refused(String),
    /// A value that was given cannot be right, whatever the rows say.
    #[error("{0}")]
    Invalid(String),
}

impl From<StoreError> for OrderError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// What a person found out about a top-up whose fate was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The provider's own records say it was paid.
    Paid,
    /// They say it was not, and will not be.
    Failed,
}

/// Without a look-up, so long after the send a person's word may close a case.
const SURE_AFTER: Span = Span::hours(24);

fn refused<T>(why: impl Into<String>) -> Result<T, OrderError> {
    Err(OrderError::Refused(why.into()))
}

impl Engine {
    /// Writes down an order by hand; it goes the same road as a rule's, without approval.
    pub async fn order_by_hand(
        &self,
        id: &SubscriptionId,
        amount: Money,
        product: Option<&str>,
        actor: &str,
    ) -> Result<Topup, OrderError> {
        let now = self.now();
        let row = self.store().snapshot(id).await?;
        let line = &row.snapshot.subscription;
        if line.status != SubscriptionStatus::Active {
            return refused(format!(
                "subscription {id} is {}; allowed is an active one",
                line.status.as_str()
            ));
        }
        if let Some(open) = &row.snapshot.topup {
            return refused(format!(
                "top-up {} of {id} is {}; allowed is one at a time",
                open.id,
                open.state.as_str()
            ));
        }
        let Some(payer) = line.payers.first() else {
            return refused(format!("subscription {id} has no payers"));
        };
        let order = HandOrder { payer, amount, product, actor };
        let topup =
            self.store().propose_by_hand(&row.snapshot, &order, self.install_id(), now).await?;

        self.wake(Stage::Decide);
        self.wake(Stage::Poll);
        Ok(topup)
    }

    /// A person says yes to exactly this order. `hash`, where given, must be the order's.
    pub async fn approve(
        &self,
        id: &str,
        hash: Option<&str>,
        actor: &str,
    ) -> Result<Topup, OrderError> {
        let now = self.now();
        let topup = self.store().topup(id).await?;
        if topup.state != State::AwaitingApproval {
            return refused(format!(
                "top-up {} is {}; allowed is one in awaiting_approval",
                topup.id,
                topup.state.as_str()
            ));
        }
        if let Some((at, who)) = &topup.approved {
            return refused(format!(
                "top-up {} was approved at {at} by {who}; nothing more is needed",
                topup.id
            ));
        }
        if hash.is_some_and(|hash| hash != topup.order_hash) {
            return refused(format!("the order changed since: its hash is {}", topup.order_hash));
        }
        if topup.next_action_at.is_some_and(|expires| expires <= now) {
            return refused(format!(
                "the approval of top-up {} expired; it will be asked for again",
                topup.id
            ));
        }
        let approved = Topup {
            approved: Some((now, actor.to_owned())),
            next_action_at: None,
            ..topup.clone()
        };
        let moved = self
            .store()
            .move_topup(&topup, approved, &Change::by(actor, "approved"), &[], now)
            .await?;
        self.store().poll_now(std::slice::from_ref(&topup.subscription), now).await?;
        self.wake(Stage::Decide);
        self.wake(Stage::Poll);
        Ok(moved)
    }

    /// A person says no, or withdraws an order that was not sent yet.
    pub async fn reject(&self, id: &str, actor: &str) -> Result<Topup, OrderError> {
        let now = self.now();
        let topup = self.store().topup(id).await?;
        if !topup.may_go_to(State::Cancelled) {
            return refused(format!(
                "top-up {} is {}; allowed is one that was not sent yet",
                topup.id,
                topup.state.as_str()
            ));
        }
        let cancelled = Topup {
            state: State::Cancelled,
            reason: "rejected".into(),
            next_action_at: None,
            ..topup.clone()
        };
        let moved = self
            .store()
            .move_topup(&topup, cancelled, &Change::by(actor, "rejected by a person"), &[], now)
            .await?;
        self.wake(Stage::Decide);
        Ok(moved)
    }

    /// A person settles an open case. "Paid" is always believed (and then verified); "failed" only
    /// when nothing can still arrive: long enough after the send, and after a look-up that does not
    /// find it. Where there is no look-up, only a day after the send or with `checked`, the
    /// person's word that the provider's own console was looked at.
    pub async fn resolve(
        &self,
        id: &str,
        as_what: Resolution,
        note: &str,
        checked: bool,
        actor: &str,
    ) -> Result<Topup, OrderError> {
        let now = self.now();
        let topup = self.store().topup(id).await?;
        let open = matches!(topup.state, State::Held | State::Unknown | State::Pending);
        if !open {
            return refused(format!(
                "top-up {} is {}; allowed is one that is held, unknown or pending",
                topup.id,
                topup.state.as_str()
            ));
        }
        let change = Change::by(
            actor,
            format!(
                "resolved as {}: {note}",
                if as_what == Resolution::Paid { "paid" } else { "failed" }
            ),
        );
        let after = match as_what {
            Resolution::Paid => {
                let pace = self.pace(&topup.payer);
                Topup {
                    reason: "resolved_paid".into(),
                    ..answer::paid(&pace, &topup, &crate::providers::Evidence::default(), now)
                }
            }
            Resolution::Failed => {
                if let Some(why) = self.may_still_arrive(&topup, checked).await? {
                    return refused(why);
                }
                Topup {
                    state: State::Failed,
                    reason: "resolved_failed".into(),
                    next_action_at: None,
                    ..topup.clone()
                }
            }
        };
        let after = self.looked_at_late(after, now);
        let notices = self.notices_of(&after, note, now).await?;
        let moved = self.store().move_topup(&topup, after, &change, &notices, now).await?;
        self.meters().moved(&topup, &moved, now);
        for stage in [Stage::Verify, Stage::Decide, Stage::Notify] {
            self.wake(stage);
        }
        Ok(moved)
    }

    /// Why "not paid" cannot be believed yet; `None` when it can.
    async fn may_still_arrive(
        &self,
        topup: &Topup,
        checked: bool,
    ) -> Result<Option<String>, OrderError> {
        let now = self.now();
        if topup.paid_at.is_some() && !checked {
            return Ok(Some(format!(
                "the provider said that top-up {} was paid; allowed only with --checked, after its console says otherwise",
                topup.id
            )));
        }
        let sent = topup.last_sent_at.unwrap_or(topup.updated_at);
        let pace = self.pace(&topup.payer);
        let waited = now.since(sent);
        if waited < pace.settle_min {
            return Ok(Some(format!(
                "it was sent {waited} ago and may still arrive; allowed after {}",
                pace.settle_min
            )));
        }
        let payer = self.provider(&topup.payer).filter(|p| p.declares().lookup == Lookup::ByRef);
        let Some(payer) = payer else {
            if checked || waited >= SURE_AFTER {
                return Ok(None);
            }
            return Ok(Some(format!(
                "{} cannot be asked; allowed {SURE_AFTER} after the send, or with --checked once its console was looked at",
                topup.payer
            )));
        };
        let row = self.store().snapshot(&topup.subscription).await?;
        Ok(match traced::find(payer, &row.snapshot, topup).await {
            Found::Nothing | Found::One(Answer::Refused(_) | Answer::Reversed(_)) => None,
            Found::One(answer) if !checked => {
                Some(format!("the look-up found it: {}", answer::words(&answer).0))
            }
            Found::Several { count, .. } if !checked => {
                Some(format!("the look-up found {count} top-ups with this reference"))
            }
            Found::Blind { why } if !checked => Some(format!(
                "the look-up failed ({why}); allowed with --checked once the console was looked at"
            )),
            Found::One(_) | Found::Several { .. } | Found::Blind { .. } => None,
        })
    }
}
