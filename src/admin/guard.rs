//! Who may come in, how long it may take, and the headers of every answer.

use super::{Admin, audit::audited, hook, link, pages, problem::Problem, routes::Reach};
use crate::store::{Grant, Role, Scope};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use std::net::{IpAddr, SocketAddr};

/// Who asks, once the token or the session is known.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// How histories name them: `api:TOKEN` or `user:NAME`.
    pub(super) actor: String,
    /// What they may do, and with what.
    pub(super) grant: Grant,
}

impl Caller {
    /// How histories name them.
    pub(super) fn actor(&self) -> String {
        self.actor.clone()
    }

    /// The part of the fleet that is there for them.
    pub(super) fn scope(&self) -> &Scope {
        &self.grant.scope
    }
}

/// Lets in holders of a token with at least the route's role.
pub(super) async fn authorise(
    State((admin, needs, reach)): State<(Admin, Role, Reach)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(text) = bearer(request.headers()) else {
        let detail = "a token is needed: Authorization: Bearer TOKEN (topupd token create)";
        return Err(Problem::unauthorised(detail, "Bearer realm=\"topupd\""));
    };
    let store = admin.engine().store();
    let Some((token, grant)) = store.token_grant(text).await? else {
        let challenge = "Bearer realm=\"topupd\", error=\"invalid_token\"";
        return Err(Problem::unauthorised("the token is unknown or revoked", challenge));
    };
    if grant.role < needs {
        let (role, needs) = (grant.role.as_str(), needs.as_str());
        return Err(Problem::forbidden(format!("the token is of a {role}; allowed is {needs}")));
    }
    if reach == Reach::Whole && grant.scope != Scope::All {
        let scope = grant.scope.text();
        let detail = format!("the token is for {scope}; this is about the whole installation");
        return Err(Problem::forbidden(detail));
    }
    let caller = Caller { actor: format!("api:{token}"), grant };
    request.extensions_mut().insert(caller.clone());
    audited(&admin, &caller, request, next).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Health looks carry no data about anybody, and their askers may know us by any name.
pub(super) const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Refuses names that are not ours: a web page elsewhere may point its own name at this address
/// and read the answers as its own (DNS rebinding).
pub(super) async fn host(
    State(admin): State<Admin>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let mut names = request.headers().get_all(header::HOST).iter();
    let is_ours = match (names.next(), names.next()) {
        (Some(name), None) => name.to_str().is_ok_and(|name| {
            is_own_name(name, admin.0.listen) || is_public_name(name, admin.public_url())
        }),
        _ => false,
    };
    // A page cannot sign, nor guess a link: who posts to a hook, or reads a notice, may know us by
    // the name of a tunnel. The style of their pages tells nothing about anybody.
    let path = request.uri().path();
    let open = [hook::PREFIX, link::PREFIX, pages::PREFIX, pages::ASSETS_AT];
    let is_known = open.iter().any(|prefix| path.starts_with(prefix));
    if is_ours || HEALTH.contains(&path) || is_known {
        return Ok(next.run(request).await);
    }
    let detail = format!(
        "the Host header names somebody else; allowed are localhost, 127.0.0.1, [::1] and {}",
        admin.0.listen
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
}

/// The name that a proxy in front of us is known by.
fn is_public_name(name: &str, public_url: Option<&str>) -> bool {
    let url: Option<url::Url> = public_url.and_then(|url| url.parse().ok());
    let Some((url, Ok(authority))) = url.map(|url| (url, name.parse::<Authority>())) else {
        return false;
    };
    let port = authority.port_u16().or_else(|| url.port_or_known_default());
    url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(authority.host()))
        && port == url.port_or_known_default()
}

/// Whoever listens on all addresses may be asked at each of them: an address, unlike a name, cannot
/// be pointed elsewhere.
fn is_own_name(name: &str, listen: SocketAddr) -> bool {
    let Ok(authority) = name.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let port = name.strip_prefix(host).and_then(|rest| match rest.strip_prefix(':') {
        Some(port) => port.parse().ok(),
        None => rest.is_empty().then_some(0_u16),
    });
    if port.is_none() {
        return false;
    }
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    match address {
        Some(ip) if ip == listen.ip() => true,
        Some(_) if listen.ip().is_unspecified() => true,
        Some(ip) => {
            [IpAddr::from([127, 0, 0, 1]), std::net::Ipv6Addr::LOCALHOST.into()].contains(&ip)
        }
        None => host.eq_ignore_ascii_case("localhost"),
    }
}

/// No name and no text holds the character NUL: PostgreSQL does not even compare with it.
pub(super) async fn address(request: Request, next: Next) -> Result<Response, Problem> {
    let place = request.uri().path_and_query().map(|place| place.as_str());
    if place.is_some_and(|place| place.contains("%00")) {
        let detail = "the address holds the character NUL";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(next.run(request).await)
}

/// Gives up on requests that take too long, their body's arrival included.
pub(super) async fn deadline(
    State(admin): State<Admin>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    tokio::time::timeout(admin.0.limits.answer, next.run(request)).await.map_err(|_| {
        let detail = "this took too long; look how far it came before asking again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

/// Nothing may run, be framed, be kept or be guessed at; the page adds its own style to this.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy with one style sheet allowed, by its hash.
pub(super) fn policy_with_style(css: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = data_encoding::BASE64.encode(&Sha256::digest(css));
    format!("{POLICY}; style-src 'sha256-{hash}'")
}

/// The same for a page whose form comes back to us.
pub(super) fn policy_with_form(css: &str) -> String {
    policy_with_style(css).replace("form-action 'none'", "form-action 'self'")
}

/// Puts the headers of safety on every answer.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Some answers have a policy of their own, or may be kept.
    for (name, value) in
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")]
    {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_ours() {
        let loopback: SocketAddr = "127.0.0.1:7878".parse().unwrap();
        for name in ["localhost", "LocalHost:1", "127.0.0.1:7878", "[::1]", "[::1]:9"] {
            assert!(is_own_name(name, loopback), "{name}");
        }
        for name in [
            "",
            "evil.example",
            "evil.example:7878",
            "localhost.evil.example",
            "10.0.0.5",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "127.0.0.1:x",
        ] {
            assert!(!is_own_name(name, loopback), "{name}");
        }
        let lan: SocketAddr = "10.0.0.5:7878".parse().unwrap();
        assert!(is_own_name("10.0.0.5:7878", lan) && !is_own_name("10.0.0.6:7878", lan));
        let all: SocketAddr = "0.0.0.0:7878".parse().unwrap();
        assert!(is_own_name("10.0.0.5:7878", all) && !is_own_name("evil.example:7878", all));
    }

    #[test]
    fn the_public_name_is_ours_too() {
        let url = Some("https://topupd.example.com/pages");
        for name in ["topupd.example.com", "Topupd.Example.com:443"] {
            assert!(is_public_name(name, url), "{name}");
        }
        for name in ["example.com", "topupd.example.com:8080", "x@topupd.example.com.evil", ""] {
            assert!(!is_public_name(name, url), "{name}");
        }
        assert!(!is_public_name("topupd.example.com", None));
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let token = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token("bearer  abc "), Some("abc".into()));
        for bad in ["abc", "Basic abc", "Bearer ", "Bearer"] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }
}
