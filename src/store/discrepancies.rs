//! What our books and a provider's do not agree about, and when they were last compared.

use super::{Store, StoreError, needs::derived_id, rows::Columns};
use crate::domain::{Money, Timestamp};

/// One thing that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// Its id, derived from what it is about: found again, it is the same.
    pub id: String,
    /// `charged_after_failed`, `theirs_only`, `ours_only`, `amount`, `wallet` or `recorder`.
    pub kind: String,
    /// The provider.
    pub payer: String,
    /// Our top-up, where there is one.
    pub topup: Option<String>,
    /// Their transaction, where there is one.
    pub transaction_id: Option<String>,
    /// In words.
    pub what: String,
    /// When it was first found.
    pub found_at: Timestamp,
    /// When it was settled.
    pub closed_at: Option<Timestamp>,
}

/// Our own float at a provider, as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// How much.
    pub balance: Money,
    /// When.
    pub at: Timestamp,
}

impl Discrepancy {
    /// A new one.
    pub fn new(kind: &str, payer: &str, about: &str, what: String, now: Timestamp) -> Self {
        Self {
            id: derived_id("d", &format!("{kind}|{payer}|{about}")),
            kind: kind.to_owned(),
            payer: payer.to_owned(),
            topup: None,
            transaction_id: None,
            what,
            found_at: now,
            closed_at: None,
        }
    }
}

impl Store {
    /// Writes one down. True when it is new.
    pub async fn find_discrepancy(&self, found: &Discrepancy) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO discrepancies (id, kind, payer, topup_id, transaction_id, what, found_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&found.id)
        .bind(&found.kind)
        .bind(&found.payer)
        .bind(&found.topup)
        .bind(&found.transaction_id)
        .bind(&found.what)
        .bind(found.found_at.ms())
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A person, or a later look, settled one. True where it was open.
    pub async fn close_discrepancy(
        &self,
        id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE discrepancies SET closed_at = $1, closed_by = $2 WHERE id = $3 AND closed_at IS NULL",
        )
        .bind(now.ms())
        .bind(by)
        .bind(id)
        .execute(&self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// All of them, newest first; only open ones where `open`.
    pub async fn discrepancies(&self, open: bool) -> Result<Vec<Discrepancy>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM discrepancies WHERE $1 = 0 OR closed_at IS NULL ORDER BY found_at DESC, id LIMIT 1000",
        )
        .bind(i64::from(open))
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "discrepancies", row };
                Ok(Discrepancy {
                    id: c.text("id")?,
                    kind: c.text("kind")?,
                    payer: c.text("payer")?,
                    topup: c.maybe_text("topup_id")?,
                    transaction_id: c.maybe_text("transaction_id")?,
                    what: c.text("what")?,
                    found_at: c.at("found_at")?,
                    closed_at: c.maybe_at("closed_at")?,
                })
            })
            .collect()
    }

    /// When `payer` was last compared, and its wallet then.
    pub async fn reconciled(
        &self,
        payer: &str,
    ) -> Result<Option<(Timestamp, Option<Wallet>)>, StoreError> {
        let row = sqlx::query("SELECT * FROM reconciliations WHERE payer = $1")
            .bind(payer)
            .fetch_optional(self.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let c = Columns { table: "reconciliations", row: &row };
        let balance = c.money("wallet_minor", "wallet_currency")?;
        let wallet =
            balance.zip(c.maybe_at("wallet_at")?).map(|(balance, at)| Wallet { balance, at });
        Ok(Some((c.at("at")?, wallet)))
    }

    /// Notes that `payer` was compared.
    pub async fn note_reconciled(
        &self,
        payer: &str,
        wallet: Option<Wallet>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO reconciliations (payer, at, wallet_minor, wallet_currency, wallet_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (payer) DO UPDATE SET at = excluded.at, wallet_minor = excluded.wallet_minor, \
             wallet_currency = excluded.wallet_currency, wallet_at = excluded.wallet_at",
        )
        .bind(payer)
        .bind(now.ms())
        .bind(wallet.map(|w| w.balance.minor()))
        .bind(wallet.map(|w| w.balance.currency().code()))
        .bind(wallet.map(|w| w.at.ms()))
        .execute(&self.writer())
        .await?;
        Ok(())
    }
}
