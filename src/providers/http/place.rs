//! Places in an answer: JSON Pointer, JSONPath, or a named group of a regular expression.

use crate::providers::api;
use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;
use std::collections::BTreeMap;

/// Where in an answer a value stands.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// `/a/b`, step by step.
    Pointer(Vec<String>),
    /// `$.a.b`.
    Path(Box<JsonPath>),
    /// The group `(?P<name>…)` of the pattern.
    Group(String),
}

impl Place {
    /// Parses a place; without a `pattern` there are no groups to name.
    pub(super) fn parse(text: &str, pattern: Option<&Regex>) -> Result<Self, String> {
        if let Some(pattern) = pattern {
            let groups: Vec<&str> = pattern.capture_names().flatten().collect();
            return if groups.contains(&text) {
                Ok(Self::Group(text.to_owned()))
            } else {
                Err(format!("allowed are the named groups of `pattern`: {}", groups.join(", ")))
            };
        }
        if text.starts_with('/') {
            let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
            return Ok(Self::Pointer(text.split('/').skip(1).map(step).collect()));
        }
        if text.starts_with('$') {
            return JsonPath::parse(text)
                .map(|path| Self::Path(Box::new(path)))
                .map_err(|error| format!("allowed is a JSONPath such as \"$.a.b\" ({error})"));
        }
        Err("allowed is a JSON Pointer such as \"/a/b\" or a JSONPath such as \"$.a.b\"".to_owned())
    }
}

/// An answer that was understood as far as its form goes.
#[derive(Clone, Debug)]
pub(super) enum Document {
    /// A JSON text.
    Json(Value),
    /// The groups that a pattern found in a plain text.
    Text(BTreeMap<String, Value>),
}

impl Document {
    /// Reads an answer as JSON or, where there is a pattern, as text.
    pub(super) fn parse(body: &str, pattern: Option<&Regex>) -> Result<Self, String> {
        let Some(pattern) = pattern else {
            return api::parse(body).map(Self::Json);
        };
        let found = pattern.captures(body).ok_or("the answer does not match `pattern`")?;
        let groups = pattern.capture_names().flatten().filter_map(|name| {
            found.name(name).map(|group| (name.to_owned(), Value::from(group.as_str())))
        });
        Ok(Self::Text(groups.collect()))
    }

    /// What stands at `place`; null is nothing.
    pub(super) fn at(&self, place: &Place) -> Option<&Value> {
        let found = match (self, place) {
            (Self::Json(value), Place::Pointer(steps)) => steps.iter().try_fold(value, step_into),
            // Two values at one place would be a guess.
            (Self::Json(value), Place::Path(path)) => path.query(value).exactly_one().ok(),
            (Self::Text(groups), Place::Group(name)) => groups.get(name),
            (Self::Json(_), Place::Group(_))
            | (Self::Text(_), Place::Pointer(_) | Place::Path(_)) => None,
        };
        found.filter(|value| !value.is_null())
    }

    /// The text, number or truth value at `place`, as text; empty text is nothing.
    pub(super) fn text(&self, place: &Place) -> Option<String> {
        self.at(place).and_then(api::plain)
    }

    /// The members that stand in the outermost two levels of objects under one of `names`.
    pub(super) fn members<'d>(&'d self, names: &'d [&str]) -> impl Iterator<Item = &'d Value> {
        let outer = match self {
            Self::Json(Value::Object(outer)) => Some(outer),
            Self::Json(_) | Self::Text(_) => None,
        };
        let inner = outer.into_iter().flat_map(|o| o.values()).filter_map(Value::as_object);
        outer
            .into_iter()
            .chain(inner)
            .flat_map(|object| names.iter().filter_map(|name| object.get(*name)))
    }
}

/// As RFC 6901 has it: a member, or an item by its number, without a sign and without zeros before it.
fn step_into<'v>(value: &'v Value, step: &String) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => {
            let is_number = step.bytes().all(|b| b.is_ascii_digit());
            let is_plain = step == "0" || !step.starts_with('0');
            items.get(step.parse::<usize>().ok().filter(|_| is_number && is_plain)?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, place: &str) -> Option<String> {
        Document::parse(json, None).unwrap().text(&Place::parse(place, None).unwrap())
    }

    #[test]
    fn json_places() {
        let json = r#"{"a":{"b":" 5.10 ","n":5.10,"t":true,"e":"","z":null},"s/l":{"a~b":9},"l":[{"k":1},{"k":2}]}"#;
        for (place, expected) in [
            ("/a/b", Some("5.10")),
            ("$.a.b", Some("5.10")),
            ("/a/n", Some("5.1")),
            ("/a/t", Some("true")),
            ("/a/e", None),
            ("/a/z", None),
            ("/a", None),
            ("/x", None),
            ("/l/1/k", Some("2")),
            ("/l/01/k", None),
            ("/l/+1/k", None),
            ("/l/-/k", None),
            ("/s~1l/a~0b", Some("9")),
            ("$.l[0].k", Some("1")),
            ("$.l[?@.k == 2].k", Some("2")),
            ("$.l[*].k", None),
        ] {
            assert_eq!(at(json, place).as_deref(), expected, "{place}");
        }
        for bad in ["a.b", "", "$.a[", "balance"] {
            assert!(Place::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_places_are_named_groups() {
        let pattern =
            Regex::new(r"(?s)Balance: \$(?P<balance>[\d.]+)(?: until (?P<date>\S+))?").unwrap();
        let place = Place::parse("balance", Some(&pattern)).unwrap();
        let found = Document::parse("Hi! Balance: $5.20.", Some(&pattern)).unwrap();
        assert_eq!(found.text(&place).as_deref(), Some("5.20."));
        assert_eq!(found.text(&Place::parse("date", Some(&pattern)).unwrap()), None);
        assert!(Place::parse("/balance", Some(&pattern)).is_err());
        assert!(Document::parse("no balance", Some(&pattern)).is_err());
    }

    #[test]
    fn pages_and_garbage_are_not_documents() {
        for bad in
            ["", "  ", "<html></html>", "\n<!doctype html>", "{", "hello", "{} trailing", "NaN"]
        {
            assert!(Document::parse(bad, None).is_err(), "{bad:?}");
        }
        let deep = "[".repeat(5000);
        assert!(Document::parse(&deep, None).is_err());
    }

    #[test]
    fn members_of_the_two_outer_levels() {
        let json =
            r#"{"msisdn":"1","line":{"msisdn":"2","deep":{"msisdn":"3"}},"all":[{"msisdn":"4"}]}"#;
        let document = Document::parse(json, None).unwrap();
        let found: Vec<String> = document.members(&["msisdn"]).filter_map(api::plain).collect();
        assert_eq!(found, ["1", "2"]);
    }
}
