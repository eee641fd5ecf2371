//! What bodies and queries may say, for the document of the API. They are read key by key (see
//! `fields`); a test holds the two against each other.
#![expect(dead_code, reason = "described, never made")]

use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// An order by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Such as `10.00 USD`.
    amount: String,
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
    note: String,
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
    snooze: Option<String>,
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
    at: Option<String>,
}

/// At least one value; dates that are not named stay as they were told last.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandReading {
    /// Such as `5.00 USD`, in the line's currency.
    balance: Option<String>,
    /// Such as `500 MB`.
    data_left: Option<String>,
    /// Call minutes.
    minutes_left: Option<i32>,
    /// Text messages.
    sms_left: Option<i32>,
    /// A date (its start where the operator is) or RFC 3339.
    service_end: Option<String>,
    /// Likewise.
    number_loss: Option<String>,
    /// What the operator says it takes next, such as `16.20 USD`.
    next_charge: Option<String>,
    /// Balances with an expiry of their own.
    buckets: Option<Vec<HandBucket>>,
    /// Now where absent; neither in the future nor before the newest reading.
    at: Option<String>,
}

/// A balance with an expiry of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandBucket {
    /// What it is called.
    name: String,
    /// What it counts; `data_left` where nothing is said.
    metric: Option<String>,
    /// Money, a size or a number, as the metric wants.
    left: String,
    /// A date (its start where the operator is) or RFC 3339.
    expires: Option<String>,
}

/// A rule as in the fleet file.
#[derive(Deserialize, ToSchema)]
pub(super) struct Rule {
    /// Its id.
    id: String,
}

/// Which subscriptions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LinesQuery {
    /// Of this owner.
    subscriber: Option<String>,
    /// With this tag.
    tag: Option<String>,
    /// `active`, `paused`, `held` or `closed`; closed ones are left out otherwise.
    status: Option<String>,
    /// At this operator.
    operator: Option<String>,
    /// Read by this reader.
    reader: Option<String>,
    /// With this in the id, the label or a number.
    q: Option<String>,
    /// By `id`, `label` or `service_end` (what goes dark first).
    sort: Option<String>,
    /// `json` or `csv`.
    format: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<String>,
}

/// How much, and as what.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FormQuery {
    /// `json` or `csv`.
    format: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<String>,
}

/// Which top-ups.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TopupsQuery {
    /// On this line.
    subscription: Option<String>,
    /// In this state.
    state: Option<String>,
    /// Through this payer.
    payer: Option<String>,
    /// A date (UTC) or RFC 3339, included.
    from: Option<String>,
    /// A date (UTC) or RFC 3339, not included.
    to: Option<String>,
    /// `json` or `csv`.
    format: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<String>,
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
    state: Option<String>,
    /// Of this kind.
    kind: Option<String>,
    /// By this channel.
    channel: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<String>,
}

/// Which money movements.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// A date (UTC) or RFC 3339, included.
    from: Option<String>,
    /// A date (UTC) or RFC 3339, not included.
    to: Option<String>,
    /// `json` or `csv`.
    format: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i32>,
    /// What `X-Next-After` said.
    after: Option<String>,
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
#[derive(Deserialize, ToSchema)]
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
    simulated: Vec<Value>,
}

/// An entry that comes or goes.
#[derive(Deserialize, ToSchema)]
pub(super) struct FleetItem {
    /// `subscriber`, `subscription` or `rule`.
    kind: String,
    /// Its id.
    id: String,
}

/// An entry that changes.
#[derive(Deserialize, ToSchema)]
pub(super) struct FleetUpdate {
    /// `subscriber`, `subscription` or `rule`.
    kind: String,
    /// Its id.
    id: String,
    /// Each field, `from` and `to`.
    changes: Value,
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
    after: Option<String>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenAsked {
    /// `viewer`, `operator` or `admin`.
    role: String,
    /// `subscriber:ID` or `tag:WORD`; everything, where nothing is said.
    scope: Option<String>,
    /// What it is for.
    note: Option<String>,
}
