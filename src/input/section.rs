//! One table, read key by key. Whatever was not asked for is an unknown key.

use super::{Fault, Intake, Origin, Rate, Table, Value, parse_percent, parse_rate};
use crate::domain::{Money, Span};
use secrecy::SecretString;
use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, path::Path};

/// A reader over one table. Every `Option` is `None` both for an absent key and for a value that
/// cannot be used; the fault is then already in the [`Intake`].
#[derive(Debug)]
pub struct Section<'a> {
    table: &'a Table,
    path: String,
    origin: Origin,
    intake: &'a Intake,
    asked: BTreeSet<String>,
}

impl<'a> Section<'a> {
    /// A reader of `table`, which stands at `path` (empty for the root).
    pub fn new(table: &'a Table, path: &str, origin: &Origin, intake: &'a Intake) -> Self {
        let (path, origin) = (path.to_owned(), origin.clone());
        Self { table, path, origin, intake, asked: BTreeSet::new() }
    }

    /// The dotted place of this table.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where this table was written.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Gives the table another place in messages, such as `subscriptions[2] "li-tmobile"`.
    pub fn rename(&mut self, path: &str) {
        path.clone_into(&mut self.path);
    }

    /// The keys present.
    pub fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// Reports what is wrong with `key`; the place and the found value are filled in.
    pub fn fault(&self, key: &str, allowed: impl Display) {
        let shown =
            |value: &Value| if is_secret(key) { "<secret>".into() } else { value.to_string() };
        let found = self.table.get(key).map(|(value, _)| shown(value)).unwrap_or_default();
        self.report(key, found, allowed);
    }

    /// Like [`Self::fault`], where the value may hold a secret and must not print.
    pub fn fault_hidden(&self, key: &str, allowed: impl Display) {
        let found = if self.has(key) { "<secret>" } else { "" };
        self.report(key, found.to_owned(), allowed);
    }

    fn report(&self, key: &str, found: String, allowed: impl Display) {
        let origin = self.table.get(key).map_or(&self.origin, |(_, origin)| origin);
        self.intake.push(Fault {
            file: origin.file.to_string(),
            line: origin.line,
            key: self.place(key),
            found,
            allowed: allowed.to_string(),
        });
    }

    fn place(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// True when the key was written.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The raw value.
    pub fn value(&mut self, key: &str) -> Option<&'a Value> {
        self.asked.insert(key.to_owned());
        self.table.get(key).map(|(value, _)| value)
    }

