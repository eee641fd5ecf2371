//! Config keys that say where in an answer a value stands.

use super::{dates, place::Place};
use crate::domain::Currency;
use crate::input::{Section, Value, unit_bytes};
use regex::Regex;

/// Where a date stands, and how it is written.
#[derive(Clone, Debug)]
pub(super) struct DateAt {
    pub(super) place: Place,
    pub(super) format: Option<String>,
}

/// Where an amount of data stands, and how many bytes its unit has.
#[derive(Clone, Debug)]
pub(super) struct BytesAt {
    pub(super) place: Place,
    pub(super) unit: i64,
}

/// Where the currency stands, or what it is.
#[derive(Clone, Debug)]
pub(super) enum CurrencyAt {
    /// Always this one.
    Fixed(Currency),
    /// As the answer says.
    Place(Place),
}

/// `pattern`: the regular expression that turns a text answer into named groups.
pub(super) fn pattern(section: &mut Section<'_>) -> Option<Regex> {
    section.checked("pattern", |text| {
        let pattern = Regex::new(text)
            .map_err(|error| format!("allowed is a regular expression ({error})"))?;
        if pattern.capture_names().flatten().next().is_none() {
            return Err("allowed is a regular expression with named groups such as \
                        (?P<balance>[0-9.]+)"
                .to_owned());
        }
        Ok(pattern)
    })
}

/// `key = "/a/b"`; with a pattern, an absent key means the group of its own name.
pub(super) fn place(
    section: &mut Section<'_>,
    key: &str,
    pattern: Option<&Regex>,
) -> Option<Place> {
    if section.has(key) {
        return section.checked(key, |text| Place::parse(text, pattern));
    }
    section.value(key);
    Place::parse(key, Some(pattern?)).ok()
}

/// `key = "/a"` or `key = { at = "/a", format = "%d.%m.%Y" }`.
pub(super) fn date(
    section: &mut Section<'_>,
    key: &str,
    pattern: Option<&Regex>,
) -> Option<DateAt> {
    let Some(mut table) = table(section, key) else {
        return place(section, key, pattern).map(|place| DateAt { place, format: None });
    };
    let place = at(&mut table, pattern);
    let format =
        table.checked("format", |text| dates::check_format(text).map(|()| text.to_owned()));
    table.finish();
    Some(DateAt { place: place?, format })
}

/// `key = "/a"` (bytes) or `key = { at = "/a", unit = "MB" }`.
pub(super) fn bytes(
    section: &mut Section<'_>,
    key: &str,
    pattern: Option<&Regex>,
) -> Option<BytesAt> {
    let Some(mut table) = table(section, key) else {
        return place(section, key, pattern).map(|place| BytesAt { place, unit: 1 });
    };
    let place = at(&mut table, pattern);
    let allowed = "allowed: B, KB, MB, GB, TB, KiB, MiB, GiB, TiB";
    let unit =
        table.required("unit", allowed).and_then(|_| table.parsed("unit", allowed, unit_bytes));
    table.finish();
    Some(BytesAt { place: place?, unit: unit? })
}

/// `key = "/a"` or `key = { fixed = "USD" }`.
pub(super) fn currency(
    section: &mut Section<'_>,
    key: &str,
    pattern: Option<&Regex>,
) -> Option<CurrencyAt> {
    let Some(mut table) = table(section, key) else {
        return place(section, key, pattern).map(CurrencyAt::Place);
    };
    let fixed = table
        .required("fixed", "allowed is an ISO 4217 code such as \"USD\"")
        .and_then(|_| table.checked("fixed", Currency::parse));
    table.finish();
    fixed.map(CurrencyAt::Fixed)
}

fn table<'a>(section: &mut Section<'a>, key: &str) -> Option<Section<'a>> {
    match section.value(key) {
        Some(Value::Table(_)) => section.section(key),
        Some(
            Value::Text(_)
            | Value::Integer(_)
            | Value::Fraction(_)
            | Value::Boolean(_)
            | Value::List(_),
        )
        | None => None,
    }
}

fn at(table: &mut Section<'_>, pattern: Option<&Regex>) -> Option<Place> {
    let text = table.required("at", "allowed is a place in the answer")?;
    Place::parse(&text, pattern).map_err(|why| table.fault("at", why)).ok()
}
