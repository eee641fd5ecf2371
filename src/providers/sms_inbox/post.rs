//! What the phone posts: the proof of its signature, and the messages in it.

use crate::domain::{Span, Timestamp};
use crate::providers::{Post, PostError, Sms};
use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// Older or later signatures are replays, or of a clock that is wrong.
const SKEW_MAX: Span = Span::minutes(5);
/// More messages are never in one post.
const MOST: usize = 100;

/// Proves that whoever knows `secret` signed these bytes now: hexadecimal HMAC-SHA256 over the body
/// and the text of `X-Timestamp`, which counts seconds. Each try is signed anew.
pub(super) fn prove(post: &Post<'_>, secret: &[u8], now: Timestamp) -> Result<(), PostError> {
    let unproven = |why| Err(PostError::Unproven(why));
    let (Some(signature), Some(timestamp)) = (post.signature, post.timestamp) else {
        return unproven("X-Signature and X-Timestamp are needed");
    };
    let Ok(seconds) = timestamp.parse::<u32>() else {
        return unproven("X-Timestamp is not a number of seconds");
    };
    let Ok(given) = HEXLOWER_PERMISSIVE.decode(signature.trim().as_bytes()) else {
        return unproven("X-Signature is not hexadecimal");
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return unproven("the secret cannot be used");
    };
    mac.update(post.body);
    mac.update(timestamp.as_bytes());
    // Takes as long whatever is wrong.
    if mac.verify_slice(&given).is_err() {
        return unproven("X-Signature does not fit body, X-Timestamp and secret");
    }
    let signed_at = Timestamp::from_ms(i64::from(seconds).saturating_mul(1000));
    if now.since(signed_at).abs() > SKEW_MAX {
        return unproven("X-Timestamp is more than 5 minutes off");
    }
    Ok(())
}

/// The messages of an event; other events have none.
pub(super) fn messages(body: &[u8]) -> Result<Vec<Sms>, PostError> {
    let malformed = |why: String| PostError::Malformed(why);
    let event: Value = serde_json::from_slice(body)
        .map_err(|error| malformed(format!("the body is not JSON ({error})")))?;
    let payload = event.get("payload").unwrap_or(&Value::Null);
    let messages: Vec<&Value> = match event.get("event").and_then(Value::as_str) {
        Some("sms:received") => vec![payload],
        Some("sms:batch:received") => {
            let list = payload.get("messages").and_then(Value::as_array);
            list.ok_or_else(|| malformed("the batch has no messages".to_owned()))?.iter().collect()
        }
        Some(_) => Vec::new(),
        None => return Err(malformed("the body names no event".to_owned())),
    };
    if messages.len() > MOST {
        return Err(malformed(format!("allowed are {MOST} messages in one post")));
    }
    messages.into_iter().map(message).collect()
}

fn message(payload: &Value) -> Result<Sms, PostError> {
    let missing = |key: &str| PostError::Malformed(format!("the message has no {key}"));
    let text = |key: &str| {
        let text = payload.get(key).and_then(Value::as_str);
        text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
    };
    let at = match text("receivedAt") {
        None => None,
        Some(at) => Some(Timestamp::parse_rfc3339(&at).ok_or_else(|| {
            PostError::Malformed("receivedAt is not a time in RFC 3339".to_owned())
        })?),
    };
    Ok(Sms {
        id: Some(text("messageId").ok_or_else(|| missing("messageId"))?),
        // Where there is a `sender`, `phoneNumber` can be our own.
        from: text("sender").or_else(|| text("phoneNumber")),
        to: text("recipient"),
        sim: payload.get("simNumber").and_then(Value::as_i64),
        text: payload.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        at,
    })
}
