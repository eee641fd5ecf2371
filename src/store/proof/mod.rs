//! `topupd verify`: reads the books from end to end and proves that they were kept.
//!
//! journal – no link was edited, added, taken out or cut off; every row is what its link says.
//! P1 – a need has at most one order that is not proven to have cost nothing.
//! P2 – a provider's transaction belongs to one order.
//! P3 – no cap was exceeded by any reservation, counting money in flight.
//! P4 – nothing was sent before it was reserved, and nothing whose request was not frozen.
//! P5 – only arrows of the state machine, none out of a final state but a reversal.
//! P6 – every notice was accepted, was superseded, or is still queued, but to people who chose to
//!      have no channel; every news about money was put into words.
//! ledger – what moved sums up to what the top-ups count.

mod caps;
mod chain;
mod orders;

use super::{Dialect, Head, Store, StoreError, Tx, rows::Columns};

/// A journal head that was kept outside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The head.
    pub head: Head,
    /// Where it was kept, in words.
    pub origin: String,
}

impl Anchor {
    /// What is allowed where one is typed.
    pub const ALLOWED: &'static str = "allowed is SEQ:HASH as `topupd verify` prints it";

    /// A head as `SEQ:HASH`.
    pub fn parse(text: &str, origin: &str) -> Option<Self> {
        let (seq, hash) = text.split_once(':')?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let seq = seq.parse::<i64>().ok().filter(|seq| *seq > 0 && is_hash)?;
        let head = Head { seq, hash: hash.to_ascii_lowercase() };
        Some(Self { head, origin: origin.to_owned() })
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `journal`, `ledger`, `database`, or `P1` to `P6`.
    pub proof: &'static str,
    /// The first offending row, as table and key.
    pub row: String,
    /// What is wrong with it.
    pub why: String,
}

impl Finding {
    fn new(proof: &'static str, row: impl Into<String>, why: impl Into<String>) -> Self {
        Self { proof, row: row.into(), why: why.into() }
    }
}

/// What was read, and what does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// What does not hold, at most a hundred of each kind, in the order of the rows.
    pub findings: Vec<Finding>,
    /// Links of the journal.
    pub links: i64,
    /// Top-ups.
    pub topups: i64,
    /// Entries of the ledger.
    pub entries: i64,
    /// Notices.
    pub notices: i64,
    /// Anchors that were compared.
    pub anchors: usize,
    /// The journal's head.
    pub head: Head,
}

/// Findings of one kind beyond this many add nothing.
const ENOUGH: usize = 100;

impl Proof {
    fn find(&mut self, finding: Finding) {
        if self.findings.iter().filter(|known| known.proof == finding.proof).count() < ENOUGH {
            self.findings.push(finding);
        }
    }
}

impl Store {
    /// Proves the books, as one consistent view of them, and `anchors` against the journal.
    pub async fn prove(&self, anchors: &[Anchor]) -> Result<Proof, StoreError> {
        let mut proof = Proof { anchors: anchors.len(), ..Proof::default() };
        let mut tx: Tx = match self.dialect() {
            Dialect::Sqlite => self.reader().begin().await?,
            Dialect::Postgres => {
                self.reader().begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?
            }
        };
        if self.dialect() == Dialect::Sqlite {
            integrity(&mut tx, &mut proof).await?;
        }
        chain::prove(&mut tx, anchors, &mut proof).await?;
        orders::prove(&mut tx, &mut proof).await?;
        caps::prove(&mut tx, &mut proof).await?;
        notices(&mut tx, &mut proof).await?;
        tx.rollback().await?;
        Ok(proof)
    }
}

/// The file itself.
async fn integrity(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    let said: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(&mut **tx).await?;
    for why in said.into_iter().filter(|line| line != "ok") {
        proof.find(Finding::new("database", "file", why));
    }
    Ok(())
}

/// P6.
async fn notices(tx: &mut Tx, proof: &mut Proof) -> Result<(), StoreError> {
    proof.notices = sqlx::query_scalar("SELECT COUNT(*) FROM notices").fetch_one(&mut **tx).await?;
    let bad = sqlx::query(
        "SELECT id, kind, state, last_error FROM notices WHERE (state = 'dead' AND EXISTS ( \
             SELECT 1 FROM subscribers s WHERE s.id = notices.subscriber_id AND s.channels <> '[]')) \
         OR (state = 'sent' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.notice_id = notices.id)) \
         ORDER BY created_at, id LIMIT 100",
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &bad {
        let c = Columns { table: "notices", row };
        let why = match c.text("state")?.as_str() {
            "dead" => format!(
                "nobody took the notice {}: {}",
                c.text("kind")?,
                c.maybe_text("last_error")?.unwrap_or_default()
            ),
            _ => "called sent, but there is no delivery".to_owned(),
        };
        proof.find(Finding::new("P6", format!("notices:{}", c.text("id")?), why));
    }
    // News about money must have been put into words.
    let untold = sqlx::query(
        "SELECT e.topup_id, e.seq, e.to_state FROM topup_events e WHERE e.from_state <> e.to_state \
         AND e.to_state IN ('paid', 'verified', 'failed', 'unknown', 'held', 'reversed') \
         AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.topup_id = e.topup_id \
                         AND n.kind = 'topup_' || e.to_state) ORDER BY e.at, e.topup_id LIMIT 100",
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &untold {
        let c = Columns { table: "topup_events", row };
        let at = format!("topup_events:{}:{}", c.text("topup_id")?, c.int("seq")?);
        proof.find(Finding::new(
            "P6",
            at,
            format!("{} was never put into words", c.text("to_state")?),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
