//! One kind of reply: a regular expression with holes, and how what stands in them is written.
//!
//! A pattern is a regular expression for the whole text, in which white space of any kind and
//! length is one blank, and letter case does not count. Values stand in holes: `<balance>`,
//! `<next_charge>`, `<data_left>` (with its unit), `<minutes_left>`, `<sms_left>`, `<service_end>`,
//! `<number_loss>`. Balances that add up are `<balance>`, `<balance_2>`, `<balance_3>`.
//!
//! Invariant: one hole that cannot be read, and the whole text is not read.

use crate::domain::{Currency, Money, Rounding, Timestamp, Values};
use crate::input::parse_bytes;
use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use regex::{Captures, Regex, RegexBuilder};

/// Longer texts are no replies; ten joined messages have less.
const LONGEST: usize = 1600;

/// Every hole with what may stand in it; what it means is read strictly afterwards.
const HOLES: [(&str, &str); 9] = [
    ("balance", NUMBER),
    ("balance_2", NUMBER),
    ("balance_3", NUMBER),
    ("next_charge", NUMBER),
    ("data_left", "[0-9]+(?:[.,][0-9]+)* ?[KMGT]I?B"),
    ("minutes_left", "[0-9]+(?:[.,][0-9]+)*"),
    ("sms_left", "[0-9]+(?:[.,][0-9]+)*"),
    ("service_end", DATE),
    ("number_loss", DATE),
];
const NUMBER: &str = "-?[0-9]+(?:[.,][0-9]+)*";
const DATE: &str = "[0-9A-Z][0-9A-Z .,/:-]{4,30}?[0-9A-Z]";

/// One kind of reply.
#[derive(Clone, Debug)]
pub struct Reply {
    pattern: Regex,
    currency: Currency,
    date: Option<String>,
    day_ends: Option<NaiveTime>,
    decimal: char,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReplyFault(String);

impl Reply {
    /// A reply whose `pattern` has at least one hole; `date` is how its dates are written, in
    /// `strftime` words, and needed where there are any.
    pub fn new(pattern: &str, currency: Currency, date: Option<&str>) -> Result<Self, ReplyFault> {
        let fault = |why: String| Err(ReplyFault(why));
        let mut text = pattern.to_owned();
        for (name, inside) in HOLES {
            text = text.replace(&format!("<{name}>"), &format!("(?P<{name}>{inside})"));
        }
        let built = RegexBuilder::new(&format!("^(?:{text})$")).case_insensitive(true).build();
        let pattern = match built {
            Ok(pattern) => pattern,
            Err(error) => return fault(error.to_string().replace('\n', " ")),
        };
        let holes: Vec<&str> = pattern.capture_names().flatten().collect();
        let words = || HOLES.map(|(name, _)| name).join(", ");
        if holes.is_empty() || text.replace("(?P<", "").contains('<') {
            return fault(format!(
                "allowed is a pattern with holes such as <balance>: {}",
                words()
            ));
        }
        if let Some(other) = holes.iter().find(|hole| !HOLES.iter().any(|(name, _)| name == *hole))
        {
            return fault(format!("{other} is no value; allowed are {}", words()));
        }
        let has_dates = holes.iter().any(|hole| matches!(*hole, "service_end" | "number_loss"));
        match date {
            None if has_dates => return fault("a pattern with a date needs its form".to_owned()),
            Some(form) if !holds(form) => return fault(format!("{form} is no form of a date")),
            Some(_) | None => {}
        }
        let date = date.map(str::to_owned);
        Ok(Self { pattern, currency, date, day_ends: None, decimal: '.' })
    }

    /// The same, where a date without a time means that time of the day and not its start.
    #[must_use]
    pub fn with_day_end(self, day_ends: Option<NaiveTime>) -> Self {
        Self { day_ends, ..self }
    }

    /// The same, where fractions begin with a comma.
    #[must_use]
    pub fn with_decimal_comma(self, comma: bool) -> Self {
        Self { decimal: if comma { ',' } else { '.' }, ..self }
    }

    /// What `text` says of a line in `zone`.
    pub fn read(&self, text: &str, zone: Tz) -> Option<Values> {
        let text = one_line(text)?;
        let found = self.pattern.captures(&text)?;
        let values = Values {
            balance: hole(self.balance(&found))?,
            data_left: hole(found.name("data_left").map(|m| self.bytes(m.as_str())))?,
            minutes_left: hole(found.name("minutes_left").map(|m| self.count(m.as_str())))?,
            sms_left: hole(found.name("sms_left").map(|m| self.count(m.as_str())))?,
            service_end_at: hole(found.name("service_end").map(|m| self.date(m.as_str(), zone)))?,
            number_loss_at: hole(found.name("number_loss").map(|m| self.date(m.as_str(), zone)))?,
            next_charge: hole(found.name("next_charge").map(|m| self.charge(m.as_str())))?,
            buckets: Vec::new(),
        };
        (!values.is_empty()).then_some(values)
    }

