//! `receipts` and `ledger`: evidence for disputes and accounts.

use super::args::PeriodArgs;
use super::context::{CliError, Context, instant};
use super::out::{Out, table};
use crate::domain::{Money, State, Timestamp, Topup};
use crate::shapes;
use crate::store::TopupEvent;
use serde_json::{Value as Json, json};

fn period(args: &PeriodArgs) -> Result<(Timestamp, Timestamp), CliError> {
    let from = instant("from", args.from.as_deref(), Timestamp::from_ms(0))?;
    let to = instant("to", args.to.as_deref(), Timestamp::from_ms(i64::MAX))?;
    Ok((from, to))
}

/// Whatever was sent may have moved money, so it has a receipt.
fn has_receipt(topup: &Topup) -> bool {
    topup.submit_no > 0 && !matches!(topup.state, State::Reserved | State::Cancelled)
}

pub(super) async fn receipts(
    context: &Context,
    args: &PeriodArgs,
    out: &Out,
) -> Result<(), CliError> {
    let (from, to) = period(args)?;
    let store = context.store().await?;
    let mut found = store.topups(None, from, to, i64::MAX).await?;
    found.retain(has_receipt);
    found.reverse();
    let mut receipts = Vec::with_capacity(found.len());
    for topup in found {
        let events = store.topup_events(&topup.id).await?;
        receipts.push((topup, events));
    }
    if args.csv {
        let rows = receipts.iter().map(|(t, _)| {
            let money = |m: Option<Money>| {
                (
                    m.map(Money::plain).unwrap_or_default(),
                    m.map(|m| m.currency().code().to_owned()).unwrap_or_default(),
                )
            };
            let (amount, currency) = money(Some(t.amount));
            let (charged, charged_currency) = money(t.charged);
            vec![
                t.id.to_string(),
                t.created_at.rfc3339(),
                t.subscription.to_string(),
                t.subscriber.to_string(),
                t.payer.clone(),
                amount,
                currency,
                charged,
                charged_currency,
                t.state.as_str().to_owned(),
                t.reference.clone(),
                t.transaction_id.clone().unwrap_or_default(),
                t.paid_at.map(Timestamp::rfc3339).unwrap_or_default(),
                t.updated_at.rfc3339(),
            ]
        });
        let heads = [
            "topup",
            "created_at",
            "subscription",
            "subscriber",
            "payer",
            "amount",
            "currency",
            "charged",
            "charged_currency",
            "state",
            "reference",
            "transaction_id",
            "paid_at",
            "updated_at",
        ];
        return csv(&heads, rows, *out);
    }
    let documents: Vec<Json> =
        receipts.iter().map(|(topup, events)| receipt(topup, events)).collect();
    out.result(&Json::Array(documents), || {
        if receipts.is_empty() {
            return "(none)".into();
        }
        let stories: Vec<String> =
            receipts.iter().map(|(t, e)| super::topups::story(t, e)).collect();
        stories.join("\n\n")
    });
    Ok(())
}

/// A receipt: the order, the provider's words, the line before and after.
fn receipt(topup: &Topup, events: &[TopupEvent]) -> Json {
    let mut document = shapes::topup_with_events(topup, events);
    let verified = events.iter().find(|e| e.to == "verified" && e.from != e.to);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("verified_at".into(), verified.map_or(Json::Null, |e| json!(e.at.rfc3339())));
        fields.insert("effect".into(), verified.map_or(Json::Null, |e| json!(e.why)));
    }
    document
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
