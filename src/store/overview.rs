//! What the overview shows first, within somebody's scope.

use super::{Scope, Store, StoreError, lists::containing, rows, rows::Columns};
use crate::domain::{Currency, Money, Span, State, Timestamp, Topup};

/// When a line ends, by its newest good reading: its service or its number, whichever is first. The
/// index `watches_by_end` has the same expression.
macro_rules! ends_at {
    () => {
        "CASE WHEN w.service_end_at IS NULL OR w.number_loss_at < w.service_end_at \
         THEN w.number_loss_at ELSE w.service_end_at END"
    };
}

/// True for lines with $2 as a tag and $3 in their id, label, number or owner's name; anything goes
/// where these are absent or empty.
macro_rules! asked {
    () => {
        "($2 IS NULL OR $2 IN {ids s.tags}) \
         AND ($3 = '' OR LOWER(s.id) LIKE $3 ESCAPE '!' OR LOWER(s.label) LIKE $3 ESCAPE '!' \
         OR s.msisdn LIKE $3 ESCAPE '!' OR EXISTS (SELECT 1 FROM subscribers o \
         WHERE o.id = s.subscriber_id AND LOWER(o.name) LIKE $3 ESCAPE '!'))"
    };
}

/// The lines of one subscriber ($1), in order.
const OWN: &str = concat!(
    "SELECT s.id FROM subscriptions s JOIN watches w ON w.subscription_id = s.id \
     WHERE s.subscriber_id = $1 AND s.status <> 'closed' AND ",
    asked!(),
    " ORDER BY CASE WHEN ",
    ends_at!(),
    " IS NULL THEN 1 ELSE 0 END, ",
    ends_at!(),
    ", s.id LIMIT $4"
);

/// Everybody's lines whose end is known, in the order of the index; $1 is nobody.
pub(super) const FIRST: &str = concat!(
    "SELECT w.subscription_id FROM watches w WHERE ",
    ends_at!(),
    " IS NOT NULL AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = w.subscription_id \
     AND s.status <> 'closed' AND CAST($1 AS TEXT) IS NULL AND ",
    asked!(),
    ") ORDER BY ",
    ends_at!(),
    ", w.subscription_id LIMIT $4"
);

/// Everybody's lines whose end nobody knows, of one status ($1).
const OTHERS: &str = concat!(
    "SELECT s.id FROM subscriptions s WHERE s.status = $1 AND ",
    asked!(),
    " AND EXISTS (SELECT 1 FROM watches w WHERE w.subscription_id = s.id AND ",
    ends_at!(),
    " IS NULL) ORDER BY s.id LIMIT $4"
);

/// How near lines are to their ends. Only of those that end soon is the reading looked at.
macro_rules! near {
    ($whose:literal, $slice:literal) => {
        concat!(
            "SELECT currency, COUNT(*) AS watched, COUNT(CASE WHEN ends_at <= $3 THEN 1 END) AS dark, \
             COUNT(CASE WHEN ends_at > $3 AND ends_at <= $4 THEN 1 END) AS day, \
             COUNT(CASE WHEN ends_at > $3 AND ends_at <= $5 THEN 1 END) AS week, \
             CAST(SUM(COALESCE(balance_minor, 0)) AS BIGINT) AS minor \
             FROM (SELECT ",
            ends_at!(),
            " AS ends_at, r.balance_minor, r.currency FROM subscriptions s \
             JOIN watches w ON w.subscription_id = s.id \
             LEFT JOIN readings r ON r.subscription_id = s.id AND r.at = CASE WHEN ",
            ends_at!(),
            " > $3 AND ",
            ends_at!(),
            " <= $5 THEN COALESCE(w.kept_at, w.ok_at) END WHERE s.status <> 'closed' AND ",
            $whose,
            " AND ($2 IS NULL OR $2 IN {ids s.tags})",
            $slice,
            ") ends GROUP BY currency ORDER BY currency"
        )
    };
}

/// How near the watched lines are to their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// Lines that are not closed.
    pub watched: i64,
    /// Over already.
    pub dark: i64,
    /// Over within a day.
    pub day: i64,
    /// Over within seven days.
    pub week: i64,
    /// Money on lines that end within seven days and are not over; one of each currency.
    pub at_stake: Vec<Money>,
}

impl Near {
    /// Adds those of other lines.
    pub fn add(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.watched, other.watched),
            (&mut self.dark, other.dark),
            (&mut self.day, other.day),
            (&mut self.week, other.week),
        ] {
            *sum = sum.saturating_add(more);
        }
        for more in other.at_stake {
            let same = |sum: &&mut Money| sum.currency() == more.currency();
            match self.at_stake.iter_mut().find(same) {
                Some(sum) => *sum = sum.checked_add(more).unwrap_or(*sum),
                None => self.at_stake.push(more),
            }
        }
    }
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
        let (pattern, of_one) = (pattern(q), subscriber.is_some());
        let ask = async |sql: &'static str, first: Option<String>| {
            let query = sqlx::query_scalar(self.sql(sql)).bind(first).bind(tag.clone());
            query.bind(pattern.clone()).bind(limit).fetch_all(self.reader()).await
        };
        if of_one {
            return Ok(ask(OWN, subscriber).await?);
        }
        let mut ids: Vec<String> = ask(FIRST, None).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        if ids.len() < most {
            let mut others: Vec<String> = ask(OTHERS, Some("active".to_owned())).await?;
            others.extend(ask(OTHERS, Some("paused".to_owned())).await?);
            others.sort();
            ids.extend(others);
            ids.truncate(most);
        }
        Ok(ids)
    }

    /// How near the watched lines are to their ends: of those with ids after the first text and up
    /// to the second; of one subscriber's all.
    pub async fn near_dark(
        &self,
        scope: &Scope,
        (after, until): (&str, &str),
        now: Timestamp,
    ) -> Result<Near, StoreError> {
        const OWN: &str = near!("s.subscriber_id = $1", "");
        const ALL: &str = near!("CAST($1 AS TEXT) IS NULL", " AND s.id > $6 AND s.id <= $7");
        let (subscriber, tag) = scope.keys();
        let of_one = subscriber.is_some();
        let query = sqlx::query(self.sql(if of_one { OWN } else { ALL }))
            .bind(subscriber)
            .bind(tag)
            .bind(now.ms())
            .bind(now.plus(Span::days(1)).ms())
            .bind(now.plus(Span::days(7)).ms());
        let query = if of_one { query } else { query.bind(after).bind(until) };
        let rows = query.fetch_all(self.reader()).await?;
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
                near.at_stake.push(Money::new(minor, currency));
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
