//! Simulations: stored readings under draft rules, as far as somebody can wait for the answer.

use super::{
    declared::FleetFile,
    fields::{Params, needed},
    fleet::{FILE, declared},
    wait,
    wants::SimulateQuery,
};
use crate::admin::{Admin, problem::Problem};
use crate::config::fleet::Fleet;
use crate::domain::{Span, SubscriptionId, Timestamp};
use crate::flow::stored_fleet;
use crate::input::End;
use crate::shapes;
use crate::sim::{AT_ONCE, Past, Simulation, SimulationError, open_lines, overlay};
use crate::store::StoreError;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};

/// A replay goes through every hour of it, whether there are readings or not.
const LONGEST: Span = Span::days(400);

/// Replays stored readings under the rules of the body, a fleet as JSON or TOML of which only the rules
/// count; under the active ones where there is no body. Nothing is written, ordered or sent.
#[utoipa::path(post, path = "/api/v1/simulate", params(SimulateQuery), request_body(content((FleetFile = "application/json"), (String = "application/toml"))), responses((status = 200, description = "What would have happened", body = shapes::Simulation)))]
pub(super) async fn simulate(
    State(admin): State<Admin>,
    params: Params,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let unprocessable = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let (from, to, ids, prune, story) = params.read(|section| {
        let allowed = "allowed is a date such as \"2026-12-01\" or an instant in RFC 3339";
        let instant = |text: &str| End::parse(text)?.instant(chrono_tz::UTC);
        let from = section.parsed("from", allowed, instant);
        let from: Option<Timestamp> = needed(section, "from", allowed, from);
        let to = section.parsed("to", allowed, instant);
        let ids = section.texts("lines").unwrap_or_default();
        let prune = section.boolean("prune").unwrap_or(false);
        let story = section.boolean("story").unwrap_or(false);
        Some((from?, to, ids, prune, story))
    })?;
    let engine = admin.engine();
    let (store, now) = (engine.store(), engine.now());
    let to = to.unwrap_or(now).min(now);
    if from >= to {
        return Err(unprocessable(format!("from: allowed is an instant before `to`, {to}")));
    }
    if to.since(from) > LONGEST {
        let days = LONGEST.ms() / Span::days(1).ms();
        return Err(unprocessable(format!(
            "from: allowed is an instant at most {days} days before `to`, {to}; `topupd simulate` goes further"
        )));
    }
    if prune && body.is_empty() {
        return Err(unprocessable("prune: allowed only with rules in the body".into()));
    }
    let rules = engine.rules().await?;
    let draft = if body.is_empty() {
        None
    } else {
        let stored = stored_fleet(store).await?;
        let context = engine.fleet_context(&stored, false);
        let fleet = Fleet::read_json(FILE, &declared(&headers, &body)?, &context);
        Some(overlay(&rules, fleet.map_err(|faults| Problem::faults(&faults))?.rules, prune))
    };
    let mut lines = Vec::with_capacity(ids.len());
    for id in &ids {
        let missing = |_| StoreError::NotFound(format!("subscription {id}"));
        lines.push(store.subscription(&SubscriptionId::parse(id).map_err(missing)?).await?);
    }
    if ids.is_empty() {
        lines = open_lines(store).await?;
    }
    let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
    let readings = store.count_readings_of(&ids, from, to).await?;
    if readings > AT_ONCE {
        return Err(unprocessable(format!(
            "the lines have {readings} readings then; allowed are {AT_ONCE}: name fewer lines or a \
             shorter time, or take `topupd simulate`"
        )));
    }
    let Some(_seat) = wait::seat(&admin) else { return Ok(wait::taken()) };
    let past = Past { store, policy: engine.policy(), rules: &rules };
    let what = Simulation { from, to, lines, draft, story };
    let simulated = Box::pin(past.simulate(&what, |_| {})).await.map_err(|error| match error {
        SimulationError::Store(error) => error.into(),
        SimulationError::Broken(_) => Problem::inner(error),
    })?;
    Ok(Json(shapes::simulation(&simulated)).into_response())
}
