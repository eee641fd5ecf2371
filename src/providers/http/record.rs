//! What a provider's record of one top-up says: its status word, and whether it is the top-up
//! that we meant.

use super::{
    field, identity,
    place::{Document, Place},
    secrets::Secrets,
};
use crate::domain::{FailureClass, Money, Rounding};
use crate::input::Section;
use crate::providers::{Answer, Booked, Evidence, Order, Refusal, api::plain};
use regex::Regex;
use rust_decimal::Decimal;
use std::{collections::BTreeMap, str::FromStr as _};

/// The keys that hold places.
const PLACES: [&str; 10] = [
    "transaction_id",
    "status",
    "msisdn",
    "iccid",
    "amount",
    "currency",
    "reference",
    "charged",
    "delivered",
    "refusal_code",
];

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Paid,
    Pending,
    Refused,
    Reversed,
}

/// The keys that hold words.
const WORDS: [(&str, Verdict); 4] = [
    ("paid", Verdict::Paid),
    ("pending", Verdict::Pending),
    ("refused", Verdict::Refused),
    ("reversed", Verdict::Reversed),
];

/// How to understand a record; the same for the answer to an order and for a look-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) pattern: Option<Regex>,
    places: BTreeMap<&'static str, Place>,
    words: BTreeMap<String, Verdict>,
    /// Refusal codes, status words or HTTP statuses, in lower case, by what may follow.
    classes: BTreeMap<String, FailureClass>,
}

impl Record {
    /// Reads the keys of `[topup]`, or of `[find]` on top of those of `[topup]`.
    pub(super) fn read(section: &mut Section<'_>, base: Option<&Self>) -> Self {
        let mut record = base.cloned().unwrap_or_default();
        if let Some(pattern) = field::pattern(section) {
            // The places of another kind of answer say nothing about this one.
            record.places.clear();
            record.pattern = Some(pattern);
        }
        let pattern = record.pattern.clone();
        for key in PLACES {
            if let Some(place) = field::place(section, key, pattern.as_ref()) {
                record.places.insert(key, place);
            }
        }
        for (key, verdict) in WORDS {
            let Some(words) = section.texts(key) else {
                continue;
            };
            record.words.retain(|_, known| *known != verdict);
            for word in words {
                let word = word.trim().to_ascii_lowercase();
                if record.words.insert(word, verdict).is_some_and(|known| known != verdict) {
                    section.fault(key, "allowed are words that stand in no other list");
                }
            }
        }
        let mut classes = section.section_or_empty("classes");
        for (key, class) in FailureClass::WORDS {
            for word in classes.texts(key).unwrap_or_default() {
                let word = word.trim().to_ascii_lowercase();
                if record.classes.insert(word, class).is_some_and(|known| known != class) {
                    classes.fault(key, "allowed are words that stand in no other list");
                }
            }
        }
        classes.finish();
        if !record.places.contains_key("status") && !section.has("status") {
            section.fault("status", "allowed is the place of the status word");
        }
        if !record.words.values().any(|verdict| *verdict == Verdict::Paid) && !section.has("paid") {
            section.fault("paid", "allowed is a list of status words that mean paid");
        }
        record
    }

    /// True where the place `key` is configured.
    pub(super) fn place(&self, key: &str) -> Option<&Place> {
        self.places.get(key)
    }

    /// What a record of the provider's own list says became of it.
    pub(super) fn booked(&self, document: &Document) -> Booked {
        let word = self.place("status").and_then(|place| document.text(place));
        match word.and_then(|word| self.words.get(&word.to_ascii_lowercase()).copied()) {
            Some(Verdict::Paid) => Booked::Paid,
            Some(Verdict::Pending) => Booked::Pending,
            Some(Verdict::Refused) => Booked::Refused,
            Some(Verdict::Reversed) => Booked::Reversed,
            None => Booked::Unclear,
        }
    }

    /// What the record says of `order`; `raw` is kept as evidence.
    pub(super) fn judge(
        &self,
        document: &Document,
        order: &Order,
        secrets: &Secrets,
        raw: &str,
    ) -> Answer {
        let raw = raw.to_owned();
        let text = |key| self.place(key).and_then(|place| document.text(place));
        let Some(word) = text("status") else {
            return Answer::Unclear { why: "the answer has no status word".to_owned(), raw };
        };
        let Some(verdict) = self.words.get(&word.to_ascii_lowercase()) else {
            let word: String = secrets.redact(&word).chars().take(60).collect();
            return Answer::Unclear { why: format!("unknown status word `{word}`"), raw };
        };
        let differs = self.difference(document, order);
        let money = |key| {
            let text = text(key)?;
            Money::from_text(&text, order.amount.currency(), Rounding::Ceiling).ok()
        };
        let evidence = |raw| Evidence {
            transaction_id: text("transaction_id").map(|id| id.chars().take(200).collect()),
            charged: money("charged"),
            delivered: money("delivered"),
            raw,
            ..Evidence::default()
        };
        match (verdict, differs) {
            // A refusal of something else proves nothing about this order.
            (Verdict::Refused, Some(why)) => Answer::Unclear { why, raw },
            (Verdict::Refused, None) => {
                Answer::Refused(self.refusal(Some(document), &word, secrets, raw))
            }
            (Verdict::Paid | Verdict::Pending | Verdict::Reversed, Some(why)) => {
                Answer::Mismatch { evidence: evidence(raw), why }
            }
            (Verdict::Paid, None) => Answer::Paid(evidence(raw)),
            (Verdict::Pending, None) => Answer::Pending(evidence(raw)),
            (Verdict::Reversed, None) => Answer::Reversed(evidence(raw)),
        }
    }