    /// The sum of the balances of a text, if it has any.
    fn balance(&self, found: &Captures<'_>) -> Option<Option<Money>> {
        let parts = ["balance", "balance_2", "balance_3"].map(|name| found.name(name));
        let parts = parts.into_iter().flatten().map(|part| self.money(part.as_str()));
        parts.reduce(|sum, part| sum?.checked_add(part?))
    }

    fn money(&self, text: &str) -> Option<Money> {
        Money::from_text(&self.number(text)?, self.currency, Rounding::Exact).ok()
    }

    fn charge(&self, text: &str) -> Option<Money> {
        self.money(text).filter(|money| money.minor() >= 0)
    }

    fn count(&self, text: &str) -> Option<i64> {
        self.number(text)?.parse().ok()
    }

    fn bytes(&self, text: &str) -> Option<i64> {
        let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
        let number = self.number(text.get(..unit)?.trim())?;
        parse_bytes(&format!("{number} {}", text.get(unit..)?))
    }

    /// A number as `1234.50`; digits that are grouped otherwise than by three are no number.
    fn number(&self, text: &str) -> Option<String> {
        let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let group = if self.decimal == '.' { ',' } else { '.' };
        let (whole, fraction) =
            text.split_once(self.decimal).map_or((text, None), |(w, f)| (w, Some(f)));
        let is_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let mut groups = whole.split(group);
        let first = groups.next().filter(|first| is_digits(first))?;
        let rest: Vec<&str> = groups.collect();
        let is_grouped = rest.iter().all(|g| is_digits(g) && g.len() == 3);
        if !is_grouped || (!rest.is_empty() && first.len() > 3) {
            return None;
        }
        match fraction {
            Some(fraction) if is_digits(fraction) => {
                Some(format!("{sign}{first}{}.{fraction}", rest.concat()))
            }
            Some(_) => None,
            None => Some(format!("{sign}{first}{}", rest.concat())),
        }
    }

    /// A date in the operator's own form and order; guessing either loses a number.
    fn date(&self, text: &str, zone: Tz) -> Option<Timestamp> {
        let form = self.date.as_deref()?;
        if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
            return local(at, zone);
        }
        let day = NaiveDate::parse_from_str(text, form).ok().filter(|day| is_ours(day.year()))?;
        match self.day_ends {
            Some(time) => local(day.and_time(time), zone),
            None => Timestamp::start_of_day(day, zone),
        }
    }
}

/// Nothing where there is no hole; nothing at all where there is one that cannot be read.
#[expect(clippy::option_option, reason = "no hole, and a hole that cannot be read, are two things")]
fn hole<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        Some(value) => value.map(Some),
        None => Some(None),
    }
}

/// Any white space is one blank; `None` where the text is empty or far too long.
fn one_line(text: &str) -> Option<String> {
    if text.len() > LONGEST * 4 {
        return None;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    (!line.is_empty() && line.chars().count() <= LONGEST).then_some(line)
}

/// Years of this calendar: others (2565, 1402) and cut ones (22) are no dates to act on.
fn is_ours(year: i32) -> bool {
    (2000..2100).contains(&year)
}

/// In an overlap the earlier instant, in a gap the first after it.
fn local(at: NaiveDateTime, zone: Tz) -> Option<Timestamp> {
    if !is_ours(at.year()) {
        return None;
    }
    (0..=3)
        .find_map(|hours| {
            let at = at.checked_add_signed(TimeDelta::hours(hours))?;
            zone.from_local_datetime(&at).earliest()
        })
        .map(|at| Timestamp::from_ms(at.timestamp_millis()))
}

/// True where a date that is written in `form` can be read in it.
fn holds(form: &str) -> bool {
    use std::fmt::Write as _;
    let sample = NaiveDate::from_ymd_opt(2026, 11, 21).and_then(|day| day.and_hms_opt(13, 14, 15));
    let Some(sample) = sample else { return false };
    let mut text = String::new();
    if write!(text, "{}", sample.format(form)).is_err() {
        return false;
    }
    NaiveDateTime::parse_from_str(&text, form).is_ok()
        || NaiveDate::parse_from_str(&text, form).is_ok_and(|day| day == sample.date())
}
