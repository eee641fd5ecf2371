//! One line: its deadlines, its chart, why it is as it is, and what can be done with it.

use super::super::{Admin, problem::Problem};
use super::{
    Pages,
    chart::{Chart, Drawn},
    form::Sent,
    overview::owners,
    sign_in::first_confirm,
    view::{self, When},
    visitor::Visitor,
};
use crate::domain::{
    Metric, Money, Quantity, Snapshot, Span, Subscription, SubscriptionId, SubscriptionStatus,
    Timestamp, Topup,
};
use crate::flow::{OrderError, price};
use crate::shapes::{LineForecast, missing};
use crate::store::{NoticesAsked, StoreError};
use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use chrono_tz::Tz;
use minijinja::{context, value::Serde};
use serde::Serialize;

/// How far back a line's chart and story go.
const BACK: Span = Span::days(90);
/// Top-ups and notices of its story.
const STORY: i64 = 50;

/// One entry of a line's story.
#[derive(Debug, Serialize)]
struct Entry {
    at: When,
    #[serde(skip)]
    ms: i64,
    kind: &'static str,
    /// The state of a top-up or notice.
    state: String,
    text: String,
    link: Option<String>,
}

/// One gate of `explain`.
#[derive(Debug, Serialize)]
struct Gate {
    name: String,
    passed: bool,
    why: String,
}

/// The line, where the visitor may see it.
async fn within(admin: &Admin, visitor: &Visitor, id: &str) -> Result<Subscription, Problem> {
    // A text that cannot be an id is the id of nothing.
    let id = SubscriptionId::parse(id)
        .map_err(|_| StoreError::NotFound(format!("subscription {id}")))?;
    Ok(admin.engine().store().line_within(visitor.caller.scope(), &id).await?)
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let line = within(&admin, &visitor, &id).await?;
    show(&admin, &visitor, &line, None).await
}

