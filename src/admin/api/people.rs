//! People: who may sign in, the link to somebody's own page, and what notices look like. Passwords
//! are given at the terminal alone.

use super::{
    fields::{Body, Params, needed},
    paging::answer,
    wait,
    wants::{PreviewQuery, TestAsked},
};
use crate::admin::{Admin, problem::Problem};
use crate::domain::{NoticeKind, SubscriberId};
use crate::shapes;
use crate::store::StoreError;
use crate::words::LOCALES;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Everybody who may sign in to the pages, or could.
#[utoipa::path(get, path = "/api/v1/users", responses((status = 200, description = "The people", body = [shapes::User])))]
pub(super) async fn users(State(admin): State<Admin>, params: Params) -> Result<Response, Problem> {
    params.read(|_| Some(()))?;
    let found = admin.engine().store().users().await?;
    answer(&found.iter().map(shapes::user).collect::<Vec<_>>())
}

/// Nobody signs in under this name any more; who is signed in is not from now on.
#[utoipa::path(post, path = "/api/v1/users/{name}/disable", responses((status = 204, description = "It is done")))]
pub(super) async fn disable(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    body: Body,
) -> Result<StatusCode, Problem> {
    body.nothing()?;
    let engine = admin.engine();
    if engine.store().disable_user(&name, engine.now()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(StoreError::NotFound(format!("user {name} to disable")).into())
}

/// The link to a subscriber's own page: whoever holds it may look and answer for 30 days.
#[utoipa::path(post, path = "/api/v1/subscribers/{id}/link", responses((status = 200, description = "The link", body = shapes::Link)))]
pub(super) async fn link(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<shapes::Link>, Problem> {
    body.nothing()?;
    let engine = admin.engine();
    let missing = || StoreError::NotFound(format!("subscriber {id}"));
    let subscriber = SubscriberId::parse(&id).map_err(|_| missing())?;
    if !engine.store().is_subscriber(&subscriber).await? {
        return Err(missing().into());
    }
    let nowhere = "[admin] has neither a public_url nor an address to listen on";
    let page = engine.page_link(&subscriber)?;
    let page = page.ok_or_else(|| Problem::new(StatusCode::CONFLICT, nowhere))?;
    Ok(Json(shapes::link(&page)))
}

/// A notice as it would look, of made-up facts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sample {
    /// What it is about.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Its language.
    #[schema(value_type = String)]
    locale: &'static str,
    /// Its subject.
    subject: String,
    /// All of it, as plain text.
    text: String,
    /// The same as HTML.
    html: String,
    /// As one SMS.
    short: String,
}

/// Every notice as it would look; nothing is sent.
#[utoipa::path(get, path = "/api/v1/notices/preview", params(PreviewQuery), responses((status = 200, description = "The notices", body = [Sample])))]
pub(super) async fn preview(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    let (kind, locale) = params.read(|section| {
        let allowed = "allowed is a kind of notices, such as \"topup_held\"";
        let kind = section.parsed("kind", allowed, NoticeKind::parse);
        Some((kind, section.word("locale", &LOCALES.map(|locale| (locale, locale)))))
    })?;
    let samples = admin.engine().words().samples(kind, locale);
    let samples = samples.map_err(|error| Problem::broken(&error))?;
    let sample = samples.into_iter().map(|message| Sample {
        kind: message.kind.as_str(),
        locale: message.locale,
        subject: message.subject,
        text: message.text,
        html: message.html,
        short: message.short,
    });
    answer(&sample.collect::<Vec<_>>())
}

/// Sends a test notice to a subscriber now, with whatever else is due.
#[utoipa::path(post, path = "/api/v1/notices/test", request_body = TestAsked, responses((status = 200, description = "How far it came", body = shapes::Notice), (status = 202, description = "It is on its way; it is among the notices")))]
pub(super) async fn test(State(admin): State<Admin>, body: Body) -> Result<Response, Problem> {
    let id = body.read(|section| {
        let allowed = "allowed is the id of a subscriber";
        let text = section.string("subscriber");
        let text = needed(section, "subscriber", allowed, text)?;
        let id = SubscriberId::parse(&text).ok();
        if id.is_none() {
            section.fault("subscriber", allowed);
        }
        id
    })?;
    let engine = admin.engine().clone();
    let sent = wait::act(async move { engine.send_test(&id).await }).await?;
    Ok(match sent {
        Some(sent) => Json(shapes::notice(&sent?)).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}
