//! What bodies and queries may say, for the document of the API. They are read key by key (see
//! `fields`); a test holds the two against each other.
#![expect(dead_code, reason = "described, never made")]

use super::texts::{
    AmountText, Count, DayText, InstantText, PlaceText, ScopeText, SizeText, SpanText, Told, Words,
};
use crate::shapes::{
    self,
    words::{BucketMetric, LineOrder, LineStatus, NoticeKind, NoticeState, Role, TopupState},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// An order by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Such as `10.00 USD`.
    amount: AmountText,
    /// Where another than the line's own product is meant.
    product: Option<String>,
}

/// A yes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    /// The `order_hash` that was seen; refused where the order changed since.
    hash: Option<String>,
}

/// How an open case ended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolution {
    /// `paid` or `failed`.
    r#as: Outcome,
    /// How you know.
    note: Words,
    /// The provider's own console was looked at.
    checked: Option<bool>,
}

/// What became of the money.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was paid.
    Paid,
    /// It was not.
    Failed,
}

/// Why money is stopped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Off {
    /// In words.
    reason: Option<String>,
}

/// Somebody has seen it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledgement {
    /// Tell it again after this, such as `2d`.
    snooze: Option<SpanText>,
}

/// A text message of the operator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandSms {
    /// What it says, whole.
    text: String,
    /// Its sender, which must be one that the reader allows.
    from: Option<String>,
    /// With it the same message is written down once.
    id: Option<String>,
    /// When it was received; now, where nothing is said.
    at: Option<InstantText>,
}

/// At least one value; dates that are not named stay as they were told last.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandReading {
    /// Such as `5.00 USD`, in the line's currency.
    balance: Option<AmountText>,
    /// Such as `500 MB`.
    data_left: Option<SizeText>,
    /// Call minutes.
    minutes_left: Option<Count>,
    /// Text messages.
    sms_left: Option<Count>,
    /// A date (its start where the operator is) or RFC 3339.
    service_end: Option<DayText>,
    /// Likewise.
    number_loss: Option<DayText>,
    /// What the operator says it takes next, such as `16.20 USD`.
    next_charge: Option<AmountText>,
    /// Balances with an expiry of their own.
    buckets: Option<Vec<HandBucket>>,
    /// Now where absent; neither in the future nor before the newest reading.
    at: Option<InstantText>,
}

/// A balance with an expiry of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandBucket {
    /// What it is called.
    name: Words,
    /// What it counts; `data_left` where nothing is said.
    metric: Option<BucketMetric>,
    /// Money, a size or a number, as the metric wants.
    left: Left,
    /// A date (its start where the operator is) or RFC 3339.
    expires: Option<DayText>,
}

/// Money, a size or a number, as the metric wants.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Left {
    /// Money.
    Money(AmountText),
    /// A size.
    Size(SizeText),
    /// Minutes or messages.
    Count(Count),
}

/// Which subscriptions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LinesQuery {
    /// Of this owner.
    subscriber: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// So; closed ones are left out otherwise.
    #[param(inline)]
    status: Option<LineStatus>,
    /// At this operator.
    operator: Option<String>,
    /// Read by this reader.
    reader: Option<String>,
    /// With this in the id, the label or a number.
    q: Option<String>,
    /// By `id`, `label` or `service_end` (what goes dark first).
    #[param(inline)]
    sort: Option<LineOrder>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Told>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// How much, and as what.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FormQuery {
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Told>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// Which top-ups.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TopupsQuery {
    /// On this line.
    subscription: Option<String>,
    /// In this state.
    #[param(inline)]
    state: Option<TopupState>,
    /// Through this payer.
    payer: Option<String>,
    /// A date (UTC) or RFC 3339, included.
    #[param(inline)]
    from: Option<DayText>,
    /// A date (UTC) or RFC 3339, not included.
    #[param(inline)]
    to: Option<DayText>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Told>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// Which notices.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NoticesQuery {
    /// To this person.
    subscriber: Option<String>,
    /// About this line.
    subscription: Option<String>,
    /// In this state.
    #[param(inline)]
    state: Option<NoticeState>,
    /// Of this kind.
    #[param(inline)]
    kind: Option<NoticeKind>,
    /// By this channel.
    channel: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// Which money movements.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// A date (UTC) or RFC 3339, included.
    #[param(inline)]
    from: Option<DayText>,
    /// A date (UTC) or RFC 3339, not included.
    #[param(inline)]
    to: Option<DayText>,
    /// `json` or `csv`.
    #[param(inline)]
    format: Option<Told>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// What becomes of a fleet file.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FleetQuery {
    /// Only tell what would change.
    plan: Option<bool>,
    /// What the file does not name goes.
    prune: Option<bool>,
}

/// What changes, or would.
#[derive(ToSchema)]
pub(super) struct FleetPlan {
    /// What is new.
    create: Vec<FleetItem>,
    /// What is different.
    update: Vec<FleetUpdate>,
    /// What goes.
    delete: Vec<FleetItem>,
    /// How many entries stay as they are.
    unchanged: u32,
    /// What rules that begin to pay by themselves would have done over the last 90 days.
    simulated: Vec<Foretold>,
}

/// What there is in a fleet.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryKind {
    /// Who owns lines.
    Subscriber,
    /// A line.
    Subscription,
    /// A rule.
    Rule,
}

/// An entry that comes or goes.
#[derive(Deserialize, ToSchema)]
pub(super) struct FleetItem {
    /// What it is.
    kind: EntryKind,
    /// Its id.
    id: String,
}

/// An entry that changes.
#[derive(Deserialize, ToSchema)]
pub(super) struct FleetUpdate {
    /// What it is.
    kind: EntryKind,
    /// Its id.
    id: String,
    /// Each field that changes.
    changes: BTreeMap<String, FieldChange>,
}

/// A field, before and after; null where it is absent.
#[derive(Deserialize, ToSchema)]
pub(super) struct FieldChange {
    /// Before.
    from: Value,
    /// After.
    to: Value,
}

/// What a rule that begins to pay by itself would have done.
#[derive(ToSchema)]
pub(super) struct Foretold {
    /// The rule.
    rule: String,
    /// The lines it is for.
    lines: u32,
    /// Those of them that fewer days are known of.
    lines_with_fewer_days: u32,
    /// How far back it was looked.
    days: u32,
    /// Why there are no figures.
    missing: Option<String>,
    /// Readings that were looked at.
    readings: i64,
    /// How often it would have been in breach.
    episodes: i64,
    /// What it would have ordered.
    orders: i64,
    /// What people would have been asked for.
    approvals: i64,
    /// Orders that limits would have stopped.
    cap_hits: i64,
    /// What it would have spent, by currency.
    spend: Vec<shapes::Money>,
    /// What people would have been told, by kind.
    notices: BTreeMap<String, i64>,
    /// Days without service.
    days_dark: f64,
    /// Days after the number was lost.
    days_lost: f64,
}

/// Which acts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Of this line, top-up, notice, person or rule.
    target: Option<String>,
    /// Of this person or token.
    actor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    #[param(inline)]
    after: Option<PlaceText>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenAsked {
    /// What it may do.
    role: Role,
    /// With what; everything, where nothing is said.
    scope: Option<ScopeText>,
    /// What it is for.
    note: Option<String>,
}
