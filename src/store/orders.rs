//! Writes down what was decided about one line, in one transaction: breaches, need, order, notices,
//! and when to look again. Money is reserved here, under the caps' lock.

use super::{
    Change, SnapshotRow, Store, StoreError, Tx, decisions,
    needs::{
        NeedOf, close_episode, close_need, derived_id, move_period, open_episode, open_need,
        sha256_hex,
    },
    notices, topups,
    transition::move_in,
};
use crate::domain::{
    Before, CapLimits, Decision, EpisodeChange, Money, Need, NeedOutcome, NoticeDraft, OrderStep,
    Snapshot, State, Subscription, Timestamp, Topup, TopupId, check_caps, reference,
};
use crate::failpoint;

/// What the caller prepared for the step.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// This installation, part of every reference.
    pub install_id: String,
    /// The frozen request; there exactly when the step reserves.
    pub request: Option<String>,
    /// The limits that hold for this order.
    pub limits: CapLimits,
    /// Notices about the order's own move.
    pub notices: Vec<NoticeDraft>,
    /// When an approval expires.
    pub approval_expires_at: Timestamp,
}

/// An order as a person gave it.
#[derive(Clone, Copy, Debug)]
pub struct HandOrder<'a> {
    /// The provider that is to pay.
    pub payer: &'a str,
    /// How much.
    pub amount: Money,
    /// Which product, where it is not the line's usual one.
    pub product: Option<&'a str>,
    /// Who ordered.
    pub actor: &'a str,
}

/// What a person approves: if any of it changes, the approval is void.
pub fn order_hash(
    line: &Subscription,
    payer: &str,
    product: Option<&str>,
    amount: Money,
    need: &str,
) -> String {
    let number = line.msisdn.as_ref().map_or("", |m| m.as_str());
    let iccid = line.iccid.as_ref().map_or("", |i| i.as_str());
    let product = product.unwrap_or("");
    let hash =
        sha256_hex(&format!("{}|{number}|{iccid}|{payer}|{product}|{amount}|{need}", line.id));
    hash.get(..32).unwrap_or(&hash).to_owned()
}

impl Store {
    /// Applies `decision` to the rows it was made from. [`StoreError::Conflict`] when the top-up
    /// moved meanwhile; then nothing is written and the line stays due.
    pub async fn apply_decision(
        &self,
        row: &SnapshotRow,
        decision: &Decision,
        prepared: &Prepared,
        claimed: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let snapshot = &row.snapshot;
        let id = &snapshot.subscription.id;
        let mut tx = self.begin().await?;
        self.hold_decision(&mut tx, id, claimed).await?;
        for change in &decision.episodes {
            match change {
                EpisodeChange::Open { rule, trigger, is_deadline, read_at } => {
                    open_episode(&mut tx, rule, id, trigger, *is_deadline, *read_at, now).await?;
                }
                EpisodeChange::Close { id, .. } => close_episode(&mut tx, id, now).await?,
            }
        }
        if let Some((end, need)) = decision.period_end.zip(snapshot.need.as_ref()) {
            move_period(&mut tx, &need.id, end).await?;
        }
        self.order(&mut tx, snapshot, &decision.order, prepared, now).await?;
        for draft in decision.notices.iter().chain(&prepared.notices) {
            notices::insert(&mut tx, draft).await?;
        }
        if let Some(at) = decision.poll_at {
            self.ask_poll(&mut tx, id, at).await?;
        }
        // A step that opens the way for another is looked at again at once.
        let again = matches!(decision.order, OrderStep::Propose { .. } | OrderStep::Cancel { .. });
        decisions::finish(
            &mut tx,
            row,
            decision,
            if again { Some(now) } else { decision.decide_at },
            claimed,
            now,
        )
        .await?;
        let name = move_of(snapshot, &decision.order);
        failpoint::at(&format!("{name}:before")).await;
        tx.commit().await?;
        failpoint::at(&format!("{name}:after")).await;
        Ok(())
    }

    async fn order(
        &self,
        tx: &mut Tx,
        snapshot: &Snapshot,
        step: &OrderStep,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match (step, &snapshot.topup) {
            (OrderStep::Nothing | OrderStep::Wait { .. }, _) => Ok(()),
            (OrderStep::Propose { rule, kind, period_end, amount, payer, why }, _) => {
                let about = NeedOf { rule: Some(rule), kind: *kind, period_end: *period_end };
                let need = open_need(tx, snapshot, about, now).await?;
                let draft = Proposal {
                    rule: Some(rule.as_str()),
                    payer,
                    amount: *amount,
                    actor: "rule",
                    why,
                };
                propose(tx, &snapshot.subscription, &need, &draft, &prepared.install_id, now)
                    .await
                    .map(|_| ())
            }
            (OrderStep::Ask { amount, why }, Some(topup)) => {
                let asked = Topup {
                    state: State::AwaitingApproval,
                    reason: "approval_needed".into(),
                    amount: *amount,
                    order_hash: order_hash(
                        &snapshot.subscription,
                        &topup.payer,
                        topup.product.as_deref(),
                        *amount,
                        topup.need.as_str(),
                    ),
                    next_action_at: Some(prepared.approval_expires_at),
                    ..topup.clone()
                };
                move_in(tx, topup, asked, &Change::by("decide", why), now).await.map(|_| ())
            }
            (OrderStep::Reserve { amount }, Some(topup)) => {
                self.reserve(tx, snapshot, topup, *amount, prepared, now).await
            }
            (OrderStep::Cancel { reason, need_gone }, Some(topup)) => {
                let cancelled = Topup {
                    state: State::Cancelled,
                    reason: (*reason).to_owned(),
                    next_action_at: None,
                    ..topup.clone()
                };
                move_in(tx, topup, cancelled, &Change::by("decide", *reason), now).await?;
                if *need_gone {
                    close_need(tx, &topup.need, NeedOutcome::Gone, now).await?;
                }
                Ok(())
            }
            (
                OrderStep::Ask { .. } | OrderStep::Reserve { .. } | OrderStep::Cancel { .. },
                None,
            ) => Err(StoreError::Conflict {
                what: "a decision about a top-up that is not there".into(),
            }),
        }
    }

