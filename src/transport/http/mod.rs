//! The two HTTP clients: one for questions, one for money, both with the address guard.
//!
//! Invariant: neither client repeats a request, follows a redirect or uses a proxy. Only here
//! may a `reqwest::Client` be built.

mod address;
mod base;
mod endpoint;
mod guard;
mod headers;
mod rendered;

pub(crate) use base::Place;
pub(crate) use endpoint::Endpoint;
pub(crate) use headers::{basic, bearer, headers};
pub(crate) use rendered::Rendered;

use crate::clock::Clock;
use crate::domain::{ErrorKind, Span, Timestamp};
use guard::{Guard, Refused};
use reqwest::{Client, ClientBuilder, RequestBuilder, header, redirect::Policy};
use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The longest answer that is read, after decompression.
const BODY_MAX: usize = 1 << 20;

/// How long one connection may take to stand, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client may reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Addresses that are not public are allowed.
    pub(crate) private_network: bool,
    /// TLS is spoken, so the system's certificate authorities are needed.
    pub(crate) tls: bool,
}

/// For reads and look-ups: pooled, compressed; the timeout is given with each request.
pub(crate) fn poll_client(reach: Reach) -> Result<Client, String> {
    finish(common(reach).gzip(true).pool_idle_timeout(Duration::from_secs(60)))
}

/// For orders: every request on a fresh connection of its own, so that a failure to connect
/// proves that no byte of the request left.
pub(crate) fn money_client(reach: Reach) -> Result<Client, String> {
    finish(common(reach).gzip(false).http1_only().pool_max_idle_per_host(0))
}

fn common(reach: Reach) -> ClientBuilder {
    // Fails only when one is installed already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = Client::builder()
        .retry(reqwest::retry::never())
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("topupd/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Guard { private_network: reach.private_network });
    // A container without certificate authorities can still speak plain HTTP.
    if reach.tls { builder } else { builder.tls_certs_only(std::iter::empty()) }
}

fn finish(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| chain(&error))
}

/// What a status means for a read; `None` where the body has the say.
pub(crate) fn kind_of(status: u16) -> Option<ErrorKind> {
    Some(match status {
        200..=299 => return None,
        401 | 403 => ErrorKind::Authentication,
        404 | 410 => ErrorKind::Permanent,
        429 => ErrorKind::RateLimit,
        503 => ErrorKind::Maintenance,
        500..=599 => ErrorKind::Temporary,
        300..=499 => ErrorKind::Configuration,
        _ => ErrorKind::Temporary,
    })
}

/// How far our clock is ahead of a provider's, by the `Date` of its last answer.
#[derive(Debug, Default)]
pub(crate) struct Skew(Mutex<Option<Span>>);

impl Skew {
    /// Keeps what an answer showed.
    pub(crate) fn note(&self, skew: Option<Span>) {
        if skew.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = skew;
        }
    }

    /// What the last answer with a date showed.
    pub(crate) fn known(&self) -> Option<Span> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No honest clock shows less: a device that lost its time says so by this.
const NO_CLOCK: i64 = 1_735_689_600_000;

/// Our clock minus the `Date` header's, where that is one (RFC 9110 §6.6.1).
fn skew(headers: &header::HeaderMap) -> Option<Span> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let theirs = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    (theirs >= NO_CLOCK).then(|| Clock::System.now().since(Timestamp::from_ms(theirs)))
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Retry-After` where it is a number of seconds.
    pub(crate) retry_after: Option<Span>,
    /// Our clock minus the provider's.
    pub(crate) skew: Option<Span>,
    /// `Location`: where what was made can be found. Never followed.
    pub(crate) location: Option<String>,
    /// The body, at most 1 MiB.
    pub(crate) body: String,
}

/// No whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The address is not a public one. Nothing was sent.
    Forbidden(String),
    /// No connection came to stand. On the money client this proves that nothing was sent.
    NotConnected(String),
    /// Anything later: it may have been received and acted upon.
    Lost(String),
}

impl CallError {
    /// Why, in words, without the URL.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Forbidden(why) | Self::NotConnected(why) | Self::Lost(why) => why,
        }
    }
}

/// Sends one request once and reads its whole answer within `timeout`.
pub(crate) async fn call(request: RequestBuilder, timeout: Span) -> Result<Reply, CallError> {
    let mut response =
        request.timeout(timeout.to_std()).send().await.map_err(|error| classify(&error))?;
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok())
        .map(|seconds| Span::seconds(i64::from(seconds)));
    let skew = skew(response.headers());
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len().saturating_add(chunk.len()) > BODY_MAX {
            return Err(CallError::Lost(format!("an answer of more than {BODY_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply { status, retry_after, skew, location, body })
}

/// What a failed send proves.
fn classify(error: &reqwest::Error) -> CallError {
    if let Some(refused) = sources(error).find_map(|source| source.downcast_ref::<Refused>()) {
        return CallError::Forbidden(refused.to_string());
    }
    if error.is_builder() || error.is_connect() {
        return CallError::NotConnected(chain(error));
    }
    lost(error)
}

fn lost(error: &reqwest::Error) -> CallError {
    CallError::Lost(chain(error))
}

fn sources<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let first: Option<&'e (dyn Error + 'static)> = error.source();
    std::iter::successors(first, |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The whole chain of causes. reqwest's own sentence is left out: it has the URL in it, and the
/// URL may have a secret in it.
fn chain(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    };
    let mut text = kind.to_owned();
    for cause in sources(error).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
