//! Codes that were bought: money for whoever holds them. Who asks for one is written down, and its
//! answer is kept nowhere.

use super::{
    fields::{Body, Params, needed},
    paging::answer,
    wait,
    wants::{Ending, PinsQuery, Redeeming},
};
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::shapes;
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// Codes that nobody has redeemed yet; never the codes themselves.
#[utoipa::path(get, path = "/api/v1/pins", params(PinsQuery), responses((status = 200, description = "The codes", body = [shapes::Pin])))]
pub(super) async fn pins(State(admin): State<Admin>, params: Params) -> Result<Response, Problem> {
    let all = params.read(|section| Some(section.boolean("all").unwrap_or(false)))?;
    let found = admin.engine().store().pins(all).await?;
    answer(&found.iter().map(shapes::pin).collect::<Vec<_>>())
}

/// Opens a code, named by its id or its top-up's. That it was asked for is written down.
#[utoipa::path(post, path = "/api/v1/pins/{id}/show", responses((status = 200, description = "The code", body = shapes::ShownPin)))]
pub(super) async fn show(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<shapes::ShownPin>, Problem> {
    body.nothing()?;
    let (stored, pin) = admin.engine().show_pin(&id, &caller.actor()).await?;
    Ok(Json(shapes::shown_pin(&stored, pin)))
}

/// Has a provider enter a code, once. One that takes longer goes on alone: look at its state.
#[utoipa::path(post, path = "/api/v1/pins/{id}/redeem", request_body = Redeeming, responses((status = 200, description = "How it ended; where that stays `redeeming`, nobody knows", body = shapes::Pin), (status = 202, description = "It is being entered", body = shapes::Pin)))]
pub(super) async fn redeem(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    let with = body.read(|section| {
        section.required("with", "allowed is the name of a provider that redeems codes")
    })?;
    let (engine, code, actor) = (admin.engine().clone(), id.clone(), caller.actor());
    let done = wait::act(async move { engine.redeem_pin(&code, &with, &actor).await }).await?;
    Ok(match done {
        Some(done) => Json(shapes::pin(&done?.0)).into_response(),
        None => {
            let stored = admin.engine().store().pin(&id).await?;
            (StatusCode::ACCEPTED, Json(shapes::pin(&stored))).into_response()
        }
    })
}

/// Says what became of a code that somebody entered.
#[utoipa::path(post, path = "/api/v1/pins/{id}/end", request_body = Ending, responses((status = 200, description = "It has ended", body = shapes::Pin)))]
pub(super) async fn end(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<shapes::Pin>, Problem> {
    let (as_what, note) = body.read(|section| {
        let words = [("redeemed", "redeemed"), ("rejected", "rejected")];
        let as_what = section.word("as", &words);
        let as_what = needed(section, "as", "allowed: redeemed, rejected", as_what);
        let note = section.text("note");
        Some((as_what?, note))
    })?;
    let actor = caller.actor();
    let stored = admin.engine().end_pin(&id, as_what, note.as_deref(), &actor).await?;
    Ok(Json(shapes::pin(&stored)))
}

/// Fetches the code of a top-up, which the path names, again. Nothing is bought.
#[utoipa::path(post, path = "/api/v1/pins/{id}/fetch", responses((status = 200, description = "It is stored", body = shapes::Pin)))]
pub(super) async fn fetch(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<shapes::Pin>, Problem> {
    body.nothing()?;
    let engine = admin.engine().clone();
    let topup = engine.store().topup(&id).await?;
    let payer = topup.payer.clone();
    let fetched = wait::act(async move { engine.fetch_pin(&topup).await }).await?;
    let fetched = fetched.ok_or_else(|| wait::late(&payer, "look at the codes later"))?;
    Ok(Json(shapes::pin(&fetched?)))
}
