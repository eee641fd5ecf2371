//! How values are written in bodies and queries, for the document of the API: each way once.

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, OneOfBuilder, RefOr, Schema,
        schema::{KnownFormat, SchemaFormat, SchemaType, Type},
    },
};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $schema:expr,)*) => {$(
        $(#[$doc])*
        #[derive(Deserialize)]
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

fn text(pattern: &str, example: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).examples([example])
}

fn formatted(format: KnownFormat) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.format(Some(SchemaFormat::KnownFormat(format)))
}

fn words(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
}

/// A number, or its digits.
fn whole(most: i32) -> ObjectBuilder {
    let kinds = SchemaType::from_iter([Type::Integer, Type::String]);
    let number = ObjectBuilder::new().schema_type(kinds).pattern(Some("^[0-9]{1,9}$"));
    number.minimum(Some(0)).maximum(Some(most))
}

/// An id without its ends.
const ID_START: &str = "[a-z0-9][a-z0-9-]{0,30}";
const ID: &str = "^[a-z0-9][a-z0-9-]{0,30}$";
const ANCHOR: &str = "7:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

texts! {
    /// An amount of money, in a currency of ISO 4217 and no finer than that has.
    AmountText: text(r"^-?[0-9]{1,12}(\.[0-9]{1,4})? [A-Z]{3}$", "10.00 USD"),
    /// An amount of data; 10^3 or, with an `i`, 2^10.
    SizeText: text(r"^[0-9]{1,6}(\.[0-9]{1,3})? ?([KMGT]i?)?B$", "500 MB"),
    /// A length of time, or several that are added up.
    SpanText: text(r"^([0-9]{1,4}(ms|s|m|min|h|d|w)){1,4}$", "1h30m"),
    /// The id of something that is declared.
    IdText: text(ID, "li-tmobile"),
    /// Several of them, with commas between.
    IdsText: text(&format!("^{ID_START}(,{ID_START})*$"), "li-tmobile,second"),
    /// Heads of the journal, with commas between.
    AnchorsText: text("^[1-9][0-9]{0,8}:[0-9a-f]{64}(,[1-9][0-9]{0,8}:[0-9a-f]{64})*$", ANCHOR),
    /// A language that notices speak.
    LocaleText: words(&crate::words::LOCALES),
    /// What `X-Next-After` said.
    PlaceText: text("^[A-Za-z0-9._-]+$", "WyIxIl0"),
    /// `subscriber:ID` or `tag:WORD`; nothing for everything.
    ScopeText: text(r"^(subscriber:[a-z0-9][a-z0-9-]{0,30}|tag:[a-z0-9-]{1,30})?$", "tag:home"),
    /// Some words.
    Words: text(r"\S", "the carrier's own list has it"),
    /// A stretch of a day.
    HoursText: text("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", "22:00-07:00"),
    /// A part.
    PercentText: text("^[0-9]{1,3}%$", "10%"),
    /// An instant, in RFC 3339.
    InstantText: formatted(KnownFormat::DateTime),
    /// A date (its start there) or an instant, in RFC 3339.
    DayText: OneOfBuilder::new().item(formatted(KnownFormat::Date)).item(formatted(KnownFormat::DateTime)),
    /// What a list is told in.
    Told: words(&["json", "csv"]),
    /// A number that is not negative.
    Count: whole(i32::MAX),
}
