//! `apply`: what people declared → rows, in one transaction.

use super::args::ApplyArgs;
use super::context::{CliError, Context};
use super::out::Out;
use crate::app::App;
use crate::config::{
    Settings,
    fleet::{Fleet, FleetContext, Plan, StoredFleet},
};
use crate::flow::{Engine, stored_fleet};
use crate::sim::{Foretold, PATIENT, Past, foretell};
use crate::store::Store;
use std::path::PathBuf;

pub(super) async fn apply(context: &Context, args: &ApplyArgs, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let (fleet, stored) = read(engine, &args.files, args.prune).await?;
    let plan = fleet.plan(&stored, args.prune);
    let rules = engine.rules().await?;
    let past = Past { store: engine.store(), policy: engine.policy(), rules: &rules };
    let what = (&fleet, &plan, args.prune);
    let progress = |until| out.progress(&format!("foretold up to {until}"));
    let foretold = foretell(&past, what, engine.now(), PATIENT, progress).await?;
    if !foretold.is_empty() {
        out.progress("");
    }
    if !args.plan {
        engine.write_fleet(&fleet, &plan).await?;
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
    engine.write_fleet(&fleet, &plan).await?;
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
    let context = FleetContext::new(settings, stored_fleet(&store).await?);
    store.close().await;
    Fleet::read(&settings.fleet.files, &context).map_err(CliError::Faults)?;
    Ok(())
}

pub(super) async fn read(
    engine: &Engine,
    files: &[PathBuf],
    prune: bool,
) -> Result<(Fleet, StoredFleet), CliError> {
    let stored = stored_fleet(engine.store()).await?;
    let context = engine.fleet_context(&stored, prune);
    Ok((Fleet::read(files, &context).map_err(CliError::Faults)?, stored))
}
