//! The overview: what goes dark first stands first.

use super::super::{Admin, problem::Problem};
use super::{
    Pages, providers, view,
    view::{Line, Owners, When},
    visitor::Visitor,
};
use crate::domain::{Span, Subscriber, Timestamp};
use crate::store::{Near, Scope, StoreError, SubscriptionView};
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

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
    let (now, scope) = (engine.now(), visitor.caller.scope());
    let q = asked.q.unwrap_or_default();
    let ids = store.dark_first(scope, q.trim(), MOST).await?;
    let views = store.views_of(&ids).await?;
    let open = store.open_topups(scope, MOST).await?;
    let of_lines = views.iter().map(|view| view.subscription.subscriber.as_str());
    let of_orders = open.iter().map(|topup| topup.subscriber.as_str());
    let owners = owners(&admin, of_lines.chain(of_orders)).await?;
    let lines = lines(&views, &ids, &owners, now);
    let open: Vec<_> = open.iter().map(|topup| view::order(topup, &owners, now)).collect();
    let near = engine.near_dark(scope, now).await?;
    let switch = engine.money_switch(now).await?;
    let mut stops: Vec<String> =
        switch.stops().into_iter().map(|(_, why)| why.to_owned()).collect();
    let is_paying = stops.is_empty();
    // Who may see a part of the fleet is told of lines, not of the installation.
    let providers = match scope {
        Scope::All => providers::fares(&admin, &switch, now).await?,
        Scope::Subscriber(_) | Scope::Tag(_) => Vec::new(),
    };
    let rounds = admin.beats().all();
    let polls = rounds.iter().filter(|(name, _)| name.starts_with("poll"));
    let last_round = polls.map(|(_, (at, _))| *at).max();
    stops.extend(switch.payers_out.into_iter().map(|(_, why)| why));
    let about = context! {
        q,
        now => Serde(When::of(now, chrono_tz::UTC, now)),
        is_paying,
        stops,
        trouble => admin.beats().trouble(Span::minutes(5), now),
        near => Serde(near.map(|(near, at)| shown(&near, at, now))),
        providers => Serde(providers),
        last_round => Serde(last_round.map(|at| When::of(at, chrono_tz::UTC, now))),
        lines => Serde(lines),
        open => Serde(open),
    };
    Pages::render(&admin, "overview.html", &visitor, about)
}

/// How near the lines are to their ends.
#[derive(Debug, Serialize)]
struct Shown {
    watched: i64,
    dark: i64,
    day: i64,
    week: i64,
    /// Money as people write it.
    at_stake: Vec<String>,
    /// When they were counted, where that is some time ago.
    counted: Option<When>,
}

fn shown(near: &Near, at: Timestamp, now: Timestamp) -> Shown {
    Shown {
        watched: near.watched,
        dark: near.dark,
        day: near.day,
        week: near.week,
        at_stake: near.at_stake.iter().map(ToString::to_string).collect(),
        counted: (now.since(at) > Span::seconds(5)).then(|| When::of(at, chrono_tz::UTC, now)),
    }
}

/// The names of those subscribers, and the zones in which they read.
pub(super) async fn owners(
    admin: &Admin,
    ids: impl Iterator<Item = &str>,
) -> Result<Owners, StoreError> {
    // Each page names few of what may be thousands.
    let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let found = admin.engine().store().subscribers_of(&ids).await?;
    Ok(by_id(found))
}

/// The same of subscribers that are at hand.
pub(super) fn by_id(subscribers: Vec<Subscriber>) -> Owners {
    subscribers.into_iter().map(|s| (s.id.to_string(), (s.name, s.time_zone))).collect()
}

/// The lines in the order of `ids`.
fn lines(views: &[SubscriptionView], ids: &[String], owners: &Owners, now: Timestamp) -> Vec<Line> {
    let mut by_id: HashMap<String, Line> = views
        .iter()
        .map(|found| (found.subscription.id.to_string(), view::line(found, owners, now)))
        .collect();
    ids.iter().filter_map(|id| by_id.remove(id)).collect()
}
