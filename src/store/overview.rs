//! What the overview shows first, within somebody's scope.

use super::{Scope, Store, StoreError, lists::containing, rows, rows::Columns};
use crate::domain::{Currency, Money, Span, State, Timestamp, Topup};
use serde::Serialize;

/// When a line ends, by its newest good reading: its service or its number, whichever is first.
macro_rules! ends {
    ($fields:literal, $more:literal) => {
        concat!(
            "(SELECT ",
            $fields,
            ", CASE WHEN w.service_end_at IS NULL OR w.number_loss_at < w.service_end_at \
             THEN w.number_loss_at ELSE w.service_end_at END AS ends_at FROM subscriptions s \
             JOIN watches w ON w.subscription_id = s.id ",
            $more,
            " WHERE s.status <> 'closed' AND ($1 IS NULL OR s.subscriber_id = $1) \
             AND ($2 IS NULL OR $2 IN {ids s.tags})"
        )
    };
}

/// How near the watched lines are to their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Near {
    /// Lines that are not closed.
    pub watched: i64,
    /// Over already.
    pub dark: i64,
    /// Over within a day.
    pub day: i64,
    /// Over within seven days.
    pub week: i64,
    /// Money on lines that end within seven days and are not over.
    pub at_stake: Vec<AtStake>,
}

/// Money of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AtStake {
    /// As people write it: `12.50 USD`.
    pub money: String,
}

impl Store {
    /// The ids of watched lines, first those whose service or number ends first; with `q` in their
    /// id, label, number or owner's name, where that is not empty. Lines of which nobody knows an
    /// end come last.
    pub async fn dark_first(
        &self,
        scope: &Scope,
        q: &str,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(concat!(
            "SELECT id FROM ",
            ends!("s.id", ""),
            " AND ($3 = '' OR LOWER(s.id) LIKE $3 ESCAPE '!' OR LOWER(s.label) LIKE $3 ESCAPE '!' \
             OR s.msisdn LIKE $3 ESCAPE '!' OR EXISTS (SELECT 1 FROM subscribers o \
             WHERE o.id = s.subscriber_id AND LOWER(o.name) LIKE $3 ESCAPE '!'))) ends \
             ORDER BY CASE WHEN ends_at IS NULL THEN 1 ELSE 0 END, ends_at, id LIMIT $4"
        ));
        Ok(sqlx::query_scalar(sql)
            .bind(subscriber)
            .bind(tag)
            .bind(pattern(q))
            .bind(limit)
            .fetch_all(self.reader())
            .await?)
    }

    /// How near the watched lines are to their ends.
    pub async fn near_dark(&self, scope: &Scope, now: Timestamp) -> Result<Near, StoreError> {
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(concat!(
            "SELECT currency, COUNT(*) AS watched, COUNT(CASE WHEN ends_at <= $3 THEN 1 END) AS dark, \
             COUNT(CASE WHEN ends_at > $3 AND ends_at <= $4 THEN 1 END) AS day, \
             COUNT(CASE WHEN ends_at > $3 AND ends_at <= $5 THEN 1 END) AS week, \
             CAST(SUM(CASE WHEN ends_at > $3 AND ends_at <= $5 THEN balance_minor ELSE 0 END) AS BIGINT) AS minor \
             FROM ",
            ends!(
                "r.balance_minor, r.currency",
                "LEFT JOIN readings r ON r.subscription_id = s.id AND r.at = COALESCE(w.kept_at, w.ok_at)"
            ),
            ") ends GROUP BY currency ORDER BY currency"
        ));
        let rows = sqlx::query(sql)
            .bind(subscriber)
            .bind(tag)
            .bind(now.ms())
            .bind(now.plus(Span::days(1)).ms())
            .bind(now.plus(Span::days(7)).ms())
            .fetch_all(self.reader())
            .await?;
        let mut near = Near::default();
        for row in &rows {
            let c = Columns { table: "readings", row };
            near.watched = near.watched.saturating_add(c.int("watched")?);
            near.dark = near.dark.saturating_add(c.int("dark")?);
            near.day = near.day.saturating_add(c.int("day")?);
            near.week = near.week.saturating_add(c.int("week")?);
            let currency = c.maybe_text("currency")?.and_then(|code| Currency::parse(&code).ok());
            let minor = c.maybe_int("minor")?.filter(|minor| *minor > 0);
            if let (Some(currency), Some(minor)) = (currency, minor) {
                near.at_stake.push(AtStake { money: Money::new(minor, currency).to_string() });
            }
        }
        Ok(near)
    }

    /// Top-ups whose story is not over, newest first.
    pub async fn open_topups(&self, scope: &Scope, limit: i64) -> Result<Vec<Topup>, StoreError> {
        let open: Vec<&str> =
            State::ALL.into_iter().filter(|s| !s.is_final()).map(State::as_str).collect();
        let (subscriber, tag) = scope.keys();
        let sql = self.sql(
            "SELECT t.* FROM topups t JOIN subscriptions s ON s.id = t.subscription_id \
             WHERE t.state IN {ids $1} AND ($2 IS NULL OR (s.subscriber_id = $2 AND t.subscriber_id = $2)) \
             AND ($3 IS NULL OR $3 IN {ids s.tags}) ORDER BY t.created_at DESC, t.id LIMIT $4",
        );
        let rows = sqlx::query(sql)
            .bind(serde_json::json!(open).to_string())
            .bind(subscriber)
            .bind(tag)
            .bind(limit)
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(rows::topup).collect()
    }
}

/// What is looked for; nothing for nothing.
fn pattern(q: &str) -> String {
    if q.is_empty() { String::new() } else { containing(q) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(pattern(""), "");
        assert_eq!(pattern("Li"), "%li%");
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
    }
}
