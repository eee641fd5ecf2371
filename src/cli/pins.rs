//! `pins`: codes that were bought.

use super::args::PinsVerb;
use super::context::{CliError, Context, actor};
use super::out::{Out, table};
use crate::domain::TopupId;
use crate::shapes;
use crate::store::StoredPin;

pub(super) async fn pins(context: &Context, verb: &PinsVerb, out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    match verb {
        PinsVerb::List { all } => {
            let found = engine.store().pins(*all).await?;
            out.result(&found.iter().map(shapes::pin).collect::<Vec<_>>(), || {
                let rows: Vec<Vec<String>> = found.iter().map(row).collect();
                table(
                    &["CODE", "STATE", "SUBSCRIPTION", "TOP-UP", "PAYER", "STORED", "LAPSES"],
                    &rows,
                )
            });
        }
        PinsVerb::Show { id } => {
            let (stored, pin) = engine.show_pin(id, &actor()).await?;
            let shown = shapes::shown_pin(&stored, pin);
            out.result(&shown, || {
                let serial =
                    shown.serial.as_ref().map(|s| format!("\nserial {s}")).unwrap_or_default();
                let how = shown.how.as_ref().map(|how| format!("\n{how}")).unwrap_or_default();
                format!("{}{serial}{how}", shown.code)
            });
        }
        PinsVerb::Redeem { id, with } => {
            let (stored, why) = engine.redeem_pin(id, with, &actor()).await?;
            out.result(&shapes::pin(&stored), || {
                format!("{}: {} ({why})", stored.id, stored.state)
            });
        }
        PinsVerb::End { id, as_what, note } => {
            let stored = engine.end_pin(id, as_what, note.as_deref(), &actor()).await?;
            out.result(&shapes::pin(&stored), || format!("{}: {}", stored.id, stored.state));
        }
        PinsVerb::Fetch { topup } => {
            let id = TopupId::parse(topup).map_err(|e| CliError::Usage(format!("TOPUP: {e}")))?;
            let topup = engine.store().topup(id.as_str()).await?;
            let stored = engine.fetch_pin(&topup).await?;
            out.result(&shapes::pin(&stored), || format!("{}: {}", stored.id, stored.state));
        }
    }
    Ok(())
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
