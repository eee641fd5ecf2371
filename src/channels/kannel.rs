//! SMS by Kannel's smsbox: `[channels.NAME.kannel]`.
//!
//! Facts: Kannel's user guide, and Kannel 1.4.5 itself with its fake SMSC. It gives no id, so
//! reports come back under ours: `dlr-url` has it, with a token that only we can make of it.
//! Nothing is deduplicated. Kannel fills `%d` and the like into `dlr-url`, so nothing else in it
//! has a `%`.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report,
    vendor::{self, Vendor},
};
use crate::domain::Span;
use crate::input::{Fault, Section};
use crate::transport::{
    hook::SECRET_MIN,
    http::{Place, Rendered, Reply},
    mac::{HMAC_SHA256, hmac_sha256, is_hmac},
};
use crate::words::is_gsm;
use async_trait::async_trait;
use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;

const PATH: &str = "/cgi-bin/sendsms";
/// A balance of yesterday helps nobody.
const VALIDITY: Span = Span::hours(4);
/// Delivered, failed, buffered, taken and rejected by the SMSC.
const REPORTS: &str = "31";

/// What is written in `[channels.NAME.kannel]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    username: String,
    password: SecretString,
    from: Option<String>,
    smsc: Option<String>,
    reports: Option<Reports>,
}

/// Where reports are sent to, and what their tokens are made with.
#[derive(Clone, Debug)]
struct Reports {
    callback_url: String,
    secret: SecretString,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, None);
        let username = s.required("username", "allowed is a user of a `sendsms-user` group");
        let password = s.required_secret("password");
        let (from, smsc) = (s.text("from"), s.text("smsc"));
        let callback_url = vendor::callback_url(s);
        if callback_url.as_ref().is_some_and(|url| url.contains(['%', '#'])) {
            s.fault("callback_url", "allowed is an address without % and #: Kannel fills them in");
        }
        let secret = s.secret("secret");
        if s.has("callback_url") != secret.is_some()
            || secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SECRET_MIN)
        {
            let allowed = "allowed is a secret of at least 16 characters of your own, together with \
                           `callback_url`: reports are proved with it";
            s.fault_hidden("secret", allowed);
        }
        let reports =
            callback_url.zip(secret).map(|(callback_url, secret)| Reports { callback_url, secret });
        section.finish();
        Some(Self { place: place?, username: username?, password: password?, from, smsc, reports })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let password = self.password.expose_secret();
        // As it stands in the query, too.
        let encoded = url::form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>();
        let secrets = vec![self.password.clone(), SecretString::from(encoded)];
        let vendor = Vendor::new(&self.place, ("kannel", name), &[], secrets)?;
        Ok(Arc::new(Kannel { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Kannel {
    config: Config,
    vendor: Vendor,
}

impl Kannel {
    fn query(&self, more: &[(&str, &str)]) -> Rendered {
        let password = self.config.password.expose_secret();
        let mut query = vec![("username", self.config.username.as_str()), ("password", password)];
        query.extend_from_slice(more);
        Rendered::query(PATH, &query)
    }

    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let validity = (VALIDITY.ms() / 60_000).to_string();
        let reports = self.config.reports.as_ref();
        let dlr_url = reports.map(|reports| reports.dlr_url(&message.id));
        // Seven bits, or UCS-2.
        let coding = if is_gsm(&message.short) { "0" } else { "2" };
        let mut query = vec![
            ("to", phone),
            ("text", message.short.as_str()),
            ("charset", "UTF-8"),
            ("coding", coding),
            ("validity", validity.as_str()),
        ];
        query.extend(self.config.from.as_deref().map(|from| ("from", from)));
        query.extend(self.config.smsc.as_deref().map(|smsc| ("smsc", smsc)));
        if let Some(url) = &dlr_url {
            query.extend([("dlr-mask", REPORTS), ("dlr-url", url.as_str())]);
        }
        self.query(&query)
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        let said = reply.body.trim();
        let why = self.vendor.status(reply);
        match reply.status {
            // Queued is accepted: it goes out when an SMSC is back.
            200..=299 if said.starts_with("0:") || said.starts_with("3:") => {
                Outcome::Accepted { vendor_id: None }
            }
            503 if said.starts_with("Temporal failure") => Outcome::Retry { after: None, why },
            400 if said.starts_with("Number(s) has/have been denied") => {
                Outcome::BadRecipient { why }
            }
            _ => self.vendor.by_status(reply).unwrap_or(Outcome::Ambiguous { why }),
        }
    }
}

#[async_trait]
impl Channel for Kannel {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        self.vendor.try_once(request, |reply| self.outcome(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        // The password is looked at before the number that is not there.
        let reply = self.vendor.question(&self.query(&[])).await?;
        if reply.status == 400 && reply.body.trim().starts_with("Missing receiver") {
            return Ok(format!("{} answers and takes the password", self.config.place.base));
        }
        Err(self.vendor.status(&reply))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let reports = self.config.reports.as_ref();
        let reports =
            reports.ok_or(HookError::Closed("no `callback_url` and `secret` are configured"))?;
        let message = call.query("message").unwrap_or_default();
        if !reports.is_ours(message, call.query("token").unwrap_or_default()) {
            return Err(HookError::Unproven("the token is not that of the message"));
        }
        let said = self.vendor.said(call.query("answer").unwrap_or_default());
        let delivery = match call.query("type") {
            Some("1") => Delivery::Delivered,
            Some("2") => Delivery::Failed { why: format!("not delivered: {said}") },
            Some("16") => Delivery::Failed { why: format!("the SMSC rejects it: {said}") },
            Some("4" | "8" | "32") => Delivery::Underway,
            _ => return Err(HookError::Malformed("no type that Kannel knows".to_owned())),
        };
        Ok(vec![Report { message: message.to_owned(), delivery }])
    }
}

impl Reports {
    /// Where Kannel shall call, and which values it shall fill in.
    fn dlr_url(&self, message: &str) -> String {
        let url = &self.callback_url;
        let key = self.secret.expose_secret().as_bytes();
        let token = HEXLOWER.encode(&hmac_sha256(key, purpose(message).as_bytes()));
        let joint = if url.contains('?') { '&' } else { '?' };
        // Both values are of letters, digits and `_`: nothing that Kannel could take for its own.
        format!("{url}{joint}message={message}&token={token}&type=%d&answer=%A")
    }

    fn is_ours(&self, message: &str, token: &str) -> bool {
        let signed = purpose(message);
        HEXLOWER
            .decode(token.as_bytes())
            .is_ok_and(|given| is_hmac(HMAC_SHA256, &self.secret, signed.as_bytes(), &given))
    }
}

/// What the token is made for.
fn purpose(message: &str) -> String {
    format!("kannel delivery report {message}")
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "kannel",
    config: "base_url = \"BASE\"\nusername = \"tester\"\npassword = \"s3cret\"",
    accepted: (202, "0: Accepted for delivery"),
    vendor_id: None,
    reads_body: true,
};
