//! What the adapters of published APIs share: where the API is, its two clients, what proves to it
//! who asks, and what an answer means before anybody knows whose it is.
//!
//! Invariant: questions may be asked twice; an order is sent once.

mod hidden;
mod json;
mod labelled;
mod packages;
mod said;
mod session;
mod site;
mod token;

pub(super) use hidden::{hidden, up_to, without};
pub(super) use json::{
    balance, bytes, decimal, exact, items, moment, money, money_in, number, parse, plain, text,
};
pub(super) use labelled::Labelled;
pub(super) use packages::{Package, package_values};
pub(super) use said::{Echo, Said, cut};
pub(super) use session::{Client, Login, Session};
pub(super) use site::{Site, account_currency};
pub(super) use token::Token;

pub(super) use crate::transport::http::{basic, headers};

use super::{Answer, Found, ReadError};
use crate::domain::{ErrorKind, Span};
use crate::transport::http::{CallError, Endpoint, Rendered, Reply, bearer, kind_of};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::sync::Arc;

/// A way to one API.
#[derive(Debug)]
pub(super) struct Api {
    endpoint: Arc<Endpoint>,
    poll_timeout: Span,
    money_timeout: Span,
    /// What goes with every request.
    headers: HeaderMap,
    /// What must never be kept of an answer.
    secrets: Arc<[SecretString]>,
}

impl Api {
    /// Makes the clients. `max_processing` is how long the API may work on one order.
    pub(super) fn new(
        site: &Site,
        max_processing: Span,
        secrets: Vec<SecretString>,
    ) -> Result<Self, String> {
        let json = HeaderValue::from_static("application/json");
        Ok(Self {
            endpoint: Arc::new(site.place.endpoint()?),
            poll_timeout: site.poll_timeout(),
            money_timeout: site.money_timeout(max_processing),
            headers: HeaderMap::from_iter([(ACCEPT, json)]),
            secrets: secrets.into(),
        })
    }

    /// The same way, on which `more` goes with every request as well.
    pub(super) fn with(&self, more: HeaderMap) -> Self {
        let mut headers = self.headers.clone();
        headers.extend(more);
        Self {
            endpoint: Arc::clone(&self.endpoint),
            headers,
            secrets: Arc::clone(&self.secrets),
            ..*self
        }
    }

    /// The same way with a key or token, as RFC 6750 writes it.
    pub(super) fn bearing(&self, secret: &SecretString) -> Result<Self, String> {
        Ok(self.with(headers(&[("authorization", &bearer(secret))])?))
    }

    /// How far our clock was ahead of the API's at the last answer.
    pub(super) fn skew(&self) -> Option<Span> {
        self.endpoint.skew()
    }

    /// Asks, and gives back whatever came.
    pub(super) async fn get(&self, request: &Rendered) -> Result<Reply, CallError> {
        self.endpoint.ask(request, self.headers.clone(), self.poll_timeout).await
    }

    /// Asks for values: anything but a success with a JSON body is an error.
    pub(super) async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        self.values(&self.get(request).await?)
    }

    /// What an answer to a question holds.
    pub(super) fn values(&self, reply: &Reply) -> Result<Value, ReadError> {
        if let Some(kind) = kind_of(reply.status) {
            let detail =
                format!("HTTP status {}: {}", reply.status, cut(&self.clean(&reply.body), 200));
            return Err(ReadError {
                retry_after: reply.retry_after,
                ..ReadError::new(kind, detail)
            });
        }
        parse(&reply.body).map_err(ReadError::unparseable)
    }

    /// Sends a frozen order, once, on a connection of its own. `Err` is what is known without
    /// reading the answer.
    pub(super) async fn order(&self, frozen: &str) -> Result<Said, Answer> {
        self.send(&Rendered::thaw(frozen)?).await
    }

    /// Sends a request of an order like [`Self::order`].
    pub(super) async fn send(&self, request: &Rendered) -> Result<Said, Answer> {
        self.said(&self.send_once(request).await?)
    }

    /// Sends an order like [`Self::order`], for APIs that answer without a body: the value is then
    /// null. Beside it, where what was made can be found.
    pub(super) async fn deliver(
        &self,
        request: &Rendered,
    ) -> Result<(Said, Option<String>), Answer> {
        let reply = self.send_once(request).await?;
        if !reply.body.trim().is_empty() {
            return Ok((self.said(&reply)?, reply.location));
        }
        let raw = format!("HTTP status {} without a body", reply.status);
        Ok((Said { status: reply.status, value: Value::Null, raw }, reply.location))
    }

    /// Sends what is paid for, once, and gives back whatever came.
    pub(super) async fn once(&self, request: &Rendered) -> Result<Reply, CallError> {
        self.endpoint.once(request, self.headers.clone(), self.money_timeout).await
    }

    async fn send_once(&self, request: &Rendered) -> Result<Reply, Answer> {
        match self.once(request).await {
            Ok(reply) => Ok(reply),
            Err(CallError::Forbidden(why) | CallError::NotConnected(why)) => {
                Err(Answer::NotSent { why })
            }
            Err(CallError::Lost(why)) => Err(Answer::Unclear { why, raw: String::new() }),
        }
    }

    /// Looks something up. `Err` is what is known without reading the answer.
    pub(super) async fn look(&self, request: &Rendered) -> Result<Said, Found> {
        let blind = |why: &str| Found::Blind { why: why.to_owned() };
        let reply = self.get(request).await.map_err(|error| blind(error.why()))?;
        self.said(&reply).map_err(|answer| match answer {
            Answer::Unclear { why, .. } | Answer::NotSent { why } => Found::Blind { why },
            Answer::Paid(_)
            | Answer::Pending(_)
            | Answer::Refused(_)
            | Answer::Reversed(_)
            | Answer::Mismatch { .. } => blind("an answer that cannot be"),
        })
    }

    /// An answer with a JSON body, whatever its status; without one nothing is proved.
    #[expect(clippy::result_large_err, reason = "the error is an answer, and used as one")]
    fn said(&self, reply: &Reply) -> Result<Said, Answer> {
        let (status, raw) = (reply.status, self.clean(&reply.body));
        match parse(&reply.body) {
            Ok(value) => Ok(Said { status, value, raw }),
            Err(why) => Err(Answer::Unclear { why: format!("HTTP status {status}: {why}"), raw }),
        }
    }

    /// An answer as it may be kept: without secrets, cut to 4 KiB.
    pub(super) fn clean(&self, text: &str) -> String {
        crate::transport::redact::clean(
            text,
            self.secrets.iter().map(|s| vec![s.expose_secret().to_owned()]),
        )
    }
}

/// What it means for a read that there is no whole answer.
impl From<CallError> for ReadError {
    fn from(error: CallError) -> Self {
        let kind = match error {
            CallError::Forbidden(_) => ErrorKind::Configuration,
            CallError::NotConnected(_) | CallError::Lost(_) => ErrorKind::Temporary,
        };
        Self::new(kind, error.why())
    }
}
