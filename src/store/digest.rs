//! Many notices about many lines of one owner become one, before any of them is sent.

use super::{Dialect, Store, StoreError, notices, rows::Columns};
use crate::domain::{
    Facts, Item, NoticeDraft, NoticeKind, Severity, Span, SubscriberId, Timestamp,
};
use serde_json::json;
use std::collections::BTreeSet;

/// What may be gathered: a condition that the index `notices_to_gather` has as well, so that a long
/// queue of other notices costs nothing here.
macro_rules! waiting {
    () => {
        "state = 'queued' AND attempts = 0 AND severity <> 'critical' \
         AND kind IN ('low_balance', 'expiry_near', 'stale', 'recovered', 'flapping')"
    };
}

/// More lines than this at once are told in one notice.
const LINES: i64 = 3;

/// Notices looked at before each claim: no fewer than are claimed at once.
const NEXT: i64 = 64;

/// How long notices are gathered, from the first one on.
const GATHER: Span = Span::seconds(60);

impl Store {
    /// Gathers queued notices where there are many for one subscriber: they wait for a minute,
    /// then one digest takes their place. Critical ones never wait. Returns how many were replaced.
    pub async fn gather_digests(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut replaced = 0_usize;
        // Only those who are told next are looked at: a long queue of others costs nothing.
        while let crowded = self.crowded(now).await?
            && !crowded.is_empty()
        {
            for (subscriber, since) in crowded {
                let opens = since.plus(GATHER);
                if opens > now {
                    self.postpone(&subscriber, opens, now).await?;
                } else {
                    replaced += self.gather(&subscriber, now).await?;
                }
            }
        }
        Ok(replaced)
    }

    /// Who is told next, about many lines; and since when.
    async fn crowded(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let next = self.next_notices(NEXT, now).await?;
        let who: BTreeSet<&str> = next.iter().map(|(_, subscriber)| subscriber.as_str()).collect();
        if who.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.sql(concat!(
            "SELECT subscriber_id, MIN(created_at) AS since FROM notices WHERE next_try_at <= $1 AND ",
            waiting!(),
            " AND subscriber_id IN {ids $3} GROUP BY subscriber_id \
             HAVING COUNT(DISTINCT subscription_id) > $2 ORDER BY subscriber_id",
        ));
        let rows = sqlx::query(sql)
            .bind(now.ms())
            .bind(LINES)
            .bind(json!(who).to_string())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "notices", row };
                Ok((c.text("subscriber_id")?, c.at("since")?))
            })
            .collect()
    }

    async fn postpone(
        &self,
        subscriber: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(concat!(
            "UPDATE notices SET next_try_at = $1 WHERE subscriber_id = $2 AND next_try_at <= $3 AND ",
            waiting!(),
        ))
        .bind(until.ms())
        .bind(subscriber)
        .bind(now.ms())
        .execute(&self.writer())
        .await?;
        Ok(())
    }

    async fn gather(&self, subscriber: &str, now: Timestamp) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        // Locked, where others may gather the same: whoever comes second finds nothing left.
        let waiting = match self.dialect() {
            Dialect::Sqlite => concat!(
                "SELECT * FROM notices WHERE subscriber_id = $1 AND next_try_at <= $2 AND ",
                waiting!(),
                " ORDER BY created_at, id",
            ),
            Dialect::Postgres => concat!(
                "SELECT * FROM notices WHERE subscriber_id = $1 AND next_try_at <= $2 AND ",
                waiting!(),
                " ORDER BY created_at, id FOR UPDATE",
            ),
        };
        let rows = sqlx::query(waiting).bind(subscriber).bind(now.ms()).fetch_all(&mut *tx).await?;
        let gathered: Result<Vec<_>, _> = rows.iter().map(notices::stored).collect();
        let gathered = gathered?;
        let Some(first) = gathered.first() else { return Ok(0) };
        let items = gathered.iter().map(|notice| Item {
            kind: notice.kind.as_str().to_owned(),
            label: notice.facts.label.clone(),
            last4: notice.facts.last4.clone(),
            balance: notice.facts.balance.clone(),
            service_end_at: notice.facts.service_end_at,
            spent: None,
        });
        let digest = NoticeDraft {
            subscriber: SubscriberId::trusted(subscriber),
            subscription: None,
            topup: None,
            kind: NoticeKind::Digest,
            severity: gathered.iter().map(|n| n.severity).max().unwrap_or(Severity::Warning),
            dedupe: format!("digest|{}|{}", first.id, gathered.len()),
            at: now,
            facts: Facts { items: items.collect(), ..Facts::default() },
        };
        notices::insert(&mut tx, &digest).await?;
        let ids: Vec<&str> = gathered.iter().map(|notice| notice.id.as_str()).collect();
        let sql = self.sql(
            "UPDATE notices SET state = 'dropped', next_try_at = NULL, last_error = $1 WHERE id IN {ids $2}",
        );
        sqlx::query(sql)
            .bind(format!("told in the digest {}", notices::notice_id(&digest)))
            .bind(json!(ids).to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(gathered.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_and_the_kinds_are_those_of_the_query() {
        let kinds = NoticeKind::GATHERED.map(|kind| format!("'{}'", kind.as_str())).join(", ");
        assert!(waiting!().ends_with(&format!("kind IN ({kinds})")), "{}", waiting!());
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let migration = plain(include_str!("../../migrations/0006_notices.sql"));
        assert!(migration.contains(&plain(waiting!())));
    }
}
