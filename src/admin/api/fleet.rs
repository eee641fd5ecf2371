//! What people declare, by program: the same validation, plan and rows as `topupd apply`.

use super::{
    asks, declared,
    fields::{Params, media_type, object},
};
use crate::admin::{Admin, audit::Changed, problem::Problem};
use crate::config::fleet::{Fleet, Kind, Plan, StoredFleet};
use crate::flow::stored_fleet;
use crate::sim::{AT_ONCE, Foretold, Past, SimulationError, foretell};
use crate::store::StoreError;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) const FILE: &str = "the request";

/// The word of a kind in paths and in fleet files.
fn list_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Subscriber => "subscribers",
        Kind::Subscription => "subscriptions",
        Kind::Rule => "rules",
    }
}

fn documents(stored: &StoredFleet, kind: Kind) -> &BTreeMap<String, Value> {
    match kind {
        Kind::Subscriber => &stored.subscribers,
        Kind::Subscription => &stored.subscriptions,
        Kind::Rule => &stored.rules,
    }
}

/// What a fleet would change, and what rules that begin to pay would have spent.
pub(in crate::admin) async fn planned(
    admin: &Admin,
    fleet: &Value,
    prune: bool,
) -> Result<(Fleet, Plan, Vec<Foretold>), Problem> {
    let engine = admin.engine();
    let stored = stored_fleet(engine.store()).await?;
    let context = engine.fleet_context(&stored, prune);
    let fleet = Fleet::read_json(FILE, fleet, &context).map_err(|f| Problem::faults(&f))?;
    let plan = fleet.plan(&stored, prune);
    let rules = engine.rules().await?;
    let past = Past { store: engine.store(), policy: engine.policy(), rules: &rules };
    let told = foretell(&past, (&fleet, &plan, prune), engine.now(), AT_ONCE, |_| {}).await;
    let told = told.map_err(|error| match error {
        SimulationError::Store(error) => error.into(),
        SimulationError::Broken(_) => Problem::inner(error),
    })?;
    Ok((fleet, plan, told))
}

/// Applies `fleet` over what is stored.
async fn apply(admin: &Admin, fleet: &Value, prune: bool) -> Result<Plan, Problem> {
    let engine = admin.engine();
    let stored = stored_fleet(engine.store()).await?;
    let context = engine.fleet_context(&stored, prune);
    let fleet = Fleet::read_json(FILE, fleet, &context).map_err(|f| Problem::faults(&f))?;
    let plan = fleet.plan(&stored, prune);
    engine.write_fleet(&fleet, &plan).await?;
    Ok(plan)
}

/// What is in `fields` applied as the whole of one entry; the answer is how it is now.
async fn put(
    admin: &Admin,
    kind: Kind,
    id: &str,
    before: Option<&Value>,
    mut fields: Map<String, Value>,
) -> Result<Response, Problem> {
    if fields.insert("id".into(), json!(id)).is_some_and(|named| named != json!(id)) {
        let detail = format!("id: the body names another; allowed is {id:?}, or nothing");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    apply(admin, &json!({ (list_of(kind)): [fields] }), false).await?;
    let stored = stored_fleet(admin.engine().store()).await?;
    let after = documents(&stored, kind).get(id);
    let missing = || StoreError::NotFound(format!("{} {id}", kind.as_str()));
    let after = after.ok_or_else(missing)?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let changed = Changed { before: before.map(Value::to_string), after: Some(after.to_string()) };
    let mut response = (status, Json(after)).into_response();
    response.extensions_mut().insert(changed);
    Ok(response)
}

async fn replace(
    admin: &Admin,
    kind: Kind,
    id: &str,
    (headers, body): (&HeaderMap, &Bytes),
) -> Result<Response, Problem> {
    let stored = stored_fleet(admin.engine().store()).await?;
    let before = documents(&stored, kind).get(id);
    put(admin, kind, id, before, object(headers, body)?).await
}

/// Named fields change, those that are null go, others stay (RFC 7396).
async fn change(
    admin: &Admin,
    kind: Kind,
    id: &str,
    (headers, body): (&HeaderMap, &Bytes),
) -> Result<Response, Problem> {
    let stored = stored_fleet(admin.engine().store()).await?;
    let missing = || StoreError::NotFound(format!("{} {id}", kind.as_str()));
    let before = documents(&stored, kind).get(id).ok_or_else(missing)?;
    let mut fields = before.as_object().cloned().unwrap_or_default();
    merge(&mut fields, object(headers, body)?);
    put(admin, kind, id, Some(before), fields).await
}

fn merge(fields: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match (value, fields.get_mut(&key)) {
            (Value::Null, _) => {
                fields.remove(&key);
            }
            (Value::Object(patch), Some(Value::Object(inner))) => merge(inner, patch),
            (value, _) => {
                fields.insert(key, value);
            }
        }
    }
}

/// Everything but this entry, with the check that nothing refers to it.
async fn remove(admin: &Admin, kind: Kind, id: &str) -> Result<Response, Problem> {
    let stored = stored_fleet(admin.engine().store()).await?;
    let missing = || StoreError::NotFound(format!("{} {id}", kind.as_str()));
    let before = documents(&stored, kind).get(id).ok_or_else(missing)?;
    let rest = |of: Kind| -> Vec<&Value> {
        let entries = documents(&stored, of).iter();
        entries.filter(|(name, _)| of != kind || *name != id).map(|(_, entry)| entry).collect()
    };
    let fleet = json!({
        "subscribers": rest(Kind::Subscriber),
        "subscriptions": rest(Kind::Subscription),
        "rules": rest(Kind::Rule),
    });
    // What stays is sound by itself: where it is not, it is because of what goes.
    apply(admin, &fleet, true).await.map_err(|problem| problem.into_conflict())?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let changed = Changed { before: Some(before.to_string()), after: None };
    response.extensions_mut().insert(changed);
    Ok(response)
}

