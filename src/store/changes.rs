//! What changed, for those who watch: readings and deliveries as this process writes them; money and
//! what people did as the journal has them, whoever wrote them.

use super::{
    Store, StoreError,
    acts::{MONEY, STATUS},
    rows::Columns,
};
use crate::domain::{SubscriptionId, Timestamp};
use tokio::sync::broadcast;

/// So many changes wait for somebody who watches; whoever falls further behind is told so.
const KEPT: usize = 1024;

/// Something that this process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A reading of a line came.
    Line(SubscriptionId),
    /// A notice was tried, or will not be.
    Notice(String),
}

/// Tells everybody who watches; costs nothing while nobody does.
#[derive(Clone, Debug)]
pub(super) struct Changes(broadcast::Sender<Changed>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Changes {
    /// Tells what was committed.
    pub(super) fn tell(&self, changed: impl IntoIterator<Item = Changed>) {
        if self.0.receiver_count() > 0 {
            for changed in changed {
                // Whoever watched may be gone by now.
                self.0.send(changed).ok();
            }
        }
    }
}

/// A link of the journal that a watcher wants to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journaled {
    /// A top-up moved.
    Topup(String),
    /// A line was stopped or watched again.
    Status(SubscriptionId),
    /// The switches that stop paying stand differently.
    Money,
}

impl Store {
    /// What this process writes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.0.subscribe()
    }

    /// The links behind `seq`, at most `limit`, and the number of the last one looked at.
    pub async fn journaled_after(
        &self,
        seq: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Journaled>), StoreError> {
        let rows =
            sqlx::query("SELECT seq, subject FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(seq)
                .bind(limit)
                .fetch_all(self.reader())
                .await?;
        let (mut last, mut found) = (seq, Vec::new());
        for row in &rows {
            let c = Columns { table: "journal", row };
            last = c.int("seq")?;
            let what = match c.text("subject")?.split(':').collect::<Vec<_>>().as_slice() {
                ["topups", id, ..] => Some(Journaled::Topup((*id).to_owned())),
                ["acts", act] => self.journaled_act(act).await?,
                _ => None,
            };
            found.extend(what.filter(|what| !found.contains(what)));
        }
        Ok((last, found))
    }

    async fn journaled_act(&self, seq: &str) -> Result<Option<Journaled>, StoreError> {
        let Ok(seq) = seq.parse::<i64>() else { return Ok(None) };
        let row = sqlx::query("SELECT what, subscription_id FROM acts WHERE seq = $1")
            .bind(seq)
            .fetch_optional(self.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let c = Columns { table: "acts", row: &row };
        let line = c.maybe_text("subscription_id")?;
        Ok(match c.text("what")?.as_str() {
            MONEY => Some(Journaled::Money),
            STATUS => line.and_then(|id| SubscriptionId::parse(&id).ok()).map(Journaled::Status),
            _ => None,
        })
    }

    /// The notices written since `at`, at most `limit`.
    pub async fn notices_since(
        &self,
        at: Timestamp,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT id FROM notices WHERE created_at >= $1 ORDER BY created_at, id LIMIT $2",
        );
        Ok(found.bind(at.ms()).bind(limit).fetch_all(self.reader()).await?)
    }
}
