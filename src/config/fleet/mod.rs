//! The fleet file: who owns which lines, and the rules for them.
//!
//! Files are read as a whole, TOML or CSV alike; every fault in any of them is reported at once.
//! What was read can be compared with what was applied before, as canonical documents.

mod check;
mod condition;
mod csv;
mod document;
mod draft;
mod plan;
mod rule;
mod subscriber;
mod subscription;
#[cfg(test)]
mod tests;

pub use document::rule_from_document;
pub use plan::{Change, Item, Kind, Plan, StoredFleet, Update};

use super::{Settings, layers::read_text};
use crate::{
    channels::Needs,
    domain::{Rule, Subscriber, Subscription},
    input::{Fault, Intake, Origin, Section, Table, Value, from_json, from_toml},
    providers::Declares,
};
use draft::{Draft, Drafts};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What fleet files declare, in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Who owns lines and gets notices.
    pub subscribers: Vec<Subscriber>,
    /// The lines and wallets.
    pub subscriptions: Vec<Subscription>,
    /// What is done about them.
    pub rules: Vec<Rule>,
}

/// What fleet files may refer to.
#[derive(Clone, Debug, Default)]
pub struct FleetContext {
    /// The configured providers, with what each can do.
    pub providers: BTreeMap<String, Declares>,
    /// The configured channels, with what each needs of a person.
    pub channels: BTreeMap<String, Needs>,
    /// Somebody looks after the installation, and is told what others cannot be.
    pub has_operators: bool,
    /// What was applied before and stays beside the files; empty where they replace everything.
    pub stored: StoredFleet,
}

impl FleetContext {
    /// What `settings` configure, beside `stored`.
    pub fn new(settings: &Settings, stored: StoredFleet) -> Self {
        let providers = settings.providers.iter();
        let channels = settings.channels.iter();
        Self {
            providers: providers.map(|(name, config)| (name.clone(), config.declares())).collect(),
            channels: channels.map(|(name, config)| (name.clone(), config.needs())).collect(),
            has_operators: !settings.notices.operators.is_empty(),
            stored,
        }
    }
}

impl Fleet {
    /// Reads `files`, which may refer to each other and to `context`. All faults come at once, in
    /// the order of the files and lines.
    pub fn read(files: &[PathBuf], context: &FleetContext) -> Result<Self, Vec<Fault>> {
        let intake = Intake::new();
        let tables: Vec<(Origin, Table)> = files
            .iter()
            .filter_map(|path| match read_file(path, &intake) {
                Ok(table) => Some((Origin::file(&path.display().to_string()), table)),
                Err(fault) => {
                    intake.push(fault);
                    None
                }
            })
            .collect();
        let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        Self::from_tables(&tables, intake, context).map_err(|mut faults| {
            faults.sort_by_key(|f| (names.iter().position(|name| *name == f.file), f.line));
            faults
        })
    }

    /// Reads a document that has the form of a fleet file; `name` says in faults what it is.
    pub fn read_json(
        name: &str,
        document: &serde_json::Value,
        context: &FleetContext,
    ) -> Result<Self, Vec<Fault>> {
        let table = match from_json(name, document) {
            Value::Table(table) => table,
            Value::Text(_)
            | Value::Integer(_)
            | Value::Fraction(_)
            | Value::Boolean(_)
            | Value::List(_) => Table::new(),
        };
        Self::from_tables(&[(Origin::file(name), table)], Intake::new(), context)
    }

    fn from_tables(
        tables: &[(Origin, Table)],
        intake: Intake,
        context: &FleetContext,
    ) -> Result<Self, Vec<Fault>> {
        let mut drafts = Drafts::default();
        for (origin, table) in tables {
            let mut root = Section::new(table, "", origin, &intake);
            for section in root.tables("subscribers") {
                let draft = Draft::read(section, &intake, |s| subscriber::read(s, context));
                drafts.subscribers.push(draft);
            }
            for section in root.tables("subscriptions") {
                drafts.subscriptions.push(Draft::read(section, &intake, subscription::read));
            }
            for section in root.tables("rules") {
                drafts.rules.push(Draft::read(section, &intake, |s| rule::read(s, &intake)));
            }
            root.finish();
        }
        check::all(&drafts, context);
        let fleet = drafts.finish();
        let faults = intake.into_faults();
        if faults.is_empty() { Ok(fleet) } else { Err(faults) }
    }
}
fn read_file(path: &Path, intake: &Intake) -> Result<Table, Fault> {
    let (name, text) = (path.display().to_string(), read_text(path)?);
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        Ok(csv::read(&name, &text, intake))
    } else {
        from_toml(&name, &text)
    }
}
