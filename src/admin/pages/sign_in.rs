//! Signing in and out, typing the password again before an act that matters, and one's taste.

use super::super::{Admin, password, problem::Problem};
use super::{
    Pages,
    form::{Form, Sent},
    visitor::{self, LOCALE, SESSION, THEME, THEMES, Taste, Visitor},
    words::Locale,
};
use crate::{
    domain::{Span, Timestamp},
    store::Audited,
};
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use minijinja::context;
use secrecy::SecretString;
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// An act that matters wants a password typed no longer ago than this.
pub(super) const FRESH: Span = Span::minutes(10);

/// Wrong passwords for one name within [`WINDOW`], after which no other is looked at.
const WRONG: usize = 5;
/// The same over all names.
const WRONG_OF_ALL: usize = 100;
const WINDOW: Span = Span::minutes(15);

/// Wrong passwords of late, by name.
#[derive(Debug, Default)]
pub(in super::super) struct Wrong(Mutex<HashMap<String, Vec<Timestamp>>>);

impl Wrong {
    /// True where no more is looked at for now.
    fn is_too_much(&self, name: &str, now: Timestamp) -> bool {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for times in wrong.values_mut() {
            times.retain(|at| now.since(*at) < WINDOW);
        }
        wrong.retain(|_, times| !times.is_empty());
        let all: usize = wrong.values().map(Vec::len).sum();
        wrong.get(name).is_some_and(|times| times.len() >= WRONG) || all >= WRONG_OF_ALL
    }

    fn note(&self, name: &str, now: Timestamp) {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.entry(name.to_owned()).or_default().push(now);
    }

    fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// What the address of the sign-in page says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// Where to go afterwards.
    next: Option<String>,
}

/// The form.
pub(super) async fn look(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let next = asked.next.unwrap_or_default();
    page(&admin, Taste::of(&headers), &next, None, StatusCode::OK).await
}

async fn page(
    admin: &Admin,
    taste: Taste,
    next: &str,
    wrong: Option<&str>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let can_sign_in = admin.engine().store().has_users().await?;
    let about = context! { next, wrong, can_sign_in };
    Pages::bare(admin, "sign_in.html", taste, about, status)
}

/// Signs in.
pub(super) async fn answer(
    State(admin): State<Admin>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let (taste, next) = (Taste::of(&headers), form.text("next"));
    visitor::same_site(&headers)?;
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let (name, typed) = (form.text("name").trim(), SecretString::from(form.text("password")));
    if admin.0.wrong.is_too_much(name, now) {
        return page(&admin, taste, next, Some("wrong_often"), StatusCode::TOO_MANY_REQUESTS).await;
    }
    let is_right = password::is_right(typed, store.password_of(name).await?).await;
    let what = |status| Audited {
        // Who did not prove it is nobody; the name is kept as what was tried.
        actor: if is_right { format!("user:{name}") } else { "user:".to_owned() },
        act: "sign in".to_owned(),
        target: name.chars().take(64).collect(),
        status,
        ..Audited::default()
    };
    if !is_right {
        admin.0.wrong.note(name, now);
        store.audit(&what(401), now).await?;
        return page(&admin, taste, next, Some("wrong"), StatusCode::UNAUTHORIZED).await;
    }
    admin.0.wrong.forget(name);
    store.audit(&what(303), now).await?;
    let text = store.create_session(name, now).await?;
    let month = Span::days(30).ms().div_euclid(1000);
    let mut response = Redirect::to(own_path(next)).into_response();
    set_cookie(&admin, &mut response, SESSION, &text, month, true);
    Ok(response)
}

/// Signs out.
pub(super) async fn out(
    State(admin): State<Admin>,
    Sent { visitor, .. }: Sent,
) -> Result<Response, Problem> {
    if let Some(session) = &visitor.session {
        admin.engine().store().end_session(&session.hash).await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    set_cookie(&admin, &mut response, SESSION, "", 0, true);
    Ok(response)
}

/// The password is asked for again.
pub(super) async fn confirm(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let next = asked.next.unwrap_or_default();
    Pages::render(&admin, "confirm.html", &visitor, context! { next, wrong => false })
}

/// It was typed again.
pub(super) async fn confirmed(
    State(admin): State<Admin>,
    Sent { visitor, form }: Sent,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let Some(session) = &visitor.session else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let (name, typed) = (session.user.as_str(), SecretString::from(form.text("password")));
    let next = form.text("next");
    let is_right = !admin.0.wrong.is_too_much(name, now)
        && password::is_right(typed, store.password_of(name).await?).await;
    if !is_right {
        admin.0.wrong.note(name, now);
        let about = context! { next, wrong => true };
        let mut response = Pages::render(&admin, "confirm.html", &visitor, about)?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        return Ok(response);
    }
    store.confirm_session(&session.hash, now).await?;
    Ok(Redirect::to(own_path(next)).into_response())
}

/// Where the password has to be typed first, the way there and back.
pub(super) fn first_confirm(admin: &Admin, visitor: &Visitor, back: &str) -> Option<Response> {
    let now = admin.engine().now();
    let is_fresh = visitor.session.as_ref().is_some_and(|s| now.since(s.confirmed_at) <= FRESH);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", back);
    (!is_fresh).then(|| Redirect::to(&format!("/confirm?{}", query.finish())).into_response())
}

/// Language and theme, kept in cookies of their own; nothing else changes, so no proof is needed.
pub(super) async fn taste(State(admin): State<Admin>, form: Form) -> Response {
    let mut response = Redirect::to(own_path(form.text("next"))).into_response();
    let year = Span::days(365).ms().div_euclid(1000);
    if let Some(locale) = Locale::parse(form.text("locale")) {
        set_cookie(&admin, &mut response, LOCALE, locale.as_str(), year, false);
    }
    if let Some(theme) = THEMES.into_iter().find(|theme| *theme == form.text("theme")) {
        set_cookie(&admin, &mut response, THEME, theme, year, false);
    }
    response
}

fn set_cookie(
    admin: &Admin,
    response: &mut Response,
    name: &str,
    value: &str,
    seconds: i64,
    is_secret: bool,
) {
    let public = admin.public_url();
    // Behind TLS it never travels without; on loopback there is none.
    let secure = if public.is_some_and(|url| url.starts_with("https:")) { "; Secure" } else { "" };
    let hidden = if is_secret { "; HttpOnly" } else { "" };
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; SameSite=Strict{hidden}{secure}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, text);
    }
}

/// A path on this host and nowhere else.
fn own_path(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    if is_path && next.bytes().all(|b| b.is_ascii_graphic()) { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_here() {
        for path in ["/", "/lines/a?b=c"] {
            assert_eq!(own_path(path), path);
        }
        for elsewhere in
            ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb: c", "lines"]
        {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn wrong_passwords_close_a_name_for_a_while() {
        let (wrong, at) = (Wrong::default(), |m| Timestamp::from_ms(Span::minutes(m).ms()));
        for n in 0..5 {
            assert!(!wrong.is_too_much("ana", at(n)));
            wrong.note("ana", at(n));
        }
        assert!(wrong.is_too_much("ana", at(5)) && !wrong.is_too_much("bob", at(5)));
        assert!(!wrong.is_too_much("ana", at(15)), "the first is forgotten");
        wrong.forget("ana");
        for n in 0..100 {
            wrong.note(&format!("name{n}"), at(16));
        }
        assert!(wrong.is_too_much("bob", at(17)), "guessing over many names ends, too");
    }
}
