//! The messages in what the phone posts.

use crate::domain::Timestamp;
use crate::providers::{PostError, Sms};
use serde_json::Value;

/// More messages are never in one post.
const MOST: usize = 100;

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
