//! Many rows in one value: where hundreds of lines are read at once, the database puts their
//! columns into one JSON text, since a driver's work per row and column is most of what such a
//! query costs.

use super::{Dialect, Store, StoreError, rows::Cells};
use serde_json::Value;
use sqlx::SqlSafeStr;
use std::cell::Cell;

/// Rows that came in one value. Columns go by the name after the dot or after `AS`.
#[derive(Debug)]
pub(super) struct Bunch {
    names: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
    /// Where the next column is looked for first: they are read in their order.
    hint: Cell<usize>,
}

impl Bunch {
    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = BunchRow<'_>> {
        self.rows.iter().map(|cells| BunchRow { names: &self.names, cells, hint: &self.hint })
    }
}

/// One row of a [`Bunch`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BunchRow<'a> {
    names: &'a [&'static str],
    cells: &'a [Value],
    hint: &'a Cell<usize>,
}

impl BunchRow<'_> {
    fn cell(&self, column: &str) -> Result<&Value, sqlx::Error> {
        let (n, first) = (self.names.len(), self.hint.get());
        let mut places = (first..n).chain(0..first.min(n));
        let place = places.find(|place| self.names.get(*place).is_some_and(|name| *name == column));
        self.hint.set(place.map_or(0, |place| place.saturating_add(1)));
        place
            .and_then(|place| self.cells.get(place))
            .ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }

    fn read<T>(
        &self,
        column: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, sqlx::Error> {
        let cell = self.cell(column)?;
        if cell.is_null() {
            return Ok(None);
        }
        read(cell).map(Some).ok_or_else(|| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: format!("found {cell}; allowed is {kind}").into(),
        })
    }
}

impl Cells for BunchRow<'_> {
    fn maybe_text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
        self.read(column, "text", |cell| cell.as_str().map(str::to_owned))
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        self.read(column, "a whole number", Value::as_i64)
    }
}

impl Store {
    /// `SELECT columns rest` with `ids`, a JSON array, as its only parameter.
    pub(super) async fn bunch(
        &self,
        columns: &[&'static str],
        rest: &'static str,
        ids: &str,
    ) -> Result<Bunch, StoreError> {
        let parts: Vec<(&str, &str)> = columns.iter().map(|column| parts(column)).collect();
        let list = parts.iter().map(|(value, _)| *value).collect::<Vec<_>>().join(", ");
        // PostgreSQL has no value for "no rows"; SQLite has the empty array.
        let value = match self.dialect() {
            Dialect::Sqlite => format!("json_group_array(json_array({list}))"),
            Dialect::Postgres => {
                format!("CAST(COALESCE(json_agg(json_build_array({list})), '[]') AS text)")
            }
        };
        let sql = format!("SELECT {value} {}", self.sql(rest).as_str());
        let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql).into_sql_str())
            .bind(ids)
            .fetch_one(self.reader())
            .await?;
        let rows =
            serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Bunch {
            names: parts.into_iter().map(|(_, name)| name).collect(),
            rows,
            hint: Cell::new(0),
        })
    }
}

/// What is asked for, and the name it goes by: `w.at` is `at`, `x + 1 AS n` is `n`.
fn parts(column: &'static str) -> (&'static str, &'static str) {
    let named = || (column, column.rsplit_once('.').map_or(column, |(_, name)| name));
    column.rsplit_once(" AS ").unwrap_or_else(named)
}