async fn show(
    admin: &Admin,
    visitor: &Visitor,
    line: &Subscription,
    trouble: Option<&str>,
) -> Result<Response, Problem> {
    let (engine, store) = (admin.engine(), admin.engine().store());
    let now = engine.now();
    let owners = owners(admin, std::iter::once(line.subscriber.as_str())).await?;
    let zone = owners.get(line.subscriber.as_str()).map_or(line.time_zone, |(_, zone)| *zone);
    let views = store.views_of(&[line.id.to_string()]).await?;
    let view =
        views.first().ok_or_else(|| StoreError::NotFound(format!("subscription {}", line.id)))?;
    let (snapshot, decision) = engine.explain(&line.id).await?;
    let (forecast, external) = engine.forecast(&line.id, None, now).await?;
    let good = snapshot.reading.clone();
    let forecast = LineForecast { id: line.id.clone(), good, forecast, external };
    let topups = store
        .topups(Some(line.id.as_str()), now.minus(BACK), now.plus(Span::from_ms(1)), STORY)
        .await?;
    let gates: Vec<Gate> = decision
        .gates
        .iter()
        .map(|gate| Gate {
            name: gate.name.to_string(),
            passed: gate.passed,
            why: gate.why.clone(),
        })
        .collect();
    let entries = story(admin, visitor, line, &topups, zone, now).await?;
    let chart = chart(admin, &snapshot, &forecast, &topups, zone, now).await?;
    let (money_runout, data_runout) = forecast.runouts();
    let runout = money_runout.or(data_runout);
    let about = context! {
        line => Serde(view::line(view, &owners, now)),
        reader => &line.reader,
        payers => &line.payers,
        tags => &line.tags,
        number => line.msisdn.as_ref().map(|number| number.as_str()),
        iccid => line.iccid.as_ref().map(|iccid| iccid.as_str()),
        chart => Serde(chart),
        gates => Serde(gates),
        next_what => decision.next.what,
        next_why => &decision.next.why,
        trust => forecast.forecast.trust.as_str(),
        missing => missing(&forecast.forecast),
        burn => forecast.forecast.burn_median.map(|money| money.to_string()),
        data_burn => forecast.forecast.data_median.map(view::bytes),
        runout => Serde(runout.map(|runout| When::of(runout.earliest_at, zone, now))),
        story => Serde(entries),
        is_active => line.status == SubscriptionStatus::Active,
        is_paused => line.status == SubscriptionStatus::Paused,
        currency => snapshot.reading.as_ref().and_then(|r| r.values.balance).map_or("USD", |m| m.currency().code()),
        trouble,
    };
    let mut response = Pages::render(admin, "line.html", visitor, about)?;
    if trouble.is_some() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

async fn chart(
    admin: &Admin,
    snapshot: &Snapshot,
    forecast: &LineForecast,
    topups: &[Topup],
    zone: Tz,
    now: Timestamp,
) -> Result<Option<Chart>, Problem> {
    let id = &snapshot.subscription.id;
    let readings = admin.engine().store().readings_since(id, now.minus(BACK)).await?;
    let newest = readings.last().and_then(|reading| reading.values.balance);
    let currency = newest.map(Money::currency);
    let points = readings
        .iter()
        .filter_map(|reading| {
            let values = &reading.values;
            let value = match currency {
                // Money of another currency would be another line.
                Some(currency) => values.balance.filter(|m| m.currency() == currency)?.minor(),
                None => values.data_left?,
            };
            Some((reading.at, value))
        })
        .collect();
    let thresholds = snapshot
        .rules
        .iter()
        .flat_map(|rule| rule.conditions().iter().map(move |condition| (rule, condition)))
        .filter_map(|(rule, condition)| {
            let value = match (condition.metric, condition.threshold, currency) {
                (Metric::Balance, Quantity::Money(m), Some(c)) if m.currency() == c => m.minor(),
                (Metric::DataLeft, Quantity::Bytes(n), None) => n,
                _ => return None,
            };
            Some((rule.id.to_string(), value))
        })
        .collect();
    let (money, data) = forecast.runouts();
    let runout = if currency.is_some() { money } else { data };
    let marks = topups
        .iter()
        .filter_map(|topup| Some((topup.paid_at?, "topup", topup.amount.to_string())))
        .collect();
    let drawn = Drawn {
        points,
        thresholds,
        runout: runout.map(|runout| (runout.earliest_at, runout.middle_at)),
        marks,
    };
    let text = |value| match currency {
        Some(currency) => Money::new(value, currency).to_string(),
        None => view::bytes(value),
    };
    // `2026-11-22 06:54 CST`: the day, or the day and the hour, without the year.
    let time = |at: Timestamp, is_short: bool| {
        at.in_zone(zone).chars().skip(5).take(if is_short { 11 } else { 5 }).collect()
    };
    Ok(Chart::of(&drawn, now, text, time))
}

async fn story(
    admin: &Admin,
    visitor: &Visitor,
    line: &Subscription,
    topups: &[Topup],
    zone: Tz,
    now: Timestamp,
) -> Result<Vec<Entry>, Problem> {
    let about = NoticesAsked { subscription: Some(line.id.to_string()), ..NoticesAsked::default() };
    let scope = visitor.caller.scope();
    let notices = admin.engine().store().notices_page(scope, &about, None, STORY).await?;
    let of_topups = topups.iter().map(|topup| Entry {
        at: When::of(topup.updated_at, zone, now),
        ms: topup.updated_at.ms(),
        kind: "topup",
        state: topup.state.as_str().to_owned(),
        text: format!("{}: {}", topup.amount, topup.reason),
        link: Some(format!("/topups/{}", topup.id)),
    });
    let of_notices = notices.iter().map(|notice| Entry {
        at: When::of(notice.created_at, zone, now),
        ms: notice.created_at.ms(),
        kind: "notice",
        state: notice.state.clone(),
        text: format!(
            "{}{}",
            notice.kind.as_str().replace('_', " "),
            notice.channel.as_ref().map(|name| format!(" ({name})")).unwrap_or_default()
        ),
        link: None,
    });
    let mut entries: Vec<Entry> = of_topups.chain(of_notices).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.ms));
    Ok(entries)
}

