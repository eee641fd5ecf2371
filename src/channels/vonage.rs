//! SMS by Vonage's SMS API: `[channels.NAME.vonage]`.
//!
//! Facts: Vonage's description of the SMS API 1.0.10 and its Python libraries (`vonage-sms` 1.2,
//! `vonage-http-client`): every answer is HTTP 200, the status inside tells. Nothing is
//! deduplicated; `client-ref` is only echoed. Reports are signed where a signature secret is set
//! for the account. UNVERIFIED: whether an internal error (5) was processed all the same; it counts
//! as ambiguous.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report,
    vendor::{self, Vendor},
};
use crate::domain::Span;
use crate::input::{Fault, Section};
use crate::transport::{
    hook::field,
    http::{Place, Rendered, Reply},
    mac::{Algorithm, HMAC_SHA256, HMAC_SHA512, is_hmac},
};
use crate::words::is_gsm;
use async_trait::async_trait;
use data_encoding::HEXLOWER_PERMISSIVE;
use secrecy::SecretString;
use serde_json::Value;
use std::sync::Arc;

const LIVE: &str = "https://rest.nexmo.com";
/// A balance of yesterday helps nobody.
const VALIDITY: Span = Span::hours(4);

/// What is written in `[channels.NAME.vonage]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    api_key: String,
    api_secret: SecretString,
    from: String,
    reports: Option<Reports>,
}

/// Where reports are sent to, and how they are signed.
#[derive(Clone, Debug)]
struct Reports {
    callback_url: String,
    secret: SecretString,
    /// The account's way of signing. Its older ones prove too little.
    method: Algorithm,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let api_key = s.required("api_key", "allowed is the key of the account");
        let api_secret = s.required_secret("api_secret");
        let from = s.required("from", "allowed is a sender: a number, or up to 11 letters");
        let callback_url = vendor::callback_url(s);
        let secret = s.secret("signature_secret");
        let words = [("sha256", HMAC_SHA256), ("sha512", HMAC_SHA512)];
        let method = s.word("signature_method", &words).unwrap_or(HMAC_SHA256);
        if s.has("callback_url") != secret.is_some() {
            let allowed =
                "`callback_url` and `signature_secret` go together: reports must be proved";
            s.fault_hidden("signature_secret", allowed);
        }
        let reports = callback_url.zip(secret).map(|(callback_url, secret)| Reports {
            callback_url,
            secret,
            method,
        });
        section.finish();
        let from = from.map(|from| from.trim_start_matches('+').to_owned());
        Some(Self {
            place: place?,
            api_key: api_key?,
            api_secret: api_secret?,
            from: from?,
            reports,
        })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let vendor = Vendor::basic(&self.place, ("vonage", name), &self.api_key, &self.api_secret)?;
        Ok(Arc::new(Vonage { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Vonage {
    config: Config,
    vendor: Vendor,
}

impl Vonage {
    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let kind = if is_gsm(&message.short) { "text" } else { "unicode" };
        let ttl = VALIDITY.ms().to_string();
        let mut form = vec![
            ("to", phone.trim_start_matches('+')),
            ("from", self.config.from.as_str()),
            ("text", message.short.as_str()),
            ("client-ref", message.id.as_str()),
            ("type", kind),
            ("ttl", ttl.as_str()),
        ];
        form.extend(self.config.reports.as_ref().map(|r| ("callback", r.callback_url.as_str())));
        Rendered::form("/sms/json", &form)
    }

    /// What the answer says of each part; we send one.
    fn outcome(&self, reply: &Reply) -> Outcome {
        if let Some(outcome) = self.vendor.by_status(reply) {
            return outcome;
        }
        let value = vendor::json(reply);
        let Some(first) = value.pointer("/messages/0") else {
            return Outcome::Ambiguous { why: "the answer has no messages".to_owned() };
        };
        let text = |key: &str| first.get(key).and_then(Value::as_str);
        let status = text("status").unwrap_or_default();
        let said = self.vendor.said(text("error-text").unwrap_or_default());
        let why = format!("status {status}: {said}");
        match status {
            "0" => vendor::accepted(text("message-id"), "message-id"),
            "" | "5" => Outcome::Ambiguous { why },
            // Throttled, or too many connections.
            "1" | "10" => Outcome::Retry { after: None, why },
            // No such prefix, barred, no longer in use.
            "6" | "7" | "33" => Outcome::BadRecipient { why },
            _ => Outcome::BadConfig { why },
        }
    }
}

#[async_trait]
impl Channel for Vonage {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        self.vendor.try_once(request, |reply| self.outcome(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        let balance = self.vendor.ask(&Rendered::get("/account/get-balance")).await?;
        let value = balance.get("value").filter(|value| value.is_number());
        let value = value.ok_or_else(|| "the answer has no balance".to_owned())?;
        Ok(format!("{} answers; the balance is {value} EUR", self.config.place.base))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let reports = self.config.reports.as_ref();
        let reports = reports
            .ok_or(HookError::Closed("no `callback_url` and `signature_secret` are configured"))?;
        let fields = fields(call);
        if !reports.is_signed(&fields) {
            return Err(HookError::Unproven("the signature is not Vonage's"));
        }
        // Messages that come in are posted alike, and have no status.
        let Some(status) = field(&fields, "status") else { return Ok(Vec::new()) };
        let id = field(&fields, "messageId");
        let id =
            id.ok_or_else(|| HookError::Malformed("the report has no messageId".to_owned()))?;
        let delivery = delivery(status, field(&fields, "err-code"));
        Ok(vec![Report { message: id.to_owned(), delivery }])
    }
}

/// The states of the API description.
fn delivery(status: &str, code: Option<&str>) -> Delivery {
    match status {
        "delivered" => Delivery::Delivered,
        "expired" | "failed" | "rejected" => Delivery::failed(status, code),
        _ => Delivery::Underway,
    }
}

/// What was called with: JSON, a form or a query, as the account is set.
fn fields(call: &HookCall) -> Vec<(String, String)> {
    if call.body.is_empty() {
        return call.query.clone();
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(&call.body) else {
        return call.form();
    };
    let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.into_iter().map(|(key, value)| (key, plain(value))).collect()
}

impl Reports {
    /// HMAC over `&key=value` of the sorted fields, in which `&` and `=` became `_`. Replays say
    /// nothing new, so the time is not looked at.
    fn is_signed(&self, fields: &[(String, String)]) -> bool {
        let mut signed: Vec<_> = fields.iter().filter(|(key, _)| key != "sig").collect();
        signed.sort();
        let text: String = signed
            .into_iter()
            .map(|(key, value)| format!("&{key}={}", value.replace(['&', '='], "_")))
            .collect();
        let given = field(fields, "sig");
        let given = given.and_then(|sig| HEXLOWER_PERMISSIVE.decode(sig.as_bytes()).ok());
        given.is_some_and(|given| is_hmac(self.method, &self.secret, text.as_bytes(), &given))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "vonage",
    config: "base_url = \"BASE\"\napi_key = \"abcd1234\"\napi_secret = \"s3cret\"\nfrom = \"topupd\"",
    accepted: (
        200,
        r#"{"message-count":"1","messages":[{"to":"12025550199","message-id":"0A0000000123ABCD1","status":"0"}]}"#,
    ),
    vendor_id: Some("0A0000000123ABCD1"),
    reads_body: true,
};
