//! SMS by Telnyx: `[channels.NAME.telnyx]`.
//!
//! Facts: Telnyx's Python library 4.189, its pages on errors and on idempotency: a request with the
//! same `Idempotency-Key` and the same bytes is answered like the first for 24 hours; 422 where the
//! bytes differ. UNVERIFIED: which codes about the recipient come with the request and not in a
//! report, so only those whose meaning is documented, or that point at `/to`, count.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report,
    vendor::{self, Vendor},
};
use crate::input::{Fault, Section};
use crate::transport::http::{Place, Rendered, Reply};
use async_trait::async_trait;
use ring::signature::{ED25519, UnparsedPublicKey};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;

const LIVE: &str = "https://api.telnyx.com";
/// As Telnyx's library has it, in seconds: later calls are replays.
const SKEW_MAX: u64 = 300;
/// An Ed25519 key.
const KEY_LENGTH: usize = 32;
/// A landline, or not routable.
const NOT_ROUTABLE: &str = "40001";

/// What is written in `[channels.NAME.telnyx]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    api_key: SecretString,
    from: Option<String>,
    messaging_profile_id: Option<String>,
    reports: Option<Reports>,
}

/// Where reports are sent to, and whose signature they have.
#[derive(Clone, Debug)]
struct Reports {
    callback_url: String,
    public_key: Vec<u8>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let api_key = s.required_secret("api_key");
        let from = s.text("from");
        let messaging_profile_id = s.text("messaging_profile_id");
        if from.is_none() && messaging_profile_id.is_none() {
            s.fault("from", "allowed is a sender; without one write `messaging_profile_id`");
        }
        let callback_url = vendor::callback_url(s);
        let allowed = "allowed is the account's public key: 32 bytes in Base64";
        let public_key = s.parsed("public_key", allowed, |text| {
            let key = data_encoding::BASE64.decode(text.trim().as_bytes()).ok()?;
            (key.len() == KEY_LENGTH).then_some(key)
        });
        if s.has("callback_url") != s.has("public_key") {
            s.fault(
                "public_key",
                "`callback_url` and `public_key` go together: reports are proved",
            );
        }
        let reports = callback_url
            .zip(public_key)
            .map(|(callback_url, public_key)| Reports { callback_url, public_key });
        section.finish();
        Some(Self { place: place?, api_key: api_key?, from, messaging_profile_id, reports })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let vendor = Vendor::bearing(&self.place, ("telnyx", name), &self.api_key)?;
        Ok(Arc::new(Telnyx { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Telnyx {
    config: Config,
    vendor: Vendor,
}

impl Telnyx {
    /// The same bytes on every try: that is what makes the key hold.
    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let config = &self.config;
        let body = vendor::object([
            ("to", Some(json!(phone))),
            ("from", config.from.as_ref().map(|from| json!(from))),
            ("messaging_profile_id", config.messaging_profile_id.as_ref().map(|id| json!(id))),
            ("text", Some(json!(message.short))),
            ("encoding", Some(json!("auto"))),
            ("webhook_url", config.reports.as_ref().map(|reports| json!(reports.callback_url))),
        ]);
        Rendered::post("/v2/messages", &body).with("idempotency-key", &message.id)
    }

    /// What a refusal says.
    fn refused(&self, reply: &Reply) -> Option<Outcome> {
        if !(400..500).contains(&reply.status) {
            return None;
        }
        let why = self.vendor.status(reply);
        let is_of_key = reply.status == 422 && why.to_ascii_lowercase().contains("idempotency");
        if reply.status == 409 || is_of_key {
            // The same key is at work, or was accepted with other bytes.
            return Some(Outcome::Ambiguous { why });
        }
        let value = vendor::json(reply);
        let errors = value.get("errors").and_then(Value::as_array)?;
        let is_about_recipient = |error: &Value| {
            let pointer = error.pointer("/source/pointer").and_then(Value::as_str);
            code(error).is_some_and(|code| code == NOT_ROUTABLE) || pointer == Some("/to")
        };
        let is_bad = matches!(reply.status, 400 | 422) && errors.iter().any(is_about_recipient);
        is_bad.then_some(Outcome::BadRecipient { why })
    }
}

#[async_trait]
impl Channel for Telnyx {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    fn repeats_safely(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        let judge = |reply: &_| {
            self.refused(reply).unwrap_or_else(|| self.vendor.accepted_at("/data/id", reply))
        };
        self.vendor.try_once(request, judge).await
    }

    async fn test(&self) -> Result<String, String> {
        let balance = self.vendor.ask(&Rendered::get("/v2/balance")).await?;
        let text = |key: &str| {
            let text = balance.pointer(key).and_then(Value::as_str);
            self.vendor.clean(text.unwrap_or("?"))
        };
        let (amount, currency) = (text("/data/balance"), text("/data/currency"));
        Ok(format!("{} answers; the balance is {amount} {currency}", self.config.place.base))
    }

    fn can_be_asked(&self) -> bool {
        true
    }

    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let message = self.vendor.ask(&Rendered::get(format!("/v2/messages/{vendor_id}"))).await?;
        Ok(message.get("data").and_then(delivery))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let reports = self.config.reports.as_ref();
        let reports = reports
            .ok_or(HookError::Closed("no `callback_url` and `public_key` are configured"))?;
        if !is_signed(call, &reports.public_key) {
            return Err(HookError::Unproven("the signature is not Telnyx's, or not of now"));
        }
        let event = call.json()?;
        let kind = event.pointer("/data/event_type").and_then(Value::as_str);
        if !matches!(kind, Some("message.sent" | "message.finalized")) {
            return Ok(Vec::new());
        }
        let payload = event.pointer("/data/payload").unwrap_or(&Value::Null);
        let id = payload.get("id").and_then(Value::as_str);
        let (Some(id), Some(delivery)) = (id, delivery(payload)) else {
            return Err(HookError::Malformed("no id or no status in the payload".to_owned()));
        };
        Ok(vec![Report { message: id.to_owned(), delivery }])
    }
}

/// An error's code: text in some places, a number in others.
fn code(error: &Value) -> Option<String> {
    let code = error.get("code")?;
    Some(code.as_str().map_or_else(|| code.to_string(), str::to_owned))
}

/// What became of the only recipient of a message. Unconfirmed is neither: the carrier never said.
fn delivery(message: &Value) -> Option<Delivery> {
    let status = message.pointer("/to/0/status").and_then(Value::as_str)?;
    Some(match status {
        "delivered" | "read" => Delivery::Delivered,
        "sending_failed" | "delivery_failed" | "expired" => {
            let code = message.pointer("/errors/0").and_then(code);
            Delivery::failed(status, code.as_deref())
        }
        _ => Delivery::Underway,
    })
}

/// Ed25519 over the time of the call, a bar and the body.
fn is_signed(call: &HookCall, public_key: &[u8]) -> bool {
    let (Some(signature), Some(timestamp)) =
        (call.header("telnyx-signature-ed25519"), call.header("telnyx-timestamp"))
    else {
        return false;
    };
    let Ok(signature) = data_encoding::BASE64.decode(signature.trim().as_bytes()) else {
        return false;
    };
    let is_now = timestamp.parse::<i64>().is_ok_and(|at| at.abs_diff(call.at) <= SKEW_MAX);
    let mut signed = format!("{timestamp}|").into_bytes();
    signed.extend_from_slice(&call.body);
    is_now && UnparsedPublicKey::new(&ED25519, public_key).verify(&signed, &signature).is_ok()
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "telnyx",
    config: "base_url = \"BASE\"\napi_key = \"s3cret\"\nfrom = \"+15005550006\"",
    accepted: (
        200,
        r#"{"data":{"id":"40385f64-5717","to":[{"phone_number":"+12025550199","status":"queued"}],"errors":[]}}"#,
    ),
    vendor_id: Some("40385f64-5717"),
    reads_body: true,
};