/// Makes it due now.
pub(super) async fn poll(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    let line = within(&admin, &visitor, &id).await?;
    let polled = admin.engine().poll_by_hand(&line.id).await;
    done(&admin, &visitor, &line, polled).await
}

/// Stops everything for it.
pub(super) async fn pause(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    set_watched(&admin, &visitor, &id, false).await
}

/// Watches it again.
pub(super) async fn resume(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    set_watched(&admin, &visitor, &id, true).await
}

async fn set_watched(
    admin: &Admin,
    visitor: &Visitor,
    id: &str,
    is_watched: bool,
) -> Result<Response, Problem> {
    let line = within(admin, visitor, id).await?;
    let set = admin.engine().set_watched(&line.id, is_watched).await;
    done(admin, visitor, &line, set).await
}

/// The line's page as it is now, or the page with the reason why it stays as it was.
async fn done(
    admin: &Admin,
    visitor: &Visitor,
    line: &Subscription,
    act: Result<(), OrderError>,
) -> Result<Response, Problem> {
    match act {
        Ok(()) => Ok(Redirect::to(&format!("/lines/{}", line.id)).into_response()),
        Err(OrderError::Refused(why) | OrderError::Invalid(why)) => {
            show(admin, visitor, line, Some(&why)).await
        }
        Err(error @ OrderError::Engine(_)) => Err(error.into()),
    }
}

/// What a top-up would cost, and the question whether it is wanted; then the order.
pub(super) async fn topup(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let line = within(&admin, &visitor, &id).await?;
    let amount = match Money::parse(form.text("amount").trim()) {
        Ok(amount) if amount.minor() > 0 => amount,
        Ok(_) | Err(_) => {
            let why = format!(
                "amount: found {:?}; allowed is money such as 10.00 USD",
                form.text("amount")
            );
            return show(&admin, &visitor, &line, Some(&why)).await;
        }
    };
    if form.text("sure") != "yes" {
        return ask(&admin, &visitor, &line, amount).await;
    }
    if let Some(way) = first_confirm(&admin, &visitor, &format!("/lines/{id}")) {
        return Ok(way);
    }
    let actor = &visitor.caller.actor;
    match admin.engine().order_by_hand(&line.id, amount, None, actor).await {
        Ok(topup) => Ok(Redirect::to(&format!("/topups/{}", topup.id)).into_response()),
        Err(OrderError::Refused(why) | OrderError::Invalid(why)) => {
            show(&admin, &visitor, &line, Some(&why)).await
        }
        Err(error @ OrderError::Engine(_)) => Err(error.into()),
    }
}

/// How long a payer may take to name a price while somebody waits for a page.
const QUOTE_LIMIT: Span = Span::seconds(10);

async fn ask(
    admin: &Admin,
    visitor: &Visitor,
    line: &Subscription,
    amount: Money,
) -> Result<Response, Problem> {
    let payer = line.payers.first();
    let provider = payer.and_then(|name| admin.engine().provider(name));
    let quote = match (payer, provider.filter(|provider| provider.declares().quotes)) {
        (Some(name), Some(provider)) => {
            let price = price((name, provider.as_ref()), line, amount);
            let asked = tokio::time::timeout(QUOTE_LIMIT.to_std(), price).await;
            Some(match asked {
                Ok(Ok(quote)) => Ok(format!("{} ({})", quote.cost, quote.why)),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".to_owned()),
            })
        }
        _ => None,
    };
    let (cost, no_cost) = match quote {
        Some(Ok(cost)) => (Some(cost), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let about = context! {
        id => line.id.as_str(), label => &line.label,
        number => line.msisdn.as_ref().map(|number| format!("…{}", number.last4())),
        amount => amount.to_string(), payer, cost, no_cost,
    };
    Pages::render(admin, "line_topup.html", visitor, about)
}
