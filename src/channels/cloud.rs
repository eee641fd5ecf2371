//! What the SMS gateways of Aliyun and Tencent Cloud have alike: requests that are signed as a
//! whole, the days of China, and reports that come in lists and are not signed.
//!
//! The address of reports is written down at the vendor, so a secret of ours in it is the proof.
//! UNVERIFIED: whether both keep what stands behind a `?` in it; a bearer serves as well, for a proxy
//! that adds it.

use super::{Delivery, HookCall, HookError, Report, vendor::Vendor};
use crate::clock::Clock;
use crate::domain::Span;
use crate::input::Section;
use crate::transport::hook::SECRET_MIN;
use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// The `Host` header of requests to `base`.
pub(super) fn host(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The path of requests to `/` below `base`.
pub(super) fn path(base: &Url) -> String {
    format!("{}/", base.path().trim_end_matches('/'))
}

/// The first digits of the time in China: eight are the day, ten the hour.
pub(super) fn now_in_china(digits: usize) -> String {
    let now = Clock::System.now().plus(Span::hours(8)).rfc3339();
    now.chars().filter(char::is_ascii_digit).take(digits).collect()
}

/// Reads `secret`, which proves who posts reports. Without it none are taken.
pub(super) fn secret(s: &mut Section<'_>) -> Option<SecretString> {
    let secret = s.secret("secret");
    if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SECRET_MIN) {
        let allowed = format!(
            "allowed is a secret of at least {SECRET_MIN} characters of your own: reports are \
             proved with it"
        );
        s.fault_hidden("secret", allowed);
    }
    secret
}

/// The reports of a list that somebody posts who knows `secret`. What `read` cannot read is left
/// out, for the others' sake: a list that is refused comes back whole, and then never.
pub(super) fn reports(
    call: &HookCall,
    secret: Option<&SecretString>,
    read: impl Fn(&Value) -> Option<Report>,
) -> Result<Vec<Report>, HookError> {
    let secret = secret.ok_or(HookError::Closed("no `secret` is configured"))?;
    if !call.bears(secret) {
        return Err(HookError::Unproven("the token is not the `secret` of the channel"));
    }
    let Value::Array(list) = call.json()? else {
        return Err(HookError::Malformed("the body is not a list of reports".to_owned()));
    };
    let reports: Vec<Report> = list.iter().filter_map(read).collect();
    if reports.is_empty() && !list.is_empty() {
        return Err(HookError::Malformed("nothing in the list is a report".to_owned()));
    }
    Ok(reports)
}

/// The text of a field that is there and not empty.
pub(super) fn text<'a>(report: &'a Value, key: &str) -> Option<&'a str> {
    report.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Failed, with the carrier's code and the vendor's words for it.
pub(super) fn failed(vendor: &Vendor, report: &Value, [code, words]: [&str; 2]) -> Delivery {
    let said = |key| vendor.said(text(report, key).unwrap_or("?"));
    Delivery::Failed { why: format!("{}: {}", said(code), said(words)) }
}
