//! Top-ups, their histories, and the money they moved.

use super::{At, Money, amount, at, money, words};
use crate::domain;
use crate::store;
use serde::Serialize;
use utoipa::ToSchema;

/// An order to a payer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Topup {
    /// Its id.
    pub id: String,
    /// For which line.
    pub subscription: String,
    /// Whose line that was.
    pub subscriber: String,
    /// By which rule; null for an order by hand.
    pub rule: Option<String>,
    /// The need it serves.
    pub need: String,
    /// Through whom.
    pub payer: String,
    /// The payer's product.
    pub product: Option<String>,
    /// How much.
    pub amount: Money,
    /// What the payer took.
    pub charged: Option<Money>,
    /// What the line got.
    pub delivered: Option<Money>,
    /// How far it is.
    #[schema(value_type = words::TopupState)]
    pub state: &'static str,
    /// Our idempotency key, sent unchanged on every try.
    pub reference: String,
    /// What an approval is bound to.
    pub order_hash: String,
    /// What the payer calls it.
    pub transaction_id: Option<String>,
    /// How often it was claimed for sending.
    pub submissions: i64,
    /// The line just before the money moved.
    pub before: Before,
    /// When somebody said yes.
    pub approved_at: Option<At>,
    /// Who did.
    pub approved_by: Option<String>,
    /// When the payer confirmed it.
    pub paid_at: Option<At>,
    /// When it is looked at next.
    pub next_action_at: Option<At>,
    /// When it was written down.
    pub created_at: At,
    /// When it last moved.
    pub updated_at: At,
    /// Machine-readable.
    pub reason: String,
}

/// A line just before money moved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Before {
    /// Money left.
    pub balance: Option<Money>,
    /// When the service was to stop.
    pub service_end_at: Option<At>,
    /// When that was read.
    pub at: Option<At>,
}

/// A top-up.
pub fn topup(t: &domain::Topup) -> Topup {
    Topup {
        id: t.id.to_string(),
        subscription: t.subscription.to_string(),
        subscriber: t.subscriber.to_string(),
        rule: t.rule.as_ref().map(ToString::to_string),
        need: t.need.to_string(),
        payer: t.payer.clone(),
        product: t.product.clone(),
        amount: amount(t.amount),
        charged: money(t.charged),
        delivered: money(t.delivered),
        state: t.state.as_str(),
        reference: t.reference.clone(),
        order_hash: t.order_hash.clone(),
        transaction_id: t.transaction_id.clone(),
        submissions: t.submit_no,
        before: Before {
            balance: money(t.before.balance),
            service_end_at: at(t.before.service_end_at),
            at: at(t.before.read_at),
        },
        approved_at: at(t.approved.as_ref().map(|(at, _)| *at)),
        approved_by: t.approved.as_ref().map(|(_, who)| who.clone()),
        paid_at: at(t.paid_at),
        next_action_at: at(t.next_action_at),
        created_at: At(t.created_at),
        updated_at: At(t.updated_at),
        reason: t.reason.clone(),
    }
}

/// One line of a top-up's history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TopupEvent {
    /// When.
    pub at: At,
    /// The state before; `none` for the first.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Who or what moved it.
    pub actor: String,
    /// In words.
    pub why: String,
    /// The exchange or reading behind it.
    pub evidence: Option<String>,
}

/// A top-up with its history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TopupWithEvents {
    /// The top-up.
    #[serde(flatten)]
    pub topup: Topup,
    /// Its history, oldest first.
    pub events: Vec<TopupEvent>,
    /// The frozen request, without secrets.
    pub request: Option<String>,
}

/// A top-up with its history.
pub fn topup_with_events(t: &domain::Topup, events: &[store::TopupEvent]) -> TopupWithEvents {
    let event = |e: &store::TopupEvent| TopupEvent {
        at: At(e.at),
        from: e.from.clone(),
        to: e.to.clone(),
        actor: e.actor.clone(),
        why: e.why.clone(),
        evidence: e.evidence.clone(),
    };
    TopupWithEvents {
        topup: topup(t),
        events: events.iter().map(event).collect(),
        request: t.request.clone(),
    }
}

/// One money movement.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// The top-up it belongs to.
    pub topup: String,
    /// When.
    pub at: At,
    /// `reserve`, `settle`, `release` or `reverse`.
    pub kind: String,
    /// How much, always positive; the kind tells the direction.
    pub amount: Money,
    /// The line.
    pub subscription: String,
    /// Its owner then.
    pub subscriber: String,
    /// Who was to pay.
    pub payer: String,
}

/// One money movement.
pub fn ledger_entry(e: &store::LedgerEntry) -> LedgerEntry {
    LedgerEntry {
        topup: e.topup.clone(),
        at: At(e.at),
        kind: e.kind.clone(),
        amount: amount(e.amount),
        subscription: e.subscription.clone(),
        subscriber: e.subscriber.clone(),
        payer: e.payer.clone(),
    }
}
