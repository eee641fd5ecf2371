//! Decide: readings → decisions → needs, orders, notices. The deciding itself is
//! [`crate::domain::decide()`]; here the rows are gathered and the outcome written.

use super::{Engine, EngineError, Stage, StageReport, instance::Work, tell::about_topup};
use crate::domain::{
    CapLimits, Decision, Money, MoneySwitch, NoticeDraft, NoticeKind, OrderStep, Policy, Rule,
    Snapshot, State, Subscription, SubscriptionId, Timestamp, Topup, cap_currency, decide,
    explain_gates, is_calm, steady_until,
};
use crate::providers::Order;
use crate::store::{CalmLine, Prepared, SnapshotRow, StoreError, order_hash, steady_mark};
use std::collections::BTreeSet;

/// Lines decided about in one go.
const BATCH: i64 = 200;

/// What came of one round of decisions.
#[derive(Default)]
struct Round {
    report: StageReport,
    calm: Vec<CalmLine>,
    wants_poll: bool,
    /// Readers of lines whose values are in doubt since this round.
    doubted: BTreeSet<String>,
}

impl Engine {
    /// Decides about everything that is due.
    pub(super) async fn decide_due(&self) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        while !self.is_stopping() && !self.is_idle() {
            let now = self.now();
            self.beats().beat(Stage::Decide.as_str(), now, None);
            let judging = self.store().judge_more(now).await?;
            let claimed = now.plus(self.lease());
            let ids = self.store().claim_decisions(BATCH, claimed, now).await?;
            if ids.is_empty() {
                if judging {
                    continue;
                }
                break;
            }
            let _held = self.holds(Work::Decisions, ids.len());
            let mut round = Round::default();
            let decided = self.decide_about(&ids, &mut round, claimed, now).await;
            // Once for all of them, and also where the round was cut short: they are written down.
            for reader in &round.doubted {
                self.compare_with_siblings(reader, now).await?;
            }
            report.add(round.report);
            decided?;
            report.done += round.calm.len();
            self.store().apply_calm(&round.calm, claimed).await?;
            self.wake(Stage::Act);
            self.wake(Stage::Notify);
            if round.wants_poll {
                self.wake(Stage::Poll);
            }
        }
        report.next_at = self.store().next_decision_due().await?;
        Ok(report)
    }

    /// Decides about claimed lines and carries it out; what changes nothing is left in `round`.
    async fn decide_about(
        &self,
        ids: &[String],
        round: &mut Round,
        claimed: Timestamp,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        self.watch_readers(now).await?;
        let switch = self.money_switch(now).await?;
        self.note_switch(&switch, now).await?;
        self.time_payers(now).await?;
        let rules = self.rules().await?;
        let policy = self.policy();
        let mut rows = self.store().snapshots(ids).await?;
        // Whose order only waits for this round has waited longest.
        rows.sort_by_key(|row| !is_before_its_order(&row.snapshot));
        for mut row in rows {
            row.snapshot.rules = rules.of(&row.snapshot.subscription);
            row.snapshot.money = switch.clone();
            self.look_back(&mut row.snapshot).await?;
            self.foresee(&mut row.snapshot, now).await?;
            self.add_prices(&mut row.snapshot, now).await?;
            self.add_misplaced(&mut row.snapshot, now).await?;
            let decision = self.weigh(&mut row.snapshot, &policy, now).await?;
            round.report.seen += 1;
            if is_calm(&row.snapshot, &decision) {
                round.calm.push(calm_line(&row.snapshot, decision, now));
                continue;
            }
            round.wants_poll |= decision.poll_at.is_some();
            // Before it is written down: what goes wrong after that must not hide it.
            if decision.doubt == Some(true) {
                round.doubted.insert(row.snapshot.subscription.reader.clone());
            }
            match self.carry_out(&row, &decision, &policy, claimed, now).await {
                Ok(()) => {
                    round.report.done += 1;
                    self.pass_on(&decision);
                }
                // Somebody moved the top-up meanwhile, or a cap was used up: the claim runs out and
                // the line is judged again by what the rows say then.
                Err(EngineError::Store(StoreError::Conflict { what })) => {
                    tracing::info!(subscription.id = %row.snapshot.subscription.id, "decision overtaken: {what}");
                    round.report.failed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Others need not wait until all lines of this round are decided about.
    fn pass_on(&self, decision: &Decision) {
        let is_order = matches!(decision.order, OrderStep::Reserve { .. });
        if is_order {
            self.wake(Stage::Act);
        }
        if is_order || !decision.notices.is_empty() {
            self.wake(Stage::Notify);
        }
    }

    /// Adds earlier readings where a rule counts more of them than come with every snapshot.
    async fn look_back(&self, snapshot: &mut Snapshot) -> Result<(), EngineError> {
        let wanted = snapshot.rules.iter().map(Rule::looks_back).max().unwrap_or(0);
        if let Some(newest) = snapshot.reading.as_ref().filter(|_| wanted > 1) {
            let (id, at) = (&snapshot.subscription.id, newest.at);
            snapshot.earlier = self.store().ok_before(id, at, wanted).await?;
        }
        Ok(())
    }

    /// Decides; figures about spending are fetched only where money is in question.
    async fn weigh(
        &self,
        snapshot: &mut Snapshot,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Decision, EngineError> {
        let first = decide(snapshot, policy, now);
        let Some(currency) = cap_currency(snapshot, &first) else { return Ok(first) };
        let line = &snapshot.subscription;
        let usage = self.store().cap_usage(&line.id, &line.subscriber, currency, now).await?;
        snapshot.usage = match &snapshot.topup {
            Some(topup) => usage.without(topup),
            None => usage,
        };
        Ok(decide(snapshot, policy, now))
    }

    async fn carry_out(
        &self,
        row: &SnapshotRow,
        decision: &Decision,
        policy: &Policy,
        claimed: Timestamp,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let prepared = match self.prepare(&row.snapshot, decision, policy, now) {
            Ok(prepared) => prepared,
            Err(why) => {
                // The payer cannot even word this order: it is withdrawn, loudly.
                let reason = "not_payable";
                tracing::error!(subscription.id = %row.snapshot.subscription.id, "order cannot be worded: {why}");
                let cancelled = Decision {
                    order: OrderStep::Cancel { reason, need_gone: false },
                    decide_at: None,
                    ..decision.clone()
                };
                let notices = row.snapshot.topup.iter().map(|topup| {
                    about_topup(
                        &row.snapshot,
                        topup,
                        NoticeKind::TopupRefused,
                        Some(why.clone()),
                        None,
                        now,
                    )
                });
                let prepared =
                    Prepared { notices: notices.collect(), ..self.nothing_prepared(policy, now) };
                return Ok(self
                    .store()
                    .apply_decision(row, &cancelled, &prepared, claimed, now)
                    .await?);
            }
        };
        self.store().apply_decision(row, decision, &prepared, claimed, now).await?;
        let id = &row.snapshot.subscription.id;
        self.store().want_prices(id, &decision.prices, now).await?;
        match &decision.order {
            OrderStep::Propose { amount, why, .. } => {
                tracing::info!(subscription.id = %id, %amount, "top-up proposed: {why}");
                self.watch_for_storm(now).await?;
            }
            OrderStep::Ask { amount, why } => {
                tracing::info!(subscription.id = %id, %amount, "approval wanted: {why}")
            }
            OrderStep::Reserve { amount } => {
                tracing::info!(subscription.id = %id, %amount, "top-up reserved")
            }
            OrderStep::Cancel { reason, .. } => {
                tracing::info!(subscription.id = %id, reason, "top-up cancelled")
            }
            OrderStep::Wait { reason } => {
                tracing::debug!(subscription.id = %id, reason, "top-up waits")
            }
            OrderStep::Nothing => {}
        }
        Ok(())
    }

    fn nothing_prepared(&self, policy: &Policy, now: Timestamp) -> Prepared {
        Prepared {
            install_id: self.install_id().to_owned(),
            request: None,
            limits: policy.caps.clone(),
            notices: Vec::new(),
            approval_expires_at: now.plus(policy.approval_expires),
        }
    }

    /// Freezes the request for an order that is about to be reserved, and words its notices.
    fn prepare(
        &self,
        snapshot: &Snapshot,
        decision: &Decision,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Prepared, String> {
        let mut prepared = self.nothing_prepared(policy, now);
        let Some(topup) = &snapshot.topup else { return Ok(prepared) };
        let rule =
            topup.rule.as_ref().and_then(|id| snapshot.rules.iter().find(|rule| rule.id == *id));
        prepared.limits =
            rule.map_or_else(CapLimits::default, |rule| rule.caps.clone()).tighter(&policy.caps);
        match &decision.order {
            OrderStep::Reserve { amount } => {
                if topup.approved.is_some() && hash_of(snapshot, topup, *amount) != topup.order_hash
                {
                    return Err("the line changed after the order was approved".into());
                }
                let order = Order { amount: *amount, ..order_of(&snapshot.subscription, topup) };
                let payer = self
                    .provider(&topup.payer)
                    .ok_or_else(|| format!("there is no provider named {}", topup.payer))?;
                prepared.request = Some(payer.freeze(&order).map_err(|error| error.to_string())?);
                let as_sent = Topup { amount: *amount, ..topup.clone() };
                let next = Some((format!("the order goes to {} now", topup.payer), Some(now)));
                prepared.notices.push(about_topup(
                    snapshot,
                    &as_sent,
                    NoticeKind::TopupStarted,
                    None,
                    next,
                    now,
                ));
            }
            OrderStep::Ask { amount, why } => {
                prepared.notices.push(self.approval(snapshot, topup, *amount, why, policy, now))
            }
            OrderStep::Nothing
            | OrderStep::Propose { .. }
            | OrderStep::Cancel { .. }
            | OrderStep::Wait { .. } => {}
        }
        Ok(prepared)
    }

    fn approval(
        &self,
        snapshot: &Snapshot,
        topup: &Topup,
        amount: Money,
        why: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> NoticeDraft {
        let hash = hash_of(snapshot, topup, amount);
        let asked =
            Topup { amount, order_hash: hash, reason: "approval_needed".into(), ..topup.clone() };
        let expires = now.plus(policy.approval_expires);
        let next = Some((
            "without an approval nothing is ordered; it is asked again after that".to_owned(),
            Some(expires),
        ));
        about_topup(snapshot, &asked, NoticeKind::ApprovalWanted, Some(why.to_owned()), next, now)
    }

    /// Decides about one line without writing anything: what `explain` and dry runs show.
    pub async fn explain(&self, id: &SubscriptionId) -> Result<(Snapshot, Decision), EngineError> {
        let now = self.now();
        let mut row = self.store().snapshot(id).await?;
        row.snapshot.rules = self.rules().await?.of(&row.snapshot.subscription);
        row.snapshot.money = self.money_switch(now).await?;
        self.look_back(&mut row.snapshot).await?;
        let policy = self.policy();
        let mut decision = self.weigh(&mut row.snapshot, &policy, now).await?;
        decision.gates = explain_gates(&row.snapshot, &policy, decision.gates, now);
        Ok((row.snapshot, decision))
    }

    /// A switch was turned: every line is judged again.
    pub async fn switch_turned(&self) -> Result<MoneySwitch, EngineError> {
        let now = self.now();
        let switch = self.money_switch(now).await?;
        self.note_switch(&switch, now).await?;
        self.store().decide_all(now).await?;
        self.wake(Stage::Decide);
        Ok(switch)
    }
}

/// What is kept of a calm decision.
fn calm_line(snapshot: &Snapshot, decision: Decision, now: Timestamp) -> CalmLine {
    let until = steady_until(snapshot, &decision, now);
    let mark = snapshot.reading.as_ref().map(steady_mark);
    CalmLine { id: snapshot.subscription.id.clone(), steady: mark.zip(until), decision }
}

/// The hash of an order as its line stands now.
fn hash_of(snapshot: &Snapshot, topup: &Topup, amount: Money) -> String {
    let product = topup.product.as_deref();
    order_hash(&snapshot.subscription, &topup.payer, product, amount, topup.need.as_str())
}

/// True where all that is missing to an order is that it is decided about.
fn is_before_its_order(snapshot: &Snapshot) -> bool {
    let state = snapshot.topup.as_ref().map(|topup| topup.state);
    matches!(state, Some(State::Proposed | State::AwaitingApproval))
}

/// The order as an adapter sees it.
pub(super) fn order_of(line: &Subscription, topup: &Topup) -> Order {
    Order {
        line: line.clone(),
        reference: topup.reference.clone(),
        amount: topup.amount,
        product: topup.product.clone(),
        transaction_id: topup.transaction_id.clone(),
    }
}
