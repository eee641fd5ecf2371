//! The dashboard: pages made here, with one style sheet and one small script, in two languages.
//!
//! Invariant: a page looks and asks; what a form wants goes through the same functions as the
//! command line's, under the name of who is signed in. Every form holds a secret of its session.

mod audit;
mod chart;
mod declare;
mod form;
mod ledger;
mod line;
mod notices;
mod overview;
mod providers;
mod sheet;
mod sign_in;
mod subscriber;
mod topups;
mod view;
mod visitor;
mod words;

pub(super) use sign_in::Wrong;
pub(super) use subscriber::PREFIX;

use super::{
    Admin,
    api::live,
    problem::{Detail, Problem},
};
use crate::store::{Role, Scope};
use axum::{
    Router,
    extract::{self, Path, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context};
use std::{sync::LazyLock, time::Duration};
use visitor::{Taste, Visitor};
use words::Locale;

const TEMPLATES: [(&str, &str); 23] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("confirm.html", include_str!("templates/confirm.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("line.html", include_str!("templates/line.html")),
    ("line_new.html", include_str!("templates/line_new.html")),
    ("rules.html", include_str!("templates/rules.html")),
    ("sheet.html", include_str!("templates/sheet.html")),
    ("line_topup.html", include_str!("templates/line_topup.html")),
    ("topups.html", include_str!("templates/topups.html")),
    ("topup.html", include_str!("templates/topup.html")),
    ("notices.html", include_str!("templates/notices.html")),
    ("notice.html", include_str!("templates/notice.html")),
    ("preview.html", include_str!("templates/preview.html")),
    ("providers.html", include_str!("templates/providers.html")),
    ("ledger.html", include_str!("templates/ledger.html")),
    ("audit.html", include_str!("templates/audit.html")),
    ("reader.html", include_str!("templates/reader.html")),
    ("subscriber.html", include_str!("templates/subscriber.html")),
    ("own_notice.html", include_str!("templates/own_notice.html")),
    ("own_topup.html", include_str!("templates/own_topup.html")),
    ("error.html", include_str!("templates/error.html")),
];

/// Where style and script are.
pub(super) const ASSETS_AT: &str = "/assets/";

/// Style and script, with their types.
const ASSETS: [(&str, &str, &str); 3] = [
    ("topupd.css", "text/css; charset=utf-8", include_str!("assets/topupd.css")),
    ("topupd.svg", "image/svg+xml", include_str!("assets/topupd.svg")),
    ("topupd.js", "text/javascript; charset=utf-8", include_str!("assets/topupd.js")),
];

/// Their contents in short, so that a browser keeps each version for good.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().map(|(_, _, text)| *text).collect();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(all);
    data_encoding::HEXLOWER.encode(&hash).chars().take(12).collect()
});

/// Only what we serve ourselves may run or be shown; nobody may frame us.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where a page is and who may see it.
struct Page {
    path: &'static str,
    needs: Needs,
    handler: MethodRouter<Admin>,
}

/// What a visitor of a page needs.
#[derive(Clone, Copy, Debug)]
struct Needs {
    role: Role,
    /// The whole fleet has to be theirs: the page is about the installation.
    whole: bool,
}

