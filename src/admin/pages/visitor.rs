//! Who looks at a page: somebody signed in, or, as long as nobody can sign in, whoever sits at this
//! machine and may only look.

use super::super::{Admin, audit::audited, guard::Caller, problem::Problem};
use super::{Needs, words::Locale};
use crate::store::{Grant, Role, Scope, Session};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use subtle::ConstantTimeEq as _;

/// The cookie of a signed-in browser.
pub(super) const SESSION: &str = "topupd_session";
/// The cookies of taste.
pub(super) const LOCALE: &str = "topupd_locale";
pub(super) const THEME: &str = "topupd_theme";

/// Light, dark, or as the system has it.
pub(super) const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// Who looks, and how they like it.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// For the acts' records.
    pub(super) caller: Caller,
    /// The signed-in browser; `None` at this machine while nobody can sign in.
    pub(super) session: Option<Session>,
    /// What each form has to hold.
    pub(super) csrf: String,
    pub(super) locale: Locale,
    pub(super) theme: &'static str,
}

impl Visitor {
    /// True where they have at least this role.
    pub(super) fn may(&self, role: Role) -> bool {
        self.caller.grant.role >= role
    }
}

/// What somebody chose, signed in or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    pub(super) locale: Locale,
    pub(super) theme: &'static str,
}

impl Taste {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let locale = cookie(headers, LOCALE).and_then(Locale::parse);
        let theme = cookie(headers, THEME);
        Self {
            locale: locale.unwrap_or_else(|| Locale::wanted(languages.unwrap_or_default())),
            theme: THEMES.into_iter().find(|word| Some(*word) == theme).unwrap_or("auto"),
        }
    }
}

/// One of the request's cookies.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Lets in who may look at a page; others are asked to sign in.
pub(super) async fn enter(
    State((admin, needs)): State<(Admin, Needs)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(visitor) = visitor(&admin, request.headers()).await? else {
        return Ok(to_sign_in(&request));
    };
    if !visitor.may(needs.role) {
        let detail = format!("this needs the role {}", needs.role.as_str());
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if needs.whole && visitor.caller.grant.scope != Scope::All {
        let detail = "this is about the whole installation; you may see a part of it";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    request.extensions_mut().insert(visitor.caller.clone());
    let caller = visitor.caller.clone();
    request.extensions_mut().insert(visitor);
    audited(&admin, &caller, request, next).await
}

async fn visitor(admin: &Admin, headers: &HeaderMap) -> Result<Option<Visitor>, Problem> {
    let store = admin.engine().store();
    let Taste { locale, theme } = Taste::of(headers);
    if let Some(text) = cookie(headers, SESSION)
        && let Some(session) = store.session(text, admin.engine().now()).await?
    {
        let caller =
            Caller { actor: format!("user:{}", session.user), grant: session.grant.clone() };
        let csrf = csrf(text);
        return Ok(Some(Visitor { caller, session: Some(session), csrf, locale, theme }));
    }
    if !admin.is_local() || store.has_users().await? {
        return Ok(None);
    }
    let caller = Caller { actor: "user:".to_owned(), grant: Grant::of(Role::Viewer) };
    Ok(Some(Visitor { caller, session: None, csrf: String::new(), locale, theme }))
}

/// What forms hold follows from the cookie, which no other site can read.
fn csrf(cookie: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, cookie.as_bytes());
    data_encoding::BASE64URL_NOPAD.encode(ring::hmac::sign(&key, b"form of a page").as_ref())
}

/// Whether a form came from one of our pages: its secret is right, and no other site sent it.
pub(super) fn is_own_form(headers: &HeaderMap, visitor: &Visitor, given: &str) -> bool {
    let is_right: bool = visitor.csrf.as_bytes().ct_eq(given.as_bytes()).into();
    visitor.session.is_some() && is_right && is_same_site(headers)
}

/// Refuses what a browser says another site sent: for forms that hold no secret of a session.
pub(super) fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    if is_same_site(headers) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "this form came from another site"))
}

/// What the browser itself says about where a request comes from (Fetch Metadata).
fn is_same_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

fn to_sign_in(request: &Request) -> Response {
    if request.method() != Method::GET {
        return Redirect::to("/sign-in").into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if path == "/" {
        return Redirect::to("/sign-in").into_response();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", path);
    Redirect::to(&format!("/sign-in?{}", query.finish())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; topupd_theme=dark;b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("topupd_locale=zh-CN"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "topupd"), None);
        let taste = Taste::of(&headers);
        assert_eq!((taste.locale, taste.theme), (Locale::ZhCn, "dark"));
        headers.insert(header::COOKIE, HeaderValue::from_static("topupd_theme=\"><script>"));
        assert_eq!(Taste::of(&headers).theme, "auto");
    }

    #[test]
    fn other_sites_are_told_apart() {
        let mut headers = HeaderMap::new();
        assert!(is_same_site(&headers));
        for (site, is_ours) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
        {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            assert_eq!(is_same_site(&headers), is_ours, "{site}");
        }
    }
}
