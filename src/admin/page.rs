//! The overview: one page, read-only, without a script. What goes dark first stands first.

use super::{Admin, guard::policy_with_style, problem::Problem};
use crate::domain::{Span, State as TopupState, Timestamp, Topup};
use crate::store::{StoreError, SubscriptionView};
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono_tz::Tz;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use std::collections::HashMap;

const CSS: &str = include_str!("overview.css");
const NAME: &str = "overview.html";
/// Lines and top-ups shown at most.
const MOST: i64 = 200;

/// The pages, read once.
pub(super) fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.add_template(NAME, include_str!("overview.html"))?;
    let (name, text) = super::link::TEMPLATE;
    pages.add_template(name, text)?;
    Ok(pages)
}

/// An instant as a person reads it.
#[derive(Serialize)]
struct When {
    iso: String,
    text: String,
    /// From now: `in 3d4h`, `2h5m ago`.
    away: String,
    /// `dark` (over), `urgent` (2 days), `soon` (7 days) or nothing.
    class: &'static str,
}

impl When {
    fn of(at: Timestamp, zone: Tz, now: Timestamp) -> Self {
        let left = at.since(now);
        let away = match left.ms() {
            0 => "now".to_owned(),
            1.. => format!("in {left}"),
            _ => format!("{} ago", now.since(at)),
        };
        let class = if left <= Span::ZERO {
            "dark"
        } else if left <= Span::days(2) {
            "urgent"
        } else if left <= Span::days(7) {
            "soon"
        } else {
            ""
        };
        Self { iso: at.rfc3339(), text: at.in_zone(zone), away, class }
    }
}

#[derive(Serialize)]
struct Line {
    id: String,
    label: String,
    owner: String,
    number: String,
    operator: String,
    status: String,
    balance: Option<String>,
    read: Option<When>,
    trouble: Option<String>,
    service_end: Option<When>,
    number_loss: Option<When>,
    next: Option<When>,
    next_why: String,
}

#[derive(Serialize)]
struct Order {
    id: String,
    subscription: String,
    amount: String,
    payer: String,
    state: &'static str,
    updated: When,
    wants_person: bool,
}

/// Everything the template shows.
#[derive(Serialize)]
struct Overview {
    is_local: bool,
    css: &'static str,
    version: &'static str,
    now: Option<When>,
    is_paying: bool,
    stops: Vec<String>,
    trouble: Option<String>,
    watched: i64,
    lines: Vec<Line>,
    open: Vec<Order>,
}

impl Overview {
    /// Without a word about anybody.
    const EMPTY: Self = Self {
        is_local: false,
        css: CSS,
        version: env!("CARGO_PKG_VERSION"),
        now: None,
        is_paying: false,
        stops: Vec::new(),
        trouble: None,
        watched: 0,
        lines: Vec::new(),
        open: Vec::new(),
    };
}

/// Owners by id: their name, and the zone in which they read times.
type Owners = HashMap<String, (String, Tz)>;

fn line(view: &SubscriptionView, owners: &Owners, now: Timestamp) -> Line {
    let s = &view.subscription;
    let (owner, zone) = owners
        .get(s.subscriber.as_str())
        .cloned()
        .unwrap_or_else(|| (s.subscriber.to_string(), s.time_zone));
    let when = |at: Timestamp| When::of(at, zone, now);
    let trouble = view
        .newest
        .as_ref()
        .filter(|newest| view.good.as_ref().is_none_or(|good| good.at < newest.at));
    Line {
        id: s.id.to_string(),
        label: s.label.clone(),
        owner,
        number: s.msisdn.as_ref().map(|n| format!("…{}", n.last4())).unwrap_or_default(),
        operator: s.operator.clone().unwrap_or_default(),
        status: view.status.clone(),
        balance: view.good.as_ref().and_then(|r| r.values.balance).map(|m| m.to_string()),
        read: view.good.as_ref().map(|r| when(r.at)),
        trouble: trouble.map(|r| format!("{}, {}", r.quality, when(r.at).away)),
        service_end: view.service_end_at().map(when),
        number_loss: view.number_loss_at().map(when),
        next: view.next_at().map(when),
        next_why: view.next.2.clone(),
    }
}

fn order(topup: &Topup, owners: &Owners, now: Timestamp) -> Order {
    let zone = owners.get(topup.subscriber.as_str()).map_or(chrono_tz::UTC, |(_, zone)| *zone);
    Order {
        id: topup.id.to_string(),
        subscription: topup.subscription.to_string(),
        amount: topup.amount.to_string(),
        payer: topup.payer.clone(),
        state: topup.state.as_str(),
        updated: When::of(topup.updated_at, zone, now),
        wants_person: matches!(topup.state, TopupState::AwaitingApproval | TopupState::Held),
    }
}

/// The overview; where others than this machine could ask, only a word on how to.
pub(super) async fn overview(State(admin): State<Admin>) -> Result<Response, Problem> {
    let page = if admin.is_local() { facts(&admin).await? } else { Overview::EMPTY };
    let page = minijinja::Value::from(minijinja::value::Serde(page));
    let html = admin.0.pages.get_template(NAME).and_then(|template| template.render(page));
    let html = html.map_err(|error| {
        tracing::error!("the overview cannot be rendered: {error:#}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page is broken; see the log")
    })?;
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy_with_style(CSS)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

async fn facts(admin: &Admin) -> Result<Overview, Problem> {
    let (engine, store) = (admin.engine(), admin.engine().store());
    let now = engine.now();
    let ids = store.dark_first(MOST).await?;
    let owners: Owners = store
        .subscribers()
        .await?
        .into_iter()
        .map(|s| (s.id.to_string(), (s.name, s.time_zone)))
        .collect();
    let lines = lines(admin, &ids, &owners, now).await?;
    let open = store.open_topups(MOST).await?;
    let open: Vec<Order> = open.iter().map(|topup| order(topup, &owners, now)).collect();
    let figures = store.figures().await?;
    let watched: i64 =
        figures.subscriptions.iter().filter(|(w, _)| *w != "closed").map(|(_, n)| n).sum();
    let switch = engine.money_switch(now).await?;
    let mut stops: Vec<String> =
        switch.stops().into_iter().map(|(_, why)| why.to_owned()).collect();
    let is_paying = stops.is_empty();
    stops.extend(switch.payers_out.into_iter().map(|(_, why)| why));
    Ok(Overview {
        is_local: true,
        now: Some(When::of(now, chrono_tz::UTC, now)),
        is_paying,
        stops,
        trouble: admin.beats().trouble(Span::minutes(5), now),
        watched,
        lines,
        open,
        ..Overview::EMPTY
    })
}

/// The lines in the order of `ids`.
async fn lines(
    admin: &Admin,
    ids: &[String],
    owners: &Owners,
    now: Timestamp,
) -> Result<Vec<Line>, StoreError> {
    let views = admin.engine().store().views_of(ids).await?;
    let mut by_id: HashMap<String, Line> = views
        .iter()
        .map(|view| (view.subscription.id.to_string(), line(view, owners, now)))
        .collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_has_three_steps() {
        let now = Timestamp::from_ms(0);
        let class = |span| When::of(now.plus(span), chrono_tz::UTC, now).class;
        assert_eq!(class(Span::days(8)), "");
        assert_eq!(class(Span::days(7)), "soon");
        assert_eq!(class(Span::days(2)), "urgent");
        assert_eq!(class(Span::ZERO), "dark");
        assert_eq!(When::of(now, chrono_tz::UTC, now.plus(Span::hours(2))).away, "2h ago");
    }
}
