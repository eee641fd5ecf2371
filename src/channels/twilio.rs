//! SMS by Twilio: `[channels.NAME.twilio]`.
//!
//! Facts: Twilio's `OpenAPI` file (`twilio_api_v2010`), its Python library 9.13, its pages on errors
//! and retries: requests are not idempotent, throttled ones were not processed, after a 5xx nobody
//! knows. Error codes are for people, not for programs, so only the HTTP status and the few codes
//! about the recipient count.

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report, form,
    vendor::{self, Vendor},
};
use crate::domain::Span;
use crate::input::{Fault, Section};
use crate::transport::{
    http::{Place, Rendered, Reply},
    mac::{HMAC_SHA1, is_hmac},
};
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use std::sync::Arc;

const LIVE: &str = "https://api.twilio.com";
/// A balance of yesterday helps nobody.
const VALIDITY: Span = Span::hours(4);
/// Recipients that cannot be reached: no such number, not for SMS, unsubscribed, not a mobile.
const RECIPIENT: [i64; 6] = [21211, 21214, 21217, 21610, 21612, 21614];

/// What is written in `[channels.NAME.twilio]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    account_sid: String,
    auth_token: SecretString,
    /// `From`, or `MessagingServiceSid`.
    sender: (&'static str, String),
    callback_url: Option<String>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let account_sid = s.required("account_sid", "allowed is the SID of the account, AC…");
        let auth_token = s.required_secret("auth_token");
        let from = s.text("from");
        let service = s.text("messaging_service_sid");
        let sender = match (from, service) {
            (Some(from), None) => Some(("From", from)),
            (None, Some(service)) => Some(("MessagingServiceSid", service)),
            (None, None) | (Some(_), Some(_)) => {
                s.fault("from", "allowed is either `from` or `messaging_service_sid`");
                None
            }
        };
        let callback_url = vendor::callback_url(s);
        section.finish();
        Some(Self {
            place: place?,
            account_sid: account_sid?,
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
        let vendor =
            Vendor::basic(&self.place, ("twilio", name), &self.account_sid, &self.auth_token)?;
        Ok(Arc::new(Twilio { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Twilio {
    config: Config,
    vendor: Vendor,
}

impl Twilio {
    fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.config.account_sid)
    }

    fn request(&self, message: &Message, phone: &str) -> Rendered {
        let validity = (VALIDITY.ms() / 1000).to_string();
        let (key, sender) = &self.config.sender;
        let mut form = vec![("To", phone), ("ValidityPeriod", validity.as_str())];
        form.extend(self.config.callback_url.as_deref().map(|url| ("StatusCallback", url)));
        form.extend([(*key, sender.as_str()), ("Body", message.short.as_str())]);
        Rendered::form(self.path("/Messages.json"), &form)
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        let code = vendor::json(reply).get("code").and_then(Value::as_i64);
        if reply.status == 400 && code.is_some_and(|code| RECIPIENT.contains(&code)) {
            return Outcome::BadRecipient { why: self.vendor.status(reply) };
        }
        self.vendor.accepted_at("/sid", reply)
    }
}

#[async_trait]
impl Channel for Twilio {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = vendor::phone(recipient).map(|phone| self.request(message, phone));
        self.vendor.try_once(request, |reply| self.outcome(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        let account = self.vendor.ask(&Rendered::get(self.path(".json"))).await?;
        let status = account.get("status").and_then(Value::as_str).unwrap_or("unknown");
        Ok(format!("{} answers; the account is {status}", self.config.place.base))
    }

    fn can_be_asked(&self) -> bool {
        true
    }

    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let path = self.path(&format!("/Messages/{vendor_id}.json"));
        let message = self.vendor.ask(&Rendered::get(path)).await?;
        let status = message.get("status").and_then(Value::as_str).unwrap_or_default();
        let code = message.get("error_code").filter(|code| !code.is_null());
        Ok(Some(delivery(status, code.map(ToString::to_string).as_deref())))
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let url = self.config.callback_url.as_deref();
        let url = url.ok_or(HookError::Closed("no `callback_url` is configured"))?;
        let form = call.form();
        if !is_signed(url, &form, &self.config.auth_token, call.header("x-twilio-signature")) {
            return Err(HookError::Unproven("the signature is not Twilio's"));
        }
        form::report(&form, ["MessageSid", "MessageStatus"], delivery)
    }
}

/// The states of the `OpenAPI` file.
fn delivery(status: &str, code: Option<&str>) -> Delivery {
    match status {
        "delivered" | "read" | "partially_delivered" => Delivery::Delivered,
        "undelivered" | "failed" | "canceled" => Delivery::failed(status, code),
        _ => Delivery::Underway,
    }
}

/// Base64 of HMAC-SHA1 over the URL and the sorted fields, one after the other.
fn is_signed(
    url: &str,
    form: &[(String, String)],
    token: &SecretString,
    signature: Option<&str>,
) -> bool {
    let given = signature.and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok());
    let signed = format!("{url}{}", form::signed(form));
    given.is_some_and(|given| is_hmac(HMAC_SHA1, token, signed.as_bytes(), &given))
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "twilio",
    config: "base_url = \"BASE\"\naccount_sid = \"AC1\"\nauth_token = \"s3cret\"\nfrom = \"+15005550006\"",
    accepted: (201, r#"{"sid":"SM1","status":"queued","error_code":null}"#),
    vendor_id: Some("SM1"),
    reads_body: true,
};

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Vendor, call, channel, config, message, reader};
    use super::*;

    const CALLBACK: &str = "https://example.com/cb/twilio?line=42";

    fn text(base: &str) -> String {
        let table = CASE.table(base).replace("s3cret", "12345");
        format!("callback_url = {CALLBACK:?}\n{table}")
    }

    #[tokio::test]
    async fn the_request_is_that_of_the_official_library() {
        let vendor = CASE.vendor().await;
        channel("twilio", &text(&vendor.url)).send(&message(), &reader()).await;
        let seen = vendor.only();
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str()),
            ("POST", "/2010-04-01/Accounts/AC1/Messages.json")
        );
        assert_eq!(seen.headers["authorization"], "Basic QUMxOjEyMzQ1");
        assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(
            seen.body,
            "To=%2B12025550199&ValidityPeriod=14400&StatusCallback=https%3A%2F%2Fexample.com%2Fcb%2Ftwilio%3Fline%3D42\
             &From=%2B15005550006&Body=topupd%3A+%E9%93%B6%E8%A1%8C%E5%8D%A1%28..0123%29+%E4%BD%99%E9%A2%9D+3.20+USD"
        );
    }

    #[tokio::test]
    async fn a_number_that_cannot_be_reached_is_the_recipient_s() {
        for (code, bad) in [(21610, true), (21211, true), (21606, false)] {
            let body = format!("{{\"code\":{code},\"message\":\"no\",\"status\":400}}");
            let vendor = Vendor::start([Answer::new(400, &body)]).await;
            let outcome = channel("twilio", &text(&vendor.url)).send(&message(), &reader()).await;
            assert_eq!(matches!(outcome, Outcome::BadRecipient { .. }), bad, "{outcome:?}");
            assert_eq!(matches!(outcome, Outcome::BadConfig { .. }), !bad, "{outcome:?}");
        }
    }

    fn called(body: &str, signature: &str) -> HookCall {
        call(&[("x-twilio-signature", signature)], body)
    }

    #[test]
    fn reports_are_taken_from_twilio_alone() {
        // Signed by Twilio's own library.
        let body = "MessageSid=SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&MessageStatus=delivered\
                    &To=%2B447700900001&From=%2B15005550006";
        let signature = "oF8yEV7W86K96iQXwsqhbZnNyH0=";
        let twilio = channel("twilio", &text("http://127.0.0.1:9"));
        let message = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
        let expected = Report { message, delivery: Delivery::Delivered };
        assert_eq!(twilio.hear(&called(body, signature)), Ok(vec![expected]));
        for (body, signature) in [
            (body.replace("delivered", "failed").as_str(), signature),
            (body, "oF8yEV7W86K96iQXwsqhbZnNyH1="),
            (body, ""),
            (body, "?"),
        ] {
            let heard = twilio.hear(&called(body, signature));
            assert!(matches!(heard, Err(HookError::Unproven(_))), "{heard:?}");
        }
        let silent = CASE.alone();
        assert!(matches!(silent.hear(&called(body, signature)), Err(HookError::Closed(_))));
    }

    #[tokio::test]
    async fn twilio_can_be_asked_what_became_of_it() {
        for (body, expected) in [
            (r#"{"status":"sent","error_code":null}"#, Delivery::Underway),
            (r#"{"status":"delivered","error_code":null}"#, Delivery::Delivered),
            (
                r#"{"status":"undelivered","error_code":30005}"#,
                Delivery::Failed { why: "undelivered (code 30005)".to_owned() },
            ),
        ] {
            let vendor = Vendor::start([Answer::new(200, body)]).await;
            let twilio = channel("twilio", &text(&vendor.url));
            assert_eq!(twilio.delivery("SM1").await, Ok(Some(expected)));
            assert_eq!(vendor.only().path, "/2010-04-01/Accounts/AC1/Messages/SM1.json");
        }
    }

    #[test]
    fn a_sender_is_one_of_two() {
        let bare = "account_sid = \"AC1\"\nauth_token = \"x\"\n";
        for sender in ["", "from = \"+1\"\nmessaging_service_sid = \"MG1\""] {
            let faults = config("twilio", &format!("{bare}{sender}")).unwrap_err();
            assert!(faults[0].contains("either `from` or `messaging_service_sid`"), "{faults:?}");
        }
    }
}
