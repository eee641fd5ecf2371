//! The provider's own list of transactions, and our float there: what reconciliation compares.

use super::{
    dates::{self, Date},
    field,
    place::{Document, Place},
    record::Record,
    request::Request,
    secrets::Secrets,
};
use crate::domain::{Currency, Money, Rounding};
use crate::input::Section;
use crate::providers::{Listed, ReadError};
use crate::transport::http::Reply;
use serde_json::Value;

/// Pages of one list, at most; a list that is longer is not trusted.
pub(super) const PAGES: usize = 200;

/// `[providers.NAME.http.list]`.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) request: Request,
    record: Record,
    items: Place,
    at: Option<field::DateAt>,
    product: Option<Place>,
}

impl List {
    /// Reads the section; what it does not say is as in `[topup]`.
    pub(super) fn from_section(
        mut section: Section<'_>,
        content_type: Option<&str>,
        topup: Option<&Record>,
    ) -> Option<Self> {
        let request = Request::read(&mut section, "GET", content_type);
        let record = Record::read(&mut section, topup);
        let items = section.required("items", "allowed is the place of the list of records");
        let items = items.and_then(|_| section.checked("items", |text| Place::parse(text, None)));
        let at = field::date(&mut section, "at", None);
        let product = field::place(&mut section, "product", None);
        section.finish();
        Some(Self { request: request?, record, items: items?, at, product })
    }

    /// True where it has pages.
    pub(super) fn has_pages(&self) -> bool {
        self.request.uses().contains("page")
    }

    /// One page.
    pub(super) fn judge(&self, reply: &Reply, secrets: &Secrets) -> Result<Vec<Listed>, ReadError> {
        if !(200..=299).contains(&reply.status) {
            return Err(ReadError::unparseable(format!("HTTP status {}", reply.status)));
        }
        let document = Document::parse(&reply.body, None).map_err(ReadError::unparseable)?;
        match document.at(&self.items) {
            Some(Value::Array(items)) => {
                Ok(items.iter().map(|item| self.listed(item, secrets)).collect())
            }
            Some(_) | None => {
                Err(ReadError::unparseable("`items` is not at its place, or no list"))
            }
        }
    }

    fn listed(&self, item: &Value, secrets: &Secrets) -> Listed {
        let raw = secrets.redact(&item.to_string()).chars().take(1000).collect();
        let document = Document::Json(item.clone());
        let text = |key: &str| self.record.place(key).and_then(|place| document.text(place));
        let currency = text("currency").and_then(|code| Currency::parse(code.trim()).ok());
        let money = |key: &str| Money::from_text(&text(key)?, currency?, Rounding::Ceiling).ok();
        let at = self.at.as_ref().and_then(|at| {
            let text = document.text(&at.place)?;
            match dates::read(&text, at.format.as_deref(), chrono_tz::UTC) {
                Date::At(at) => Some(at),
                Date::None | Date::Unreadable => None,
            }
        });
        Listed {
            transaction_id: text("transaction_id"),
            reference: text("reference"),
            at,
            target: text("msisdn").or_else(|| text("iccid")),
            product: self.product.as_ref().and_then(|place| document.text(place)),
            amount: money("amount"),
            charged: money("charged"),
            booked: self.record.booked(&document),
            raw,
        }
    }
}

/// `[providers.NAME.http.wallet]`.
#[derive(Clone, Debug)]
pub(super) struct Wallet {
    pub(super) request: Request,
    balance: Place,
    currency: field::CurrencyAt,
}

impl Wallet {
    /// Reads the section; every fault is reported.
    pub(super) fn from_section(
        mut section: Section<'_>,
        content_type: Option<&str>,
    ) -> Option<Self> {
        let request = Request::read(&mut section, "GET", content_type);
        let balance = section.required("balance", "allowed is the place of the balance");
        let balance = balance.and_then(|_| field::place(&mut section, "balance", None));
        let allowed = "allowed is a place, or { fixed = \"USD\" }";
        let currency = if section.has("currency") {
            field::currency(&mut section, "currency", None)
        } else {
            section.fault("currency", allowed);
            None
        };
        section.finish();
        Some(Self { request: request?, balance: balance?, currency: currency? })
    }

    /// What is left of our float.
    pub(super) fn judge(&self, reply: &Reply) -> Result<Money, ReadError> {
        if !(200..=299).contains(&reply.status) {
            return Err(ReadError::unparseable(format!("HTTP status {}", reply.status)));
        }
        let document = Document::parse(&reply.body, None).map_err(ReadError::unparseable)?;
        let currency = match &self.currency {
            field::CurrencyAt::Fixed(currency) => Some(*currency),
            field::CurrencyAt::Place(place) => {
                document.text(place).and_then(|code| Currency::parse(code.trim()).ok())
            }
        };
        let text = document.text(&self.balance);
        text.zip(currency)
            .and_then(|(text, currency)| Money::from_text(&text, currency, Rounding::Floor).ok())
            .ok_or_else(|| ReadError::unparseable("no balance with a currency is at its place"))
    }
}
