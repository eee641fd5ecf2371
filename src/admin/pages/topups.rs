//! Top-ups: what was done, what waits for a person, and the evidence.

use super::super::{Admin, guard::policy_with_style, problem::Problem};
use super::{
    Pages,
    form::Sent,
    overview::owners,
    sign_in::first_confirm,
    view::{self, When},
    visitor::Visitor,
};
use crate::domain::{State as TopupState, Timestamp, Topup};
use crate::flow::{OrderError, Resolution};
use crate::shapes::{Receipt, receipts_page};
use crate::store::{StoreError, TopupsAsked};
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};

/// Top-ups on one page.
const PAGE: i64 = 100;

/// What a list can be narrowed to.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// `open`, or a state.
    state: Option<String>,
    line: Option<String>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let scope = visitor.caller.scope();
    let state = asked.state.unwrap_or_default();
    let line = asked.line.filter(|line| !line.is_empty());
    let all = TopupState::ALL.map(TopupState::as_str);
    let found = if state == "open" {
        store.open_topups(scope, PAGE).await?
    } else {
        let state = all.iter().find(|word| **word == state).map(|word| (*word).to_owned());
        let asked = TopupsAsked { state, subscription: line.clone(), ..TopupsAsked::default() };
        store.topups_page(scope, &asked, None, PAGE).await?
    };
    let owners = owners(&admin, found.iter().map(|topup| topup.subscriber.as_str())).await?;
    let orders: Vec<_> = found.iter().map(|topup| view::order(topup, &owners, now)).collect();
    let is_full = orders.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let about = context! { orders => Serde(orders), states => all, state, line, is_full };
    Pages::render(&admin, "topups.html", &visitor, about)
}

/// One step of a top-up's history.
#[derive(Debug, Serialize)]
struct Step {
    at: When,
    to: String,
    actor: String,
    why: String,
}

pub(super) async fn one(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let topup = within(&admin, &visitor, &id).await?;
    show(&admin, &visitor, &topup, None).await
}

/// A top-up of a line that the visitor may see.
async fn within(admin: &Admin, visitor: &Visitor, id: &str) -> Result<Topup, Problem> {
    Ok(admin.engine().store().topup_within(visitor.caller.scope(), id).await?)
}

async fn show(
    admin: &Admin,
    visitor: &Visitor,
    topup: &Topup,
    trouble: Option<&str>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let owners = owners(admin, std::iter::once(topup.subscriber.as_str())).await?;
    let zone = owners.get(topup.subscriber.as_str()).map_or(chrono_tz::UTC, |(_, zone)| *zone);
    let when = |at: Timestamp| When::of(at, zone, now);
    let events = store.topup_events(&topup.id).await?;
    let steps: Vec<Step> = events
        .iter()
        .map(|event| Step {
            at: when(event.at),
            to: event.to.clone(),
            actor: event.actor.clone(),
            why: event.why.clone(),
        })
        .collect();
    let about = context! {
        order => Serde(view::order(topup, &owners, now)),
        reference => &topup.reference,
        transaction_id => &topup.transaction_id,
        order_hash => &topup.order_hash,
        rule => topup.rule.as_ref().map(|rule| rule.as_str()),
        product => &topup.product,
        delivered => topup.delivered.map(|money| money.to_string()),
        balance_before => topup.before.balance.map(|money| money.to_string()),
        next_action => Serde(topup.next_action_at.map(when)),
        approved => topup.approved.as_ref().map(|(_, who)| who),
        steps => Serde(steps),
        can_approve => topup.state == TopupState::AwaitingApproval,
        can_reject => topup.may_go_to(TopupState::Cancelled),
        can_resolve => matches!(topup.state, TopupState::Held | TopupState::Unknown),
        has_receipt => Receipt::is_due(topup),
        trouble,
    };
    let mut response = Pages::render(admin, "topup.html", visitor, about)?;
    if trouble.is_some() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

/// One page to print.
pub(super) async fn receipt(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let topup = within(&admin, &visitor, &id).await?;
    if !Receipt::is_due(&topup) {
        return Err(StoreError::NotFound(format!("receipt of {id}")).into());
    }
    let store = admin.engine().store();
    let (events, after) = store.evidence(&topup).await?;
    let html = receipts_page(&[Receipt { topup, events, after }]);
    let html = html.map_err(|error| Problem::broken(&error))?;
    let css = html.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let policy = policy_with_style(css.map(|(css, _)| css).unwrap_or_default());
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// Says yes to exactly the order that was shown.
pub(super) async fn approve(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let topup = within(&admin, &visitor, &id).await?;
    if let Some(way) = first_confirm(&admin, &visitor, &format!("/topups/{id}")) {
        return Ok(way);
    }
    let hash = Some(form.text("hash"));
    let done = admin.engine().approve(&id, hash, &visitor.caller.actor).await;
    answer(&admin, &visitor, &topup, done).await
}

/// Says no, or withdraws an order that was not sent yet.
pub(super) async fn reject(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    let topup = within(&admin, &visitor, &id).await?;
    let done = admin.engine().reject(&id, &visitor.caller.actor).await;
    answer(&admin, &visitor, &topup, done).await
}

/// Settles an open case: what the provider's own books said, and who looked.
pub(super) async fn resolve(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let topup = within(&admin, &visitor, &id).await?;
    if let Some(way) = first_confirm(&admin, &visitor, &format!("/topups/{id}")) {
        return Ok(way);
    }
    let as_what = match form.text("as") {
        "paid" => Resolution::Paid,
        "failed" => Resolution::Failed,
        _ => return show(&admin, &visitor, &topup, Some("choose how it ended")).await,
    };
    let (note, is_checked) = (form.text("note").trim(), form.text("checked") == "yes");
    if note.is_empty() {
        return show(&admin, &visitor, &topup, Some("write down how you know")).await;
    }
    let actor = &visitor.caller.actor;
    let done = Box::pin(admin.engine().resolve(&id, as_what, note, is_checked, actor)).await;
    answer(&admin, &visitor, &topup, done).await
}

/// Back to the top-up; why not, where it was refused.
async fn answer(
    admin: &Admin,
    visitor: &Visitor,
    topup: &Topup,
    done: Result<Topup, OrderError>,
) -> Result<Response, Problem> {
    match done {
        Ok(topup) => Ok(Redirect::to(&format!("/topups/{}", topup.id)).into_response()),
        Err(OrderError::Refused(why) | OrderError::Invalid(why)) => {
            let now = admin.engine().store().topup(topup.id.as_str()).await?;
            show(admin, visitor, &now, Some(&why)).await
        }
        Err(error @ OrderError::Engine(_)) => Err(error.into()),
    }
}
