//! Files over files, the environment over all: one table, in which every value still knows the
//! file and line it was written in.

use crate::input::{Fault, Intake, Origin, Table, Value, from_config, from_toml};
use config::{Config, ConfigError, Map, Source};
use std::{path::Path, path::PathBuf, sync::Arc};

/// What the environment is called in faults.
const ENVIRONMENT: &str = "the environment";

/// All `files` in order, then the `TOPUPD__…` variables of `env`, merged key by key.
pub(super) fn merged(files: &[PathBuf], env: &[(String, String)], intake: &Intake) -> Table {
    let mut layers: Vec<Layer> = Vec::new();
    for path in files {
        match read_text(path).and_then(|text| from_toml(&path.display().to_string(), &text)) {
            Ok(table) => layers.push(Layer(Arc::new(table))),
            Err(fault) => intake.push(fault),
        }
    }
    let variables = variables(env, &layers, intake);
    layers.push(Layer(Arc::new(variables)));
    let mut builder = Config::builder();
    for layer in &layers {
        builder = builder.add_source(layer.clone());
    }
    match builder.build() {
        Ok(config) => match located(&config.cache, &mut Vec::new(), &layers) {
            (Value::Table(table), _) => table,
            (
                Value::Text(_)
                | Value::Integer(_)
                | Value::Fraction(_)
                | Value::Boolean(_)
                | Value::List(_),
                _,
            ) => Table::new(),
        },
        Err(error) => {
            intake.push(Fault {
                file: "the configuration".to_owned(),
                line: None,
                key: "files".to_owned(),
                found: error.to_string(),
                allowed: "allowed are files that can be merged".to_owned(),
            });
            Table::new()
        }
    }
}

/// The text of a file a person named, without a byte order mark.
pub(super) fn read_text(path: &Path) -> Result<String, Fault> {
    let fault = |found: String, allowed: &str| Fault {
        file: path.display().to_string(),
        line: None,
        key: "file".to_owned(),
        found,
        allowed: allowed.to_owned(),
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let found = if missing { String::new() } else { error.to_string() };
        fault(found, "allowed is a file that can be read")
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| fault("other bytes than UTF-8".to_owned(), "allowed is text in UTF-8"))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// One file, or the environment, as a source for the `config` crate. Files are parsed here and not
/// there, because only our own parser keeps lines.
#[derive(Clone, Debug)]
struct Layer(Arc<Table>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        Ok(to_config(&self.0))
    }
}

fn to_config(table: &Table) -> Map<String, config::Value> {
    table.iter().map(|(key, (value, origin))| (key.clone(), one_to_config(value, origin))).collect()
}

fn one_to_config(value: &Value, origin: &Origin) -> config::Value {
    let kind = match value {
        Value::Text(text) | Value::Fraction(text) => config::ValueKind::String(text.clone()),
        Value::Integer(n) => config::ValueKind::I64(*n),
        Value::Boolean(b) => config::ValueKind::Boolean(*b),
        Value::List(items) => config::ValueKind::Array(
            items.iter().map(|(item, origin)| one_to_config(item, origin)).collect(),
        ),
        Value::Table(table) => config::ValueKind::Table(to_config(table)),
    };
    config::Value::new(Some(&origin.file.to_string()), kind)
}

/// What was merged, with each value as its own layer has it: with its line, and its exact text.
fn located(merged: &config::Value, path: &mut Vec<String>, layers: &[Layer]) -> (Value, Origin) {
    let written = |is_it: &dyn Fn(&Value, &Origin) -> bool| {
        let found = layers.iter().rev().filter_map(|layer| look_up(&layer.0, path));
        found.into_iter().find(|(value, origin)| is_it(value, origin))
    };
    let config::ValueKind::Table(map) = &merged.kind else {
        let file = merged.origin().unwrap_or_default();
        let own =
            written(&|value, origin| *origin.file == *file && !matches!(value, Value::Table(_)));
        return own.cloned().unwrap_or_else(|| from_config(merged));
    };
    // A table is where a file has it; the environment only ever fills tables in.
    let origin =
        written(&|value, origin| *origin.file != *ENVIRONMENT && matches!(value, Value::Table(_)));
    let origin = origin.map_or_else(|| Origin::file(ENVIRONMENT), |(_, origin)| origin.clone());
    let mut table = Table::new();
    for (key, value) in map {
        path.push(key.clone());
        table.insert(key.clone(), located(value, path, layers));
        path.pop();
    }
    (Value::Table(table), origin)
}

fn look_up<'a>(table: &'a Table, path: &[String]) -> Option<&'a (Value, Origin)> {
    let (first, rest) = path.split_first()?;
    let found = table.get(first)?;
    match (&found.0, rest) {
        (_, []) => Some(found),
        (Value::Table(below), _) => look_up(below, rest),
        _ => None,
    }
}

/// The `TOPUPD__SECTION__KEY` variables as a table. Their letter case does not count: a key that a
/// file wrote keeps the file's, any other is lower case.
fn variables(env: &[(String, String)], files: &[Layer], intake: &Intake) -> Table {
    let mut sorted: Vec<(Vec<String>, &String)> = env
        .iter()
        .filter_map(|(name, value)| {
            let lower = name.to_lowercase();
            let keys = lower.strip_prefix("topupd__")?;
            Some((keys.split("__").map(str::to_owned).collect(), value))
        })
        .collect();
    sorted.sort();
    let mut table = Table::new();
    for (mut keys, value) in sorted {
        as_in_files(&mut keys, files);
        if !set(&mut table, &keys, value) {
            intake.push(Fault {
                file: ENVIRONMENT.to_owned(),
                line: None,
                key: keys.join("."),
                found: "a second variable for the same key, or for a part of it".to_owned(),
                allowed: "allowed is one variable for each key".to_owned(),
            });
        }
    }
    table
}

fn as_in_files(keys: &mut [String], files: &[Layer]) {
    let mut below: Vec<&Table> = files.iter().map(|layer| &*layer.0).collect();
    for key in keys {
        let mut written = below.iter().rev().flat_map(|table| table.keys());
        if let Some(written) = written.find(|written| written.eq_ignore_ascii_case(key)) {
            written.clone_into(key);
        }
        below = below
            .into_iter()
            .filter_map(|table| match table.get(key) {
                Some((Value::Table(table), _)) => Some(table),
                _ => None,
            })
            .collect();
    }
}

/// False when there is a value already, or where a table would have to replace one.
fn set(table: &mut Table, keys: &[String], value: &str) -> bool {
    let Some((first, rest)) = keys.split_first() else { return false };
    let origin = Origin::file(ENVIRONMENT);
    if rest.is_empty() {
        let value = (Value::Text(value.to_owned()), origin);
        return !table.contains_key(first) && table.insert(first.clone(), value).is_none();
    }
    let entry = table.entry(first.clone()).or_insert_with(|| (Value::Table(Table::new()), origin));
    match &mut entry.0 {
        Value::Table(below) => set(below, rest, value),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Fraction(_)
        | Value::Boolean(_)
        | Value::List(_) => false,
    }
}
