//! Many rows in one value: where hundreds of lines are read at once, the database puts their
//! columns into one JSON text, since a driver's work per row and column is most of what such a
//! query costs.

use super::{Dialect, Store, StoreError, rows::Cells};
use serde::{Deserialize, Deserializer, de};
use sqlx::SqlSafeStr;
use std::{borrow::Cow, cell::Cell, fmt};

/// Rows that came in one value. Columns go by the name after the dot or after `AS`.
#[derive(Debug)]
pub(super) struct Bunch {
    names: Vec<&'static str>,
    text: String,
}

impl Bunch {
    /// The rows.
    pub(super) fn rows(&self) -> Result<impl Iterator<Item = BunchRow<'_>>, StoreError> {
        let rows: Vec<Vec<Value<'_>>> =
            serde_json::from_str(&self.text).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(rows.into_iter().map(|cells| BunchRow { names: &self.names, cells, hint: Cell::new(0) }))
    }
}

/// One row of a [`Bunch`].
#[derive(Debug)]
pub(super) struct BunchRow<'a> {
    names: &'a [&'static str],
    cells: Vec<Value<'a>>,
    /// Where the next column is looked for first: they are read in their order.
    hint: Cell<usize>,
}

/// What a column holds.
#[derive(Debug)]
enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
}

impl BunchRow<'_> {
    fn cell(&self, column: &str) -> Result<&Value<'_>, sqlx::Error> {
        let (n, first) = (self.names.len(), self.hint.get());
        let mut places = (first..n).chain(0..first.min(n));
        let place = places.find(|place| self.names.get(*place).is_some_and(|name| *name == column));
        self.hint.set(place.map_or(0, |place| place.saturating_add(1)));
        place
            .and_then(|place| self.cells.get(place))
            .ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }
}

impl Cells for BunchRow<'_> {
    fn maybe_text(&self, column: &str) -> Result<Option<Cow<'_, str>>, sqlx::Error> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(Cow::Borrowed(text))),
            Value::Int(found) => Err(other(column, found, "text")),
        }
    }

    fn maybe_int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            Value::Text(found) => Err(other(column, found, "a whole number")),
        }
    }
}

fn other(column: &str, found: impl fmt::Display, allowed: &str) -> sqlx::Error {
    let source = format!("found {found}; allowed is {allowed}").into();
    sqlx::Error::ColumnDecode { index: column.to_owned(), source }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Text without escapes stays where it is.
struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a whole number or text")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let unexpected = de::Unexpected::Unsigned(number);
        i64::try_from(number).map(Value::Int).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
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
        let names = parts.into_iter().map(|(_, name)| name).collect();
        Ok(Bunch { names, text })
    }
}

/// What is asked for, and the name it goes by: `w.at` is `at`, `x + 1 AS n` is `n`.
fn parts(column: &'static str) -> (&'static str, &'static str) {
    let named = || (column, column.rsplit_once('.').map_or(column, |(_, name)| name));
    column.rsplit_once(" AS ").unwrap_or_else(named)
}
