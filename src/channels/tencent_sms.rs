//! SMS by Tencent Cloud (2021-01-11): `[channels.NAME.tencent_sms]`.
//!
//! Facts: Tencent Cloud's Python library 3.1 with its table of error codes, and its page on the
//! callback of delivery states. Only approved signatures and templates are sent, so a notice goes as
//! its template's id and the values of its holes, in order. Every answer is HTTP 200, the codes
//! inside tell. Nothing is deduplicated; `SessionContext` is only echoed. Reports are not signed;
//! they come up to a hundred at once and at most three times. They can be asked for by number only,
//! where that was opened: it is not asked. UNVERIFIED: whether what ends in an internal error was
//! sent; it counts as ambiguous. UNVERIFIED: states other than the two published; they say nothing.

#[cfg(test)]
mod tests;

use super::{
    Channel, Delivery, HookCall, HookError, Message, Needs, Outcome, Recipient, Report, cloud,
    templates::{Holes, Templates},
    vendor::{self, Vendor},
};
use crate::clock::Clock;
use crate::domain::{Span, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::{
    http::{Place, Rendered, Reply},
    mac::hmac_sha256,
};
use async_trait::async_trait;
use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;

const LIVE: &str = "https://sms.tencentcloudapi.com";
const VERSION: &str = "2021-01-11";
const REGION: &str = "ap-guangzhou";

/// What is written in `[channels.NAME.tencent_sms]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    secret_id: String,
    secret_key: SecretString,
    sdk_app_id: String,
    sign_name: Option<String>,
    sender_id: Option<String>,
    region: String,
    templates: Templates,
    /// Proves who posts reports.
    secret: Option<SecretString>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let secret_id = s.required("secret_id", "allowed is the SecretId of an API key");
        let secret_key = s.required_secret("secret_key");
        let sdk_app_id = s.required("sdk_app_id", "allowed is the SdkAppId of the application");
        let (sign_name, sender_id) = (s.text("sign_name"), s.text("sender_id"));
        let region = s.text("region").unwrap_or_else(|| REGION.to_owned());
        let templates = Templates::read(s, Holes::Ordered, None);
        let secret = cloud::secret(s);
        section.finish();
        Some(Self {
            place: place?,
            secret_id: secret_id?,
            secret_key: secret_key?,
            sdk_app_id: sdk_app_id?,
            sign_name,
            sender_id,
            region,
            templates: templates?,
            secret,
        })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let secrets = vec![self.secret_key.clone()];
        let vendor = Vendor::new(&self.place, ("tencent_sms", name), &[], secrets)?;
        Ok(Arc::new(TencentSms { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct TencentSms {
    config: Config,
    vendor: Vendor,
}

impl TencentSms {
    /// A call, signed for now.
    fn request(&self, action: &str, body: &Value) -> Rendered {
        let config = &self.config;
        let request = Rendered::post("/", body);
        let call = Call {
            host: &cloud::host(&config.place.base),
            path: &cloud::path(&config.place.base),
            body: request.body.as_deref().unwrap_or_default(),
            at: Clock::System.now(),
        };
        let authorization = call.authorization(&config.secret_id, &config.secret_key);
        let timestamp = call.seconds().to_string();
        request
            .with("x-tc-action", action)
            .with("x-tc-version", VERSION)
            .with("x-tc-region", &config.region)
            .with("x-tc-timestamp", &timestamp)
            .with("authorization", &authorization)
    }

    fn message(&self, message: &Message, recipient: &Recipient) -> Result<Rendered, Outcome> {
        let phone = vendor::phone(recipient)?;
        let filled = self.config.templates.fill(message)?;
        let values: Vec<&str> = filled.values.iter().map(|(_, value)| value.as_str()).collect();
        let body = vendor::object([
            ("PhoneNumberSet", Some(json!([phone]))),
            ("SmsSdkAppId", Some(json!(self.config.sdk_app_id))),
            ("SignName", self.config.sign_name.as_ref().map(|name| json!(name))),
            ("SenderId", self.config.sender_id.as_ref().map(|id| json!(id))),
            ("TemplateId", Some(json!(filled.code))),
            ("TemplateParamSet", Some(json!(values))),
            ("SessionContext", Some(json!(message.id))),
        ]);
        Ok(self.request("SendSms", &body))
    }

    /// One report; `None` where it is none.
    fn report(&self, report: &Value) -> Option<Report> {
        let message = cloud::text(report, "sid")?.to_owned();
        let delivery = match cloud::text(report, "report_status")? {
            "SUCCESS" => Delivery::Delivered,
            "FAIL" => cloud::failed(&self.vendor, report, ["errmsg", "description"]),
            _ => Delivery::Underway,
        };
        Some(Report { message, delivery })
    }

    /// What the answer says of the call, then of the number.
    fn outcome(&self, reply: &Reply) -> Outcome {
        if let Some(outcome) = self.vendor.by_status(reply) {
            return outcome;
        }
        let value = vendor::json(reply);
        let text = |path: &str| value.pointer(path).and_then(Value::as_str);
        let number = "/Response/SendStatusSet/0";
        let refusal = text("/Response/Error/Code").map(|code| (code, "/Response/Error/Message"));
        let status =
            text(&format!("{number}/Code")).map(|code| (code, "/Response/SendStatusSet/0/Message"));
        let Some((code, said)) = refusal.or(status) else {
            return Outcome::Ambiguous { why: "the answer has no code".to_owned() };
        };
        if code == "Ok" && refusal.is_none() {
            let id = text(&format!("{number}/SerialNo")).filter(|id| !id.is_empty());
            return vendor::accepted(id, "SerialNo");
        }
        let said = self.vendor.said(text(said).unwrap_or_default());
        sorted(code, format!("{}: {said}", self.vendor.clean(code)))
    }
}

#[async_trait]
impl Channel for TencentSms {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = self.message(message, recipient);
        self.vendor.try_once(request, |reply| self.outcome(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        // A count of today's messages proves the key and the application.
        let hour = cloud::now_in_china(10);
        let body = json!({
            "BeginTime": hour, "EndTime": hour, "SmsSdkAppId": self.config.sdk_app_id,
            "Limit": 0, "Offset": 0,
        });
        let answer = self.vendor.ask(&self.request("SendStatusStatistics", &body)).await?;
        let base = &self.config.place.base;
        match answer.pointer("/Response/Error/Code").and_then(Value::as_str) {
            Some(code) => Err(format!("{base} answers {}", self.vendor.clean(code))),
            None if answer.pointer("/Response/SendStatusStatistics").is_some() => {
                Ok(format!("{base} answers and takes the key"))
            }
            None => Err(format!("{base} answers with something else")),
        }
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        cloud::reports(call, self.config.secret.as_ref(), |report| self.report(report))
    }

    fn answer(&self, _news: usize) -> Value {
        json!({ "result": 0, "errmsg": "OK" })
    }
}

/// The table of codes of the official library.
fn sorted(code: &str, why: String) -> Outcome {
    match code {
        "FailedOperation.PhoneNumberInBlacklist"
        | "FailedOperation.PhoneNumberParseFail"
        | "InvalidParameterValue.IncorrectPhoneNumber"
        // The template is for the other side of the border, or nobody may be told there.
        | "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone"
        | "UnsupportedOperation.ContainDomesticPhoneNumber"
        | "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone"
        | "UnsupportedOperation.UnsupportedRegion" => Outcome::BadRecipient { why },
        "LimitExceeded.PhoneNumberThirtySecondLimit" => {
            Outcome::Retry { after: Some(Span::seconds(30)), why }
        }
        "LimitExceeded.PhoneNumberOneHourLimit" => {
            Outcome::Retry { after: Some(Span::hours(1)), why }
        }
        "LimitExceeded.DeliveryFrequencyLimit" | "LimitExceeded.GlobalSmsSendingRateLimit" => {
            Outcome::Retry { after: Some(Span::minutes(1)), why }
        }
        _ if code.starts_with("LimitExceeded.") && code.ends_with("DailyLimit") => {
            Outcome::Retry { after: Some(Span::hours(6)), why }
        }
        _ if code.starts_with("RequestLimitExceeded") => Outcome::Retry { after: None, why },
        // Of the request, although they are called internal: signature, clock, address, JSON.
        "InternalError.JsonParseFail"
        | "InternalError.RequestTimeException"
        | "InternalError.RestApiInterfaceNotExist"
        | "InternalError.SigFieldMissing"
        | "InternalError.SigVerificationFail" => Outcome::BadConfig { why },
        _ if code.starts_with("InternalError") => Outcome::Ambiguous { why },
        _ => Outcome::BadConfig { why },
    }
}

/// One call, as far as it is signed.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    host: &'a str,
    path: &'a str,
    body: &'a str,
    at: Timestamp,
}

impl Call<'_> {
    fn seconds(&self) -> i64 {
        self.at.ms().div_euclid(1000)
    }

    /// TC3-HMAC-SHA256 over method, path, two headers and body, with a key of the day.
    fn authorization(&self, id: &str, secret: &SecretString) -> String {
        let day: String = self.at.rfc3339().chars().take(10).collect();
        let canonical = format!(
            "POST\n{}\n\ncontent-type:application/json\nhost:{}\n\ncontent-type;host\n{}",
            self.path,
            self.host,
            cloud::sha256_hex(self.body.as_bytes())
        );
        let scope = format!("{day}/sms/tc3_request");
        let text = format!(
            "TC3-HMAC-SHA256\n{}\n{scope}\n{}",
            self.seconds(),
            cloud::sha256_hex(canonical.as_bytes())
        );
        let first = format!("TC3{}", secret.expose_secret()).into_bytes();
        let key = [day.as_str(), "sms", "tc3_request"]
            .into_iter()
            .fold(first, |key, part| hmac_sha256(&key, part.as_bytes()));
        let signature = HEXLOWER.encode(&hmac_sha256(&key, text.as_bytes()));
        format!(
            "TC3-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=content-type;host, \
             Signature={signature}"
        )
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "tencent_sms",
    config: "base_url = \"BASE\"\nsecret_id = \"AKIDEXAMPLE\"\nsecret_key = \"s3cret\"\n\
             sdk_app_id = \"1400006666\"\nsign_name = \"\u{67d0}\u{67d0}\u{901a}\u{77e5}\"\n\
             [templates.default]\ncode = \"1234\"\nparams = [\"label\", \"balance\"]",
    accepted: (
        200,
        r#"{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+12025550199","Fee":1,"Code":"Ok","Message":"send success"}],"RequestId":"r"}}"#,
    ),
    vendor_id: Some("5000:1045710669157053657849499619"),
    reads_body: true,
};
