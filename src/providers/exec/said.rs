//! What the program wrote, and what follows from it. Anything that is not exactly as
//! `docs/exec-provider.md` says proves nothing.

use crate::domain::{ErrorKind, FailureClass, Money, Quality, Subscription, Timestamp};
use crate::input::{Fault, HandReading, Intake, Origin, Section, Value, from_json};
use crate::providers::{
    Answer, Booked, Evidence, Found, Listed, Order, Pin, ReadError, ReadOk, Refusal,
    api::{Echo, cut},
};
use serde_json::Value as Json;

/// What faults call it.
const PLACE: &str = "the program's answer";

/// The words of a top-up's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Paid,
    Pending,
    Refused,
    Reversed,
    NotSent,
    Unclear,
}

const OUTCOMES: [(&str, Outcome); 6] = [
    ("paid", Outcome::Paid),
    ("pending", Outcome::Pending),
    ("refused", Outcome::Refused),
    ("reversed", Outcome::Reversed),
    ("not_sent", Outcome::NotSent),
    ("unclear", Outcome::Unclear),
];

const BOOKED: [(&str, Booked); 5] = [
    ("paid", Booked::Paid),
    ("pending", Booked::Pending),
    ("refused", Booked::Refused),
    ("reversed", Booked::Reversed),
    ("unclear", Booked::Unclear),
];

/// What a run wrote: one JSON object, and nothing else.
pub(super) struct Output(Json);

