//! One text of a statement for both databases, where a list or a table comes as one JSON parameter.

use super::{Dialect, Store};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

impl Store {
    /// The statement in this database's words:
    ///
    /// - `{ids $n}` is a query for the texts of the JSON array in parameter n;
    /// - `{records $n a text, b bigint}` is a table named `n` whose rows are the JSON arrays in the
    ///   array in parameter n, with these columns in this order.
    pub(crate) fn sql(&self, template: &'static str) -> SqlStr {
        AssertSqlSafe(filled(self.dialect(), template)).into_sql_str()
    }
}

fn filled(dialect: Dialect, template: &str) -> String {
    let mut parts = template.split('{');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, after) = part.split_once('}').unwrap_or((part, ""));
        match inside.split(' ').collect::<Vec<_>>().as_slice() {
            ["ids", parameter] => sql.push_str(&ids(dialect, parameter)),
            ["records", parameter, columns @ ..] => {
                sql.push_str(&records(dialect, parameter, &columns.join(" ")));
            }
            // The database refuses it, and names the place.
            _ => sql.push_str(inside),
        }
        sql.push_str(after);
    }
    sql
}

fn ids(dialect: Dialect, parameter: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("(SELECT value FROM json_each({parameter}))"),
        Dialect::Postgres => {
            format!("(SELECT jsonb_array_elements_text(CAST({parameter} AS jsonb)))")
        }
    }
}

/// (By place and not by name: names would be sent, and looked for, with every row.)
fn records(dialect: Dialect, parameter: &str, columns: &str) -> String {
    let named = columns.split(", ").filter_map(|column| column.split_once(' '));
    let values = named.enumerate().map(|(place, (name, kind))| match (dialect, kind) {
        (Dialect::Sqlite, _) | (Dialect::Postgres, "text") => {
            format!("value ->> {place} AS {name}")
        }
        (Dialect::Postgres, _) => format!("CAST(value ->> {place} AS {kind}) AS {name}"),
    });
    let values = values.collect::<Vec<_>>().join(", ");
    match dialect {
        Dialect::Sqlite => format!("(SELECT {values} FROM json_each({parameter})) n"),
        Dialect::Postgres => {
            format!("(SELECT {values} FROM jsonb_array_elements(CAST({parameter} AS jsonb))) n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_its_words_for_lists_and_tables() {
        let list = "SELECT 1 FROM t WHERE id IN {ids $2} AND x = $1";
        assert_eq!(
            filled(Dialect::Sqlite, list),
            "SELECT 1 FROM t WHERE id IN (SELECT value FROM json_each($2)) AND x = $1"
        );
        assert_eq!(
            filled(Dialect::Postgres, list),
            "SELECT 1 FROM t WHERE id IN (SELECT jsonb_array_elements_text(CAST($2 AS jsonb))) AND x = $1"
        );
        let table = "UPDATE t SET b = n.b FROM {records $1 a text, b bigint} WHERE t.a = n.a";
        assert_eq!(
            filled(Dialect::Sqlite, table),
            "UPDATE t SET b = n.b FROM (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each($1)) n \
             WHERE t.a = n.a"
        );
        assert_eq!(
            filled(Dialect::Postgres, table),
            "UPDATE t SET b = n.b FROM (SELECT value ->> 0 AS a, CAST(value ->> 1 AS bigint) AS b \
             FROM jsonb_array_elements(CAST($1 AS jsonb))) n WHERE t.a = n.a"
        );
    }
}
