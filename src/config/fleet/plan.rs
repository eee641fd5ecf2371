//! What applying a fleet would change, before anything changes.

use super::Fleet;
use serde::Serialize;
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The canonical documents as last applied, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredFleet {
    /// Of subscribers.
    pub subscribers: BTreeMap<String, Json>,
    /// Of subscriptions.
    pub subscriptions: BTreeMap<String, Json>,
    /// Of rules.
    pub rules: BTreeMap<String, Json>,
}

/// What kind of entry an id belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `[[subscribers]]`
    Subscriber,
    /// `[[subscriptions]]`
    Subscription,
    /// `[[rules]]`
    Rule,
}

impl Kind {
    /// The word in plans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Subscription => "subscription",
            Self::Rule => "rule",
        }
    }
}

/// One entry that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its name or label, for people.
    #[serde(skip)]
    pub title: Option<String>,
}

/// One entry that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// The fields that change.
    pub changes: BTreeMap<String, Change>,
}

/// One field, before and after; null where it is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Before.
    pub from: Json,
    /// After.
    pub to: Json,
}

/// The difference between a fleet and what was applied before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What is new.
    pub create: Vec<Item>,
    /// What is different.
    pub update: Vec<Update>,
    /// What goes: lines and subscribers are closed, rules removed.
    pub delete: Vec<Item>,
    /// How many entries stay as they are.
    pub unchanged: usize,
}

impl StoredFleet {
    /// From the texts as they are stored. The error names what cannot be read.
    pub fn parse(
        subscribers: &BTreeMap<String, String>,
        subscriptions: &BTreeMap<String, String>,
        rules: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        Ok(Self {
            subscribers: parse(Kind::Subscriber, subscribers)?,
            subscriptions: parse(Kind::Subscription, subscriptions)?,
            rules: parse(Kind::Rule, rules)?,
        })
    }
}

fn parse(kind: Kind, texts: &BTreeMap<String, String>) -> Result<BTreeMap<String, Json>, String> {
    let documents = texts.iter().map(|(id, text)| match serde_json::from_str(text) {
        Ok(document) => Ok((id.clone(), document)),
        Err(error) => Err(format!("the stored {} {id:?} cannot be read: {error}", kind.as_str())),
    });
    documents.collect()
}

impl Fleet {
    /// What applying this fleet over `stored` changes. What is stored but not in it stays, unless
    /// `prune` is set.
    pub fn plan(&self, stored: &StoredFleet, prune: bool) -> Plan {
        let mut plan = Plan::default();
        let subscribers = self.subscribers.iter().map(|s| (s.id.to_string(), s.to_document()));
        plan.compare(Kind::Subscriber, subscribers, &stored.subscribers, prune);
        let subscriptions = self.subscriptions.iter().map(|s| (s.id.to_string(), s.to_document()));
        plan.compare(Kind::Subscription, subscriptions, &stored.subscriptions, prune);
        let rules = self.rules.iter().map(|rule| (rule.id.to_string(), rule.to_document()));
        plan.compare(Kind::Rule, rules, &stored.rules, prune);
        plan
    }
}

impl Plan {
    /// True when applying would change nothing.
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty() && self.delete.is_empty()
    }

    fn compare(
        &mut self,
        kind: Kind,
        wanted: impl Iterator<Item = (String, Json)>,
        stored: &BTreeMap<String, Json>,
        prune: bool,
    ) {
        let mut kept = BTreeSet::new();
        for (id, document) in wanted {
            kept.insert(id.clone());
            match stored.get(&id) {
                None => self.create.push(Item { kind, title: title(&document), id }),
                Some(before) if *before == document => self.unchanged += 1,
                Some(before) => {
                    self.update.push(Update { kind, id, changes: changes(before, &document) });
                }
            }
        }
        let absent = stored.iter().filter(|(id, _)| !kept.contains(*id));
        if prune {
            let item = |(id, document): (&String, &Json)| Item {
                kind,
                id: id.clone(),
                title: title(document),
            };
            self.delete.extend(absent.map(item));
        }
    }
}

fn title(document: &Json) -> Option<String> {
    let title = document.get("label").or_else(|| document.get("name"));
    title.and_then(Json::as_str).map(str::to_owned)
}

fn changes(before: &Json, after: &Json) -> BTreeMap<String, Change> {
    let fields = |document: &Json| -> BTreeSet<String> {
        document.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect()
    };
    let value = |document: &Json, field: &str| document.get(field).cloned().unwrap_or(Json::Null);
    let all: BTreeSet<String> = fields(before).union(&fields(after)).cloned().collect();
    all.into_iter()
        .map(|field| {
            let change = Change { from: value(before, &field), to: value(after, &field) };
            (field, change)
        })
        .filter(|(_, change)| change.from != change.to)
        .collect()
}

/// One line an entry: `+` comes, `~` changes, `-` goes; at last what stays.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = |f: &mut fmt::Formatter<'_>, sign: char, item: &Item| {
            write!(f, "{sign} {} {}", item.kind.as_str(), item.id)?;
            match &item.title {
                Some(title) => writeln!(f, "  {title:?}"),
                None => writeln!(f),
            }
        };
        for created in &self.create {
            item(f, '+', created)?;
        }
        for update in &self.update {
            let changes: Vec<String> = update
                .changes
                .iter()
                .map(|(field, change)| {
                    format!("{field}: {} → {}", shown(&change.from), shown(&change.to))
                })
                .collect();
            writeln!(f, "~ {} {}  {}", update.kind.as_str(), update.id, changes.join(", "))?;
        }
        for deleted in &self.delete {
            item(f, '-', deleted)?;
        }
        write!(f, "{} unchanged", self.unchanged)
    }
}

/// As it would be written in a fleet file, more or less.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    }
}
