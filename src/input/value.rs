//! A tree of values that remembers where each came from.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, or a phrase such as `the environment`.
    pub file: Arc<str>,
    /// The line, counted from one, where known.
    pub line: Option<usize>,
}

impl Origin {
    /// An origin without a line.
    pub fn file(name: &str) -> Self {
        Self { file: name.into(), line: None }
    }
}

/// A table: keys in alphabetical order, each with its value and origin.
pub type Table = BTreeMap<String, (Value, Origin)>;

/// A value as written; numbers keep their text, so that no amount passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction, as its text.
    Fraction(String),
    /// True or false.
    Boolean(bool),
    /// A list.
    List(Vec<(Self, Origin)>),
    /// A table.
    Table(Table),
}

/// As a person would recognise it in an error: strings quoted, long things cut.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let short: String = text.chars().take(60).collect();
                let dots = if short.len() < text.len() { "…" } else { "" };
                write!(f, "{short:?}{dots}")
            }
            Self::Integer(n) => write!(f, "{n}"),
            Self::Fraction(text) => f.write_str(text),
            Self::Boolean(b) => write!(f, "{b}"),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Table(table) => {
                let keys: Vec<&str> = table.keys().map(String::as_str).take(6).collect();
                write!(
                    f,
                    "a table with {}",
                    if keys.is_empty() { "nothing".into() } else { keys.join(", ") }
                )
            }
        }
    }
}

/// Parses TOML text; every value carries `file` and its line. The error has its own line.
pub fn from_toml(file: &str, text: &str) -> Result<Table, super::Fault> {
    let name: Arc<str> = file.into();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at.saturating_add(1)))
        .collect();
    let line_at = |offset: usize| starts.partition_point(|start| *start <= offset);
    match toml::de::DeTable::parse(text) {
        Ok(table) => Ok(convert_table(table.get_ref(), &name, &line_at)),
        Err(error) => Err(super::Fault {
            file: file.to_owned(),
            line: error.span().map(|span| line_at(span.start)),
            key: "syntax".to_owned(),
            found: error.message().replace('\n', " "),
            allowed: "allowed is TOML 1.0".to_owned(),
        }),
    }
}

fn convert_table(
    table: &toml::de::DeTable<'_>,
    file: &Arc<str>,
    line_at: &dyn Fn(usize) -> usize,
) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let origin = Origin { file: Arc::clone(file), line: Some(line_at(key.span().start)) };
            let value = convert(value.get_ref(), value.span().start, file, line_at);
            (key.get_ref().to_string(), (value, origin))
        })
        .collect()
}

fn convert(
    value: &toml::de::DeValue<'_>,
    start: usize,
    file: &Arc<str>,
    line_at: &dyn Fn(usize) -> usize,
) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => {
            let text = n.to_string();
            text.parse().map_or(Value::Fraction(text), Value::Integer)
        }
        DeValue::Float(x) => Value::Fraction(x.to_string()),
        DeValue::Boolean(b) => Value::Boolean(*b),
        DeValue::Datetime(at) => Value::Text(at.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| {
                    let at = item.span().start;
                    let origin = Origin {
                        file: Arc::clone(file),
                        line: Some(line_at(if at == 0 { start } else { at })),
                    };
                    (convert(item.get_ref(), at, file, line_at), origin)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, file, line_at)),
    }
}

/// Converts a stored document; `file` says in faults what it is. Nulls count as absent.
pub fn from_json(file: &str, json: &serde_json::Value) -> Value {
    let origin = Origin::file(file);
    match json {
        serde_json::Value::Null => Value::Text(String::new()),
        serde_json::Value::Bool(b) => Value::Boolean(*b),
        serde_json::Value::Number(n) => {
            n.as_i64().map_or(Value::Fraction(n.to_string()), Value::Integer)
        }
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => {
            Value::List(items.iter().map(|item| (from_json(file, item), origin.clone())).collect())
        }
        serde_json::Value::Object(map) => Value::Table(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), (from_json(file, value), origin.clone())))
                .collect(),
        ),
    }
}

/// Converts what the `config` crate merged; each value keeps the source it came from.
pub fn from_config(value: &config::Value) -> (Value, Origin) {
    let origin = Origin::file(value.origin().unwrap_or("the environment"));
    let converted = match &value.kind {
        config::ValueKind::Nil => Value::Text(String::new()),
        config::ValueKind::Boolean(b) => Value::Boolean(*b),
        config::ValueKind::I64(n) => Value::Integer(*n),
        config::ValueKind::I128(n) => integer_or_text(n),
        config::ValueKind::U64(n) => integer_or_text(n),
        config::ValueKind::U128(n) => integer_or_text(n),
        config::ValueKind::Float(x) => Value::Fraction(x.to_string()),
        config::ValueKind::String(text) => Value::Text(text.clone()),
        config::ValueKind::Table(map) => {
            Value::Table(map.iter().map(|(key, v)| (key.clone(), from_config(v))).collect())
        }
        config::ValueKind::Array(items) => Value::List(items.iter().map(from_config).collect()),
    };
    (converted, origin)
}

fn integer_or_text(n: &dyn fmt::Display) -> Value {
    let text = n.to_string();
    text.parse().map_or(Value::Fraction(text), Value::Integer)
}
