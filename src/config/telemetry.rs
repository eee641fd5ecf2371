//! `[telemetry]`.

use crate::input::Section;
use crate::transport::http;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret as _;
use url::{Host, Url};

/// What is told to programs that watch this one.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Where traces go; without it there are none.
    pub otlp: Option<Otlp>,
}

/// A collector that takes OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Its address, without `/v1/traces`.
    pub(crate) endpoint: Url,
    /// What proves who we are; never printed.
    pub(crate) headers: HeaderMap,
}

const ENDPOINT: &str = "allowed is the address of a collector such as \"http://127.0.0.1:4318\", \
                        without a user, a password or a query";
const HEADERS: &str = "allowed are headers with commas between them, such as \
                       \"Authorization=Bearer KEY,X-Scope-OrgID=1\"";

impl Telemetry {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let written = section.text("otlp");
        let endpoint = written.as_deref().and_then(endpoint);
        match &written {
            // Whatever stands before the sign may be a password.
            Some(text) if endpoint.is_none() && text.contains('@') => {
                section.fault_hidden("otlp", ENDPOINT);
            }
            Some(_) if endpoint.is_none() => section.fault("otlp", ENDPOINT),
            Some(_) | None => {}
        }
        let secret = section.secret("otlp_headers");
        let headers = secret.as_ref().map(|secret| headers(secret.expose_secret()));
        let wrong = match (&headers, &endpoint) {
            (Some(None), _) => Some(HEADERS),
            (Some(Some(_)), None) if written.is_none() => Some("allowed only beside otlp"),
            (Some(Some(_)), Some(endpoint)) if !is_safe(endpoint) => {
                Some("allowed where otlp is https, or on this machine: all others could read along")
            }
            (Some(Some(_)) | None, _) => None,
        };
        if let Some(allowed) = wrong {
            section.fault_hidden("otlp_headers", allowed);
        }
        section.finish();
        let headers = headers.flatten().unwrap_or_default();
        Self { otlp: endpoint.map(|endpoint| Otlp { endpoint, headers }) }
    }
}

impl Otlp {
    /// Where spans are posted to.
    pub(crate) fn traces(&self) -> String {
        format!("{}/v1/traces", self.endpoint.as_str().trim_end_matches('/'))
    }
}

fn endpoint(text: &str) -> Option<Url> {
    let url: Url = text.trim().parse().ok()?;
    let is_fine = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    (is_fine && is_bare).then_some(url)
}

fn headers(text: &str) -> Option<HeaderMap> {
    let pairs: Option<Vec<(&str, &str)>> = text
        .split(',')
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.trim(), value.trim())))
        .collect();
    http::headers(&pairs?).ok()
}

/// True where nobody on the way reads what is sent.
fn is_safe(endpoint: &Url) -> bool {
    let is_here = match endpoint.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    is_here || endpoint.scheme() == "https"
}
