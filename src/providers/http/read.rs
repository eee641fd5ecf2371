//! Reading a line: from an answer to values, or to the kind of error it is.

use super::{
    buckets::{self, BucketsAt},
    dates::{self, Date},
    field::{self, BytesAt, CurrencyAt, DateAt},
    identity,
    place::{Document, Place},
    request::Request,
    secrets::Secrets,
};
use crate::domain::{
    Currency, ErrorKind, Money, Quality, Rounding, Subscription, Timestamp, Values,
};
use crate::input::Section;
use crate::providers::{ReadError, ReadOk};
use crate::transport::http::{Reply, kind_of};
use regex::Regex;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde_json::Value;
use std::str::FromStr as _;

/// `[providers.NAME.http.read]`.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) request: Request,
    pattern: Option<Regex>,
    balance: Option<Place>,
    currency: Option<CurrencyAt>,
    service_end: Option<DateAt>,
    number_loss: Option<DateAt>,
    data_left: Option<BytesAt>,
    minutes_left: Option<Place>,
    sms_left: Option<Place>,
    next_charge: Option<Place>,
    buckets: Vec<BucketsAt>,
    msisdn: Option<Place>,
    iccid: Option<Place>,
    error: Option<Place>,
}

impl Read {
    /// Reads the section; every fault is reported.
    pub(super) fn from_section(
        mut section: Section<'_>,
        content_type: Option<&str>,
    ) -> Option<Self> {
        let s = &mut section;
        let request = Request::read(s, "GET", content_type);
        let pattern = field::pattern(s);
        let text = pattern.as_ref();
        let balance = field::place(s, "balance", text);
        let currency = field::currency(s, "currency", text);
        let service_end = field::date(s, "service_end", text);
        let number_loss = field::date(s, "number_loss", text);
        let data_left = field::bytes(s, "data_left", text);
        let buckets = buckets::read(s);
        let [minutes_left, sms_left, msisdn, iccid, error, next_charge] =
            ["minutes_left", "sms_left", "msisdn", "iccid", "error", "next_charge"]
                .map(|key| field::place(s, key, text));
        for (key, what) in [("balance", "a balance"), ("next_charge", "a charge")] {
            if s.has(key) && !s.has("currency") && currency.is_none() {
                s.fault(
                    "currency",
                    format!("allowed is a place, or {{ fixed = \"USD\" }}; {what} needs one"),
                );
                break;
            }
        }
        let values = [
            "balance",
            "service_end",
            "number_loss",
            "data_left",
            "minutes_left",
            "sms_left",
            "buckets",
        ];
        let found = balance.is_some()
            || service_end.is_some()
            || number_loss.is_some()
            || data_left.is_some()
            || minutes_left.is_some()
            || sms_left.is_some()
            || !buckets.is_empty();
        if !found && !values.iter().any(|key| s.has(key)) {
            s.fault(
                "balance",
                format!("allowed is a place for at least one of {}", values.join(", ")),
            );
        }
        section.finish();
        Some(Self {
            request: request?,
            pattern,
            balance,
            currency,
            service_end,
            number_loss,
            data_left,
            minutes_left,
            sms_left,
            next_charge,
            buckets,
            msisdn,
            iccid,
            error,
        })
    }

    /// What a whole answer says.
    pub(super) fn judge(
        &self,
        reply: &Reply,
        line: &Subscription,
        secrets: &Secrets,
    ) -> Result<ReadOk, ReadError> {
        if let Some(kind) = kind_of(reply.status) {
            let mut error = ReadError::new(kind, format!("HTTP status {}", reply.status));
            error.retry_after = reply.retry_after;
            return Err(error);
        }
        let document =
            Document::parse(&reply.body, self.pattern.as_ref()).map_err(ReadError::unparseable)?;
        if let Some(said) = self.error.as_ref().and_then(|place| said_error(&document, place)) {
            let said: String = secrets.redact(&said).chars().take(200).collect();
            return Err(ReadError::new(ErrorKind::Temporary, format!("the provider says: {said}")));
        }
        let mut gaps = Vec::new();
        self.check_identity(&document, line, &mut gaps)
            .map_err(|why| ReadError::new(ErrorKind::Identity, why))?;
        let values = Values {
            balance: self.money(&document, self.balance.as_ref(), "balance", &mut gaps),
            data_left: self.data_left(&document, &mut gaps),
            minutes_left: count(&document, self.minutes_left.as_ref(), "minutes_left", &mut gaps),
            sms_left: count(&document, self.sms_left.as_ref(), "sms_left", &mut gaps),
            service_end_at: date(
                &document,
                self.service_end.as_ref(),
                "service_end",
                line,
                &mut gaps,
            ),
            number_loss_at: date(
                &document,
                self.number_loss.as_ref(),
                "number_loss",
                line,
                &mut gaps,
            ),
            next_charge: self.money(&document, self.next_charge.as_ref(), "next_charge", &mut gaps),
            buckets: self
                .buckets
                .iter()
                .flat_map(|at| at.find(&document, line, &mut gaps))
                .collect(),
        };
        if values.is_empty() && !gaps.is_empty() {
            return Err(ReadError::unparseable(gaps.join("; ")));
        }
        let quality = if gaps.is_empty() { Quality::Ok } else { Quality::Partial };
        let detail = (!gaps.is_empty()).then(|| gaps.join("; "));
        Ok(ReadOk { values, quality, detail })
    }

