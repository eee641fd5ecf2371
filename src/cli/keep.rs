//! `migrate`, `backup`, `export`: the database as a whole.

use super::context::{CliError, Context};
use super::out::Out;
use crate::domain::Timestamp;
use crate::shapes;
use crate::store::Store;
use serde_json::{Value as Json, json};
use std::path::Path;

pub(super) async fn migrate(context: &Context, out: &Out) -> Result<(), CliError> {
    let settings = context.settings()?;
    let store = Store::open(settings.database.url()).await?;
    let (before, _) = store.migrations().await?;
    store.migrate().await?;
    let (applied, known) = store.migrations().await?;
    out.result(&json!({ "applied": applied - before, "version": applied, "known": known }), || {
        format!(
            "{} migration(s) applied; the database is up to date ({applied} of {known})",
            applied - before
        )
    });
    Ok(())
}

pub(super) async fn backup(context: &Context, file: &Path, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    if file.exists() {
        return Err(anyhow::anyhow!("{} exists; allowed is a new file", file.display()).into());
    }
    let name = file.to_str().ok_or_else(|| CliError::Usage("the file name is not UTF-8".into()))?;
    store.backup(name).await?;
    out.result(&json!({ "file": name }), || format!("copied to {name}"));
    Ok(())
}

/// Everything a person may want to take elsewhere; without secrets, which the database never has.
pub(super) async fn export(context: &Context, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
    let parse = |text: String| serde_json::from_str::<Json>(&text).unwrap_or(Json::String(text));
    let documents = store.documents().await?;
    let views = store.views(None, "", i64::MAX).await?;
    let mut topups = Vec::new();
    for topup in store.topups(None, all.0, all.1, i64::MAX).await? {
        let events = store.topup_events(&topup.id).await?;
        topups.push(shapes::topup_with_events(&topup, &events));
    }
    let mut readings = Vec::new();
    for view in &views {
        let of_line = store.readings(&view.subscription.id, i64::MAX).await?;
        readings.extend(of_line.iter().map(shapes::reading));
    }
    let document = json!({
        "subscribers": store.subscribers().await?.iter().map(shapes::subscriber).collect::<Vec<_>>(),
        "subscriptions": views.iter().map(shapes::subscription).collect::<Vec<_>>(),
        "rules": documents.rules.into_values().map(parse).collect::<Vec<_>>(),
        "readings": readings,
        "topups": topups,
        "ledger": store.ledger(all.0, all.1).await?.iter().map(shapes::ledger_entry).collect::<Vec<_>>(),
        "notices": store.notices(None, i64::MAX).await?.iter().map(shapes::notice).collect::<Vec<_>>(),
    });
    out.line(&serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)?);
    Ok(())
}
