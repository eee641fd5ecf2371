//! Headers that prove who asks.
//!
//! Invariant: no value of them is ever printed.

use data_encoding::BASE64;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

/// Headers with secrets in them.
pub(crate) fn headers(pairs: &[(&str, &str)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let key =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name} is no header"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the header {name} has characters no header may have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

/// The value of an `Authorization` header for a user and a password (RFC 7617).
pub(crate) fn basic(user: &str, password: &SecretString) -> String {
    let pair = format!("{user}:{}", password.expose_secret());
    format!("Basic {}", BASE64.encode(pair.as_bytes()))
}

/// The value of an `Authorization` header for a key or token (RFC 6750).
pub(crate) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}