/// Every page of somebody signed in. Whoever may look may sign out and choose a language.
fn all() -> Vec<Page> {
    let page = |role, whole, path, handler| Page { path, needs: Needs { role, whole }, handler };
    let look = |path, handler| page(Role::Viewer, false, path, handler);
    let act = |path, handler| page(Role::Operator, false, path, handler);
    let whole = |role, path, handler| page(role, true, path, handler);
    vec![
        look("/", get(overview::look)),
        whole(Role::Admin, "/lines/new", get(declare::line).post(declare::save_line)),
        whole(Role::Admin, "/lines/edit", get(sheet::line).post(sheet::save_line)),
        look("/lines/{id}", get(line::look)),
        act("/lines/{id}/poll", post(line::poll)),
        act("/lines/{id}/pause", post(line::pause)),
        act("/lines/{id}/resume", post(line::resume)),
        act("/lines/{id}/topup", post(line::topup)),
        whole(Role::Viewer, "/rules", get(sheet::rules)),
        whole(Role::Admin, "/rules/edit", get(sheet::rule).post(sheet::save_rule)),
        look("/events", get(live::events)),
        look("/topups", get(topups::list)),
        look("/topups/{id}", get(topups::one)),
        look("/topups/{id}/receipt", get(topups::receipt)),
        act("/topups/{id}/approve", post(topups::approve)),
        act("/topups/{id}/reject", post(topups::reject)),
        act("/topups/{id}/resolve", post(topups::resolve)),
        look("/notices", get(notices::list)),
        act("/notices/preview", get(notices::preview)),
        look("/notices/{id}", get(notices::one)),
        act("/notices/{id}/acknowledge", post(notices::acknowledge)),
        act("/notices/{id}/snooze", post(notices::snooze)),
        look("/ledger", get(ledger::look)),
        look("/ledger.csv", get(ledger::csv)),
        whole(Role::Viewer, "/providers", get(providers::look)),
        whole(Role::Operator, "/providers/{name}/compare", post(providers::compare)),
        whole(Role::Operator, "/discrepancies/{id}/close", post(providers::close)),
        whole(Role::Operator, "/money/off", post(providers::off)),
        whole(Role::Admin, "/money/on", post(providers::on)),
        whole(Role::Admin, "/audit", get(audit::look)),
        look("/confirm", get(sign_in::confirm).post(sign_in::confirmed)),
        look("/sign-out", post(sign_in::out)),
    ]
}

/// The pages' routes; each but the sign-in and a subscriber's own asks who comes.
pub(super) fn routes(admin: &Admin) -> Router<Admin> {
    let mut router = Router::new()
        .route("/sign-in", get(sign_in::look).post(sign_in::answer))
        .route("/taste", post(sign_in::taste))
        .route("/assets/{name}", get(asset))
        .merge(subscriber::routes());
    for page in all() {
        let guard = middleware::from_fn_with_state((admin.clone(), page.needs), visitor::enter);
        router = router.route(page.path, page.handler.route_layer(guard));
    }
    router.layer(middleware::from_fn_with_state(admin.clone(), for_people))
}

/// Errors of pages are pages, too.
async fn for_people(
    extract::State(admin): extract::State<Admin>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let taste = Taste::of(request.headers());
    let response = next.run(request).await;
    let Some(Detail(detail)) = response.extensions().get::<Detail>().cloned() else {
        return Ok(response);
    };
    let status = response.status();
    let about = context! { detail, code => status.as_u16(), title => status.canonical_reason() };
    Pages::bare(&admin, "error.html", taste, about, status)
}

/// The templates, read once.
#[derive(Debug)]
pub(super) struct Pages;

impl Pages {
    /// Reads every template.
    pub(super) fn environment() -> Result<Environment<'static>, Error> {
        let mut pages = Environment::new();
        pages.set_undefined_behavior(UndefinedBehavior::Strict);
        pages.add_function("t", said);
        for (name, text) in TEMPLATES {
            pages.add_template(name, text)?;
        }
        let (name, text) = super::link::TEMPLATE;
        pages.add_template(name, text)?;
        Ok(pages)
    }

    /// A page for somebody who may be here.
    fn render(
        admin: &Admin,
        name: &str,
        visitor: &Visitor,
        about: Value,
    ) -> Result<Response, Problem> {
        let user = visitor.session.as_ref().map(|session| session.user.as_str());
        let about = context! {
            user,
            csrf => &visitor.csrf,
            may_act => user.is_some() && visitor.may(Role::Operator),
            is_whole => visitor.caller.grant.scope == Scope::All,
            may_all => user.is_some() && visitor.may(Role::Admin),
            ..about
        };
        let taste = Taste { locale: visitor.locale, theme: visitor.theme };
        Self::bare(admin, name, taste, about, StatusCode::OK)
    }

    /// A page for anybody.
    fn bare(
        admin: &Admin,
        name: &str,
        taste: Taste,
        about: Value,
        status: StatusCode,
    ) -> Result<Response, Problem> {
        let about = context! {
            locale => taste.locale.as_str(),
            theme => taste.theme,
            assets => VERSION.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            page => name.trim_end_matches(".html"),
            ..about
        };
        let html = admin.0.pages.get_template(name).and_then(|page| page.render(about));
        let html = html.map_err(|error| Problem::broken(&error))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        ];
        Ok((status, headers, html).into_response())
    }
}

