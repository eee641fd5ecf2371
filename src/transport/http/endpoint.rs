//! One address of an API, and the two ways to it.

use super::{CallError, Reach, Rendered, Reply, Skew, call, money_client, poll_client};
use crate::domain::Span;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

/// Where requests go. Each is sent once.
#[derive(Debug)]
pub(crate) struct Endpoint {
    base: Url,
    reach: Reach,
    poll: Client,
    money: Client,
    skew: Skew,
}

impl Endpoint {
    /// Makes both clients.
    pub(crate) fn new(base: Url, reach: Reach) -> Result<Self, String> {
        let (poll, money) = (poll_client(reach)?, money_client(reach)?);
        Ok(Self { base, reach, poll, money, skew: Skew::default() })
    }

    /// How far our clock was ahead of theirs at the last answer.
    pub(crate) fn skew(&self) -> Option<Span> {
        self.skew.known()
    }

    /// Asks, on a connection that may have been used before.
    pub(crate) async fn ask(
        &self,
        request: &Rendered,
        headers: HeaderMap,
        timeout: Span,
    ) -> Result<Reply, CallError> {
        self.send(&self.poll, request, headers, timeout).await
    }

    /// Sends what must not be sent twice, on a connection of its own: where that does not come to
    /// stand, no byte left.
    pub(crate) async fn once(
        &self,
        request: &Rendered,
        headers: HeaderMap,
        timeout: Span,
    ) -> Result<Reply, CallError> {
        self.send(&self.money, request, headers, timeout).await
    }

    async fn send(
        &self,
        client: &Client,
        request: &Rendered,
        mut headers: HeaderMap,
        timeout: Span,
    ) -> Result<Reply, CallError> {
        let method = request.method().map_err(CallError::Forbidden)?;
        let url =
            request.url(&self.base, self.reach.private_network).map_err(CallError::Forbidden)?;
        let cannot = |name: &str| CallError::Forbidden(format!("the header {name} cannot be sent"));
        for (name, value) in &request.headers {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| cannot(name))?;
            headers.insert(key, HeaderValue::from_str(value).map_err(|_| cannot(name))?);
        }
        if let Some(kind) = &request.content_type {
            let kind = HeaderValue::from_str(kind).map_err(|_| cannot("Content-Type"))?;
            headers.insert(CONTENT_TYPE, kind);
        }
        let mut built = client.request(method, url).headers(headers);
        if let Some(body) = &request.body {
            built = built.body(body.clone());
        }
        let reply = call(built, timeout).await?;
        self.skew.note(reply.skew);
        Ok(reply)
    }
}
