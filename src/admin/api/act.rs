//! What can be done: orders and answers of people, written down under the name of their token.

use super::{
    asks,
    fields::{Body, needed},
    look::subscription_json,
    once::{Aim, Key, once},
    own::{OwnLine, OwnNotice, OwnTopup},
};
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::domain::{Money, SubscriptionId, Timestamp};
use crate::flow::Resolution;
use crate::input::HandReading;
use crate::providers::Sms;
use crate::shapes;
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// What an act gives.
type Act<T> = Result<Json<T>, Problem>;

/// Makes a line due; the reading comes when the reader answers.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/poll", responses((status = 202, description = "It is due", body = shapes::Subscription)))]
pub(super) async fn poll(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    body: Body,
) -> Result<Response, Problem> {
    body.nothing()?;
    admin.engine().poll_by_hand(&id).await?;
    Ok((StatusCode::ACCEPTED, subscription_json(&admin, &id).await?).into_response())
}

/// Writes down an order; the flow sends it once every gate is open.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/topup", request_body = asks::Order, responses((status = 202, description = "It is written down; `Location` names it", body = shapes::Topup)))]
pub(super) async fn topup(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    Extension(caller): Extension<Caller>,
    key: Key,
    body: Body,
) -> Result<Response, Problem> {
    let (amount, product): (Money, Option<String>) = body.read(|section| {
        let amount = section.positive_money("amount");
        let amount = needed(section, "amount", "allowed is money such as \"10.00 USD\"", amount);
        let product = section.string("product");
        Some((amount?, product))
    })?;
    let (product, actor) = (product.as_deref(), caller.actor());
    let aim = Aim { line: &id, is_order: true, success: StatusCode::ACCEPTED };
    let order = async { Ok(admin.engine().order_by_hand(&id, amount, product, &actor).await?) };
    Box::pin(once(&admin, &caller, &key, &body, &aim, order)).await
}

