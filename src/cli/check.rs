//! `check`: is everything in order?

use super::context::{CliError, Context};
use super::out::Out;
use crate::app::{App, Paying};
use crate::clock::Clock;
use serde_json::json;

pub(super) async fn check(context: &Context, online: bool, out: &Out) -> Result<(), CliError> {
    let settings = context.settings()?;
    let app = App::open(settings, Clock::System, Paying::Never).await?;
    let engine = app.engine();
    super::apply::check_configured(engine.settings()).await?;
    let (applied, known) = engine.store().migrations().await?;
    // Rules that this version cannot read would stop every decision.
    engine.rules().await?;
    let mut lines = vec![
        format!(
            "ok    config       {} provider(s), {} channel(s)",
            engine.providers().len(),
            engine.channels().len()
        ),
        format!("ok    database     {applied} of {known} migrations"),
    ];
    let mut faults = unknown_names(&app).await?;
    let mut results = Vec::new();
    if online {
        for (name, provider) in engine.providers() {
            let outcome = provider
                .test()
                .await
                .map(|report| report.detail)
                .map_err(|error| error.to_string());
            results.push(("provider", name.clone(), outcome));
        }
        for (name, channel) in engine.channels() {
            results.push(("channel", name.clone(), channel.test().await));
        }
    }
    for (what, name, outcome) in &results {
        match outcome {
            Ok(detail) => lines.push(format!("ok    {what:<12} {name}: {detail}")),
            Err(why) => faults.push(format!("{what} {name}: {why}")),
        }
    }
    let document = json!({
        "ok": faults.is_empty(),
        "faults": faults,
        "online": results.iter().map(|(what, name, outcome)| json!({
            "what": what, "name": name, "ok": outcome.is_ok(), "detail": outcome.as_ref().map_or_else(Clone::clone, Clone::clone),
        })).collect::<Vec<_>>(),
    });
    lines.extend(faults.iter().map(|fault| format!("FAULT {fault}")));
    out.result(&document, || lines.join("\n"));
    if faults.is_empty() { Ok(()) } else { Err(CliError::Quiet) }
}

/// Stored lines and people that name a provider or channel the configuration no longer has.
async fn unknown_names(app: &App) -> Result<Vec<String>, CliError> {
    let engine = app.engine();
    let mut faults = Vec::new();
    for subscriber in engine.store().subscribers().await? {
        for channel in
            subscriber.channels.iter().filter(|name| !engine.channels().contains_key(*name))
        {
            faults.push(format!(
                "subscriber {}: channel {channel:?} is not configured",
                subscriber.id
            ));
        }
    }
    for view in engine.store().views(None, "", i64::MAX).await? {
        let line = view.subscription;
        for provider in std::iter::once(&line.reader)
            .chain(&line.payers)
            .filter(|name| engine.provider(name).is_none())
        {
            faults
                .push(format!("subscription {}: provider {provider:?} is not configured", line.id));
        }
    }
    Ok(faults)
}
