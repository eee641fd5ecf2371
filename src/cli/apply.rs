//! `apply`: what people declared → rows, in one transaction.

use super::args::ApplyArgs;
use super::context::{CliError, Context};
use super::foretell::{Foretold, foretell};
use super::out::Out;
use crate::app::App;
use crate::config::{
    Settings,
    fleet::{Fleet, FleetContext, Kind, Plan, StoredFleet},
};
use crate::domain::{RuleId, SubscriberId, SubscriptionId};
use crate::flow::{Engine, Stage, fleet_changes};
use crate::store::Store;
use std::{collections::BTreeMap, path::PathBuf};

pub(super) async fn apply(context: &Context, args: &ApplyArgs, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let (fleet, stored) = read(engine, &args.files, args.prune).await?;
    let plan = fleet.plan(&stored, args.prune);
    let foretold = foretell(engine, &fleet, &plan, args.prune, out).await?;
    if !args.plan {
        write(engine, &fleet, &plan).await?;
    }
    let mut document = serde_json::to_value(&plan).map_err(anyhow::Error::from)?;
    if let serde_json::Value::Object(fields) = &mut document {
        fields.insert("simulated".into(), foretold.iter().map(Foretold::document).collect());
    }
    out.result(&document, || {
        let verdict = if args.plan { "planned; nothing was changed" } else { "applied" };
        let foretold: String = foretold.iter().map(|told| told.words() + "\n").collect();
        format!("{foretold}{plan}\n{verdict}")
    });
    Ok(())
}

/// Applies files without printing; used where the configuration names them, and by the demo.
pub(super) async fn apply_files(
    engine: &Engine,
    files: &[PathBuf],
    prune: bool,
) -> Result<Plan, CliError> {
    let (fleet, stored) = read(engine, files, prune).await?;
    let plan = fleet.plan(&stored, prune);
    write(engine, &fleet, &plan).await?;
    Ok(plan)
}

/// Applies the fleet files that the configuration names (at start and on reload).
pub(super) async fn apply_configured(app: &App) -> Result<(), CliError> {
    let files = &app.engine().settings().fleet.files;
    if files.is_empty() {
        return Ok(());
    }
    let plan = apply_files(app.engine(), files, false).await?;
    tracing::info!(created = plan.create.len(), updated = plan.update.len(), "fleet files applied");
    Ok(())
}

/// Validates the fleet files that the configuration names, without writing.
pub(super) async fn check_configured(settings: &Settings) -> Result<(), CliError> {
    if settings.fleet.files.is_empty() {
        return Ok(());
    }
    let store = Store::open(settings.database.url()).await?;
    store.migrate().await?;
    let context = FleetContext::new(settings, stored(&store).await?);
    store.close().await;
    Fleet::read(&settings.fleet.files, &context).map_err(CliError::Faults)?;
    Ok(())
}

pub(super) async fn read(
    engine: &Engine,
    files: &[PathBuf],
    prune: bool,
) -> Result<(Fleet, StoredFleet), CliError> {
    let stored = stored(engine.store()).await?;
    // What a prune closes is not there to be referred to.
    let beside = if prune { StoredFleet::default() } else { stored.clone() };
    let context = FleetContext::new(engine.settings(), beside);
    Ok((Fleet::read(files, &context).map_err(CliError::Faults)?, stored))
}

async fn stored(store: &Store) -> Result<StoredFleet, CliError> {
    let parsed = |texts: BTreeMap<String, String>| {
        texts
            .into_iter()
            .map(|(id, text)| (id, serde_json::from_str(&text).unwrap_or(serde_json::Value::Null)))
            .collect()
    };
    let documents = store.documents().await?;
    Ok(StoredFleet {
        subscribers: parsed(documents.subscribers),
        subscriptions: parsed(documents.subscriptions),
        rules: parsed(documents.rules),
    })
}

/// Writes what the plan changes, and nothing else.
async fn write(engine: &Engine, fleet: &Fleet, plan: &Plan) -> Result<(), CliError> {
    let is_touched = |kind: Kind, id: &str| {
        plan.create.iter().any(|c| c.kind == kind && c.id == id)
            || plan.update.iter().any(|u| u.kind == kind && u.id == id)
    };
    let mut changes = fleet_changes(fleet, is_touched);
    for gone in &plan.delete {
        match gone.kind {
            Kind::Subscriber => changes.close_subscribers.extend(SubscriberId::parse(&gone.id)),
            Kind::Subscription => {
                changes.close_subscriptions.extend(SubscriptionId::parse(&gone.id));
            }
            Kind::Rule => changes.remove_rules.extend(RuleId::parse(&gone.id)),
        }
    }
    engine.store().save_fleet(&changes, engine.now()).await?;
    for stage in [Stage::Poll, Stage::Decide] {
        engine.wake(stage);
    }
    Ok(())
}
