//! More of what bodies and queries may say, for the document of the API: of what is asked of the
//! books, of payers, and of the past.
#![expect(dead_code, reason = "described, never made")]

use super::texts::{
    AmountText, AnchorsText, DayText, IdText, IdsText, LocaleText, PlaceText, Told, Words,
};
use crate::shapes::words::NoticeKind;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which discrepancies.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DiscrepanciesQuery {
    /// Settled ones, too.
    all: Option<bool>,
}

/// Why a discrepancy is none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    /// What it was.
    note: Words,
}

/// Whose books.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Payers {
    /// Providers; all that can be compared where none is named.
    payers: Option<Vec<String>>,
}

/// Against what the books are proven.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VerifyQuery {
    /// Heads from before, each as `SEQ:HASH`, with commas between them.
    anchor: Option<AnchorsText>,
}

/// Which products.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductsQuery {
    /// Those that suit this line.
    subscription: Option<IdText>,
    /// Ask anew; otherwise what was told is kept for a day.
    refresh: Option<bool>,
}

/// What an order would be.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct QuoteQuery {
    /// For this line.
    subscription: IdText,
    /// The face value, such as `10.00 USD`.
    amount: AmountText,
}

/// Which codes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PinsQuery {
    /// Those that are redeemed or rejected, too.
    all: Option<bool>,
}

/// Who enters a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeeming {
    /// A provider that redeems codes.
    with: Words,
}

/// What became of a code that somebody entered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// What the network said.
    r#as: Ended,
    /// How you know.
    note: Option<String>,
}

/// What a network says of a code.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// It took it.
    Redeemed,
    /// It did not.
    Rejected,
}

/// Which receipts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReceiptsQuery {
    /// A date (UTC) or RFC 3339, included.
    from: Option<DayText>,
    /// A date (UTC) or RFC 3339, not included.
    to: Option<DayText>,
    /// `json` or `csv`.
    format: Option<Told>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<PlaceText>,
}

/// Which notices are shown.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// Of this kind.
    kind: Option<NoticeKind>,
    /// In this language.
    locale: Option<LocaleText>,
}

/// Who gets a test notice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestAsked {
    /// The subscriber.
    subscriber: IdText,
}

/// What is replayed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SimulateQuery {
    /// A date (UTC) or RFC 3339, included.
    from: DayText,
    /// A date (UTC) or RFC 3339; now, where nothing is said.
    to: Option<DayText>,
    /// These lines, with commas between them; all that are open, where none is named.
    lines: Option<IdsText>,
    /// Only the rules of the body, none of the active ones.
    prune: Option<bool>,
    /// Tell what would have happened.
    story: Option<bool>,
}
