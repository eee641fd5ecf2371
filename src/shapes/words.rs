//! Closed sets of words, for the document of the API: each with the words that the code knows.

use crate::domain;
use crate::store;
use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $words:expr,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some($words)).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

/// The words of pairs.
fn first<T, const N: usize>(pairs: [(&'static str, T); N]) -> [&'static str; N] {
    pairs.map(|(word, _)| word)
}

words! {
    /// How a line is.
    LineStatus: store::SubscriptionView::STATUSES,
    /// How lines are sorted.
    LineOrder: first(store::LineOrder::WORDS),
    /// How far a top-up is.
    TopupState: domain::State::ALL.map(domain::State::as_str),
    /// How far a notice is.
    NoticeState: store::StoredNotice::STATES,
    /// What a notice is about.
    NoticeKind: domain::NoticeKind::ALL.iter().map(|kind| kind.as_str()),
    /// How much a notice matters.
    Severity: domain::Severity::ALL.iter().map(|severity| severity.as_str()),
    /// What a token may do.
    Role: first(store::Role::WORDS),
    /// How an instance does.
    InstanceState: store::InstanceState::ALL.map(store::InstanceState::as_str),
    /// What a rule may do.
    Mode: first(domain::Mode::WORDS),
    /// What a rule does with what is in breach when it begins to pay.
    OnEnable: first(domain::OnEnable::WORDS),
    /// What a rule does where no reading comes.
    OnStale: first(domain::OnStale::WORDS),
    /// What a payment does to a plan.
    Renewal: first(domain::Renewal::WORDS),
    /// What a condition looks at.
    Metric: first(domain::Metric::WORDS),
    /// What there can be several balances of.
    BucketMetric: first(domain::Bucket::METRICS),
    /// How far a forecast can be trusted.
    Trust: domain::Trust::ALL.map(domain::Trust::as_str),
}