    fn check_identity(
        &self,
        document: &Document,
        line: &Subscription,
        gaps: &mut Vec<String>,
    ) -> Result<(), String> {
        if self.msisdn.is_none() && self.iccid.is_none() {
            return identity::check_usual(document, line);
        }
        let mut check = |place: &Option<Place>, name: &str, same: &dyn Fn(&str) -> Option<bool>| {
            let Some(place) = place else { return Ok(()) };
            match document.text(place).map(|echo| same(&echo)) {
                None => gaps.push(format!("{name} is missing")),
                Some(Some(false)) => {
                    return Err(format!("the answer's {name} is not that of the line"));
                }
                Some(Some(true) | None) => {}
            }
            Ok(())
        };
        let number = |echo: &str| line.msisdn.as_ref().map(|ours| ours.reads_as(echo));
        let serial = |echo: &str| line.iccid.as_ref().map(|ours| ours.reads_as(echo));
        check(&self.msisdn, "msisdn", &number)?;
        check(&self.iccid, "iccid", &serial)
    }

    /// A balance rounded down, a charge rounded up; a charge of null is none.
    fn money(
        &self,
        document: &Document,
        place: Option<&Place>,
        name: &str,
        gaps: &mut Vec<String>,
    ) -> Option<Money> {
        let (text, rounding) = if name == "balance" {
            (found(document, place?, name, gaps)?, Rounding::Floor)
        } else {
            (stated(document, place?, name, gaps)?, Rounding::Ceiling)
        };
        let currency = match self.currency.as_ref()? {
            CurrencyAt::Fixed(currency) => *currency,
            CurrencyAt::Place(place) => {
                let code = found(document, place, "currency", gaps)?;
                note(Currency::parse(&code), "currency", gaps)?
            }
        };
        note(Money::from_text(&text, currency, rounding), name, gaps)
    }

    fn data_left(&self, document: &Document, gaps: &mut Vec<String>) -> Option<i64> {
        let BytesAt { place, unit } = self.data_left.as_ref()?;
        let text = stated(document, place, "data_left", gaps)?;
        note(whole(&text, *unit), "data_left", gaps)
    }
}

/// The error object of an answer that calls itself a success.
fn said_error(document: &Document, place: &Place) -> Option<String> {
    match document.at(place)? {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        said @ (Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Some(said.to_string())
        }
    }
}

fn found(document: &Document, place: &Place, name: &str, gaps: &mut Vec<String>) -> Option<String> {
    let text = document.text(place);
    if text.is_none() {
        gaps.push(format!("{name} is missing"));
    }
    text
}

/// Like [`found`], where an explicit `null` is the provider's way of saying that there is none: a
/// line without an expiry is not a line whose expiry is missing.
fn stated(
    document: &Document,
    place: &Place,
    name: &str,
    gaps: &mut Vec<String>,
) -> Option<String> {
    if document.at(place).is_some_and(Value::is_null) {
        return None;
    }
    found(document, place, name, gaps)
}

fn note<T, E: std::fmt::Display>(
    result: Result<T, E>,
    name: &str,
    gaps: &mut Vec<String>,
) -> Option<T> {
    result.map_err(|why| gaps.push(format!("{name}: {why}"))).ok()
}

fn count(
    document: &Document,
    place: Option<&Place>,
    name: &str,
    gaps: &mut Vec<String>,
) -> Option<i64> {
    let text = stated(document, place?, name, gaps)?;
    note(whole(&text, 1), name, gaps)
}

fn date(
    document: &Document,
    at: Option<&DateAt>,
    name: &str,
    line: &Subscription,
    gaps: &mut Vec<String>,
) -> Option<Timestamp> {
    let DateAt { place, format } = at?;
    let text = stated(document, place, name, gaps)?;
    match dates::read(&text, format.as_deref(), line.time_zone) {
        Date::At(at) => Some(at),
        Date::None => None,
        Date::Unreadable => {
            let text: String = text.chars().take(40).collect();
            gaps.push(format!("{name}: `{text}` is not a date"));
            None
        }
    }
}

/// A decimal times `unit`, rounded down: what is left is never overstated.
pub(super) fn whole(text: &str, unit: i64) -> Result<i64, String> {
    let bad = || {
        let text: String = text.chars().take(40).collect();
        format!("`{text}` is not a number that can be left")
    };
    let number =
        Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).map_err(|_| bad())?;
    let total = number.checked_mul(Decimal::from(unit)).ok_or_else(bad)?;
    total.floor().to_i64().filter(|n| *n >= 0).ok_or_else(bad)
}
