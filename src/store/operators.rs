//! Which operator a payer says a number is with.

use super::{Store, StoreError, rows::Columns};
use crate::domain::{Subscription, SubscriptionId, Timestamp};

/// What a payer said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSaid {
    /// The payer.
    pub payer: String,
    /// The operator, in its words; `None` where it could not tell.
    pub said: Option<String>,
    /// Both operators are known and are not of the same network.
    pub differs: bool,
}

/// What an answer is about: it is of no use once the line has another number or operator.
fn asked_of(line: &Subscription) -> String {
    let number = line.msisdn.as_ref().map_or("", |msisdn| msisdn.as_str());
    format!("{number}|{}", line.operator.as_deref().unwrap_or_default())
}

impl Store {
    /// What `payers` said of `line` since `since`.
    pub async fn operators_said(
        &self,
        line: &Subscription,
        since: Timestamp,
    ) -> Result<Vec<OperatorSaid>, StoreError> {
        let rows = sqlx::query(
            "SELECT payer, said, differs FROM operators_said \
             WHERE subscription_id = $1 AND asked_of = $2 AND at > $3 ORDER BY payer",
        )
        .bind(line.id.as_str())
        .bind(asked_of(line))
        .bind(since.ms())
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "operators_said", row };
                let differs = c.int("differs")? != 0;
                Ok(OperatorSaid { payer: c.text("payer")?, said: c.maybe_text("said")?, differs })
            })
            .collect()
    }

    /// Keeps what a payer said; the line is judged again at once where it differs.
    pub async fn keep_operator(
        &self,
        line: &Subscription,
        answer: &OperatorSaid,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO operators_said (subscription_id, payer, asked_of, said, differs, at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subscription_id, payer) DO UPDATE SET \
             asked_of = $3, said = $4, differs = $5, at = $6",
        )
        .bind(line.id.as_str())
        .bind(&answer.payer)
        .bind(asked_of(line))
        .bind(&answer.said)
        .bind(i64::from(answer.differs))
        .bind(now.ms())
        .execute(&self.writer())
        .await?;
        if answer.differs {
            self.decide_now(&line.id, now).await?;
        }
        Ok(())
    }

    /// Has a line judged at once.
    pub(super) async fn decide_now(
        &self,
        id: &SubscriptionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE watches SET next_decide_at = $1 WHERE subscription_id = $2 AND next_decide_at > $1",
        )
        .bind(now.ms())
        .bind(id.as_str())
        .execute(&self.writer())
        .await?;
        Ok(())
    }
}
