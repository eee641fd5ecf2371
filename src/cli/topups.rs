//! `topups`: what became of money, and what people say about it.

use super::args::TopupsVerb;
use super::context::{CliError, Context, actor};
use super::out::{Out, table};
use crate::domain::{Money, Timestamp, Topup};
use crate::flow::Resolution;
use crate::shapes;
use crate::store::TopupEvent;

pub(super) async fn topups(
    context: &Context,
    verb: &TopupsVerb,
    out: &Out,
) -> Result<(), CliError> {
    match verb {
        TopupsVerb::List { subscription, limit } => {
            list(context, subscription.as_deref(), *limit, out).await
        }
        TopupsVerb::Show { id } => show(context, id, out).await,
        TopupsVerb::Approve { id, hash } => {
            let app = context.app().await?;
            let topup = app.engine().approve(id, hash.as_deref(), &actor()).await?;
            out.result(&shapes::topup(&topup), || {
                format!(
                    "approved: {} on {}; it is ordered as soon as a fresh reading agrees",
                    topup.amount, topup.subscription
                )
            });
            Ok(())
        }
        TopupsVerb::Reject { id } => {
            let app = context.app().await?;
            let topup = app.engine().reject(id, &actor()).await?;
            out.result(&shapes::topup(&topup), || {
                format!("rejected: {} on {}", topup.amount, topup.subscription)
            });
            Ok(())
        }
        TopupsVerb::Resolve { id, as_what, note, checked } => {
            let app = context.app().await?;
            let resolution = if as_what == "paid" { Resolution::Paid } else { Resolution::Failed };
            let topup = app.engine().resolve(id, resolution, note, *checked, &actor()).await?;
            out.result(&shapes::topup(&topup), || {
                format!("top-up {} is {}", topup.id, topup.state.as_str())
            });
            Ok(())
        }
    }
}

async fn list(
    context: &Context,
    subscription: Option<&str>,
    limit: i64,
    out: &Out,
) -> Result<(), CliError> {
    let store = context.store().await?;
    let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
    let found = store.topups(subscription, all.0, all.1, limit.max(1)).await?;
    out.result(&found.iter().map(shapes::topup).collect::<Vec<_>>(), || {
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|t| {
                vec![
                    t.id.to_string(),
                    t.created_at.to_string(),
                    t.subscription.to_string(),
                    t.amount.to_string(),
                    t.payer.clone(),
                    t.state.as_str().to_owned(),
                    t.reason.clone(),
                ]
            })
            .collect();
        table(&["TOP-UP", "CREATED", "SUBSCRIPTION", "AMOUNT", "PAYER", "STATE", "REASON"], &rows)
    });
    Ok(())
}

async fn show(context: &Context, id: &str, out: &Out) -> Result<(), CliError> {
    let store = context.store().await?;
    let topup = store.topup(id).await?;
    let events = store.topup_events(&topup.id).await?;
    out.result(&shapes::topup_with_events(&topup, &events), || story(&topup, &events));
    Ok(())
}

/// A top-up as a person reads it: the order, the evidence, the history.
pub(super) fn story(topup: &Topup, events: &[TopupEvent]) -> String {
    let money = |m: Option<Money>| m.map_or_else(|| "-".to_owned(), |m| m.to_string());
    let text = |t: Option<&String>| t.cloned().unwrap_or_else(|| "-".into());
    let mut lines = vec![
        format!(
            "{}  {} of {} on {}",
            topup.id,
            topup.state.as_str(),
            topup.amount,
            topup.subscription
        ),
        format!("  payer          {}   product {}", topup.payer, text(topup.product.as_ref())),
        format!("  reason         {}", topup.reason),
        format!("  reference      {}", topup.reference),
        format!("  transaction    {}", text(topup.transaction_id.as_ref())),
        format!("  charged        {}   delivered {}", money(topup.charged), money(topup.delivered)),
        format!(
            "  before         balance {}, service end {}",
            money(topup.before.balance),
            topup.before.service_end_at.map_or_else(|| "-".into(), |at| at.to_string())
        ),
    ];
    if let Some((at, who)) = &topup.approved {
        lines.push(format!("  approved       {at} by {who}"));
    }
    if let Some(at) = topup.next_action_at {
        lines.push(format!("  next look      {at}"));
    }
    lines.push("  history".into());
    for e in events {
        let arrow = if e.from == e.to { e.to.clone() } else { format!("{} → {}", e.from, e.to) };
        lines.push(format!("    {}  {arrow:<32} {:<10} {}", e.at, e.actor, e.why));
        if let Some(evidence) = e.evidence.as_ref().filter(|text| !text.is_empty()) {
            lines.push(format!("      {evidence}"));
        }
    }
    lines.join("\n")
}
