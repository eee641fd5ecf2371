//! The books: proven, and compared with those of providers.

use super::{
    fields::{Body, Params},
    paging::answer,
    wait,
    wants::{Closing, DiscrepanciesQuery, Payers, VerifyQuery},
};
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::app::recorder_file;
use crate::flow::{ProofError, prove_books};
use crate::shapes;
use crate::store::{Anchor, StoreError};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use futures_util::future::join_all;

/// What does not agree with the providers' books, newest first.
#[utoipa::path(get, path = "/api/v1/discrepancies", params(DiscrepanciesQuery), responses((status = 200, description = "The discrepancies", body = [shapes::Discrepancy])))]
pub(super) async fn discrepancies(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    let all = params.read(|section| Some(section.boolean("all").unwrap_or(false)))?;
    let found = admin.engine().store().discrepancies(!all).await?;
    answer(&found.iter().map(shapes::discrepancy).collect::<Vec<_>>())
}

/// Settles one, after somebody looked at the provider's console.
#[utoipa::path(post, path = "/api/v1/discrepancies/{id}/close", request_body = Closing, responses((status = 200, description = "It is settled", body = shapes::Closed)))]
pub(super) async fn close(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<shapes::Closed>, Problem> {
    let note = body.read(|section| section.required("note", "allowed is a sentence: what was it?"));
    let by = format!("{}: {}", caller.actor(), note?);
    let now = admin.engine().now();
    if !admin.engine().store().close_discrepancy(&id, &by, now).await? {
        return Err(StoreError::NotFound(format!("open discrepancy {id}")).into());
    }
    Ok(Json(shapes::Closed { id, closed_at: shapes::At(now) }))
}

/// Compares with the providers' own books now; nothing is sent or paid. A comparison that takes
/// longer goes on, and what it finds is among the discrepancies.
#[utoipa::path(post, path = "/api/v1/reconcile", request_body = Payers, responses((status = 200, description = "What was compared, and what is new", body = [shapes::Comparison])))]
pub(super) async fn reconcile(
    State(admin): State<Admin>,
    body: Body,
) -> Result<Json<Vec<shapes::Comparison>>, Problem> {
    let named = body.read(|section| Some(section.texts("payers").unwrap_or_default()))?;
    let engine = admin.engine().clone();
    let able = engine.bookkeepers();
    if let Some(other) = named.iter().find(|name| !able.contains(&name.as_str())) {
        let detail = format!("payers: {other:?} shows no books of its own; allowed are {able:?}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let able = able.into_iter().map(str::to_owned).collect();
    let names: Vec<String> = if named.is_empty() { able } else { named };
    let whose = names.join(", ");
    let compared = wait::act(async move {
        join_all(names.iter().map(|name| engine.compare_now(name)))
            .await
            .into_iter()
            .zip(names)
            .collect::<Vec<_>>()
    });
    let goes_on = "the comparison goes on; look at the discrepancies later";
    let compared = compared.await?.ok_or_else(|| wait::late(&whose, goes_on))?;
    let mut reports = Vec::with_capacity(compared.len());
    for (report, name) in compared {
        let report = report?.map_err(|why| wait::refused(&name, &why))?;
        reports.push(shapes::comparison(&report));
    }
    Ok(Json(reports))
}

/// Proves the books: journal, orders, caps, notices; the first offending rows of each.
#[utoipa::path(get, path = "/api/v1/verify", params(VerifyQuery), responses((status = 200, description = "What was read, and what does not hold", body = shapes::Proof)))]
pub(super) async fn verify(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Response, Problem> {
    let anchors = params.read(|section| {
        section
            .parsed("anchor", Anchor::ALLOWED, |text| {
                text.split(',').map(|one| Anchor::parse(one.trim(), "the request")).collect()
            })
            .or_else(|| Some(Vec::new()))
    })?;
    let Some(_seat) = wait::seat(&admin) else { return Ok(wait::taken()) };
    let engine = admin.engine();
    let recorder = recorder_file(engine.settings());
    let proven = prove_books(engine.store(), &recorder, anchors).await;
    let proven = proven.map_err(|error| match error {
        ProofError::Store(error) => error.into(),
        ProofError::Recorder { .. } => Problem::inner(error),
    })?;
    answer(&shapes::proof(&proven))
}
