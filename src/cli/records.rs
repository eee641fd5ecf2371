//! `receipts` and `ledger`: evidence for disputes and accounts.

use super::args::{PeriodArgs, ReceiptsArgs};
use super::context::{CliError, Context, instant};
use super::out::{Out, table};
use crate::domain::Timestamp;
use crate::shapes::{self, LEDGER_COLUMNS, Receipt, receipts_page};

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
        let (events, after) = store.evidence(&topup).await?;
        receipts.push(Receipt { topup, events, after });
    }
    if args.page {
        out.raw(receipts_page(&receipts).map_err(anyhow::Error::from)?.as_bytes());
        return Ok(());
    }
    if args.period.csv {
        return csv(&Receipt::COLUMNS, receipts.iter().map(Receipt::row).collect(), *out);
    }
    out.result(&receipts.iter().map(Receipt::document).collect::<Vec<_>>(), || {
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
    let rows: Vec<Vec<String>> = entries.iter().map(shapes::ledger_row).collect();
    if args.csv {
        return csv(&LEDGER_COLUMNS, rows, *out);
    }
    out.result(&entries.iter().map(shapes::ledger_entry).collect::<Vec<_>>(), || {
        table(
            &["AT", "KIND", "AMOUNT", "CURRENCY", "SUBSCRIPTION", "SUBSCRIBER", "PAYER", "TOP-UP"],
            &rows,
        )
    });
    Ok(())
}

fn csv(heads: &[&str], rows: Vec<Vec<String>>, out: Out) -> Result<(), CliError> {
    out.raw(&shapes::csv(heads, rows.into_iter()).map_err(anyhow::Error::from)?);
    Ok(())
}
