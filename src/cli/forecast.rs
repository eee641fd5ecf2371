//! `forecast`: when lines run out, as a range, from what was read of them.

use super::context::{CliError, Context, subscription_id};
use super::out::{Out, table};
use crate::domain::{SubscriptionStatus, Timestamp, Trust};
use crate::flow::Engine;
use crate::shapes::{self, LineForecast};
use crate::store::{StoreError, SubscriptionView};

pub(super) async fn forecast(context: &Context, ids: &[String], out: &Out) -> Result<(), CliError> {
    let app = context.app().await?;
    let engine = app.engine();
    let mut forecasts = Vec::new();
    for view in views(engine, ids).await? {
        let id = view.subscription.id.clone();
        let (forecast, external) = engine.forecast(&id, None, engine.now()).await?;
        forecasts.push(LineForecast { id, good: view.good, forecast, external });
    }
    out.result(&forecasts.iter().map(shapes::forecast).collect::<Vec<_>>(), || {
        let heads = [
            "SUBSCRIPTION",
            "BALANCE",
            "A DAY",
            "4 OF 5 DAYS",
            "RUNS OUT",
            "DATA RUNS OUT",
            "LAST USED",
            "TRUST",
            "PAID BY OTHERS",
        ];
        table(&heads, &forecasts.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}

async fn views(engine: &Engine, ids: &[String]) -> Result<Vec<SubscriptionView>, CliError> {
    if !ids.is_empty() {
        let mut named = Vec::new();
        for id in ids {
            let id = subscription_id(id)?;
            let found = engine.store().views_of(&[id.to_string()]).await?;
            let missing = || StoreError::NotFound(format!("subscription {id}"));
            named.push(found.into_iter().next().ok_or_else(missing)?);
        }
        return Ok(named);
    }
    let mut all = engine.store().every_view().await?;
    all.retain(|view| view.subscription.status != SubscriptionStatus::Closed);
    Ok(all)
}

fn row(line: &LineForecast) -> Vec<String> {
    let dash = || "-".to_owned();
    let day = |at: Timestamp| at.rfc3339().chars().take(10).collect::<String>();
    let range = |runout: Option<crate::domain::Runout>| match runout {
        Some(r) => match r.middle_at {
            Some(middle) if day(middle) != day(r.earliest_at) => {
                format!("{} .. {}", day(r.earliest_at), day(middle))
            }
            Some(_) => day(r.earliest_at),
            None => format!("not before {}", day(r.earliest_at)),
        },
        None => dash(),
    };
    let (money, data) = line.runouts();
    let f = &line.forecast;
    let trust = match f.trust {
        Trust::Collecting => shapes::missing(f),
        Trust::Told | Trust::Proven => f.trust.as_str().to_owned(),
    };
    let balance = line.good.as_ref().and_then(|r| r.values.balance);
    let others: Vec<String> =
        line.external.iter().map(|e| format!("{} {}", day(e.at), e.amount)).collect();
    vec![
        line.id.to_string(),
        balance.map_or_else(dash, |m| m.to_string()),
        f.burn_median.map_or_else(dash, |m| m.to_string()),
        f.burn_p80.map_or_else(dash, |m| m.to_string()),
        range(money),
        range(data),
        f.last_used_at.map_or_else(dash, day),
        trust,
        if others.is_empty() { dash() } else { others.join(", ") },
    ]
}
