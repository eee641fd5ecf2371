//! The journal: every row of history, ledger and acts is a link of one hash chain, written in the
//! transaction of the row itself. What it proves is read back by [`super::proof`].

use super::{Store, StoreError, Tx, needs::sha256_hex, rows::Columns};
use crate::domain::Timestamp;
use serde_json::{Value as Json, json};
use sqlx::any::AnyRow;

/// The end of the chain: what has to be kept elsewhere so that a cut tail shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of the last link; 0 for an empty journal.
    pub seq: i64,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// What a row is in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Table and key, such as `ledger:t_0123:2`.
    pub(super) subject: String,
    /// SHA-256 of the row.
    pub(super) digest: String,
}

/// The tables whose rows are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// A top-up's history, append-only.
    Events,
    /// A top-up as it stood after each line of its history.
    Topups,
    /// Money movements, append-only.
    Ledger,
    /// What people and switches did, append-only.
    Acts,
}

impl Table {
    /// Its name, the columns of its key, and all columns that its digest covers: texts, numbers.
    const fn shape(self) -> (&'static str, &'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Events => (
                "topup_events",
                &["topup_id", "seq"],
                &["at", "from_state", "to_state", "actor", "why", "evidence"],
            ),
            Self::Topups => (
                "topups",
                &["id", "version"],
                &[
                    "subscription_id",
                    "subscriber_id",
                    "rule_id",
                    "need_id",
                    "payer",
                    "product",
                    "amount_minor",
                    "currency",
                    "reference",
                    "order_hash",
                    "state",
                    "reason",
                    "request",
                    "submit_no",
                    "maybe_sent",
                    "transaction_id",
                    "charged_minor",
                    "charged_currency",
                    "counted_minor",
                    "created_at",
                ],
            ),
            Self::Ledger => (
                "ledger",
                &["topup_id", "seq"],
                &[
                    "at",
                    "kind",
                    "amount_minor",
                    "currency",
                    "subscription_id",
                    "subscriber_id",
                    "payer",
                ],
            ),
            Self::Acts => ("acts", &["seq"], &["at", "subscription_id", "what", "why"]),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        self.shape().0
    }

    /// The link of a row of this table.
    pub(super) fn entry(self, row: &AnyRow) -> Result<Entry, StoreError> {
        let (table, key, rest) = self.shape();
        let c = Columns { table, row };
        let cell = |column: &&'static str| -> Result<Json, StoreError> {
            // The any driver knows no types of NULL cells: a number is tried first.
            Ok(match c.maybe_int(column) {
                Ok(Some(number)) => json!(number),
                Ok(None) => Json::Null,
                Err(_) => json!(c.maybe_text(column)?),
            })
        };
        let mut subject = table.to_owned();
        for column in key {
            let part = cell(column)?;
            subject.push(':');
            match part.as_str() {
                Some(text) => subject.push_str(text),
                None => subject.push_str(&part.to_string()),
            }
        }
        let cells: Vec<Json> = rest.iter().map(cell).collect::<Result<_, _>>()?;
        let digest = sha256_hex(&json!([subject, cells]).to_string());
        Ok(Entry { subject, digest })
    }
}

/// The hash of a link.
pub(super) fn hash(before: &str, seq: i64, at: i64, entry: &Entry) -> String {
    let Entry { subject, digest } = entry;
    sha256_hex(&format!("topupd/journal/v1|{before}|{seq}|{at}|{subject}|{digest}"))
}

/// Links written by one statement at most.
const BUNCH: usize = 100;

/// The statement that writes so many links.
fn insert(links: usize) -> String {
    let row = |n: usize| {
        let first = n * 5;
        let places: Vec<String> = (1..=5).map(|k| format!("${}", first + k)).collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..links).map(row).collect();
    format!("INSERT INTO journal (seq, at, subject, digest, hash) VALUES {}", rows.join(", "))
}

/// Appends links. The head's row is the lock: one transaction at a time has it.
pub(super) async fn link(tx: &mut Tx, entries: &[Entry], now: Timestamp) -> Result<(), StoreError> {
    let more = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let row =
        sqlx::query("UPDATE journal_head SET seq = seq + $1 WHERE id = 1 RETURNING seq, hash")
            .bind(more)
            .fetch_one(&mut **tx)
            .await?;
    let c = Columns { table: "journal_head", row: &row };
    let (mut seq, mut last) = (c.int("seq")?.saturating_sub(more), c.text("hash")?);
    for bunch in entries.chunks(BUNCH) {
        let sql = insert(bunch.len());
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for entry in bunch {
            seq = seq.saturating_add(1);
            last = hash(&last, seq, now.ms(), entry);
            let Entry { subject, digest } = entry;
            query = query.bind(seq).bind(now.ms()).bind(subject).bind(digest).bind(last.clone());
        }
        query.execute(&mut **tx).await?;
    }
    sqlx::query("UPDATE journal_head SET hash = $1 WHERE id = 1")
        .bind(last)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Store {
    /// The journal's head as it stands.
    pub async fn journal_head(&self) -> Result<Head, StoreError> {
        let row = sqlx::query("SELECT seq, hash FROM journal_head WHERE id = 1")
            .fetch_one(self.reader())
            .await?;
        let c = Columns { table: "journal_head", row: &row };
        Ok(Head { seq: c.int("seq")?, hash: c.text("hash")? })
    }

    /// Links rows that are older than the journal, once, after the migration that made it.
    pub(super) async fn begin_journal(&self) -> Result<(), StoreError> {
        if self.journal_head().await?.seq > 0 {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        // Of several instances that start at once, one links and the others see that it is done.
        sqlx::query("UPDATE journal_head SET seq = seq WHERE id = 1").execute(&mut *tx).await?;
        let is_empty = sqlx::query("SELECT seq FROM journal_head WHERE id = 1 AND seq = 0")
            .fetch_optional(&mut *tx)
            .await?
            .is_some();
        let mut newest = 0;
        let mut entries = Vec::new();
        for (table, order) in [
            (Table::Events, "SELECT * FROM topup_events ORDER BY topup_id, seq"),
            (Table::Topups, "SELECT * FROM topups ORDER BY id"),
            (Table::Ledger, "SELECT * FROM ledger ORDER BY topup_id, seq"),
            (Table::Acts, "SELECT * FROM acts ORDER BY seq"),
        ] {
            for row in sqlx::query(order).fetch_all(&mut *tx).await? {
                entries.push(table.entry(&row)?);
                let c = Columns { table: table.name(), row: &row };
                let at = if table == Table::Topups { "updated_at" } else { "at" };
                newest = c.int(at)?.max(newest);
            }
        }
        if is_empty && !entries.is_empty() {
            link(&mut tx, &entries, Timestamp::from_ms(newest)).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
