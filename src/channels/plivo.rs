//! SMS by Plivo: `[channels.NAME.plivo]`.
//!
//! Facts: Plivo's Python library 4.63, its pages on messages and error codes. Nothing is
//! deduplicated. There are no delivery reports in the US and Canada, where `sent` is the last
//! state. UNVERIFIED: the range of `message_expiry`, so Plivo's own is left; how a number that
//! cannot be reached is refused, so no refusal counts against the recipient.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report, form,
    vendor::{self, Vendor},
};
use crate::input::{Fault, Section};
use crate::transport::{
    http::{Place, Rendered},
    mac::{HMAC_SHA256, is_hmac},
};
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

const LIVE: &str = "https://api.plivo.com";

/// What is written in `[channels.NAME.plivo]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    auth_id: String,
    auth_token: SecretString,
    /// `src`, or `powerpack_uuid`.
    sender: (&'static str, String),
    callback_url: Option<String>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let auth_id = s.required("auth_id", "allowed is the Auth ID of the account, MA…");
        let auth_token = s.required_secret("auth_token");
        let sender = match (s.text("from"), s.text("powerpack_uuid")) {
            (Some(from), None) => Some(("src", from.trim_start_matches('+').to_owned())),
            (None, Some(powerpack)) => Some(("powerpack_uuid", powerpack)),
            (None, None) | (Some(_), Some(_)) => {
                s.fault("from", "allowed is either `from` or `powerpack_uuid`");
                None
            }
        };
        let callback_url = vendor::callback_url(s);
        section.finish();
        Some(Self {
            place: place?,
            auth_id: auth_id?,
            auth_token: auth_token?,
            sender: sender?,
            callback_url,
        })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let vendor = Vendor::basic(&self.place, ("plivo", name), &self.auth_id, &self.auth_token)?;
        Ok(Arc::new(Plivo { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Plivo {
    config: Config,
    vendor: Vendor,
}

impl Plivo {
    fn path(&self, rest: &str) -> String {
        format!("/v1/Account/{}/{rest}", self.config.auth_id)
    }

    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let (key, sender) = &self.config.sender;
        let url = self.config.callback_url.as_ref();
        let body = vendor::object([
            ("dst", Some(json!(phone.trim_start_matches('+')))),
            (*key, Some(json!(sender))),
            ("text", Some(json!(message.short))),
            ("type", Some(json!("sms"))),
            ("url", url.map(|url| json!(url))),
            ("method", url.map(|_| json!("POST"))),
        ]);
        Rendered::post(self.path("Message/"), &body)
    }
}

#[async_trait]
impl Channel for Plivo {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        let judge = |reply: &_| self.vendor.accepted_at("/message_uuid/0", reply);
        self.vendor.try_once(request, judge).await
    }

    async fn test(&self) -> Result<String, String> {
        let account = self.vendor.ask(&Rendered::get(self.path(""))).await?;
        let credits = account.get("cash_credits").and_then(Value::as_str).unwrap_or("unknown");
        let credits = self.vendor.clean(credits);
        Ok(format!("{} answers; the balance is {credits} USD", self.config.place.base))
    }

    fn can_be_asked(&self) -> bool {
        true
    }

    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let path = self.path(&format!("Message/{vendor_id}/"));
        let message = self.vendor.ask(&Rendered::get(path)).await?;
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        Ok(text("message_state").map(|state| delivery(state, text("error_code"))))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let url = self.config.callback_url.as_deref();
        let url = url.ok_or(HookError::Closed("no `callback_url` is configured"))?;
        let form = call.form();
        if !is_signed(url, &form, &self.config.auth_token, call) {
            return Err(HookError::Unproven("the signature is not Plivo's"));
        }
        form::report(&form, ["MessageUUID", "Status"], delivery)
    }
}

/// The states of Plivo's page on messages.
fn delivery(state: &str, code: Option<&str>) -> Delivery {
    match state {
        "delivered" | "read" => Delivery::Delivered,
        "failed" | "undelivered" | "rejected" => Delivery::failed(state, code),
        _ => Delivery::Underway,
    }
}

/// True where one of the signatures of `X-Plivo-Signature-V3` (the account's and its sub-accounts')
/// is Base64 of HMAC-SHA256 over URL, sorted fields and nonce.
fn is_signed(url: &str, form: &[(String, String)], token: &SecretString, call: &HookCall) -> bool {
    let headers = (call.header("x-plivo-signature-v3"), call.header("x-plivo-signature-v3-nonce"));
    let (Some(signatures), Some(nonce), Ok(url)) = (headers.0, headers.1, Url::parse(url)) else {
        return false;
    };
    let signed = format!("{}.{nonce}", signed_text(url, form));
    signatures.split(',').any(|signature| {
        let given = data_encoding::BASE64.decode(signature.trim().as_bytes());
        given.is_ok_and(|given| is_hmac(HMAC_SHA256, token, signed.as_bytes(), &given))
    })
}

/// The URL with its query sorted, then the sorted fields without anything between them.
fn signed_text(mut url: Url, form: &[(String, String)]) -> String {
    let mut query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    url.set_query(None);
    url.set_fragment(None);
    let mut text = url.to_string();
    if !query.is_empty() || !form.is_empty() {
        text.push('?');
        text.push_str(&query.join("&"));
    }
    if !query.is_empty() && !form.is_empty() {
        text.push('.');
    }
    text + &form::signed(form)
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "plivo",
    config: "base_url = \"BASE\"\nauth_id = \"MA1\"\nauth_token = \"s3cret\"\nfrom = \"15005550006\"",
    accepted: (202, r#"{"api_id":"a","message":"message(s) queued","message_uuid":["db3ce55a"]}"#),
    vendor_id: Some("db3ce55a"),
    reads_body: true,
};
