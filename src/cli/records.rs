//! `receipts` and `ledger`: evidence for disputes and accounts.

use super::args::{PeriodArgs, ReceiptsArgs};
use super::context::{CliError, Context, instant};
use super::out::{Out, table};
use crate::domain::Timestamp;
use crate::shapes::{self, Receipt, receipts_page};
use serde_json::Value as Json;

fn period(args: &PeriodArgs) -> Result<(Timestamp, Timestamp), CliError> {
    let from = instant("from", args.from.as_deref(), Timestamp::from_ms(0))?;
    let to = instant("to", args.to.as_deref(), Timestamp::from_ms(i64::MAX))?;
    Ok((from, to))
}

pub(super) async fn receipts(
    context: &Context,
    args: &ReceiptsArgs,
    out: &Out,
) -> Result<(), CliError> {
    let (from, to) = period(&args.period)?;
    let store = context.store().await?;
    let mut found = match &args.topup {
        Some(id) => vec![store.topup(id).await?],
        None => store.topups(None, from, to, i64::MAX).await?,
    };
    found.retain(Receipt::is_due);
    found.reverse();
    let mut receipts = Vec::with_capacity(found.len());
    for topup in found {
        let events = store.topup_events(&topup.id).await?;
        let after = store.reading_after(&topup).await?;
        receipts.push(Receipt { topup, events, after });
    }
    if args.page {
        out.raw(receipts_page(&receipts).map_err(anyhow::Error::from)?.as_bytes());
        return Ok(());
    }
    if args.period.csv {
        return csv(&Receipt::COLUMNS, receipts.iter().map(Receipt::row), *out);
    }
    let documents: Vec<Json> = receipts.iter().map(Receipt::document).collect();
    out.result(&Json::Array(documents), || {
        if receipts.is_empty() {
            return "(none)".into();
        }
        let stories: Vec<String> =
            receipts.iter().map(|r| super::topups::story(&r.topup, &r.events)).collect();
        stories.join("\n\n")
    });
    Ok(())
}

pub(super) async fn ledger(
    context: &Context,
    args: &PeriodArgs,
    out: &Out,
) -> Result<(), CliError> {
    let (from, to) = period(args)?;
    let entries = context.store().await?.ledger(from, to).await?;
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            vec![
                e.at.rfc3339(),
                e.kind.clone(),
                e.amount.plain(),
                e.amount.currency().code().to_owned(),
                e.subscription.clone(),
                e.subscriber.clone(),
                e.payer.clone(),
                e.topup.clone(),
            ]
        })
        .collect();
    if args.csv {
        let heads =
            ["at", "kind", "amount", "currency", "subscription", "subscriber", "payer", "topup"];
        return csv(&heads, rows.into_iter(), *out);
    }
    out.result(&Json::Array(entries.iter().map(shapes::ledger_entry).collect()), || {
        table(
            &["AT", "KIND", "AMOUNT", "CURRENCY", "SUBSCRIPTION", "SUBSCRIBER", "PAYER", "TOP-UP"],
            &rows,
        )
    });
    Ok(())
}

/// CSV whose cells no spreadsheet takes for formulas.
fn csv(heads: &[&str], rows: impl Iterator<Item = Vec<String>>, out: Out) -> Result<(), CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let safe = |cell: String| {
        let number = cell.parse::<rust_decimal::Decimal>().is_ok();
        if !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{cell}")
        } else {
            cell
        }
    };
    let written = || -> Result<Vec<u8>, csv::Error> {
        writer.write_record(heads)?;
        for row in rows {
            writer.write_record(row.into_iter().map(safe))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    };
    out.raw(&written().map_err(anyhow::Error::from)?);
    Ok(())
}