    /// A refusal, sorted by the code in the answer where one is configured, else by `word`.
    pub(super) fn refusal(
        &self,
        document: Option<&Document>,
        word: &str,
        secrets: &Secrets,
        raw: String,
    ) -> Refusal {
        let place = self.place("refusal_code");
        let code = document.zip(place).and_then(|(document, place)| document.text(place));
        let class = code.iter().map(String::as_str).chain([word]);
        let class = class
            .filter_map(|word| self.classes.get(&word.trim().to_ascii_lowercase()))
            .next()
            .copied();
        let usual = match word {
            // Busy or closed is not a decline.
            "429" | "503" => FailureClass::ProviderDown,
            _ => FailureClass::DeclinedSoft,
        };
        let code = secrets.redact(code.as_deref().unwrap_or(word)).chars().take(60).collect();
        Refusal { code, class: class.unwrap_or(usual), raw }
    }

    /// Which echoed field differs from the order, in words; a field that is not echoed agrees.
    fn difference(&self, document: &Document, order: &Order) -> Option<String> {
        let text = |key: &str| self.place(key).and_then(|place| document.text(place));
        self.other_line(document, order)
            .or_else(|| other_reference(&text("reference")?, order))
            .or_else(|| {
                let (amount, currency) = (text("amount"), text("currency"));
                if self.place("amount").is_some() || self.place("currency").is_some() {
                    other_money(amount.as_deref(), currency.as_deref(), order)
                } else {
                    usual_money(document, order)
                }
            })
    }

    fn other_line(&self, document: &Document, order: &Order) -> Option<String> {
        let (number, serial) = (self.place("msisdn"), self.place("iccid"));
        if number.is_none() && serial.is_none() {
            return identity::check_usual(document, &order.line).err();
        }
        let number = number.and_then(|place| document.text(place));
        if let (Some(ours), Some(echo)) = (&order.line.msisdn, number)
            && !ours.reads_as(&echo)
        {
            return Some(format!("ordered for {ours}, the answer is about another number"));
        }
        let serial = serial.and_then(|place| document.text(place));
        if let (Some(ours), Some(echo)) = (&order.line.iccid, serial)
            && !ours.reads_as(&echo)
        {
            return Some(format!("ordered for ICCID {ours}, the answer is about another"));
        }
        None
    }
}

fn other_reference(echo: &str, order: &Order) -> Option<String> {
    (echo != order.reference).then(|| "the answer has another reference than the order".to_owned())
}

/// The members `amount` and `currency` of the two outer levels, where none are configured. An
/// `amount` that is no plain decimal, or an object, says nothing.
fn usual_money(document: &Document, order: &Order) -> Option<String> {
    let amounts = document.members(&["amount"]).filter_map(plain);
    let currencies =
        document.members(&["currency"]).filter_map(|value| value.as_str().map(str::to_owned));
    amounts
        .filter(|text| Decimal::from_str(text).is_ok())
        .find_map(|amount| other_money(Some(&amount), None, order))
        .or_else(|| currencies.into_iter().find_map(|code| other_money(None, Some(&code), order)))
}

fn other_money(amount: Option<&str>, currency: Option<&str>, order: &Order) -> Option<String> {
    let ours = order.amount;
    let short = |text: &str| text.chars().take(20).collect::<String>();
    if let Some(code) = currency
        && !code.trim().eq_ignore_ascii_case(ours.currency().code())
    {
        return Some(format!("ordered in {}, the answer is in {}", ours.currency(), short(code)));
    }
    let same = |text: &str| {
        Decimal::from_str(text)
            .ok()
            .and_then(|found| Money::from_decimal(found, ours.currency(), Rounding::Exact).ok())
            .is_some_and(|found| found == ours)
    };
    if let Some(text) = amount
        && !same(text)
    {
        return Some(format!("ordered {ours}, the answer says {}", short(text)));
    }
    None
}