    /// A string; numbers and booleans count as their text (the environment knows only strings).
    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            // PostgreSQL does not keep the character NUL, and programs see nothing beyond it.
            Value::Text(text) | Value::Fraction(text) if !text.contains('\0') => Some(text.clone()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Boolean(b) => Some(b.to_string()),
            Value::Text(_) | Value::Fraction(_) | Value::List(_) | Value::Table(_) => {
                self.fault(key, "allowed is a string");
                None
            }
        }
    }

    /// A string in quotes: a number is none, nor is a word such as `true`.
    pub fn string(&mut self, key: &str) -> Option<String> {
        if !matches!(self.value(key)?, Value::Text(_)) {
            self.fault(key, "allowed is a string");
            return None;
        }
        self.text(key)
    }

    /// A string that must be there and not be empty.
    pub fn required(&mut self, key: &str, allowed: &str) -> Option<String> {
        if !self.has(key) {
            self.asked.insert(key.to_owned());
            self.fault(key, allowed);
            return None;
        }
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.fault(key, allowed);
            return None;
        }
        Some(text)
    }

    /// A string turned into something else; `allowed` says what would have been right.
    pub fn parsed<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fault(key, allowed);
        }
        parsed
    }

    /// Like [`Self::parsed`], where the error itself says what is allowed.
    pub fn checked<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|error| self.fault(key, error)).ok()
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        self.parsed(key, &format!("allowed: {}", names.join(", ")), |text| {
            words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
        })
    }

    /// A span such as `6h`.
    pub fn span(&mut self, key: &str) -> Option<Span> {
        self.parsed(key, "allowed is a span such as \"30s\", \"5m\", \"6h\", \"7d\"", Span::parse)
    }

    /// A list of spans.
    pub fn spans(&mut self, key: &str) -> Option<Vec<Span>> {
        let texts = self.texts(key)?;
        let spans: Option<Vec<Span>> = texts.iter().map(|text| Span::parse(text)).collect();
        if spans.as_ref().is_none_or(Vec::is_empty) {
            self.report(
                key,
                format!("{texts:?}"),
                "allowed is a list of spans such as [\"1m\", \"2m\"]",
            );
            return None;
        }
        spans
    }

    /// An amount such as `10.00 USD`.
    pub fn money(&mut self, key: &str) -> Option<Money> {
        self.checked(key, Money::parse)
    }

    /// An amount above zero.
    pub fn positive_money(&mut self, key: &str) -> Option<Money> {
        let money = self.money(key)?;
        if !money.is_positive() {
            self.fault(key, "allowed is an amount above zero");
            return None;
        }
        Some(money)
    }

    /// `10/m`.
    pub fn rate(&mut self, key: &str) -> Option<Rate> {
        self.parsed(key, "allowed is a rate such as \"10/m\", \"50/s\"", parse_rate)
    }

    /// `10%`.
    pub fn percent(&mut self, key: &str) -> Option<i64> {
        self.parsed(key, "allowed is a percentage such as \"10%\"", parse_percent)
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let allowed =
            format!("allowed is a whole number from {} to {}", range.start(), range.end());
        self.parsed(key, &allowed, |text| text.trim().parse().ok().filter(|n| range.contains(n)))
    }

    /// True or false.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.word(key, &[("true", true), ("false", false)])
    }

    /// A list of strings; from the environment also one string with commas.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        match self.value(key)? {
            Value::Text(text) => Some(
                text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect(),
            ),
            Value::List(items) => {
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|(item, _)| match item {
                        Value::Text(text) if text.contains('\0') => None,
                        Value::Text(text) | Value::Fraction(text) => Some(text.clone()),
                        Value::Integer(n) => Some(n.to_string()),
                        Value::Boolean(_) | Value::List(_) | Value::Table(_) => None,
                    })
                    .collect();
                if texts.is_none() {
                    self.fault(key, "allowed is a list of strings");
                }
                texts
            }
            Value::Integer(_) | Value::Fraction(_) | Value::Boolean(_) | Value::Table(_) => {
                self.fault(key, "allowed is a list of strings");
                None
            }
        }
    }

    /// A list of whole numbers.
    pub fn integers(&mut self, key: &str, range: &RangeInclusive<i64>) -> Option<Vec<i64>> {
        let texts = self.texts(key)?;
        let numbers: Option<Vec<i64>> =
            texts.iter().map(|text| text.parse().ok().filter(|n| range.contains(n))).collect();
        if numbers.is_none() {
            let allowed =
                format!("allowed are whole numbers from {} to {}", range.start(), range.end());
            self.report(key, format!("{texts:?}"), allowed);
        }
        numbers
    }

    /// A table below this one.
    pub fn section(&mut self, key: &str) -> Option<Self> {
        self.asked.insert(key.to_owned());
        let (value, origin) = self.table.get(key)?;
        if let Value::Table(table) = value {
            Some(Section::new(table, &self.place(key), origin, self.intake))
        } else {
            self.fault(key, "allowed is a table");
            None
        }
    }

    /// A table below this one; an empty one where the key is absent or no table.
    pub fn section_or_empty(&mut self, key: &str) -> Self {
        static EMPTY: Table = Table::new();
        let (place, origin, intake) = (self.place(key), self.origin.clone(), self.intake);
        self.section(key).unwrap_or_else(|| Section::new(&EMPTY, &place, &origin, intake))
    }

    /// Every table below this one, with its key (for `[providers.NAME…]`).
    pub fn sections(&mut self) -> Vec<(String, Self)> {
        self.keys()
            .into_iter()
            .filter_map(|key| self.section(&key).map(|section| (key, section)))
            .collect()
    }

    /// The only table below this one, which must be named by one of `kinds`
    /// (`[providers.NAME.KIND]`).
    pub fn of_one_kind(&mut self, kinds: &[&str]) -> Option<(String, Self)> {
        let found = self.keys();
        let allowed =
            format!("allowed is exactly one table, named by its kind: {}", kinds.join(", "));
        let [kind] = found.as_slice() else {
            self.fault("KIND", allowed);
            return None;
        };
        if !kinds.contains(&kind.as_str()) {
            self.fault(kind, allowed);
            return None;
        }
        self.section(kind).map(|section| (kind.clone(), section))
    }

    /// A list of tables (`[[subscribers]]`), each named `key[n]`, counted from one.
    pub fn tables(&mut self, key: &str) -> Vec<Self> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::List(items)) => {
                let mut sections = Vec::new();
                for (n, (item, origin)) in items.iter().enumerate() {
                    let path = format!("{}[{}]", self.place(key), n.saturating_add(1));
                    if let Value::Table(table) = item {
                        sections.push(Section::new(table, &path, origin, self.intake));
                    } else {
                        self.report(key, item.to_string(), "allowed is a list of tables");
                    }
                }
                sections
            }
            Some(_) => {
                self.fault(key, format!("allowed is a list of tables, written [[{key}]]"));
                Vec::new()
            }
        }
    }

    /// A secret that must be there.
    pub fn required_secret(&mut self, key: &str) -> Option<SecretString> {
        let written = self.has(key) || self.has(&format!("{key}_file"));
        let found = self.secret(key);
        if found.is_none() && !written {
            let allowed = format!("allowed is a secret: write `{key}` or `{key}_file`");
            self.fault_hidden(key, allowed);
        }
        found
    }

    /// A secret: `key`, or the file named by `key_file`, or a systemd credential named by the
    /// dotted place of `key` or by `key` itself. Never printed.
    pub fn secret(&mut self, key: &str) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        self.asked.insert(file_key.clone());
        self.asked.insert(key.to_owned());
        if self.has(key) && self.has(&file_key) {
            self.report(
                &file_key,
                "both".into(),
                format!("allowed is either `{key}` or `{file_key}`"),
            );
            return None;
        }
        if let Some((Value::Text(text), _)) = self.table.get(key) {
            return Some(SecretString::from(text.clone()));
        }
        if self.has(key) {
            self.report(key, "<secret>".into(), "allowed is a string");
            return None;
        }
        let credentials = self.intake.credentials();
        if let Some(name) = self.text(&file_key) {
            let in_credentials =
                credentials.map(|dir| dir.join(&name)).filter(|path| path.is_file());
            let path = in_credentials.unwrap_or_else(|| Path::new(&name).to_path_buf());
            return read_secret(&path)
                .map_err(|error| {
                    self.fault(&file_key, format!("allowed is a readable file ({error})"))
                })
                .ok();
        }
        let dotted = self.place(key);
        credentials
            .into_iter()
            .flat_map(|dir| [dir.join(&dotted), dir.join(key)])
            .find(|path| path.is_file())
            .and_then(|path| read_secret(&path).ok())
    }

    /// Ends the reading: every key nobody asked for is a fault.
    pub fn finish(self) {
        // The `_file` twin of a secret goes without saying; a key that merely ends so does not.
        let is_twin =
            |key: &str| key.strip_suffix("_file").is_some_and(|stem| self.asked.contains(stem));
        let known: Vec<&str> =
            self.asked.iter().map(String::as_str).filter(|key| !is_twin(key)).collect();
        for key in self.table.keys().filter(|key| !self.asked.contains(*key)) {
            self.fault(key, format!("unknown key; allowed here: {}", known.join(", ")));
        }
    }
}

/// True for keys whose value is not shown even where the key itself is a mistake.
fn is_secret(key: &str) -> bool {
    const TELLING: [&str; 7] =
        ["password", "passphrase", "secret", "token", "credential", "authorization", "api_key"];
    let key = key.to_ascii_lowercase();
    !key.ends_with("_file") && TELLING.iter().any(|word| key.contains(word))
}

fn read_secret(path: &Path) -> std::io::Result<SecretString> {
    std::fs::read_to_string(path)
        .map(|text| SecretString::from(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests;