impl Output {
    /// Reads what was written; `Err` says why it is no answer.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value: Json = serde_json::from_str(text.trim())
            .map_err(|error| format!("its output is not one JSON object ({error})"))?;
        if value.is_object() { Ok(Self(value)) } else { Err("its output is no object".to_owned()) }
    }

    /// As it may be kept once secrets are out: without codes that are money.
    pub(super) fn without_pins(&self) -> String {
        let mut value = self.0.clone();
        let blank = |record: &mut Json| {
            if let Some(pin) = record.get_mut("pin") {
                *pin = Json::String("<code>".to_owned());
            }
        };
        blank(&mut value);
        value.get_mut("topups").and_then(Json::as_array_mut).into_iter().flatten().for_each(blank);
        self.hide(&value.to_string())
    }

    /// The text without any of the codes that the answer holds.
    fn hide(&self, text: &str) -> String {
        let records = self.0.get("topups").and_then(Json::as_array).into_iter().flatten();
        let pins = records.chain([&self.0]).filter_map(|record| record.get("pin"));
        let mut codes = Vec::new();
        pins.for_each(|pin| texts(pin, &mut codes));
        codes.iter().fold(text.to_owned(), |text, code| text.replace(code, "<code>"))
    }

    /// Reads every key; one that nobody knows, or that is wrong, makes it no answer.
    fn read<T>(&self, read: impl FnOnce(&mut Section<'_>) -> Option<T>) -> Result<T, String> {
        let Value::Table(table) = from_json(PLACE, &self.0) else {
            return Err("its output is no object".to_owned());
        };
        let intake = Intake::new();
        let mut section = Section::new(&table, "", &Origin::file(PLACE), &intake);
        let found = read(&mut section);
        section.finish();
        let faults = intake.into_faults();
        match found {
            Some(found) if faults.is_empty() => Ok(found),
            _ => {
                let said = faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ");
                Err(cut(&self.hide(&said), 300))
            }
        }
    }

    /// `{"error": {"kind", "detail", "retry_after"}}`, if it is that.
    fn failure(&self) -> Option<ReadError> {
        self.0.get("error")?;
        let error = self.read(|s| {
            let mut error = s.section("error")?;
            let allowed = "allowed: temporary, authentication, rate_limit, maintenance, \
                           configuration, unsupported, permanent, identity, currency";
            let kind = error.required("kind", allowed).and_then(|_| {
                error.parsed("kind", allowed, |word| format!("error({word})").parse().ok())
            });
            let detail = error.text("detail").map(|text| cut(&text, 200));
            let retry_after = error.span("retry_after");
            error.finish();
            let quality: Quality = kind?;
            Some(ReadError { quality, detail: detail.unwrap_or_default(), retry_after })
        });
        Some(error.unwrap_or_else(ReadError::unparseable))
    }

    fn ask<T>(&self, read: impl FnOnce(&mut Section<'_>) -> Option<T>) -> Result<T, ReadError> {
        match self.failure() {
            Some(failure) => Err(failure),
            None => self.read(read).map_err(ReadError::unparseable),
        }
    }

    /// The values of `line`.
    pub(super) fn reading(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let (given, msisdn, iccid) = self.ask(|s| {
            let echo = (s.text("msisdn"), s.text("iccid"));
            Some((HandReading::read(s), echo.0, echo.1))
        })?;
        let other = |what| {
            let why = format!("the answer's {what} is not that of the line");
            Err(ReadError::new(ErrorKind::Identity, why))
        };
        if let (Some(echo), Some(ours)) = (&msisdn, &line.msisdn)
            && !ours.reads_as(echo)
        {
            return other("msisdn");
        }
        if let (Some(echo), Some(ours)) = (&iccid, &line.iccid)
            && !ours.reads_as(echo)
        {
            return other("iccid");
        }
        if given.at.is_some() {
            return Err(ReadError::unparseable("`at` is for people: a program reads now"));
        }
        let values = given.values(line.time_zone);
        if values.is_empty() {
            return Err(ReadError::unparseable("the answer has no value"));
        }
        Ok(ReadOk { values, quality: Quality::Ok, detail: None })
    }

    /// Our own float.
    pub(super) fn wallet(&self) -> Result<Money, ReadError> {
        self.ask(|s| {
            let _written = s.required("balance", "allowed is money such as \"10.00 USD\"")?;
            s.money("balance")
        })
    }

    /// What it says of itself.
    pub(super) fn test(&self) -> Result<String, ReadError> {
        self.ask(|s| s.required("detail", "allowed is a sentence")).map(|text| cut(&text, 200))
    }

    /// Its books.
    pub(super) fn list(&self, clean: impl Fn(&str) -> String) -> Result<Vec<Listed>, ReadError> {
        self.ask(|s| {
            if !s.has("transactions") {
                s.fault("transactions", "allowed is a list, also an empty one");
                return None;
            }
            s.tables("transactions").into_iter().map(|s| listed(s, &clean)).collect()
        })
    }

    /// What came of `order`; `raw` is the answer as it may be kept.
    pub(super) fn topup(&self, order: &Order, raw: String) -> Answer {
        if let Some(failure) = self.failure() {
            return Answer::Unclear { why: failure.to_string(), raw };
        }
        match self.read(|s| answer(s, order, &raw)) {
            Ok(answer) => answer,
            Err(why) => Answer::Unclear { why, raw },
        }
    }

    /// What a look-up found.
    pub(super) fn found(&self, order: &Order, raw: String) -> Found {
        if let Some(failure) = self.failure() {
            return Found::Blind { why: failure.to_string() };
        }
        let records = self.read(|s| {
            if !s.has("topups") {
                s.fault("topups", "allowed is a list; an empty one says that there is none");
                return None;
            }
            let records = s.tables("topups").into_iter().map(|mut s| {
                let answer = answer(&mut s, order, &raw);
                s.finish();
                answer
            });
            records.collect::<Option<Vec<Answer>>>()
        });
        match records {
            Err(why) => Found::Blind { why },
            Ok(mut records) => match (records.pop(), records.len()) {
                (None, _) => Found::Nothing,
                (Some(Answer::NotSent { why }), 0) => Found::Blind { why },
                (Some(one), 0) => Found::One(one),
                (Some(_), more) => Found::Several { count: more.saturating_add(1), raw },
            },
        }
    }
}

/// Every text and number in a value, but for those too short to be a code.
fn texts(value: &Json, into: &mut Vec<String>) {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Array(items) => return items.iter().for_each(|item| texts(item, into)),
        Json::Object(fields) => return fields.values().for_each(|field| texts(field, into)),
        Json::Null | Json::Bool(_) => return,
    };
    if text.len() > 3 {
        into.push(text);
    }
}

