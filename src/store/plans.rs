//! How the database means to answer what is asked every second: for benchmarks and tests, which see
//! to it that nothing reads a whole table.

use super::{
    Dialect, Store, StoreError, claims, figures, outbox, overview, rows::Columns, snapshots,
    watches,
};
use crate::domain::Timestamp;

/// How a statement is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementPlan {
    /// What it is for.
    pub what: &'static str,
    /// The database's own words.
    pub lines: Vec<String>,
}

impl StatementPlan {
    /// True where a whole table is read, in no order.
    pub fn reads_all(&self) -> bool {
        // What a part of the statement found is no table, nor is an array that was bound.
        let part = |name: &str| self.lines.iter().any(|line| *line == format!("CO-ROUTINE {name}"));
        self.lines.iter().any(|line| {
            let scanned = line.strip_prefix("SCAN ").filter(|rest| !rest.contains(" INDEX "));
            scanned.is_some_and(|rest| !rest.contains("json_each") && !part(rest))
                || line.contains("Seq Scan")
        })
    }

    /// True where rows are sorted that an index could have had in order.
    pub fn sorts(&self) -> bool {
        let sorts = |line: &String| line.contains("TEMP B-TREE") || line.contains("Sort Key");
        self.lines.iter().any(sorts)
    }
}

impl Store {
    /// The plans of what the stages and the overview ask over and over.
    pub async fn plans(
        &self,
        reader: &str,
        now: Timestamp,
    ) -> Result<Vec<StatementPlan>, StoreError> {
        let (text, number) = (|text: &str| Value::Text(text.to_owned()), Value::Number);
        let now = number(now.ms());
        let first = self.sql(overview::FIRST).as_str().to_owned();
        let due = match self.dialect() {
            Dialect::Sqlite => claims::DUE_ROWS,
            Dialect::Postgres => claims::DUE,
        };
        let asked: [(&'static str, String, Vec<Value>); 6] = [
            (
                "claim polls",
                due.to_owned(),
                vec![text(reader), number(0), now.clone(), number(128)],
            ),
            ("the next poll", watches::NEXT_POLL.to_owned(), vec![text(reader), number(i64::MIN)]),
            ("due decisions", snapshots::DUE.to_owned(), vec![now.clone(), number(200)]),
            ("due notices", outbox::NEXT.to_owned(), vec![now, number(16)]),
            ("failing lines", figures::FAILING.to_owned(), vec![]),
            (
                "lines that end first",
                first,
                vec![Value::Nothing, Value::Nothing, text(""), number(200)],
            ),
        ];
        let mut plans = Vec::new();
        for (what, sql, values) in asked {
            plans.push(StatementPlan { what, lines: self.plan(&sql, values).await? });
        }
        Ok(plans)
    }

    async fn plan(&self, sql: &str, values: Vec<Value>) -> Result<Vec<String>, StoreError> {
        let (explain, column) = match self.dialect() {
            Dialect::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            Dialect::Postgres => ("EXPLAIN", "QUERY PLAN"),
        };
        let mut query = sqlx::query(sqlx::AssertSqlSafe(format!("{explain} {sql}")));
        for value in values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Nothing => query.bind(None::<String>),
            };
        }
        let rows = query.fetch_all(&self.writer()).await?;
        rows.iter().map(|row| Columns { table: "plan", row }.text(column)).collect()
    }
}

/// What is bound.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_from_what_a_part_of_the_statement_found() {
        let reads_all = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            StatementPlan { what: "it", lines }.reads_all()
        };
        assert!(reads_all(&["SCAN notices"]));
        assert!(!reads_all(&["SCAN notices USING INDEX notices_due"]));
        assert!(!reads_all(&["SCAN json_each VIRTUAL TABLE INDEX 1:"]));
        assert!(!reads_all(&[
            "CO-ROUTINE high",
            "SEARCH notices USING INDEX n (x=?)",
            "SCAN high"
        ]));
        assert!(reads_all(&["CO-ROUTINE high", "SCAN notices", "SCAN high"]));
        assert!(reads_all(&["Limit", "  ->  Seq Scan on notices"]));
    }
}
