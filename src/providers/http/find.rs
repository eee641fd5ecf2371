//! Looking up what became of an order.

use super::{
    place::{Document, Place},
    record::Record,
    request::Request,
    secrets::Secrets,
};
use crate::input::Section;
use crate::providers::{Found, Order, api::plain};
use crate::transport::http::{CallError, Reply};
use serde_json::Value;

/// Members that usually hold the customer's own reference.
const REFERENCES: [&str; 8] = [
    "ref",
    "reference",
    "external_id",
    "externalId",
    "custom_identifier",
    "customIdentifier",
    "client_ref",
    "order_ref",
];

/// `[providers.NAME.http.find]`.
#[derive(Clone, Debug)]
pub(super) struct Find {
    pub(super) request: Request,
    record: Record,
    items: Option<Place>,
}

impl Find {
    /// Reads the section; what it does not say is as in `[topup]`.
    pub(super) fn from_section(
        mut section: Section<'_>,
        content_type: Option<&str>,
        topup: Option<&Record>,
    ) -> Option<Self> {
        let request = Request::read(&mut section, "GET", content_type);
        let record = Record::read(&mut section, topup);
        if record.pattern.is_some() && section.has("items") {
            section.fault("items", "allowed only without `pattern`, in JSON answers");
        }
        let items = section.checked("items", |text| Place::parse(text, None));
        section.finish();
        Some(Self { request: request?, record, items })
    }

    /// What a look-up found.
    pub(super) fn judge(
        &self,
        outcome: Result<Reply, CallError>,
        order: &Order,
        secrets: &Secrets,
    ) -> Found {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => {
                return Found::Blind { why: error.why().to_owned() };
            }
        };
        let raw = secrets.redact(&reply.body);
        let is_page = reply.body.trim_start().starts_with('<');
        match reply.status {
            200..=299 => {}
            // A gateway that does not know the path says 404 as well, but with a page.
            404 if self.items.is_none() && !is_page => return Found::Nothing,
            status => {
                return Found::Blind { why: format!("HTTP status {status}") };
            }
        }
        let document = match Document::parse(&reply.body, self.record.pattern.as_ref()) {
            Ok(document) => document,
            Err(why) => return Found::Blind { why },
        };
        match &self.items {
            Some(place) => match document.at(place) {
                Some(Value::Array(items)) => self.among(items, order, secrets, &raw),
                Some(_) | None => {
                    Found::Blind { why: "`items` is not at its place, or no list".to_owned() }
                }
            },
            None if self.is_foreign(&document, order) => {
                Found::Blind { why: "the answer is about another reference".to_owned() }
            }
            None => Found::One(self.record.judge(&document, order, secrets, &raw)),
        }
    }

    fn among(&self, items: &[Value], order: &Order, secrets: &Secrets, raw: &str) -> Found {
        if items.iter().any(|item| !item.is_object()) {
            return Found::Blind { why: "`items` holds something else than records".to_owned() };
        }
        let ours: Vec<Document> = items
            .iter()
            .map(|item| Document::Json(item.clone()))
            .filter(|document| !self.is_foreign(document, order))
            .collect();
        match ours.as_slice() {
            [] => Found::Nothing,
            [one] => Found::One(self.record.judge(one, order, secrets, raw)),
            several => Found::Several { count: several.len(), raw: raw.to_owned() },
        }
    }

    /// True where the record has references, and none of them is ours.
    fn is_foreign(&self, document: &Document, order: &Order) -> bool {
        let references: Vec<String> = match self.record.place("reference") {
            Some(place) => document.text(place).into_iter().collect(),
            None => document.members(&REFERENCES).filter_map(plain).collect(),
        };
        !references.is_empty() && !references.contains(&order.reference)
    }
}
