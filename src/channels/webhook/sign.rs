//! Signatures: of Standard Webhooks, `DingTalk`, Feishu. All are HMAC-SHA256 in Base64.

use crate::domain::Timestamp;
use crate::transport::mac::hmac_sha256;
use data_encoding::BASE64;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};
use url::form_urlencoded;

/// The bytes behind `whsec_…`. Does not print.
#[derive(Clone)]
pub(super) struct Key(Arc<SecretBox<Vec<u8>>>);

impl Key {
    /// Reads `whsec_` and Base64.
    pub(super) fn parse(text: &SecretString) -> Option<Self> {
        let encoded = text.expose_secret().trim().strip_prefix("whsec_")?;
        let bytes = BASE64.decode(encoded.as_bytes()).ok().filter(|bytes| bytes.len() >= 16)?;
        Some(Self(Arc::new(SecretBox::new(Box::new(bytes)))))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Headers that prove who sends `body`, one signature for each key: the new one and, while it is
/// being replaced, the old one.
pub(super) fn standard(
    keys: &[Key],
    id: &str,
    now: Timestamp,
    body: &str,
) -> BTreeMap<String, String> {
    let seconds = now.ms().div_euclid(1000);
    let signed = format!("{id}.{seconds}.{body}");
    let signatures: Vec<String> = keys
        .iter()
        .map(|key| format!("v1,{}", mac(key.0.expose_secret(), signed.as_bytes())))
        .collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What is added to the URL: milliseconds, and their signature with the secret as the key.
pub(super) fn dingtalk(secret: &SecretString, now: Timestamp) -> String {
    let (secret, ms) = (secret.expose_secret(), now.ms().to_string());
    let sign = mac(secret.as_bytes(), format!("{ms}\n{secret}").as_bytes());
    form_urlencoded::Serializer::new(String::new())
        .append_pair("timestamp", &ms)
        .append_pair("sign", &sign)
        .finish()
}

/// The body with seconds and the signature of nothing, with both as the key.
pub(super) fn feishu(secret: &SecretString, now: Timestamp, body: &str) -> Result<String, String> {
    let seconds = now.ms().div_euclid(1000).to_string();
    let sign = mac(format!("{seconds}\n{}", secret.expose_secret()).as_bytes(), b"");
    let mut value: Value =
        serde_json::from_str(body).map_err(|error| format!("the body is not JSON ({error})"))?;
    let fields = value.as_object_mut().ok_or("the body is no JSON object, so nothing signs it")?;
    fields.insert("timestamp".to_owned(), Value::from(seconds));
    fields.insert("sign".to_owned(), Value::from(sign));
    Ok(value.to_string())
}

fn mac(key: &[u8], signed: &[u8]) -> String {
    BASE64.encode(&hmac_sha256(key, signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn signatures_are_those_of_the_official_libraries() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let keys = [Key::parse(&secret).unwrap()];
        for (id, seconds, body, signature) in [
            (
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                "{\"test\": 2432232314}",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "evt_01J9",
                1_795_197_600,
                "{\"type\":\"line.balance.low\",\"timestamp\":\"2026-11-20T18:00:00Z\",\
                 \"data\":{\"line\":\"Home1\",\"note\":\"\u{4f59}\u{989d}\u{4e0d}\u{8db3}\"}}",
                "v1,b2vdlKR+OsagU4ZffTA1skHts7gc8k6KeXuUjElOHms=",
            ),
        ] {
            let headers = standard(&keys, id, at(seconds * 1000 + 999), body);
            assert_eq!(headers["webhook-id"], id);
            assert_eq!(headers["webhook-timestamp"], seconds.to_string());
            assert_eq!(headers["webhook-signature"], signature);
        }
        let two = [keys[0].clone(), keys[0].clone()];
        let headers = standard(&two, "a", at(0), "");
        assert_eq!(headers["webhook-signature"].split(' ').count(), 2);
        assert!(!format!("{keys:?}").contains("MfKQ"));
    }

    #[test]
    fn robots_are_signed_their_own_ways() {
        let query = dingtalk(&"SECabc".into(), at(1_795_197_600_000));
        assert_eq!(
            query,
            "timestamp=1795197600000&sign=zn9L4ojUeWt1wXciDDx8yDSOIkPyPzzE8kc9RU8GEtY%3D"
        );
        let body = feishu(&"s3cr3t".into(), at(1_795_197_600_000), "{\"msg_type\":\"text\"}");
        let body: Value = serde_json::from_str(&body.unwrap()).unwrap();
        let expected = serde_json::json!({
            "msg_type": "text",
            "timestamp": "1795197600",
            "sign": "LMm8Rp89W15tkPuQUKncFgP/hQoQe7RxmjDC4lM0wvU=",
        });
        assert_eq!(body, expected);
        assert!(feishu(&"s3cr3t".into(), at(0), "[]").is_err());
    }

    #[test]
    fn a_key_is_enough_bytes_behind_its_prefix() {
        for text in
            ["", "whsec_", "whsec_???", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert!(Key::parse(&text.into()).is_none(), "{text}");
        }
    }
}
