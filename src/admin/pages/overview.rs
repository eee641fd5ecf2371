//! The overview: what goes dark first stands first.

use super::super::{Admin, problem::Problem};
use super::{
    Pages, view,
    view::{Line, Owners, When},
    visitor::Visitor,
};
use crate::domain::{Span, Timestamp};
use crate::store::{StoreError, SubscriptionView};
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use minijinja::{context, value::Serde};
use serde::Deserialize;
use std::collections::HashMap;

/// Lines and top-ups shown at most: with them the page stays below 300 kB.
const MOST: i64 = 200;

/// What can be looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// A part of a label, id, number or owner's name.
    q: Option<String>,
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (engine, store) = (admin.engine(), admin.engine().store());
    let (now, scope) = (engine.now(), &visitor.caller.grant.scope);
    let q = asked.q.unwrap_or_default();
    let ids = store.dark_first(scope, q.trim(), MOST).await?;
    let owners = owners(&admin).await?;
    let lines = lines(&admin, &ids, &owners, now).await?;
    let open = store.open_topups(scope, MOST).await?;
    let open: Vec<_> = open.iter().map(|topup| view::order(topup, &owners, now)).collect();
    let near = store.near_dark(scope, now).await?;
    let switch = engine.money_switch(now).await?;
    let mut stops: Vec<String> =
        switch.stops().into_iter().map(|(_, why)| why.to_owned()).collect();
    let is_paying = stops.is_empty();
    stops.extend(switch.payers_out.into_iter().map(|(_, why)| why));
    let about = context! {
        q,
        now => Serde(When::of(now, chrono_tz::UTC, now)),
        is_paying,
        stops,
        trouble => admin.beats().trouble(Span::minutes(5), now),
        near => Serde(near),
        lines => Serde(lines),
        open => Serde(open),
    };
    Pages::render(&admin, "overview.html", &visitor, about)
}

/// Who owns lines, and in which zone they read.
pub(super) async fn owners(admin: &Admin) -> Result<Owners, StoreError> {
    let all = admin.engine().store().subscribers().await?;
    Ok(all.into_iter().map(|s| (s.id.to_string(), (s.name, s.time_zone))).collect())
}

/// The lines in the order of `ids`.
async fn lines(
    admin: &Admin,
    ids: &[String],
    owners: &Owners,
    now: Timestamp,
) -> Result<Vec<Line>, StoreError> {
    let views: Vec<SubscriptionView> = admin.engine().store().views_of(ids).await?;
    let mut by_id: HashMap<String, Line> = views
        .iter()
        .map(|found| (found.subscription.id.to_string(), view::line(found, owners, now)))
        .collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}