    /// Counts the money and freezes the request. The caps are checked here once more, under the
    /// lock, whatever the decision saw.
    async fn reserve(
        &self,
        tx: &mut Tx,
        snapshot: &Snapshot,
        topup: &Topup,
        amount: Money,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let usage = self
            .cap_usage_locked(tx, &topup.subscription, &topup.subscriber, amount.currency(), now)
            .await?;
        if let Err(breach) = check_caps(&prepared.limits, &usage, amount) {
            return Err(StoreError::Conflict {
                what: format!("the {} cap ({})", breach.code, breach.why),
            });
        }
        let reading = snapshot.reading.as_ref();
        let reserved = Topup {
            state: State::Reserved,
            reason: "reserved".into(),
            amount,
            order_hash: order_hash(
                &snapshot.subscription,
                &topup.payer,
                topup.product.as_deref(),
                amount,
                topup.need.as_str(),
            ),
            request: prepared.request.clone(),
            price: snapshot.renewal_price(),
            before: Before {
                balance: reading.and_then(|r| r.values.balance),
                data_left: reading.and_then(|r| r.values.data_left),
                service_end_at: reading.and_then(|r| r.values.service_end_at),
                read_at: reading.map(|r| r.at),
            },
            next_action_at: Some(now),
            ..topup.clone()
        };
        // The limits it was reserved under stay with it: `topupd verify` counts once more.
        let limits = serde_json::to_string(&prepared.limits).unwrap_or_default();
        let change = Change::by("decide", "every gate is open").with(limits);
        move_in(tx, topup, reserved, &change, now).await.map(|_| ())
    }

    /// Writes down an order by hand; the gates and the flow treat it like any other.
    pub async fn propose_by_hand(
        &self,
        snapshot: &Snapshot,
        order: &HandOrder<'_>,
        install_id: &str,
        now: Timestamp,
    ) -> Result<Topup, StoreError> {
        let HandOrder { payer, amount, product, actor } = *order;
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE watches SET next_decide_at = $1 WHERE subscription_id = $2")
            .bind(now.ms())
            .bind(snapshot.subscription.id.as_str())
            .execute(&mut *tx)
            .await?;
        self.ask_poll(&mut tx, &snapshot.subscription.id, now).await?;
        let need = open_need(&mut tx, snapshot, NeedOf::by_hand(), now).await?;
        let mut line = snapshot.subscription.clone();
        if let Some(product) = product {
            line.products.insert(payer.to_owned(), product.to_owned());
        }
        let draft = Proposal { rule: None, payer, amount, actor, why: "ordered by hand" };
        let topup = propose(&mut tx, &line, &need, &draft, install_id, now).await?;
        tx.commit().await?;
        Ok(topup)
    }
}

/// The move of a top-up that a step makes, as failpoints name it; empty for none.
fn move_of(snapshot: &Snapshot, step: &OrderStep) -> String {
    let to = match step {
        OrderStep::Propose { .. } => State::Proposed,
        OrderStep::Ask { .. } => State::AwaitingApproval,
        OrderStep::Reserve { .. } => State::Reserved,
        OrderStep::Cancel { .. } => State::Cancelled,
        OrderStep::Nothing | OrderStep::Wait { .. } => return String::new(),
    };
    let from = snapshot.topup.as_ref().map_or("none", |topup| topup.state.as_str());
    format!("{from}>{}", to.as_str())
}

struct Proposal<'a> {
    rule: Option<&'a str>,
    payer: &'a str,
    amount: Money,
    actor: &'a str,
    why: &'a str,
}

async fn propose(
    tx: &mut Tx,
    line: &Subscription,
    need: &Need,
    draft: &Proposal<'_>,
    install_id: &str,
    now: Timestamp,
) -> Result<Topup, StoreError> {
    let earlier: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM topups WHERE need_id = $1")
        .bind(need.id.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let reference = reference(install_id, &line.id, need.seq, earlier.saturating_add(1));
    let id = TopupId::trusted(derived_id("t", &reference));
    let product = line.products.get(draft.payer).cloned();
    let hash = order_hash(line, draft.payer, product.as_deref(), draft.amount, need.id.as_str());
    sqlx::query(
        "INSERT INTO topups (id, subscription_id, subscriber_id, rule_id, need_id, payer, product, amount_minor, currency, \
         reference, order_hash, state, reason, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'proposed', 'proposed', $12, $12, 1)",
    )
    .bind(id.as_str())
    .bind(line.id.as_str())
    .bind(line.subscriber.as_str())
    .bind(draft.rule.map(str::to_owned))
    .bind(need.id.as_str())
    .bind(draft.payer)
    .bind(&product)
    .bind(draft.amount.minor())
    .bind(draft.amount.currency().code())
    .bind(&reference)
    .bind(&hash)
    .bind(now.ms())
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query("SELECT * FROM topups WHERE id = $1")
        .bind(id.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let topup = super::rows::topup(&row)?;
    topups::append_event(tx, &topup, "none", &Change::by(draft.actor, draft.why), now).await?;
    Ok(topup)
}
