//! What the channels of HTTP APIs share: one try, and what follows from an answer before anybody
//! knows whose it is.
//!
//! Invariant: a message is sent once, on a connection of its own; silence after that is ambiguous.

use super::{Outcome, Recipient};
use crate::domain::{Msisdn, Span};
use crate::input::{Fault, Section};
use crate::transport::{
    http::{self, CallError, Endpoint, Place, Rendered, Reply},
    redact,
};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// How long a vendor may take, unless the config says otherwise: most give up after some 26 s.
const TIMEOUT: Span = Span::seconds(30);
/// The longest time a person would wait for a channel.
const TIMEOUT_MAX: Span = Span::minutes(1);

/// Reads [`Place`] with a time limit that a try can have.
pub(super) fn place(s: &mut Section<'_>, usual: Option<&str>) -> Option<Place> {
    let place = Place::read(s, usual)?;
    check_limit(s, place.timeout);
    Some(place)
}

/// Reads only the time limit.
pub(super) fn time_limit(s: &mut Section<'_>) -> Option<Span> {
    let limit = s.span("timeout");
    check_limit(s, limit);
    limit
}

fn check_limit(s: &Section<'_>, limit: Option<Span>) {
    if limit.is_some_and(|limit| limit <= Span::ZERO || limit > TIMEOUT_MAX) {
        s.fault("timeout", format!("allowed is a span above zero and up to {TIMEOUT_MAX}"));
    }
}

/// Where reports are sent to: `callback_url`, the public address of `/hooks/channels/NAME`.
pub(super) fn callback_url(s: &mut Section<'_>) -> Option<String> {
    let allowed =
        "allowed is the public address of this daemon's /hooks/channels/NAME, with https://";
    s.parsed("callback_url", allowed, |text| {
        let url: url::Url = text.trim().parse().ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
    })
}

/// A vendor's API.
#[derive(Debug)]
pub(super) struct Vendor {
    endpoint: Endpoint,
    timeout: Span,
    headers: HeaderMap,
    /// What must never be kept of an answer.
    secrets: Vec<SecretString>,
}

impl Vendor {
    /// Makes the clients of the channel of that kind and name. `headers` go with every request and
    /// may be secret.
    pub(super) fn new(
        place: &Place,
        (kind, name): (&str, &str),
        headers: &[(&str, &str)],
        secrets: Vec<SecretString>,
    ) -> Result<Self, Fault> {
        let fault = |why: String| place.fault(&format!("channels.{name}.{kind}"), &why);
        let headers = http::headers(headers).map_err(fault)?;
        let endpoint = place.endpoint().map_err(fault)?;
        Ok(Self { endpoint, timeout: place.timeout.unwrap_or(TIMEOUT), headers, secrets })
    }

    /// The same, with a user and a password.
    pub(super) fn basic(
        place: &Place,
        channel: (&str, &str),
        user: &str,
        password: &SecretString,
    ) -> Result<Self, Fault> {
        let authorization = http::basic(user, password);
        Self::new(place, channel, &[("authorization", &authorization)], vec![password.clone()])
    }

    /// The same, with a key or token.
    pub(super) fn bearing(
        place: &Place,
        channel: (&str, &str),
        token: &SecretString,
    ) -> Result<Self, Fault> {
        let authorization = http::bearer(token);
        Self::new(place, channel, &[("authorization", &authorization)], vec![token.clone()])
    }

    /// One try. Its answer is judged by `judge`; without a request, or without a whole answer, it is
    /// known already what follows.
    pub(super) async fn try_once(
        &self,
        request: Result<Rendered, Outcome>,
        judge: impl FnOnce(&Reply) -> Outcome + Send,
    ) -> Outcome {
        let request = match request {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        let error = match self.endpoint.once(&request, self.headers.clone(), self.timeout).await {
            Ok(reply) => return judge(&reply),
            Err(error) => error,
        };
        let why = self.clean(error.why());
        match error {
            CallError::Forbidden(_) => Outcome::BadConfig { why },
            CallError::NotConnected(_) => Outcome::Retry { after: None, why },
            CallError::Lost(_) => Outcome::Ambiguous { why },
        }
    }

    /// What an answer means that says no more than its status and, at `pointer`, the message's id.
    pub(super) fn accepted_at(&self, pointer: &str, reply: &Reply) -> Outcome {
        self.by_status(reply).unwrap_or_else(|| {
            let said = json(reply);
            let id = said.pointer(pointer).and_then(Value::as_str);
            accepted(id, pointer.trim_start_matches('/'))
        })
    }

    /// Asks for a JSON value; anything but a success with one is an error, in words.
    pub(super) async fn ask(&self, request: &Rendered) -> Result<Value, String> {
        let reply = self.question(request).await?;
        if !is_success(&reply) {
            return Err(self.status(&reply));
        }
        parse(&reply).ok_or_else(|| "the answer is not JSON".to_owned())
    }

    /// Asks, and gives back whatever came.
    pub(super) async fn question(&self, request: &Rendered) -> Result<Reply, String> {
        let asked = self.endpoint.ask(request, self.headers.clone(), self.timeout).await;
        asked.map_err(|error| self.clean(error.why()))
    }

    /// What a status means where the vendor says nothing better: `None` for a success.
    ///
    /// A request that was throttled was not processed; after an error of the server's nobody knows.
    pub(super) fn by_status(&self, reply: &Reply) -> Option<Outcome> {
        let why = self.status(reply);
        Some(match reply.status {
            200..=299 => return None,
            429 => Outcome::Retry { after: reply.retry_after, why },
            408 | 500..=599 => Outcome::Ambiguous { why },
            _ => Outcome::BadConfig { why },
        })
    }

    /// A status and what was said with it, in words.
    pub(super) fn status(&self, reply: &Reply) -> String {
        let said: String = self.clean(&reply.body).trim().chars().take(200).collect();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        format!("HTTP status {}{said}", reply.status)
    }

    /// What a vendor said of it, as it may be kept: the beginning.
    pub(super) fn said(&self, text: &str) -> String {
        self.clean(text).chars().take(200).collect()
    }

    /// A text as it may be kept.
    pub(super) fn clean(&self, text: &str) -> String {
        let written = self.secrets.iter().map(|secret| vec![secret.expose_secret().to_owned()]);
        redact::clean(text, written)
    }
}

/// The number of somebody who has one, in E.164.
pub(super) fn phone(recipient: &Recipient) -> Result<&str, Outcome> {
    let phone = recipient.phone.as_ref().map(Msisdn::as_str);
    phone.ok_or_else(|| Outcome::BadRecipient { why: "there is no phone number".to_owned() })
}

/// Accepted under its id. An answer that should have one as `name`, and has not, proves nothing.
pub(super) fn accepted(id: Option<&str>, name: &str) -> Outcome {
    match id {
        Some(id) => Outcome::Accepted { vendor_id: Some(id.to_owned()) },
        None => Outcome::Ambiguous { why: format!("the answer has no {name}") },
    }
}

/// The answer's JSON; null where it is none.
pub(super) fn json(reply: &Reply) -> Value {
    parse(reply).unwrap_or_default()
}

fn parse(reply: &Reply) -> Option<Value> {
    serde_json::from_str(reply.body.trim_start_matches('\u{feff}').trim()).ok()
}

/// True for 2xx.
pub(super) const fn is_success(reply: &Reply) -> bool {
    matches!(reply.status, 200..=299)
}

/// A JSON object of the fields that there are.
pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter();
    fields.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
