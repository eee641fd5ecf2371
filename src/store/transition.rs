//! The one way a top-up moves: checked against the table of arrows, by compare-and-set, with its
//! history and its ledger entries in the same transaction.

use super::{Dialect, Store, StoreError, Tx, journal, ledger};
use crate::domain::{FailureClass, Money, NeedOutcome, NoticeDraft, State, Timestamp, Topup};
use crate::failpoint;

/// What goes into the history beside the move itself.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// `rule`, `provider`, `reconcile`, `verify`, `restart`, or a person.
    pub actor: String,
    /// In words.
    pub why: String,
    /// The exchange or reading behind it, without secrets.
    pub evidence: Option<String>,
}

impl Change {
    /// A change by `actor` because of `why`.
    pub fn by(actor: &str, why: impl Into<String>) -> Self {
        Self { actor: actor.to_owned(), why: why.into(), evidence: None }
    }

    /// The same with evidence.
    #[must_use]
    pub fn with(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }
}

/// What the caps count for a top-up in this state.
fn counted(topup: &Topup) -> i64 {
    let settled = matches!(topup.state, State::Paid | State::Verified);
    let charged = topup
        .charged
        .filter(|c| settled && c.is_positive() && c.currency() == topup.amount.currency());
    if topup.state.counts_money() { charged.unwrap_or(topup.amount).minor() } else { 0 }
}

/// The ledger entries of a move, as kind and amount.
fn entries(before: &Topup, after: &Topup) -> Vec<(&'static str, Money)> {
    let was = Money::new(counted(before), before.amount.currency());
    let is = Money::new(counted(after), after.amount.currency());
    match (before.state.counts_money(), after.state.counts_money()) {
        (false, true) => vec![("reserve", is)],
        (true, false) if after.state == State::Reversed => vec![("reverse", was)],
        (true, false) => vec![("release", was)],
        (true, true) if after.state == State::Paid && before.paid_at.is_none() => {
            vec![
                ("release", was),
                ("settle", after.charged.filter(|c| c.is_positive()).unwrap_or(is)),
            ]
        }
        (true, true) | (false, false) => Vec::new(),
    }
}

impl Store {
    /// Moves a top-up in a transaction of its own, with what is said about it; the line is judged
    /// again.
    pub async fn move_topup(
        &self,
        before: &Topup,
        after: Topup,
        change: &Change,
        notices: &[NoticeDraft],
        now: Timestamp,
    ) -> Result<Topup, StoreError> {
        let tx = self.begin().await?;
        self.move_and_tell(tx, before, after, change, notices, now).await
    }

