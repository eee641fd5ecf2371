//! What people declare, as fleet files and the API have it, for the document of the API. Entries are
//! read key by key and written by `config::fleet`; a test holds the two against each other.
#![expect(dead_code, reason = "described, never made")]

use super::texts::{AmountText, HoursText, InstantText, PercentText, SpanText};
use crate::shapes::words::{Metric, Mode, OnEnable, OnStale, Renewal};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Who owns lines and is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredSubscriber {
    /// Its id.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    id: String,
    /// Their name.
    name: Option<String>,
    /// Where mail goes.
    email: Option<String>,
    /// Where messages go, in E.164.
    phone: Option<String>,
    /// The language they are told in.
    locale: Option<String>,
    /// The zone they read times in, of the IANA database.
    time_zone: Option<String>,
    /// When they are told only what is critical.
    quiet_hours: Option<HoursText>,
    /// How they are told, the first that works.
    channels: Option<Vec<String>>,
    /// What channels call them.
    addresses: Option<BTreeMap<String, String>>,
}

/// A line.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredSubscription {
    /// Its id.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    id: String,
    /// Its owner.
    subscriber: String,
    /// What people call it.
    label: Option<String>,
    /// Its number, in E.164.
    msisdn: Option<String>,
    /// Its card.
    iccid: Option<String>,
    /// Its operator.
    operator: Option<String>,
    /// Where the operator is, of the IANA database.
    time_zone: Option<String>,
    /// Who reads it.
    reader: String,
    /// Who may pay for it, in this order.
    payers: Option<Vec<String>>,
    /// Its tags.
    tags: Option<Vec<String>>,
    /// What it pays for.
    plan: Option<DeclaredPlan>,
    /// What is ordered of each payer.
    products: Option<BTreeMap<String, String>>,
}

/// What a line pays for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredPlan {
    /// What a cycle costs.
    price: Option<AmountText>,
    /// How long a cycle is.
    #[schema(minimum = 1, maximum = 3660)]
    cycle_days: Option<i32>,
    /// What a payment does.
    renewal: Option<Renewal>,
    /// How long after the end of its service the number is lost.
    #[schema(minimum = 0, maximum = 3660)]
    number_loss_days: Option<i32>,
    /// When the operator takes its charge, in its own time.
    charge_window: Option<HoursText>,
}

/// When something is done about a line, and what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredRule {
    /// Its id.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    id: String,
    /// Which lines it is for.
    applies_to: AppliesTo,
    /// Which comes first.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    priority: Option<i32>,
    /// What it may do.
    mode: Option<Mode>,
    /// One of these must hold.
    any: Option<Vec<DeclaredCondition>>,
    /// Or all of these.
    all: Option<Vec<DeclaredCondition>>,
    /// Where nothing is done although they hold.
    unless: Option<Vec<DeclaredCondition>>,
    /// The level at which conditions that name none are clear again.
    clear_at: Option<Level>,
    /// How much is ordered.
    amount: Option<DeclaredAmount>,
    /// Limits of its own.
    caps: Option<DeclaredCaps>,
    /// A person says yes to its first order.
    approve_first: Option<bool>,
    /// A person says yes to more than this.
    approve_above: Option<AmountText>,
    /// How long it waits after a try.
    cooldown_attempt: Option<SpanText>,
    /// How long it waits after a success.
    cooldown_success: Option<SpanText>,
    /// So many readings must be in breach.
    #[schema(minimum = 1, maximum = 10)]
    fire_after: Option<i32>,
    /// So many readings must be clear.
    #[schema(minimum = 1, maximum = 10)]
    clear_after: Option<i32>,
    /// Days before an end on which people are told.
    milestones: Option<Vec<i32>>,
    /// The least order.
    order_min: Option<AmountText>,
    /// The largest order.
    order_max: Option<AmountText>,
    /// A person says yes where the price rose by more.
    approve_if_price_up: Option<PercentText>,
    /// A person says yes to what is unlike earlier orders.
    approve_if_unusual: Option<bool>,
    /// It stops after so many refusals.
    #[schema(minimum = 1, maximum = 20)]
    max_declines: Option<i32>,
    /// What is done about breaches from before it paid.
    on_enable: Option<OnEnable>,
    /// What is done where no reading comes.
    on_stale: Option<OnStale>,
    /// From when it holds.
    valid_from: Option<InstantText>,
    /// Until when it holds.
    valid_until: Option<InstantText>,
}

/// Exactly one of these.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum AppliesTo {
    /// This line.
    Subscription(String),
    /// The lines of this person.
    Subscriber(String),
    /// The lines with this tag.
    Tag(String),
    /// The lines that this provider pays for.
    Provider(String),
    /// Every line.
    All(bool),
}

/// A metric and its level: either `at_most` or `at_least`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredCondition {
    /// What is looked at.
    metric: Metric,
    /// It holds up to this.
    at_most: Option<Level>,
    /// It holds from this on.
    at_least: Option<Level>,
    /// It is clear again beyond this.
    clear_at: Option<Level>,
}

/// Money, a size, a number or a span, as the metric wants.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Level {
    /// With a unit.
    Text(String),
    /// Pieces or days.
    Number(i64),
}

/// Exactly one of `fixed`, `to_target`, `cover_next_renewal` and `cover_days`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredAmount {
    /// Always this.
    fixed: Option<AmountText>,
    /// What is missing to this balance.
    to_target: Option<AmountText>,
    /// What the next renewal costs.
    cover_next_renewal: Option<bool>,
    /// On top of a renewal's price.
    margin: Option<PercentText>,
    /// What is used in so many days.
    #[schema(minimum = 1, maximum = 3660)]
    cover_days: Option<i32>,
}

/// Limits; what is absent is not limited here.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredCaps {
    /// One order.
    order: Option<AmountText>,
    /// A line in 24 hours.
    subscription_24h: Option<AmountText>,
    /// A line in 30 days.
    subscription_30d: Option<AmountText>,
    /// A person in 30 days.
    subscriber_30d: Option<AmountText>,
    /// Orders on a line in 24 hours.
    #[schema(minimum = 1, maximum = 1_000)]
    orders_24h: Option<i32>,
    /// Orders on a line in 30 days.
    #[schema(minimum = 1, maximum = 10_000)]
    orders_30d: Option<i32>,
}

/// A fleet file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetFile {
    /// Who owns lines.
    subscribers: Option<Vec<DeclaredSubscriber>>,
    /// The lines.
    subscriptions: Option<Vec<DeclaredSubscription>>,
    /// The rules.
    rules: Option<Vec<DeclaredRule>>,
}