/// What a body declares, as JSON or as TOML.
pub(super) fn declared(headers: &HeaderMap, body: &Bytes) -> Result<Value, Problem> {
    if media_type(headers) != "application/toml" {
        return Ok(Value::Object(object(headers, body)?));
    }
    let text = String::from_utf8_lossy(body);
    let bad = |error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}"));
    toml::from_str(&text).map_err(bad)
}

/// The fleet as it was declared: what this gives can be applied again. What happened since is in the
/// lists of readings, top-ups, notices and the ledger.
#[utoipa::path(get, path = "/api/v1/fleet", responses((status = 200, description = "The fleet", body = Value)))]
pub(super) async fn stored(
    State(admin): State<Admin>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    params.read(|_| Some(()))?;
    let stored = stored_fleet(admin.engine().store()).await?;
    let all = [Kind::Subscriber, Kind::Subscription, Kind::Rule].map(|kind| {
        let entries = documents(&stored, kind).values().cloned();
        (list_of(kind).to_owned(), Value::Array(entries.collect()))
    });
    Ok(Json(Value::Object(all.into_iter().collect())))
}

/// Applies a fleet file, as JSON or as TOML; `plan=true` tells what it would change.
#[utoipa::path(post, path = "/api/v1/fleet", params(asks::FleetQuery), request_body(content((declared::FleetFile = "application/json"), (String = "application/toml"))), responses((status = 200, description = "What changed, or would", body = asks::FleetPlan)))]
pub(super) async fn fleet(
    State(admin): State<Admin>,
    params: Params,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (plan_only, prune) = params.read(|section| {
        let plan = section.boolean("plan").unwrap_or(false);
        Some((plan, section.boolean("prune").unwrap_or(false)))
    })?;
    let document = declared(&headers, &body)?;
    let (fleet, plan, told) = planned(&admin, &document, prune).await?;
    let before = stored_fleet(admin.engine().store()).await?;
    if !plan_only {
        admin.engine().write_fleet(&fleet, &plan).await?;
    }
    let after = stored_fleet(admin.engine().store()).await?;
    let mut answer = json!(plan);
    if let Value::Object(fields) = &mut answer {
        fields.insert("simulated".into(), told.iter().map(Foretold::document).collect());
    }
    let mut response = Json(answer).into_response();
    response.extensions_mut().insert(changed(&plan, &before, &after));
    Ok(response)
}

/// What a plan names, as it was and as it is.
pub(in crate::admin) fn changed(plan: &Plan, before: &StoredFleet, after: &StoredFleet) -> Changed {
    let created = plan.create.iter().chain(&plan.delete).map(|item| (item.kind, &item.id));
    let named: Vec<(Kind, &String)> =
        created.chain(plan.update.iter().map(|update| (update.kind, &update.id))).collect();
    let at = |stored: &StoredFleet| {
        let mut found: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
        for (kind, id) in &named {
            if let Some(document) = documents(stored, *kind).get(*id) {
                found.entry(list_of(*kind)).or_default().insert(id, document);
            }
        }
        (!found.is_empty()).then(|| json!(found).to_string())
    };
    Changed { before: at(before), after: at(after) }
}

/// The three handlers of one kind.
macro_rules! entries {
    ($module:ident, $kind:expr, $shape:ty, $path:literal, $word:literal) => {
        pub(super) mod $module {
            use super::*;

            #[doc = concat!("Declares a ", $word, " as a whole.")]
            #[utoipa::path(put, path = $path, request_body = $shape, responses((status = 200, description = "It is changed", body = $shape), (status = 201, description = "It is new", body = $shape)))]
            pub(in crate::admin::api) async fn put(
                State(admin): State<Admin>,
                Path(id): Path<String>,
                headers: HeaderMap,
                body: Bytes,
            ) -> Result<Response, Problem> {
                replace(&admin, $kind, &id, (&headers, &body)).await
            }

            #[doc = concat!("Changes the named fields of a ", $word, "; null takes one away.")]
            #[utoipa::path(patch, path = $path, request_body = $shape, responses((status = 200, description = "How it is now", body = $shape)))]
            pub(in crate::admin::api) async fn patch(
                State(admin): State<Admin>,
                Path(id): Path<String>,
                headers: HeaderMap,
                body: Bytes,
            ) -> Result<Response, Problem> {
                change(&admin, $kind, &id, (&headers, &body)).await
            }

            #[doc = concat!("Takes a ", $word, " out of the fleet; its history stays.")]
            #[utoipa::path(delete, path = $path, responses((status = 204, description = "It is gone")))]
            pub(in crate::admin::api) async fn delete(
                State(admin): State<Admin>,
                Path(id): Path<String>,
            ) -> Result<Response, Problem> {
                remove(&admin, $kind, &id).await
            }
        }
    };
}

entries!(
    subscription,
    Kind::Subscription,
    declared::DeclaredSubscription,
    "/api/v1/subscriptions/{id}",
    "subscription"
);
entries!(
    subscriber,
    Kind::Subscriber,
    declared::DeclaredSubscriber,
    "/api/v1/subscribers/{id}",
    "subscriber"
);
entries!(rule, Kind::Rule, declared::DeclaredRule, "/api/v1/rules/{id}", "rule");
