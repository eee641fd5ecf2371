//! Notices: what was said, what could not be, and how it went.

use super::super::{Admin, link::worded, problem::Problem};
use super::{
    Pages,
    form::Sent,
    overview::owners,
    view::{self, Told, When},
    visitor::Visitor,
};
use crate::domain::{NoticeKind, Span, Timestamp};
use crate::store::{NoticesAsked, StoredNotice};
use crate::words::LOCALES;
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};

/// Notices on one page, and those among them that were given up.
const PAGE: i64 = 100;
const GIVEN_UP: i64 = 20;
/// What was given up longer ago does not stand first any more.
const OLD: Span = Span::days(30);

/// How long nobody is told again, as the form has it.
pub(super) const SNOOZES: [&str; 3] = ["1d", "2d", "7d"];

/// What a list can be narrowed to.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    state: Option<String>,
    kind: Option<String>,
    line: Option<String>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let scope = visitor.caller.scope();
    let state = StoredNotice::STATES.into_iter().find(|word| asked.state.as_deref() == Some(word));
    let kind = asked.kind.as_deref().and_then(NoticeKind::parse);
    let line = asked.line.as_deref().map(str::trim).filter(|line| !line.is_empty());
    let wanted = NoticesAsked {
        state: state.map(str::to_owned),
        kind: kind.map(|kind| kind.as_str().to_owned()),
        subscription: line.map(str::to_owned),
        ..NoticesAsked::default()
    };
    let since = Some(now.minus(OLD));
    let dead = match state {
        None => {
            let state = Some("dead".to_owned());
            let given_up = NoticesAsked { state, since, unseen: true, ..wanted.clone() };
            store.notices_page(scope, &given_up, None, GIVEN_UP).await?
        }
        Some(_) => Vec::new(),
    };
    let found = store.notices_page(scope, &wanted, None, PAGE).await?;
    let told = found.iter().chain(&dead).map(|notice| notice.subscriber.as_str());
    let owners = owners(&admin, told).await?;
    let is_full = found.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let rest = found.iter().filter(|n| dead.iter().all(|d| d.id != n.id));
    let notices: Vec<Told> = rest.map(|n| view::told(n, &owners, now)).collect();
    let dead: Vec<Told> = dead.iter().map(|n| view::told(n, &owners, now)).collect();
    let about = context! {
        dead => Serde(dead),
        notices => Serde(notices),
        states => StoredNotice::STATES,
        kinds => kinds(),
        state,
        kind => kind.map(NoticeKind::as_str),
        line,
        is_full,
        most => PAGE,
    };
    Pages::render(&admin, "notices.html", &visitor, about)
}

fn kinds() -> Vec<&'static str> {
    NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

/// One try, as it is shown.
#[derive(Debug, Serialize)]
struct Try {
    attempt: i64,
    channel: String,
    at: When,
    outcome: String,
    detail: Option<String>,
}

pub(super) async fn one(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let notice = store.notice_within(visitor.caller.scope(), &id).await?;
    let owners = owners(&admin, std::iter::once(notice.subscriber.as_str())).await?;
    let zone = owners.get(&notice.subscriber).map_or(chrono_tz::UTC, |(_, zone)| *zone);
    let tries = store.deliveries(&notice.id).await?.into_iter().map(|one| Try {
        attempt: one.attempt,
        channel: one.channel,
        at: When::of(one.at, zone, now),
        outcome: one.outcome,
        detail: one.detail,
    });
    let message = worded(&admin, &notice).await?;
    let when = |at: Option<Timestamp>| at.map(|at| When::of(at, zone, now));
    let about = context! {
        notice => Serde(view::told(&notice, &owners, now)),
        subject => message.subject,
        text => message.text,
        short => message.short,
        language => message.locale,
        tries => Serde(tries.collect::<Vec<_>>()),
        next_try => Serde(when(notice.next_try_at)),
        sent => Serde(when(notice.sent_at)),
        remind => Serde(when(notice.remind_at)),
        first => notice.reminds,
        topup => notice.facts.topup,
        snoozes => SNOOZES,
    };
    Pages::render(&admin, "notice.html", &visitor, about)
}

/// Somebody has seen it.
pub(super) async fn acknowledge(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    seen(&admin, &visitor, &id, None).await
}

/// Not again before a while is over.
pub(super) async fn snooze(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let span = SNOOZES.into_iter().find(|word| *word == form.text("for")).and_then(Span::parse);
    let until = admin.engine().now().plus(span.unwrap_or(Span::days(1)));
    seen(&admin, &visitor, &id, Some(until)).await
}

async fn seen(
    admin: &Admin,
    visitor: &Visitor,
    id: &str,
    until: Option<Timestamp>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let notice = store.notice_within(visitor.caller.scope(), id).await?;
    store.acknowledge(&notice.id, &visitor.caller.actor, until, now).await?;
    Ok(Redirect::to(&format!("/notices/{}", notice.id)).into_response())
}

/// Which sample.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sample {
    kind: Option<String>,
    language: Option<String>,
}

/// One text as readers would see it.
#[derive(Debug, Serialize)]
struct Worded {
    kind: &'static str,
    language: &'static str,
    subject: String,
    text: String,
    short: String,
}

/// How every kind of notice would look, from made-up facts.
pub(super) async fn preview(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Sample>,
) -> Result<Response, Problem> {
    let kind = asked.kind.as_deref().and_then(NoticeKind::parse);
    let language = LOCALES.into_iter().find(|locale| asked.language.as_deref() == Some(locale));
    let samples = admin.engine().words().samples(kind, language);
    let samples = samples.map_err(|error| Problem::broken(&error))?;
    let samples = samples.into_iter().map(|message| Worded {
        kind: message.kind.as_str(),
        language: message.locale,
        subject: message.subject,
        text: message.text,
        short: message.short,
    });
    let about = context! {
        samples => Serde(samples.collect::<Vec<_>>()),
        kinds => kinds(),
        languages => LOCALES,
        kind => kind.map(NoticeKind::as_str),
        language,
    };
    Pages::render(&admin, "preview.html", &visitor, about)
}
