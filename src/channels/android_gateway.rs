//! SMS by an Android phone with SMS Gateway (capcom6): `[channels.NAME.android_gateway]`.
//!
//! Facts: the API description of its server and its documentation. The message has our id; the same
//! id again is 409, which says that it was accepted. Webhooks are signed by the phone; they have to
//! be registered there, one for each event, and the phone may tell of other messages, too.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report,
    vendor::{self, Vendor},
};
use crate::domain::{Severity, Span, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::{
    http::{Place, Rendered, Reply},
    sms_gate::SignedPost,
};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;

const LIVE: &str = "https://api.sms-gate.app/3rdparty/v1";
/// A balance of yesterday helps nobody.
const VALIDITY: Span = Span::hours(4);
/// From here on neither limits nor working hours hold a message back.
const AT_ONCE: i64 = 100;

/// What is written in `[channels.NAME.android_gateway]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    username: String,
    password: SecretString,
    device_id: Option<String>,
    sim_number: Option<i64>,
    secret: Option<SecretString>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let username = s.required("username", "allowed is the user that the app shows");
        let password = s.required_secret("password");
        let device_id = s.text("device_id");
        let sim_number = s.integer("sim_number", 1..=3);
        let secret = s.secret("secret");
        if secret.as_ref().is_some_and(|secret| secret.expose_secret().trim().is_empty()) {
            s.fault_hidden("secret", "allowed is the signing key of the phone's webhooks");
        }
        section.finish();
        Some(Self {
            place: place?,
            username: username?,
            password: password?,
            device_id,
            sim_number,
            secret,
        })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let vendor =
            Vendor::basic(&self.place, ("android_gateway", name), &self.username, &self.password)?;
        Ok(Arc::new(AndroidGateway { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct AndroidGateway {
    config: Config,
    vendor: Vendor,
}

impl AndroidGateway {
    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let is_urgent = message.severity == Severity::Critical;
        let body = vendor::object([
            ("id", Some(json!(message.id))),
            ("textMessage", Some(json!({ "text": message.short }))),
            ("phoneNumbers", Some(json!([phone]))),
            ("ttl", Some(json!(VALIDITY.ms() / 1000))),
            ("withDeliveryReport", Some(json!(true))),
            ("deviceId", self.config.device_id.as_ref().map(|device| json!(device))),
            ("simNumber", self.config.sim_number.map(|sim| json!(sim))),
            ("priority", is_urgent.then(|| json!(AT_ONCE))),
        ]);
        Rendered::post("/messages", &body)
    }

    /// What the answer says of the message that has our `id`.
    fn outcome(&self, id: &str, reply: &Reply) -> Outcome {
        let accepted = Outcome::Accepted { vendor_id: Some(id.to_owned()) };
        let value = vendor::json(reply);
        let is_its_own = value.get("message").is_some_and(Value::is_string);
        match reply.status {
            // An earlier try went through.
            409 => return accepted,
            // The queue is full, for the phone is not there. A proxy's 503 would say nothing.
            503 if is_its_own => {
                let (after, why) = (reply.retry_after, self.vendor.status(reply));
                return Outcome::Retry { after, why };
            }
            _ => {}
        }
        if let Some(outcome) = self.vendor.by_status(reply) {
            return outcome;
        }
        if value.get("id").and_then(Value::as_str) == Some(id) {
            return accepted;
        }
        Outcome::Ambiguous { why: "the answer does not have the message's id".to_owned() }
    }
}

#[async_trait]
impl Channel for AndroidGateway {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    fn repeats_safely(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        self.vendor.try_once(request, |reply| self.outcome(&message.id, reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        let request = Rendered::query("/messages", &[("limit", "1")]);
        let messages = self.vendor.ask(&request).await?;
        if !messages.is_array() {
            return Err("the answer is not a list of messages".to_owned());
        }
        Ok(format!("{} answers and takes the password", self.config.place.base))
    }

    fn can_be_asked(&self) -> bool {
        true
    }

    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let reply = self.vendor.question(&Rendered::get(format!("/messages/{vendor_id}"))).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        if !vendor::is_success(&reply) {
            return Err(self.vendor.status(&reply));
        }
        let message = vendor::json(&reply);
        let state = message.get("state").and_then(Value::as_str);
        let why = message.pointer("/recipients/0/error").and_then(Value::as_str);
        let why = why.map(|why| self.vendor.clean(why));
        Ok(state.map(|state| delivery(state, why.as_deref())))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let secret = self.config.secret.as_ref();
        let secret = secret.ok_or(HookError::Closed("no `secret` is configured"))?;
        let signed = SignedPost {
            body: &call.body,
            signature: call.header("x-signature"),
            timestamp: call.header("x-timestamp"),
        };
        let now = Timestamp::from_ms(call.at.saturating_mul(1000));
        signed.prove(secret, now).map_err(HookError::Unproven)?;
        let malformed = |why: &str| HookError::Malformed(why.to_owned());
        let event = call.json()?;
        let text = |key: &str| {
            let text = event.pointer(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let state = match text("/event") {
            Some("sms:sent") => "Sent",
            Some("sms:delivered") => "Delivered",
            Some("sms:failed") => "Failed",
            Some("sms:cancelled") => "Cancelled",
            Some(_) => return Ok(Vec::new()),
            None => return Err(malformed("the body names no event")),
        };
        let message = text("/payload/messageId").ok_or_else(|| malformed("no messageId"))?;
        let delivery = delivery(state, text("/payload/reason"));
        Ok(vec![Report { message: message.to_owned(), delivery }])
    }
}

/// The states of the API description.
fn delivery(state: &str, why: Option<&str>) -> Delivery {
    match state {
        "Delivered" => Delivery::Delivered,
        "Failed" | "Cancelled" => {
            let why: String = why.unwrap_or("no reason given").chars().take(200).collect();
            Delivery::Failed { why: format!("{state}: {why}") }
        }
        _ => Delivery::Underway,
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "android_gateway",
    config: "base_url = \"BASE/3rdparty/v1\"\nusername = \"ABC\"\npassword = \"s3cret\"",
    accepted: (
        202,
        r#"{"id":"n-42","deviceId":"d","state":"Pending","recipients":[{"phoneNumber":"+12025550199","state":"Pending"}]}"#,
    ),
    vendor_id: Some("n-42"),
    reads_body: true,
};
