//! The page behind the link in a notice: it shows the notice and asks. Looking changes nothing.

use super::{Admin, guard::policy_with_form, problem::Problem};
use crate::channels::Message;
use crate::domain::{NoticeKind, SubscriberId};
use crate::flow::{LinkError, Reply};
use crate::store::StoredNotice;
use crate::words::NoticeText;
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

pub(super) const TEMPLATE: (&str, &str) = ("link.html", include_str!("link.html"));
const CSS: &str = include_str!("link.css");

/// What the template shows.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    css: &'static str,
    locale: String,
    headline: String,
    text: String,
    /// What can be answered, in the words of the form.
    replies: Vec<&'static str>,
    /// What was answered, or why nothing can be.
    said: Option<&'a str>,
}

/// Everything below belongs to readers of notices, who know us by our public name.
pub(super) const PREFIX: &str = "/n/";

/// Shows the notice and what it can be answered with.
pub(super) async fn look(
    State(admin): State<Admin>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    match admin.engine().linked(&token).await {
        Ok(notice) => page(&admin, Some(&notice), Some(notice.kind), None).await,
        Err(error) => trouble(&admin, error).await,
    }
}

/// Does what the form says.
pub(super) async fn answer(
    State(admin): State<Admin>,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let form = url::form_urlencoded::parse(&body);
    let word = form.into_iter().find(|(key, _)| key == "reply").map(|(_, value)| value);
    let reply = Reply::WORDS.iter().find(|(name, _)| Some(*name) == word.as_deref());
    let Some((word, reply)) = reply else {
        return trouble(&admin, LinkError::NoSuchReply).await;
    };
    match admin.engine().answer_link(&token, *reply).await {
        Ok(notice) => page(&admin, Some(&notice), None, Some(word)).await,
        Err(error) => trouble(&admin, error).await,
    }
}

async fn trouble(admin: &Admin, error: LinkError) -> Result<Response, Problem> {
    let (status, word) = match error {
        LinkError::Invalid => (StatusCode::NOT_FOUND, "invalid"),
        LinkError::Lapsed => (StatusCode::GONE, "lapsed"),
        LinkError::Used => (StatusCode::GONE, "used"),
        LinkError::NoSuchReply => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_reply"),
        LinkError::Order(_) => (StatusCode::CONFLICT, "too_late"),
        LinkError::Engine(error) => return Err(error.into()),
    };
    let mut response = page(admin, None, None, Some(word)).await?;
    *response.status_mut() = status;
    Ok(response)
}

async fn page(
    admin: &Admin,
    notice: Option<&StoredNotice>,
    asks: Option<NoticeKind>,
    said: Option<&str>,
) -> Result<Response, Problem> {
    let (mut headline, mut text, mut locale) = (String::new(), String::new(), "en".to_owned());
    if let Some(notice) = notice {
        let message = worded(admin, notice).await?;
        (headline, text, locale) = (message.subject, message.text, message.locale.to_owned());
    }
    let replies = asks.map_or(&[][..], Reply::to);
    let words = Reply::WORDS.iter().filter(|(_, reply)| replies.contains(reply));
    let replies = words.map(|(word, _)| *word).collect();
    let shown = Shown { css: CSS, locale, headline, text, replies, said };
    let shown = minijinja::Value::from(minijinja::value::Serde(shown));
    let html = admin.0.pages.get_template(TEMPLATE.0).and_then(|page| page.render(shown));
    let html = html.map_err(|error| Problem::broken(&error))?;
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy_with_form(CSS)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// A notice in the words in which it is told, without its link.
pub(super) async fn worded(admin: &Admin, notice: &StoredNotice) -> Result<Message, Problem> {
    let engine = admin.engine();
    let owner = SubscriberId::trusted(&notice.subscriber);
    let owner = engine.store().subscriber(&owner).await?;
    let message = engine.words().render(&NoticeText {
        id: &notice.id,
        kind: notice.kind,
        severity: notice.severity,
        facts: &notice.facts,
        locale: &owner.locale,
        time_zone: owner.time_zone,
        at: notice.created_at,
        subscription: notice.subscription.as_deref(),
        link: None,
    });
    message.map_err(|error| Problem::broken(&error))
}
