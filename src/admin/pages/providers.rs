//! Providers and channels: what they can, how they fare, and what stops paying.

use super::super::{Admin, audit::Changed, problem::Problem};
use super::{Pages, form::Sent, sign_in::first_confirm, view::When, visitor::Visitor};
use crate::domain::{MoneySwitch, Span, Timestamp};
use crate::flow::EngineError;
use crate::providers::Declares;
use crate::store::{ChannelFigures, Discrepancy, StoreError};
use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::{context, value::Serde};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Where this page is.
const HERE: &str = "/providers";

/// How breakers of readers are called.
const READER: &str = "reader:";

/// A provider as pages show it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    name: String,
    kind: &'static str,
    /// What it can, as the keys of words.
    can: Vec<&'static str>,
    class: &'static str,
    /// Lines read through it, and those of them that failed twice in a row.
    lines: i64,
    failing: i64,
    /// Why it is out as a reader, and since when.
    reader_out: Option<(String, When)>,
    /// Why nothing is paid through it.
    payer_out: Option<String>,
    float: Option<(String, When)>,
    compared: Option<When>,
    can_compare: bool,
}

/// A safety that tripped.
#[derive(Debug, Serialize)]
struct Tripped {
    name: String,
    why: String,
    since: When,
}

/// What does not agree.
#[derive(Debug, Serialize)]
struct Differs {
    id: String,
    payer: String,
    topup: Option<String>,
    what: String,
    found: When,
}

/// A channel as the page shows it.
#[derive(Debug, Serialize)]
struct Sends {
    name: String,
    kind: &'static str,
    sent: i64,
    waiting: i64,
    dead: i64,
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    show(&admin, &visitor, None).await
}

async fn show(
    admin: &Admin,
    visitor: &Visitor,
    trouble: Option<&str>,
) -> Result<Response, Problem> {
    let (engine, store, now) = (admin.engine(), admin.engine().store(), admin.engine().now());
    let when = |at: Timestamp| When::of(at, chrono_tz::UTC, now);
    let switch = engine.money_switch(now).await?;
    let breakers = store.breakers().await?;
    let tripped = breakers.into_iter().filter(|(name, _, _)| !name.starts_with(READER));
    let providers = fares(admin, &switch, now).await?;
    let tripped = tripped.map(|(name, at, why)| Tripped { name, why, since: when(at) });
    let differs = store.discrepancies(true).await?;
    let differs = differs.into_iter().map(|d: Discrepancy| Differs {
        id: d.id,
        payer: d.payer,
        topup: d.topup,
        what: d.what,
        found: when(d.found_at),
    });
    let stops: Vec<String> = switch.stops().into_iter().map(|(_, why)| why.to_owned()).collect();
    let about = context! {
        is_paying => stops.is_empty(),
        stops,
        providers => Serde(providers),
        tripped => Serde(tripped.collect::<Vec<_>>()),
        differs => Serde(differs.collect::<Vec<_>>()),
        channels => Serde(channels(admin, now).await?),
        trouble,
    };
    let mut response = Pages::render(admin, "providers.html", visitor, about)?;
    if trouble.is_some() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

/// How every provider fares.
pub(super) async fn fares(
    admin: &Admin,
    switch: &MoneySwitch,
    now: Timestamp,
) -> Result<Vec<Shown>, EngineError> {
    let (engine, store) = (admin.engine(), admin.engine().store());
    let when = |at: Timestamp| When::of(at, chrono_tz::UTC, now);
    let breakers = store.breakers().await?;
    let readers = engine.reader_figures().await?;
    let mut providers = Vec::new();
    for (name, provider) in engine.providers() {
        let declares = provider.declares();
        let figures = readers.iter().find(|(reader, _, _)| reader == name);
        let is_out = |breaker: &str| breaker.strip_prefix(READER) == Some(name);
        let out = breakers.iter().find(|(breaker, _, _)| is_out(breaker));
        let compared = store.reconciled(name).await?;
        let float = compared.and_then(|(_, wallet)| wallet);
        providers.push(Shown {
            name: name.clone(),
            kind: engine.settings().providers.get(name).map_or("", |config| config.kind()),
            can: can(declares),
            class: declares.class().as_str(),
            lines: figures.map_or(0, |(_, _, lines)| *lines),
            failing: figures.map_or(0, |(_, failing, _)| *failing),
            reader_out: out.map(|(_, at, why)| (why.clone(), when(*at))),
            payer_out: payer_out(switch, name),
            float: float.map(|wallet| (wallet.balance.to_string(), when(wallet.at))),
            compared: compared.map(|(at, _)| when(at)),
            can_compare: declares.lists || declares.wallet,
        });
    }
    Ok(providers)
}

fn can(d: &Declares) -> Vec<&'static str> {
    let all = [
        ("reads", d.reads),
        ("tops_up", d.tops_up && !d.assisted),
        ("assisted", d.assisted),
        ("lists", d.lists),
        ("wallet", d.wallet),
        ("redeems", d.redeems),
        ("sells", d.sells),
        ("quotes", d.quotes),
        ("knows_operators", d.knows_operators),
    ];
    all.into_iter().filter(|(_, is_so)| *is_so).map(|(word, _)| word).collect()
}

