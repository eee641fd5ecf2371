//! Single rows as somebody with a scope sees them: what is outside of it is not there.

use super::{
    Scope, Store, StoreError, StoredNotice,
    lists::{money_within, notices_within, within},
    notices, rows,
};
use crate::domain::{Subscriber, Subscription, SubscriptionId, Topup};

impl Store {
    /// A line; outside of `scope` it fails as for one that is not there.
    pub async fn line_within(
        &self,
        scope: &Scope,
        id: &SubscriptionId,
    ) -> Result<Subscription, StoreError> {
        let line = self.subscription(id).await?;
        if scope.holds(line.subscriber.as_str(), &line.tags) {
            return Ok(line);
        }
        Err(StoreError::NotFound(format!("subscription {id}")))
    }

    /// [`Store::topup`], of the top-ups on lines of `scope` only.
    pub async fn topup_within(&self, scope: &Scope, id: &str) -> Result<Topup, StoreError> {
        let pattern = format!("{}%", id.replace(['%', '_'], ""));
        let (subscriber, tag) = scope.keys();
        let rows = sqlx::query(self.sql(concat!(
            "SELECT t.* FROM topups t WHERE (t.id = $1 OR t.reference = $1 OR (length($1) >= 4 \
             AND replace(t.id, '_', '') LIKE replace($2, '_', ''))) AND ",
            money_within!("t", "$3", "$4"),
            " ORDER BY CASE WHEN t.id = $1 OR t.reference = $1 THEN 0 ELSE 1 END, t.id LIMIT 2"
        )))
        .bind(id)
        .bind(pattern)
        .bind(subscriber)
        .bind(tag)
        .fetch_all(self.reader())
        .await?;
        let found: Vec<Topup> = rows.iter().map(rows::topup).collect::<Result<_, _>>()?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [first, _] if first.id.as_str() == id || first.reference == id => Ok(first.clone()),
            _ => Err(StoreError::NotFound(format!("top-up {id}"))),
        }
    }

    /// [`Store::notice`], of those that [`Store::notices_page`] lists.
    pub async fn notice_within(&self, scope: &Scope, id: &str) -> Result<StoredNotice, StoreError> {
        let (subscriber, tag) = scope.keys();
        let row = sqlx::query(self.sql(concat!(
            "SELECT n.* FROM notices n WHERE n.id = $1 AND ",
            notices_within!("$2", "$3")
        )))
        .bind(id)
        .bind(subscriber)
        .bind(tag)
        .fetch_optional(self.reader())
        .await?;
        let row = row.ok_or_else(|| StoreError::NotFound(format!("notice {id}")))?;
        notices::stored(&row)
    }

    /// The subscribers of `scope`: themselves, or the owners of its lines.
    pub async fn subscribers_within(&self, scope: &Scope) -> Result<Vec<Subscriber>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let rows = sqlx::query(self.sql(
            "SELECT b.* FROM subscribers b WHERE b.closed_at IS NULL AND ($1 IS NULL OR b.id = $1) AND ($2 IS NULL OR EXISTS \
             (SELECT 1 FROM subscriptions s WHERE s.subscriber_id = b.id AND s.status <> 'closed' AND $2 IN {ids s.tags})) \
             ORDER BY b.id",
        ))
        .bind(subscriber)
        .bind(tag)
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(rows::subscriber).collect()
    }
}