/// `t("key")`, `t("key", n=3)`: a sentence in the page's language, its holes filled.
#[expect(clippy::needless_pass_by_value, reason = "what a function of a template is given")]
fn said(
    state: &State<'_, '_>,
    key: &str,
    values: minijinja::value::Kwargs,
) -> Result<String, Error> {
    let locale = state.lookup("locale").and_then(|word| word.as_str().and_then(Locale::parse));
    let text = words::say(locale.unwrap_or(Locale::En), key)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no words for {key}")))?;
    let mut text = text.to_owned();
    for name in values.args() {
        let value: Value = values.get(name)?;
        text = text.replace(&format!("{{{name}}}"), &value.to_string());
    }
    values.assert_all_used()?;
    Ok(text)
}

/// A style sheet or script; its address changes with its content.
async fn asset(Path(name): Path<String>) -> Response {
    let Some((_, kind, text)) = ASSETS.iter().find(|(known, _, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let year = Duration::from_hours(24 * 365).as_secs();
    let kept = format!("public, max-age={year}, immutable");
    ([(header::CONTENT_TYPE, (*kind).to_owned()), (header::CACHE_CONTROL, kept)], *text)
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_read_and_every_word_of_theirs_is_there() {
        Pages::environment().unwrap();
        let call = regex::Regex::new(r#"\bt\("([a-z_.]+[a-z])"[,)]"#).unwrap();
        for (name, text) in TEMPLATES {
            for found in call.captures_iter(text) {
                assert!(words::say(Locale::En, &found[1]).is_some(), "{name}: {}", &found[1]);
            }
        }
    }

    #[test]
    fn every_word_of_a_row_is_said() {
        let kinds = crate::domain::NoticeKind::ALL.iter().map(|kind| kind.as_str());
        let severities = crate::domain::Severity::ALL.iter().map(|severity| severity.as_str());
        let states = crate::domain::State::ALL.map(crate::domain::State::as_str);
        let all: [(&str, Vec<&str>); 10] = [
            ("kind", kinds.collect()),
            ("severity", severities.collect()),
            ("state", states.to_vec()),
            ("told", crate::store::StoredNotice::STATES.to_vec()),
            ("span", notices::SNOOZES.to_vec()),
            ("language", crate::words::LOCALES.to_vec()),
            ("delivery", vec!["underway", "delivered", "failed"]),
            (
                "outcome",
                vec!["accepted", "retry", "ambiguous", "bad_recipient", "bad_config", "dropped"],
            ),
            ("moved", vec!["reserve", "settle", "release", "reverse"]),
            ("nav", vec!["overview", "topups", "notices", "ledger", "providers", "audit"]),
        ];
        for (group, words) in all {
            for word in words {
                assert!(words::say(Locale::En, &format!("{group}.{word}")).is_some(), "{word}");
            }
        }
    }

    #[test]
    fn nothing_in_a_template_needs_a_looser_policy() {
        for (name, text) in TEMPLATES {
            for bad in
                ["<script>", " style=", " onclick", "javascript:", "http://", "https://", "|safe"]
            {
                assert!(!text.contains(bad), "{name} has {bad}");
            }
        }
    }
}
