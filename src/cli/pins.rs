//! `pins`: codes that were bought.

use super::args::PinsVerb;
use super::context::{CliError, Context, actor};
use super::out::{Out, table};
use crate::domain::TopupId;
use crate::store::StoredPin;
use serde_json::{Value as Json, json};

pub(super) async fn pins(context: &Context, verb: &PinsVerb, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    match verb {
        PinsVerb::List { all } => {
            let found = engine.store().pins(*all).await?;
            let documents = found.iter().map(document).collect();
            out.result(&Json::Array(documents), || {
                let rows: Vec<Vec<String>> = found.iter().map(row).collect();
                table(
                    &["CODE", "STATE", "SUBSCRIPTION", "TOP-UP", "PAYER", "STORED", "LAPSES"],
                    &rows,
                )
            });
        }
        PinsVerb::Show { id } => {
            let (stored, pin) = engine.show_pin(id, &actor()).await?;
            let mut shown = document(&stored);
            if let Json::Object(fields) = &mut shown {
                fields.insert("code".into(), json!(pin.code));
                fields.insert("serial".into(), json!(pin.serial));
                fields.insert("how".into(), json!(pin.how));
            }
            out.result(&shown, || {
                let serial = pin.serial.map(|s| format!("\nserial {s}")).unwrap_or_default();
                let how = pin.how.map(|how| format!("\n{how}")).unwrap_or_default();
                format!("{}{serial}{how}", pin.code)
            });
        }
        PinsVerb::Redeem { id, with } => {
            let (stored, why) = engine.redeem_pin(id, with, &actor()).await?;
            out.result(&document(&stored), || format!("{}: {} ({why})", stored.id, stored.state));
        }
        PinsVerb::End { id, as_what, note } => {
            let stored = engine.end_pin(id, as_what, note.as_deref(), &actor()).await?;
            out.result(&document(&stored), || format!("{}: {}", stored.id, stored.state));
        }
        PinsVerb::Fetch { topup } => {
            let id = TopupId::parse(topup).map_err(|e| CliError::Usage(format!("TOPUP: {e}")))?;
            let topup = engine.store().topup(id.as_str()).await?;
            let stored = engine.fetch_pin(&topup).await?;
            out.result(&document(&stored), || format!("{}: {}", stored.id, stored.state));
        }
    }
    Ok(())
}

fn document(pin: &StoredPin) -> Json {
    json!({
        "id": pin.id, "topup": pin.topup.as_str(), "subscription": pin.subscription.as_str(),
        "payer": pin.payer, "state": pin.state, "stored_at": pin.stored_at.rfc3339(),
        "expires_at": pin.expires_at.map(|at| at.rfc3339()), "actor": pin.actor, "note": pin.note,
    })
}

fn row(pin: &StoredPin) -> Vec<String> {
    vec![
        pin.id.clone(),
        pin.state.clone(),
        pin.subscription.to_string(),
        pin.topup.to_string(),
        pin.payer.clone(),
        pin.stored_at.rfc3339(),
        pin.expires_at.map_or_else(|| "-".to_owned(), |at| at.rfc3339()),
    ]
}
