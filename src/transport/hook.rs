//! What vendors call us with. Each call has to prove who made it.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use subtle::ConstantTimeEq as _;

/// Shorter secrets can be guessed.
pub(crate) const SECRET_MIN: usize = 16;

/// A call below `/hooks/`, byte for byte.
#[derive(Clone, Debug, Default)]
pub struct HookCall {
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers by lower-case name; one that came more than once is left out.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// Unix time of the call, in seconds.
    pub at: i64,
}

impl HookCall {
    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        field(&self.query, name)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// True where the caller knows `secret`: it stands in the address as `token`, or is a bearer.
    /// Takes as long whatever is wrong.
    pub(crate) fn bears(&self, secret: &SecretString) -> bool {
        let bearer = self.header("authorization").and_then(|h| h.strip_prefix("Bearer "));
        let given = self.query("token").or(bearer).unwrap_or_default();
        given.as_bytes().ct_eq(secret.expose_secret().as_bytes()).into()
    }

    /// The body as a form.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, HookError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| HookError::Malformed(format!("the body is not JSON ({error})")))
    }
}

/// The first value of a field of a query or form.
pub(crate) fn field<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Why a call is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Nothing is taken by call.
    #[error("no calls are taken here: {0}")]
    Closed(&'static str),
    /// Nobody proves who called.
    #[error("{0}")]
    Unproven(&'static str),
    /// It is proven, and cannot be read.
    #[error("{0}")]
    Malformed(String),
}