/// Somebody has seen a notice: it is not told again, or not before `snooze` is over.
#[utoipa::path(post, path = "/api/v1/notices/{id}/acknowledge", request_body = asks::Acknowledgement, responses((status = 200, description = "It is acknowledged", body = shapes::Notice)))]
pub(super) async fn acknowledge(
    State(admin): State<Admin>,
    OwnNotice(notice): OwnNotice,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Act<shapes::Notice> {
    let snooze = body.read(|section| Some(section.span("snooze")))?;
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let until = snooze.map(|span| now.plus(span));
    let notice = store.acknowledge(&notice.id, &caller.actor(), until, now).await?;
    Ok(Json(shapes::notice(&notice)))
}

/// Stops everything for a line.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/pause", responses((status = 200, description = "It is paused", body = shapes::Subscription)))]
pub(super) async fn pause(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    body: Body,
) -> Act<shapes::Subscription> {
    body.nothing()?;
    set_watched(&admin, &id, false).await
}

/// Watches it again; earlier failures are forgiven.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/resume", responses((status = 200, description = "It is watched", body = shapes::Subscription)))]
pub(super) async fn resume(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    body: Body,
) -> Act<shapes::Subscription> {
    body.nothing()?;
    set_watched(&admin, &id, true).await
}

async fn set_watched(
    admin: &Admin,
    id: &SubscriptionId,
    is_watched: bool,
) -> Act<shapes::Subscription> {
    admin.engine().set_watched(id, is_watched).await?;
    subscription_json(admin, id).await
}

/// A reading by hand, or from a forwarder of the operator's text messages.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/readings", request_body = asks::HandReading, responses((status = 201, description = "It is written down", body = shapes::Reading)))]
pub(super) async fn reading(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    body: Body,
) -> Result<Response, Problem> {
    let given = body.read(|section| Some(HandReading::read(section)))?;
    let reading = admin.engine().reading_by_hand(&id, given).await?;
    Ok((StatusCode::CREATED, Json(shapes::reading(&reading))).into_response())
}

/// A text message of the operator, from a person or a forwarder with a token.
#[utoipa::path(post, path = "/api/v1/subscriptions/{id}/sms", request_body = asks::HandSms, responses((status = 201, description = "Its reading; `unparseable` where it holds no balance", body = shapes::Reading)))]
pub(super) async fn sms(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    body: Body,
) -> Result<Response, Problem> {
    let sms = body.read(|section| {
        let text = section.string("text");
        let text = needed(section, "text", "allowed is what the message says", text);
        let instant = "allowed is an instant in RFC 3339, such as \"2026-12-01T08:00:00Z\"";
        let at = section.parsed("at", instant, Timestamp::parse_rfc3339);
        let (id, from) = (section.string("id"), section.string("from"));
        Some(Sms { id, from, at, text: text?, ..Sms::default() })
    })?;
    let reading = admin.engine().sms_by_hand(&id, &sms).await?;
    Ok((StatusCode::CREATED, Json(shapes::reading(&reading))).into_response())
}

/// Says yes to exactly this order.
#[utoipa::path(post, path = "/api/v1/topups/{id}/approve", request_body = asks::Approval, responses((status = 200, description = "It is approved", body = shapes::Topup)))]
pub(super) async fn approve(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    Extension(caller): Extension<Caller>,
    key: Key,
    body: Body,
) -> Result<Response, Problem> {
    let hash = body.read(|section| Some(section.string("hash")))?;
    let (id, actor) = (topup.id.as_str(), caller.actor());
    let yes = async { Ok(admin.engine().approve(id, hash.as_deref(), &actor).await?) };
    Box::pin(once(&admin, &caller, &key, &body, &Aim::at(&topup), yes)).await
}

/// Says no, or withdraws an order that was not sent yet.
#[utoipa::path(post, path = "/api/v1/topups/{id}/reject", responses((status = 200, description = "It is rejected", body = shapes::Topup)))]
pub(super) async fn reject(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Act<shapes::Topup> {
    body.nothing()?;
    let topup = admin.engine().reject(topup.id.as_str(), &caller.actor()).await?;
    Ok(Json(shapes::topup(&topup)))
}

/// Settles an open case.
#[utoipa::path(post, path = "/api/v1/topups/{id}/resolve", request_body = asks::Resolution, responses((status = 200, description = "It is settled", body = shapes::Topup)))]
pub(super) async fn resolve(
    State(admin): State<Admin>,
    OwnTopup(topup): OwnTopup,
    Extension(caller): Extension<Caller>,
    key: Key,
    body: Body,
) -> Result<Response, Problem> {
    let (as_what, note, checked) = body.read(|section| {
        let words = [("paid", Resolution::Paid), ("failed", Resolution::Failed)];
        let as_what = section.word("as", &words);
        let as_what = needed(section, "as", "allowed: paid, failed", as_what);
        let how = "allowed is a sentence: how do you know?";
        let note = section.string("note").filter(|note| !note.trim().is_empty());
        let note = needed(section, "note", how, note);
        let checked = section.boolean("checked").unwrap_or(false);
        Some((as_what?, note?, checked))
    })?;
    let (id, actor) = (topup.id.as_str(), caller.actor());
    let settle = async { Ok(admin.engine().resolve(id, as_what, &note, checked, &actor).await?) };
    Box::pin(once(&admin, &caller, &key, &body, &Aim::at(&topup), settle)).await
}

/// Stops all paying at once.
#[utoipa::path(post, path = "/api/v1/money/off", request_body = asks::Off, responses((status = 200, description = "The switches", body = shapes::MoneySwitch)))]
pub(super) async fn money_off(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Act<shapes::MoneySwitch> {
    let reason = body.read(|section| Some(section.string("reason").unwrap_or_default()))?;
    let why = format!("{} ({})", reason.trim(), caller.actor());
    Ok(Json(shapes::money_switch(&admin.engine().set_money(Some(why.trim())).await?)))
}

/// Lets money flow again, and clears the safeties that tripped.
#[utoipa::path(post, path = "/api/v1/money/on", responses((status = 200, description = "The switches", body = shapes::MoneySwitch)))]
pub(super) async fn money_on(State(admin): State<Admin>, body: Body) -> Act<shapes::MoneySwitch> {
    body.nothing()?;
    Ok(Json(shapes::money_switch(&admin.engine().set_money(None).await?)))
}