/// One record of a top-up.
fn answer(s: &mut Section<'_>, order: &Order, raw: &str) -> Option<Answer> {
    let words = OUTCOMES.map(|(word, _)| word).join(", ");
    let outcome = s
        .required("outcome", &format!("allowed: {words}"))
        .and_then(|_| s.word("outcome", &OUTCOMES));
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let transaction_id = filled(s.text("transaction_id"));
    let (charged, delivered) = (s.money("charged"), s.money("delivered"));
    if charged.is_some_and(|money| money.minor() < 0) {
        s.fault("charged", "allowed is money of zero or more");
    }
    let product = filled(s.text("product"));
    let mut echo = Echo::default()
        .target(&order.line, filled(s.text("msisdn")))
        .target(&order.line, filled(s.text("iccid")))
        .same("reference", &order.reference, filled(s.text("reference")))
        .money("amount", order.amount, s.money("amount"));
    if let Some(ours) = &order.product {
        echo = echo.same("product", ours, product);
    }
    let pin = s.section("pin").and_then(pin);
    let code = filled(s.text("code"));
    let class = s.word("class", &FailureClass::WORDS);
    let why = filled(s.text("why")).map(|why| cut(&why, 200));
    let evidence = Evidence { transaction_id, charged, delivered, pin, raw: raw.to_owned() };
    let unclear = |why: String| Answer::Unclear { why, raw: raw.to_owned() };
    let differs = echo.differs();
    Some(match (outcome?, differs) {
        (Outcome::Paid | Outcome::Pending | Outcome::Reversed, Some(why)) => {
            Answer::Mismatch { evidence, why }
        }
        (_, Some(why)) => unclear(format!("the answer is about {why}")),
        (Outcome::Paid, None) => Answer::Paid(evidence),
        (Outcome::Pending, None) => Answer::Pending(evidence),
        (Outcome::Reversed, None) => Answer::Reversed(evidence),
        (Outcome::Refused, None) => Answer::Refused(Refusal {
            code: cut(&code.unwrap_or_else(|| "refused".to_owned()), 60),
            // Whoever does not sort its refusals lets a person look.
            class: class.unwrap_or(FailureClass::Internal),
            raw: raw.to_owned(),
        }),
        (Outcome::NotSent, None) => {
            Answer::NotSent { why: why.unwrap_or_else(|| "the program says so".to_owned()) }
        }
        (Outcome::Unclear, None) => unclear(why.unwrap_or_else(|| "it does not know".to_owned())),
    })
}

fn pin(mut s: Section<'_>) -> Option<Pin> {
    let code = s.required("code", "allowed is what is entered");
    let (serial, how) = (s.text("serial"), s.text("how"));
    let allowed = "allowed is an instant in RFC 3339";
    let expires_at = s.parsed("expires_at", allowed, Timestamp::parse_rfc3339);
    s.finish();
    Some(Pin { code: code?, serial, how, expires_at })
}

fn listed(mut s: Section<'_>, clean: &impl Fn(&str) -> String) -> Option<Listed> {
    let at = s.parsed("at", "allowed is an instant in RFC 3339", Timestamp::parse_rfc3339);
    let booked = s
        .required("booked", "allowed: paid, pending, refused, reversed, unclear")
        .and_then(|_| s.word("booked", &BOOKED));
    let found = Listed {
        transaction_id: s.text("transaction_id"),
        reference: s.text("reference"),
        at,
        target: s.text("target"),
        product: s.text("product"),
        amount: s.money("amount"),
        charged: s.money("charged"),
        booked: booked?,
        raw: String::new(),
    };
    s.finish();
    let written = [&found.transaction_id, &found.reference, &found.target, &found.product];
    let written: Vec<&str> = written.into_iter().flatten().map(String::as_str).collect();
    let amount = found.amount.map(|money| money.to_string()).unwrap_or_default();
    let raw = clean(&cut(&format!("{} {amount}", written.join(" ")), 300));
    Some(Listed { raw, ..found })
}
