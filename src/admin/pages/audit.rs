//! The record: who did what, newest first.

use super::super::{Admin, problem::Problem};
use super::{Pages, view::When, visitor::Visitor};
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};

/// Acts on one page.
const PAGE: usize = 100;

/// Where to go on, and what about.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// Only acts before this number.
    before: Option<String>,
    target: Option<String>,
}

/// One act.
#[derive(Debug, Serialize)]
struct Act {
    seq: i64,
    at: When,
    actor: String,
    act: String,
    target: String,
    status: i64,
    before: Option<String>,
    after: Option<String>,
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let target = asked.target.as_deref().map(str::trim).filter(|target| !target.is_empty());
    let before = asked.before.as_deref().and_then(|text| text.parse().ok());
    let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut rows = store.audit_page((target, None), before, most.saturating_add(1)).await?;
    let is_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().map(|row| row.seq).filter(|_| is_more);
    let acts: Vec<Act> = rows
        .into_iter()
        .map(|row| Act {
            seq: row.seq,
            at: When::of(row.at, chrono_tz::UTC, now),
            actor: row.what.actor,
            act: row.what.act,
            target: row.what.target,
            status: row.what.status,
            before: row.what.before,
            after: row.what.after,
        })
        .collect();
    let about = context! { acts => Serde(acts), next, target, before };
    Pages::render(&admin, "audit.html", &visitor, about)
}