    /// An order is sent, unless `payer` got as many as it may since then: counted and claimed under
    /// one lock, so that several instances together keep to its rate. `Conflict` where it is full,
    /// or where somebody else has the order.
    pub async fn claim_order(
        &self,
        before: &Topup,
        claimed: Topup,
        change: &Change,
        (most, since): (i64, Timestamp),
        now: Timestamp,
    ) -> Result<Topup, StoreError> {
        let mut tx = self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock(7879)").execute(&mut *tx).await?;
            let sent: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM topups WHERE payer = $1 AND last_sent_at > $2",
            )
            .bind(&before.payer)
            .bind(since.ms())
            .fetch_one(&mut *tx)
            .await?;
            if sent >= most {
                return Err(StoreError::Conflict { what: format!("the turn at {}", before.payer) });
            }
        }
        self.move_and_tell(tx, before, claimed, change, &[], now).await
    }

    /// Commits. The line's row comes first, as in every transaction that takes it with others: two
    /// of them never wait for each other.
    async fn move_and_tell(
        &self,
        mut tx: Tx,
        before: &Topup,
        after: Topup,
        change: &Change,
        notices: &[NoticeDraft],
        now: Timestamp,
    ) -> Result<Topup, StoreError> {
        sqlx::query("UPDATE watches SET next_decide_at = $1 WHERE subscription_id = $2")
            .bind(now.ms())
            .bind(before.subscription.as_str())
            .execute(&mut *tx)
            .await?;
        let moved = move_in(&mut tx, before, after, change, now).await?;
        for draft in notices {
            super::notices::insert(&mut tx, draft).await?;
        }
        let name = format!("{}>{}", before.state.as_str(), moved.state.as_str());
        failpoint::at(&format!("{name}:before")).await;
        tx.commit().await?;
        failpoint::at(&format!("{name}:after")).await;
        Ok(moved)
    }

    /// Writes a look that moved nothing: counts and the next due time, by compare-and-set, with a
    /// line of history where `note` is given. An overtaken look is no error, and does not overtake
    /// anybody: the version stays, so a person's word is never refused because of a look. Nor does one
    /// whose claim ran out and was taken over: whoever has it now said a later time.
    pub async fn keep_topup(
        &self,
        before: &Topup,
        after: Topup,
        note: Option<&Change>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE topups SET looks = $1, not_found = $2, not_found_since = $3, next_action_at = $4 \
             WHERE id = $5 AND version = $6 AND ($7 IS NULL OR next_action_at IS NULL OR next_action_at <= $7)",
        )
        .bind(after.looks)
        .bind(after.not_found)
        .bind(after.not_found_since.map(Timestamp::ms))
        .bind(after.next_action_at.map(Timestamp::ms))
        .bind(after.id.as_str())
        .bind(before.version)
        .bind(before.next_action_at.map(Timestamp::ms))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            // Somebody moved it meanwhile: what this look saw is no part of its history.
            return Ok(());
        }
        if let Some(change) = note {
            super::topups::append_event(&mut tx, &after, before.state.as_str(), change, now)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Moves `before` to `after` (whose `version`, times and counted money are set here). Fails with
/// [`StoreError::Conflict`] when somebody else moved it first.
pub(crate) async fn move_in(
    tx: &mut Tx,
    before: &Topup,
    mut after: Topup,
    change: &Change,
    now: Timestamp,
) -> Result<Topup, StoreError> {
    let allowed = before.state == after.state || before.may_go_to(after.state);
    if !allowed {
        let what = format!(
            "top-up {}: no way from {} to {}",
            before.id,
            before.state.as_str(),
            after.state.as_str()
        );
        return Err(StoreError::Conflict { what });
    }
    after.version = before.version.saturating_add(1);
    after.updated_at = now;
    if after.state == State::Paid && after.paid_at.is_none() {
        after.paid_at = Some(now);
    }
    let final_at = after.state.is_final().then(|| now.ms());
    let moved = sqlx::query(
        "UPDATE topups SET amount_minor = $1, order_hash = $2, state = $3, reason = $4, request = $5, request_sha256 = $6, \
         submit_no = $7, last_sent_at = $8, transaction_id = $9, charged_minor = $10, charged_currency = $11, \
         delivered_minor = $12, delivered_currency = $13, counted_minor = $14, before_balance_minor = $15, \
         before_currency = $16, before_data_left = $17, before_service_end_at = $18, before_read_at = $19, \
         not_found = $20, not_found_since = $21, looks = $22, next_action_at = $23, \
         reserved_at = CASE WHEN $24 = 1 THEN COALESCE(reserved_at, $25) ELSE reserved_at END, \
         paid_at = $26, finalized_at = COALESCE(finalized_at, $27), approved_at = $28, approved_by = $29, \
         updated_at = $25, version = $30, maybe_sent = $31, \
         price_minor = $32, price_currency = $33, failure = $34, sent_by = $35 \
         WHERE id = $36 AND version = $37 AND state = $38 RETURNING *",
    )
    .bind(after.amount.minor())
    .bind(&after.order_hash)
    .bind(after.state.as_str())
    .bind(&after.reason)
    .bind(&after.request)
    .bind(after.request.as_ref().map(|request| super::needs::sha256_hex(request)))
    .bind(after.submit_no)
    .bind(after.last_sent_at.map(Timestamp::ms))
    .bind(&after.transaction_id)
    .bind(after.charged.map(Money::minor))
    .bind(after.charged.map(|m| m.currency().code()))
    .bind(after.delivered.map(Money::minor))
    .bind(after.delivered.map(|m| m.currency().code()))
    .bind(counted(&after))
    .bind(after.before.balance.map(Money::minor))
    .bind(after.before.balance.map(|m| m.currency().code()))
    .bind(after.before.data_left)
    .bind(after.before.service_end_at.map(Timestamp::ms))
    .bind(after.before.read_at.map(Timestamp::ms))
    .bind(after.not_found)
    .bind(after.not_found_since.map(Timestamp::ms))
    .bind(after.looks)
    .bind(after.next_action_at.map(Timestamp::ms))
    .bind(i64::from(after.state == State::Reserved))
    .bind(now.ms())
    .bind(after.paid_at.map(Timestamp::ms))
    .bind(final_at)
    .bind(after.approved.as_ref().map(|(at, _)| at.ms()))
    .bind(after.approved.as_ref().map(|(_, who)| who.clone()))
    .bind(after.version)
    .bind(after.maybe_sent)
    .bind(after.price.map(Money::minor))
    .bind(after.price.map(|m| m.currency().code()))
    .bind(after.failure.map(FailureClass::as_str))
    .bind(&after.sent_by)
    .bind(after.id.as_str())
    .bind(before.version)
    .bind(before.state.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(moved) = moved else {
        return Err(StoreError::Conflict { what: format!("top-up {}", before.id) });
    };
    let mut links = Vec::new();
    for (kind, amount) in entries(before, &after) {
        links.push(ledger::insert(tx, &after, kind, amount, now).await?);
    }
    let from = before.state.as_str();
    links.push(super::topups::insert_event(tx, &after, from, change, now).await?);
    links.push(journal::Table::Topups.entry(&moved)?);
    journal::link(tx, &links, now).await?;
    if after.state == State::Verified {
        super::needs::close_need(tx, &after.need, NeedOutcome::Served, now).await?;
    }
    if after.state == State::Reversed {
        // It has had its one order; if money is still wanted, that is another need.
        super::needs::close_need(tx, &after.need, NeedOutcome::Gone, now).await?;
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures;

    fn usd(minor: i64) -> Money {
        Money::new(minor, crate::domain::Currency::parse("USD").unwrap())
    }

    #[test]
    fn the_ledger_always_sums_to_what_the_caps_count() {
        let path = [
            State::Proposed,
            State::Reserved,
            State::Submitting,
            State::Unknown,
            State::Paid,
            State::Verified,
            State::Reversed,
        ];
        let mut topup = fixtures::order(State::Proposed, usd(1000));
        let mut sum = 0;
        for pair in path.windows(2) {
            let (before, mut after) = (
                Topup { state: pair[0], ..topup.clone() },
                Topup { state: pair[1], ..topup.clone() },
            );
            if pair[1] == State::Paid {
                after.charged = Some(usd(1100));
            }
            for (kind, amount) in entries(&before, &after) {
                sum += if matches!(kind, "reserve" | "settle") {
                    amount.minor()
                } else {
                    -amount.minor()
                };
            }
            topup = Topup {
                paid_at: Some(Timestamp::from_ms(1))
                    .filter(|_| pair[1] == State::Paid)
                    .or(topup.paid_at),
                ..after
            };
            assert_eq!(sum, counted(&topup), "{pair:?}");
        }
        assert_eq!(sum, 0);
    }
}
