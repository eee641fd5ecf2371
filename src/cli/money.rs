//! `money`: the switch. `off` needs nothing but the file system.

use super::args::MoneyVerb;
use super::context::{CliError, Context};
use super::out::Out;
use crate::app::money_off_file;
use crate::clock::Clock;
use crate::domain::MoneySwitch;
use crate::flow::{raise_flag, stop_everywhere};
use crate::store::Store;
use serde_json::{Value as Json, json};

/// `off` waits no longer than this for the database.
const DATABASE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) async fn money(context: &Context, verb: &MoneyVerb, out: &Out) -> Result<(), CliError> {
    match verb {
        MoneyVerb::Off { reason } => {
            let file = money_off_file(&context.settings()?);
            raise_flag(&file, reason)
                .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
            everywhere(context, reason, out).await?;
            let flag = file.display().to_string();
            out.result(&json!({ "paying": false, "flag_file": flag, "reasons": ["kill_switch"] }), || {
                format!("paying is off ({flag}); polling and notices go on. `topupd money on` allows it again")
            });
            Ok(())
        }
        MoneyVerb::On => {
            let app = context.app().await?;
            let switch = app.engine().set_money(None).await?;
            report(&switch, out);
            Ok(())
        }
        MoneyVerb::Status => {
            let app = context.app().await?;
            let engine = app.engine();
            let switch = engine.money_switch(engine.now()).await?;
            report(&switch, out);
            Ok(())
        }
    }
}

/// Instances on other machines do not see the flag file of this one: they are told in the database.
/// Where that fails, those here have stopped all the same.
async fn everywhere(context: &Context, reason: &str, out: &Out) -> Result<(), CliError> {
    let settings = context.settings()?;
    if settings.database.url().starts_with("sqlite:") {
        return Ok(());
    }
    let told = async {
        let store = Store::open(settings.database.url()).await?;
        let stopped = stop_everywhere(&store, reason, Clock::System.now()).await;
        store.close().await;
        stopped
    };
    let why = match tokio::time::timeout(DATABASE, told).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it does not answer".to_owned(),
    };
    out.note(&format!(
        "instances on other machines go on, because the database was not reached: {why}"
    ));
    Ok(())
}

fn report(switch: &MoneySwitch, out: &Out) {
    let shut = switch.stops();
    let payers: Vec<Json> =
        switch.payers_out.iter().map(|(name, why)| json!({ "payer": name, "why": why })).collect();
    let document = json!({
        "paying": shut.is_empty(),
        "reasons": shut.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "why": shut.iter().map(|(_, why)| *why).collect::<Vec<_>>(),
        "payers_out": payers,
    });
    out.result(&document, || {
        let mut lines = vec![if shut.is_empty() {
            "paying is on".to_owned()
        } else {
            "paying is OFF".to_owned()
        }];
        lines.extend(shut.iter().map(|(name, why)| format!("  {name}: {why}")));
        lines
            .extend(switch.payers_out.iter().map(|(_, why)| format!("  provider_incident: {why}")));
        lines.join("\n")
    });
}
