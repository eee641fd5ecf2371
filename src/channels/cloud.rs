//! What the SMS gateways of Aliyun and Tencent Cloud have alike: requests that are signed as a
//! whole, and the days of China.

use crate::clock::Clock;
use crate::domain::Span;
use data_encoding::HEXLOWER;
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
