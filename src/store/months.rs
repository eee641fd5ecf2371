//! On PostgreSQL, readings lie in partitions, one for each month: old months are dropped whole,
//! which costs nothing, where deleting their rows would. SQLite has one table.
//!
//! Invariant: whatever has no month of its own falls into a default partition, so that no reading is
//! ever refused; a month that is made later takes its rows out of it.

use super::{Dialect, Store, StoreError, Tx, rows::Columns};
use crate::domain::Timestamp;
use chrono::{Datelike as _, Months, NaiveDate, NaiveTime};

/// Months made ahead, the present one included.
const AHEAD: u32 = 3;

/// Held while tables are made or dropped.
const LOCK: &str = "SELECT CAST(pg_advisory_xact_lock(hashtext('topupd readings')) AS text)";

/// A partition with bounds: from the first instant on, before the second.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Month {
    name: String,
    from: i64,
    to: i64,
}

impl Month {
    /// The month that `at` is in, and so many after it.
    fn of(at: Timestamp, later: u32) -> Option<Self> {
        let first = at.to_utc()?.date_naive().with_day(1)?;
        let first = first.checked_add_months(Months::new(later))?;
        let next = first.checked_add_months(Months::new(1))?;
        let name = format!("readings_{:04}_{:02}", first.year(), first.month());
        Some(Self { name, from: start(first), to: start(next) })
    }

    /// From how PostgreSQL writes bounds: `FOR VALUES FROM ('1') TO ('2')`.
    fn parse(name: String, bounds: &str) -> Option<Self> {
        let (from, to) = bounds.strip_prefix("FOR VALUES FROM (")?.split_once(") TO (")?;
        let number = |text: &str| text.trim_end_matches(')').trim_matches('\'').parse().ok();
        let from = if from == "MINVALUE" { Some(i64::MIN) } else { number(from) };
        Some(Self { name, from: from?, to: number(to)? })
    }
}

fn start(day: NaiveDate) -> i64 {
    day.and_time(NaiveTime::MIN).and_utc().timestamp_millis()
}

