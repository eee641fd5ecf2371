//! P1, P2, P4, P5 and the ledger's sums.

use super::{Finding, Proof};
use crate::domain::State;
use crate::store::{StoreError, Tx, rows::Columns};

pub(super) async fn prove(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    proof.topups = count(tx, "SELECT COUNT(*) FROM topups").await?;
    proof.entries = count(tx, "SELECT COUNT(*) FROM ledger").await?;
    for row in sqlx::query(
        "SELECT need_id, COUNT(*) AS n FROM topups WHERE state NOT IN ('failed', 'cancelled', 'reversed') \
         GROUP BY need_id HAVING COUNT(*) > 1 ORDER BY need_id LIMIT 100",
    )
    .fetch_all(&mut **tx)
    .await?
    {
        let c = Columns { table: "topups", row: &row };
        let why = format!("{} orders that are not proven to have cost nothing", c.int("n")?);
        proof.find(Finding::new("P1", format!("needs:{}", c.text("need_id")?), why));
    }
    for row in sqlx::query(
        "SELECT payer, transaction_id, MIN(id) AS id, COUNT(*) AS n FROM topups WHERE transaction_id IS NOT NULL \
         GROUP BY payer, transaction_id HAVING COUNT(*) > 1 ORDER BY payer, transaction_id LIMIT 100",
    )
    .fetch_all(&mut **tx)
    .await?
    {
        let c = Columns { table: "topups", row: &row };
        let (n, payer) = (c.int("n")?, c.text("payer")?);
        let why = format!("transaction {} of {payer} stands in {n} orders", c.text("transaction_id")?);
        proof.find(Finding::new("P2", format!("topups:{}", c.text("id")?), why));
    }
    histories(tx, proof).await?;
    ledger_sums(tx, proof).await
}

async fn count(tx: &mut Tx, sql: &'static str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(sql).fetch_one(&mut **tx).await?)
}

/// P4 and P5: every history is a path through the state machine that ends where the top-up stands.
async fn histories(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT e.topup_id, e.seq, e.from_state, e.to_state, t.state, t.submit_no, t.request FROM topup_events e \
         JOIN topups t ON t.id = e.topup_id ORDER BY e.topup_id, e.seq",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut path = Path::default();
    for row in &rows {
        let c = Columns { table: "topup_events", row };
        let id = c.text("topup_id")?;
        if path.id != id {
            path.end(proof);
            path = Path {
                id,
                stands: c.text("state")?,
                submits: c.int("submit_no")?,
                ..Path::default()
            };
            path.is_frozen = c.maybe_text("request")?.is_some();
        }
        path.step(c.int("seq")?, &c.text("from_state")?, &c.text("to_state")?, proof);
    }
    path.end(proof);
    let silent = sqlx::query(
        "SELECT id FROM topups WHERE NOT EXISTS (SELECT 1 FROM topup_events e WHERE e.topup_id = topups.id) \
         ORDER BY id LIMIT 100",
    );
    for row in silent.fetch_all(&mut **tx).await? {
        let id = Columns { table: "topups", row: &row }.text("id")?;
        proof.find(Finding::new("P5", format!("topups:{id}"), "it has no history"));
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Path {
    id: String,
    stands: String,
    submits: i64,
    is_frozen: bool,
    at: Option<State>,
    seq: i64,
    reserved: bool,
    submitted: i64,
}

impl Path {
    fn step(&mut self, seq: i64, from: &str, to: &str, proof: &mut Proof) {
        let row = format!("topup_events:{}:{seq}", self.id);
        if seq != self.seq.saturating_add(1) {
            proof.find(Finding::new(
                "P5",
                row.clone(),
                "a line of the history is missing before it",
            ));
        }
        self.seq = seq;
        let (Some(next), start) = (State::parse(to), State::parse(from)) else {
            proof.find(Finding::new("P5", row, format!("{to} is no state")));
            return;
        };
        let begins = self.at.is_none() && from == "none" && next == State::Proposed;
        let follows = start.is_some() && start == self.at;
        let allowed = start.is_some_and(|s| s == next || s.may_go_to(next));
        let is_path = begins || (follows && allowed);
        if !is_path {
            let before = self.at.map_or("nothing", State::as_str);
            proof.find(Finding::new("P5", row.clone(), format!("{from} → {to} after {before}")));
        }
        if start != Some(next) {
            self.reserved |= next == State::Reserved;
            if next == State::Submitting {
                self.submitted = self.submitted.saturating_add(1);
                if !self.reserved || !self.is_frozen {
                    proof.find(Finding::new(
                        "P4",
                        row,
                        "sent without having been reserved and frozen before",
                    ));
                }
            }
        }
        self.at = Some(next);
    }

    fn end(&self, proof: &mut Proof) {
        let Some(at) = self.at else { return };
        let row = format!("topups:{}", self.id);
        if at.as_str() != self.stands {
            let why = format!("its history ends at {}, it stands at {}", at.as_str(), self.stands);
            proof.find(Finding::new("P5", row.clone(), why));
        }
        // A recorder may know of submissions that this history does not.
        if self.submitted > self.submits {
            let why =
                format!("{} submissions in its history, {} counted", self.submitted, self.submits);
            proof.find(Finding::new("P4", row, why));
        }
    }
}

/// What a top-up counts against the caps is what the ledger says of it.
async fn ledger_sums(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    for row in sqlx::query(
        "SELECT t.id, t.counted_minor, CAST(COALESCE(l.net, 0) AS BIGINT) AS net FROM topups t LEFT JOIN \
         (SELECT topup_id, SUM(CASE WHEN kind IN ('reserve', 'settle') THEN amount_minor ELSE -amount_minor END) AS net \
          FROM ledger GROUP BY topup_id) l ON l.topup_id = t.id \
         WHERE t.counted_minor <> COALESCE(l.net, 0) ORDER BY t.id LIMIT 100",
    )
    .fetch_all(&mut **tx)
    .await?
    {
        let c = Columns { table: "topups", row: &row };
        let why = format!("it counts {} minor units, the ledger {}", c.int("counted_minor")?, c.int("net")?);
        proof.find(Finding::new("ledger", format!("topups:{}", c.text("id")?), why));
    }
    Ok(())
}
