//! One text of a statement for both databases, where a list or a table comes as one JSON parameter.

use super::{Dialect, Store};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

impl Store {
    /// The statement in this database's words:
    ///
    /// - `{ids $n}` is a query for the texts of the JSON array in parameter n;
    /// - `{records $n a text, b bigint}` is a table named `n` whose rows are the JSON objects in the
    ///   array in parameter n, with these members as its columns.
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
            ["records", parameter, members @ ..] => {
                sql.push_str(&records(dialect, parameter, &members.join(" ")));
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

fn records(dialect: Dialect, parameter: &str, members: &str) -> String {
    match dialect {
        Dialect::Sqlite => {
            let names = members.split(", ").filter_map(|member| member.split(' ').next());
            let columns = names.map(|name| format!("value ->> '{name}' AS {name}"));
            let columns = columns.collect::<Vec<_>>().join(", ");
            format!("(SELECT {columns} FROM json_each({parameter})) n")
        }
        Dialect::Postgres => {
            format!("jsonb_to_recordset(CAST({parameter} AS jsonb)) AS n({members})")
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
            "UPDATE t SET b = n.b FROM (SELECT value ->> 'a' AS a, value ->> 'b' AS b FROM json_each($1)) n \
             WHERE t.a = n.a"
        );
        assert_eq!(
            filled(Dialect::Postgres, table),
            "UPDATE t SET b = n.b FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS n(a text, b bigint) \
             WHERE t.a = n.a"
        );
    }
}
