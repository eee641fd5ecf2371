//! Codes that were bought, sealed, until somebody has redeemed them.

use super::{Store, StoreError, acts, needs::derived_id, rows::Columns};
use crate::domain::{SubscriptionId, Timestamp, Topup, TopupId};
use sqlx::any::AnyRow;

/// A code that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPin {
    /// Its id, derived from the top-up: fetched again, it is the same.
    pub id: String,
    /// The top-up that bought it.
    pub topup: TopupId,
    /// The line it was bought for.
    pub subscription: SubscriptionId,
    /// Who sold it.
    pub payer: String,
    /// The code, sealed for the top-up.
    pub sealed: String,
    /// `stored`, `shown`, `redeeming`, `redeemed` or `rejected`.
    pub state: String,
    /// When it lapses.
    pub expires_at: Option<Timestamp>,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// Who changed its state last.
    pub actor: String,
    /// What they said.
    pub note: Option<String>,
}

/// What a person or a device did with codes; in the journal, without them.
const PIN: &str = "pin";

impl Store {
    /// Keeps a code. False where the top-up's code is kept already.
    pub async fn keep_pin(
        &self,
        topup: &Topup,
        sealed: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = derived_id("p", topup.id.as_str());
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO pins (id, topup_id, subscription_id, payer, sealed, state, expires_at, stored_at, changed_at, actor) \
             VALUES ($1, $2, $3, $4, $5, 'stored', $6, $7, $7, 'provider') ON CONFLICT (topup_id) DO NOTHING",
        )
        .bind(&id)
        .bind(topup.id.as_str())
        .bind(topup.subscription.as_str())
        .bind(&topup.payer)
        .bind(sealed)
        .bind(expires_at.map(Timestamp::ms))
        .bind(now.ms())
        .execute(&mut *tx)
        .await?;
        let is_new = done.rows_affected() > 0;
        if is_new {
            let why = format!("{id} stored for {}", topup.id);
            acts::write(&mut tx, Some(&topup.subscription), PIN, &why, now).await?;
        }
        tx.commit().await?;
        Ok(is_new)
    }

    /// All codes, or those that nobody has redeemed yet.
    pub async fn pins(&self, all: bool) -> Result<Vec<StoredPin>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM pins WHERE $1 = 1 OR state IN ('stored', 'shown', 'redeeming') ORDER BY stored_at, id",
        )
        .bind(i64::from(all))
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(pin).collect()
    }

    /// One code, by its id or its top-up's.
    pub async fn pin(&self, id: &str) -> Result<StoredPin, StoreError> {
        let row = sqlx::query("SELECT * FROM pins WHERE id = $1 OR topup_id = $1")
            .bind(id)
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(pin).transpose()?.ok_or_else(|| StoreError::NotFound(format!("code {id}")))
    }

    /// The code of a top-up, while nobody has redeemed it.
    pub async fn open_pin(&self, topup: &TopupId) -> Result<Option<StoredPin>, StoreError> {
        let row = sqlx::query(
            "SELECT * FROM pins WHERE topup_id = $1 AND state IN ('stored', 'shown', 'redeeming')",
        )
        .bind(topup.as_str())
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(pin).transpose()
    }

    /// Moves a code on from the state it was read in; what was done is in the journal.
    pub async fn move_pin(
        &self,
        pin: &StoredPin,
        to: &str,
        (actor, note): (&str, Option<&str>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE pins SET state = $1, changed_at = $2, actor = $3, note = COALESCE($4, note) WHERE id = $5 AND state = $6",
        )
        .bind(to)
        .bind(now.ms())
        .bind(actor)
        .bind(note)
        .bind(&pin.id)
        .bind(&pin.state)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict { what: format!("code {}", pin.id) });
        }
        let why = format!("{} {}>{to} by {actor}", pin.id, pin.state);
        acts::write(&mut tx, Some(&pin.subscription), PIN, &why, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn pin(row: &AnyRow) -> Result<StoredPin, StoreError> {
    let c = Columns { table: "pins", row };
    Ok(StoredPin {
        id: c.text("id")?,
        topup: c.parsed("topup_id", |id| TopupId::parse(id).ok())?,
        subscription: c.parsed("subscription_id", |id| SubscriptionId::parse(id).ok())?,
        payer: c.text("payer")?,
        sealed: c.text("sealed")?,
        state: c.text("state")?,
        expires_at: c.maybe_at("expires_at")?,
        stored_at: c.at("stored_at")?,
        actor: c.text("actor")?,
        note: c.maybe_text("note")?,
    })
}