impl Store {
    /// Makes the months of `now` and of the near future, where they are missing.
    pub async fn make_months(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        make(&mut tx, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Turns a plain table of readings into one of months. What is there becomes a partition of its
    /// own, up to the end of its last month; its rows stay where they are.
    pub(super) async fn divide_readings(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite || is_divided(&mut self.begin().await?).await? {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        run(&mut tx, LOCK).await?;
        if is_divided(&mut tx).await? {
            return Ok(());
        }
        run(&mut tx, "LOCK TABLE readings IN ACCESS EXCLUSIVE MODE").await?;
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT MAX(at) FROM readings").fetch_one(&mut *tx).await?;
        // A view stays with the table it was made of.
        let view: String =
            sqlx::query_scalar("SELECT pg_get_viewdef('sightings')").fetch_one(&mut *tx).await?;
        for sql in [
            "DROP VIEW sightings",
            "ALTER TABLE readings RENAME TO readings_before",
            "ALTER INDEX readings_pkey RENAME TO readings_before_pkey",
            "CREATE TABLE readings (LIKE readings_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS, \
             PRIMARY KEY (subscription_id, at), FOREIGN KEY (subscription_id) REFERENCES subscriptions (id)) \
             PARTITION BY RANGE (at)",
            "CREATE TABLE readings_default PARTITION OF readings DEFAULT",
        ] {
            run(&mut tx, sql).await?;
        }
        let last = newest.and_then(|at| Month::of(Timestamp::from_ms(at), 0));
        match last {
            Some(Month { to, .. }) => {
                // Checked before, so that the parent need not be.
                for sql in [
                    format!(
                        "ALTER TABLE readings_before ADD CONSTRAINT readings_before_at CHECK (at < {to})"
                    ),
                    format!(
                        "ALTER TABLE readings ATTACH PARTITION readings_before FOR VALUES FROM (MINVALUE) TO ({to})"
                    ),
                    "ALTER TABLE readings_before DROP CONSTRAINT readings_before_at".to_owned(),
                ] {
                    run(&mut tx, sql).await?;
                }
            }
            None => run(&mut tx, "DROP TABLE readings_before").await?,
        }
        run(&mut tx, format!("CREATE VIEW sightings AS {view}")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes months ahead; drops those that ended before `cutoff`, whose days are rolled up. What is
    /// still spoken of goes into the default partition before, and what is not goes out of it.
    pub(super) async fn retain_months(
        &self,
        tx: &mut Tx,
        cutoff: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite || !is_divided(tx).await? {
            return Ok(());
        }
        make(tx, now).await?;
        for month in months(tx).await?.into_iter().filter(|month| month.to <= cutoff.ms()) {
            drop_month(tx, &month).await?;
        }
        let sql = concat!(
            "DELETE FROM readings_default AS r WHERE r.at < $1 AND NOT (",
            super::retention::kept!(),
            ")"
        );
        sqlx::query(sql).bind(cutoff.ms()).execute(&mut **tx).await?;
        Ok(())
    }
}

async fn run(tx: &mut Tx, sql: impl Into<String>) -> Result<(), StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(sql.into())).execute(&mut **tx).await?;
    Ok(())
}

async fn is_divided(tx: &mut Tx) -> Result<bool, StoreError> {
    let kind: Option<String> = sqlx::query_scalar(
        "SELECT CAST(relkind AS text) FROM pg_class WHERE oid = to_regclass('readings')",
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(kind.as_deref() == Some("p"))
}

/// The partitions that have bounds, oldest first.
async fn months(tx: &mut Tx) -> Result<Vec<Month>, StoreError> {
    let rows = sqlx::query(
        "SELECT CAST(c.relname AS text) AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass('readings')",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut months = Vec::new();
    for row in &rows {
        let c = Columns { table: "pg_inherits", row };
        months.extend(Month::parse(c.text("name")?, &c.text("bounds")?));
    }
    months.sort_by_key(|month| month.from);
    Ok(months)
}

async fn make(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    let known = months(tx).await?;
    let wanted = (0..AHEAD).filter_map(|later| Month::of(now, later));
    let is_there = |month: &Month| known.iter().any(|k| k.from <= month.from && k.to >= month.to);
    let missing: Vec<Month> = wanted.filter(|month| !is_there(month)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run(tx, LOCK).await?;
    let known = months(tx).await?;
    for Month { name, from, to } in missing {
        if known.iter().any(|month| month.from <= from && month.to >= to) {
            continue;
        }
        // Rows of this month that came before it was made lie in the default partition.
        for sql in [
            "LOCK TABLE readings_default IN ACCESS EXCLUSIVE MODE".to_owned(),
            format!("CREATE TABLE {name} (LIKE readings INCLUDING ALL)"),
            format!(
                "WITH moved AS (DELETE FROM readings_default WHERE at >= {from} AND at < {to} RETURNING *) \
                 INSERT INTO {name} SELECT * FROM moved"
            ),
            format!(
                "ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
            ),
        ] {
            run(tx, sql).await?;
        }
    }
    Ok(())
}

async fn drop_month(tx: &mut Tx, month: &Month) -> Result<(), StoreError> {
    let Month { name, to, .. } = month;
    run(tx, LOCK).await?;
    // Found from what speaks of them: a look at every row would take minutes. Before the lock on all
    // readings, which is then held for a moment only.
    let found = format!(
        "CREATE TEMPORARY TABLE still_kept ON COMMIT DROP AS \
         SELECT r.* FROM watches w JOIN {name} r ON r.subscription_id = w.subscription_id \
         AND r.at IN (w.ok_at, w.newest_at, w.ok_before_at, w.kept_at) \
         WHERE LEAST(w.ok_at, w.newest_at, w.ok_before_at, w.kept_at) < {to} \
         UNION SELECT r.* FROM topups t JOIN {name} r ON r.subscription_id = t.subscription_id \
         AND r.at = t.before_read_at \
         UNION SELECT r.* FROM topups t JOIN {name} r ON r.subscription_id = t.subscription_id \
         AND r.at >= t.paid_at AND r.at <= t.finalized_at WHERE t.paid_at < {to} \
         UNION SELECT r.* FROM topups t JOIN {name} r ON r.subscription_id = t.subscription_id \
         AND r.at >= COALESCE(t.before_read_at, t.created_at) WHERE t.finalized_at IS NULL \
         UNION SELECT r.* FROM episodes e JOIN {name} r ON r.subscription_id = e.subscription_id \
         AND r.at = e.first_read_at WHERE e.closed_at IS NULL"
    );
    for sql in [
        found,
        format!("ALTER TABLE readings DETACH PARTITION {name}"),
        "INSERT INTO readings SELECT * FROM still_kept".to_owned(),
        "DROP TABLE still_kept".to_owned(),
        format!("DROP TABLE {name}"),
    ] {
        run(tx, sql).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_and_are_read_back() {
        let at = Timestamp::from_ms(1_797_984_000_000);
        let months: Vec<Month> = (0..3).filter_map(|later| Month::of(at, later)).collect();
        let names: Vec<&str> = months.iter().map(|month| month.name.as_str()).collect();
        assert_eq!(names, ["readings_2026_12", "readings_2027_01", "readings_2027_02"]);
        assert!(months.windows(2).all(|pair| pair[0].to == pair[1].from));
        let Month { name, from, to } = months[0].clone();
        let bounds = format!("FOR VALUES FROM ('{from}') TO ('{to}')");
        assert_eq!(Month::parse(name, &bounds), Some(months[0].clone()));
        let before = Month::parse("b".into(), "FOR VALUES FROM (MINVALUE) TO ('7')").unwrap();
        assert_eq!((before.from, before.to), (i64::MIN, 7));
        assert_eq!(Month::parse("d".into(), "DEFAULT"), None);
    }
}