fn payer_out(switch: &MoneySwitch, name: &str) -> Option<String> {
    switch.payers_out.iter().find(|(payer, _)| payer == name).map(|(_, why)| why.clone())
}

/// Every channel, also one that is no longer configured but was used within a week.
async fn channels(admin: &Admin, now: Timestamp) -> Result<Vec<Sends>, StoreError> {
    let engine = admin.engine();
    let figures = engine.store().channel_figures(now.minus(Span::days(7))).await?;
    let mut all: BTreeMap<String, Option<ChannelFigures>> =
        engine.channels().keys().map(|name| (name.clone(), None)).collect();
    all.extend(figures.into_iter().map(|one| (one.channel.clone(), Some(one))));
    let kind = |name: &str| engine.settings().channels.get(name).map_or("", |c| c.kind());
    let count =
        |one: &Option<ChannelFigures>, of: fn(&ChannelFigures) -> i64| one.as_ref().map_or(0, of);
    Ok(all
        .into_iter()
        .map(|(name, one)| Sends {
            kind: kind(&name),
            sent: count(&one, |f| f.sent),
            waiting: count(&one, |f| f.waiting),
            dead: count(&one, |f| f.dead),
            name,
        })
        .collect())
}

/// Stops all paying at once.
pub(super) async fn off(
    State(admin): State<Admin>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let why = form.text("reason").trim();
    if why.is_empty() {
        return show(&admin, &visitor, Some("write down why paying is to stop")).await;
    }
    switch(&admin, Some(&format!("{why} ({})", visitor.caller.actor))).await
}

/// Lets money flow again, and clears the safeties that tripped.
pub(super) async fn on(
    State(admin): State<Admin>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    if let Some(way) = first_confirm(&admin, &visitor, HERE) {
        return Ok(way);
    }
    switch(&admin, None).await
}

async fn switch(admin: &Admin, off: Option<&str>) -> Result<Response, Problem> {
    let engine = admin.engine();
    let stops = |switch: &MoneySwitch| {
        let stops: Vec<&str> = switch.stops().into_iter().map(|(_, why)| why).collect();
        Some(json!({ "paying": stops.is_empty(), "why": stops }).to_string())
    };
    let before = stops(&engine.money_switch(engine.now()).await?);
    let after = stops(&engine.set_money(off).await?);
    let mut response = Redirect::to(HERE).into_response();
    response.extensions_mut().insert(Changed { before, after });
    Ok(response)
}

/// Compares with a provider's own books now; nothing is sent or paid.
pub(super) async fn compare(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    let engine = admin.engine();
    if !engine.bookkeepers().contains(&name.as_str()) {
        return Err(StoreError::NotFound(format!("provider {name} with books")).into());
    }
    match Box::pin(engine.compare_now(&name)).await? {
        Ok(_) => Ok(Redirect::to(HERE).into_response()),
        Err(why) => show(&admin, &visitor, Some(&format!("{name}: {why}"))).await,
    }
}

/// Settles what did not agree, after somebody looked at the provider's console.
pub(super) async fn close(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    if let Some(way) = first_confirm(&admin, &visitor, HERE) {
        return Ok(way);
    }
    let note = form.text("note").trim();
    if note.is_empty() || form.text("checked") != "yes" {
        let why = "look at the provider's own books, then write down what it was";
        return show(&admin, &visitor, Some(why)).await;
    }
    let by = format!("{}: {note}", visitor.caller.actor);
    let engine = admin.engine();
    if !engine.store().close_discrepancy(&id, &by, engine.now()).await? {
        return Err(StoreError::NotFound(format!("open discrepancy {id}")).into());
    }
    Ok(Redirect::to(HERE).into_response())
}
