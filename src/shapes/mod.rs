//! The JSON that the command line and the API share. Domain types are not serialisable by design;
//! this is the boundary, and fields here are only ever added.
//!
//! The shapes describe themselves: the API's document is made from them.

mod books;
mod catalogue;
mod csv;
mod days;
mod foretold;
mod instances;
mod judged;
mod lines;
mod operators;
mod people;
mod pins;
mod receipt;
mod simulation;
mod topups;
pub mod words;

pub use books::{Closed, Comparison, Discrepancy, Finding, Proof, comparison, discrepancy, proof};
pub use catalogue::{Catalogue, Channel, ChannelTest, NamedProduct, Price, Product, ProviderTest};
pub use catalogue::{catalogue, price};
pub use csv::{LEDGER_COLUMNS, LINE_COLUMNS, READING_COLUMNS, TOPUP_COLUMNS};
pub use csv::{csv, ledger_row, line_row, reading_row, topup_row};
pub use days::{Balances, DAY_COLUMNS, Day, day, day_row};
pub use foretold::{Forecast, LineForecast, forecast, missing};
pub use instances::{Holds, Instance, instance};
pub use judged::{Explanation, MoneySwitch, explain, money_switch};
pub use lines::{Next, Reading, Subscription, reading, subscription};
pub use operators::{Ask, Operator, operator};
pub use people::{Link, Notice, Subscriber, User, link, notice, subscriber, user};
pub use pins::{Pin, ShownPin, pin, shown_pin};
pub use receipt::{Limits, Receipt, ReceiptDocument, receipts_page};
pub use simulation::{Simulation, Told, simulation};
pub use simulation::{amounts, figures, figures_less, spend_words};
pub use topups::{
    LedgerEntry, Topup, TopupEvent, TopupWithEvents, ledger_entry, topup, topup_with_events,
};

use crate::domain::{self, Timestamp};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// An instant, in RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct At(pub Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}

impl ToSchema for At {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Instant")
    }
}

/// An amount of money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Money {
    /// In minor units, such as cents.
    pub amount_minor: i64,
    /// ISO 4217.
    #[schema(value_type = String)]
    pub currency: &'static str,
}

/// An amount.
pub fn amount(m: domain::Money) -> Money {
    Money { amount_minor: m.minor(), currency: m.currency().code() }
}

fn money(money: Option<domain::Money>) -> Option<Money> {
    money.map(amount)
}

fn at(at: Option<Timestamp>) -> Option<At> {
    at.map(At)
}
