//! What SMS Gateway for Android (capcom6) posts to webhooks, and the proof of it.
//!
//! Facts: its documentation and source. Each try is signed anew, so an old signature is a replay.

use crate::domain::{Span, Timestamp};
use crate::transport::mac::{HMAC_SHA256, is_hmac};
use data_encoding::HEXLOWER_PERMISSIVE;
use secrecy::SecretString;

/// Older or later signatures are replays, or of a clock that is wrong.
const SKEW_MAX: Span = Span::minutes(5);

/// A post, byte for byte, with the headers that prove it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedPost<'a> {
    /// The body.
    pub(crate) body: &'a [u8],
    /// `X-Signature`.
    pub(crate) signature: Option<&'a str>,
    /// `X-Timestamp`.
    pub(crate) timestamp: Option<&'a str>,
}

impl SignedPost<'_> {
    /// Proves that whoever knows `secret` signed these bytes now: hexadecimal HMAC-SHA256 over the
    /// body and the text of `X-Timestamp`, which counts seconds. Why not, otherwise.
    pub(crate) fn prove(&self, secret: &SecretString, now: Timestamp) -> Result<(), &'static str> {
        let (Some(signature), Some(timestamp)) = (self.signature, self.timestamp) else {
            return Err("X-Signature and X-Timestamp are needed");
        };
        let Ok(seconds) = timestamp.parse::<u32>() else {
            return Err("X-Timestamp is not a number of seconds");
        };
        let Ok(given) = HEXLOWER_PERMISSIVE.decode(signature.trim().as_bytes()) else {
            return Err("X-Signature is not hexadecimal");
        };
        let signed = [self.body, timestamp.as_bytes()].concat();
        if !is_hmac(HMAC_SHA256, secret, &signed, &given) {
            return Err("X-Signature does not fit body, X-Timestamp and secret");
        }
        let signed_at = Timestamp::from_ms(i64::from(seconds).saturating_mul(1000));
        if now.since(signed_at).abs() > SKEW_MAX {
            return Err("X-Timestamp is more than 5 minutes off");
        }
        Ok(())
    }
}
