//! SMS by Aliyun (Dysmsapi 2017-05-25): `[channels.NAME.aliyun_sms]`.
//!
//! Facts: Alibaba Cloud's Python library 4.6, its pages on error codes and on `SmsReport` by HTTP.
//! Only approved signatures and templates are sent, so a notice goes as its template's code and the
//! values of its holes. Nothing is deduplicated; `OutId` is only echoed. Errors come with HTTP 200
//! and without. Reports are not signed and say yes or no, nothing in between; they come at most four
//! times. To ask, one needs number and day besides the id: it is not asked. UNVERIFIED: whether what
//! ends in a system error was sent; it counts as ambiguous. UNVERIFIED: reports about numbers
//! outside the mainland, which are published in another form, without `biz_id`; none of it is taken.

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
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

const LIVE: &str = "https://dysmsapi.aliyuncs.com";
const VERSION: &str = "2017-05-25";
/// What a variable of a template may hold.
const LONGEST_VALUE: usize = 35;
/// SHA-256 of no body.
const NO_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The number is wrong, or of a country that the template is not for.
const RECIPIENT: [&str; 2] = ["isv.MOBILE_NUMBER_ILLEGAL", "isv.DOMESTIC_NUMBER_NOT_SUPPORTED"];

/// What is written in `[channels.NAME.aliyun_sms]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    access_key_id: String,
    access_key_secret: SecretString,
    sign_name: String,
    templates: Templates,
    /// Proves who posts reports.
    secret: Option<SecretString>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let access_key_id = s.required("access_key_id", "allowed is the id of an AccessKey");
        let access_key_secret = s.required_secret("access_key_secret");
        let sign_name = s.required("sign_name", "allowed is the text of an approved signature");
        let templates = Templates::read(s, Holes::Named, Some(LONGEST_VALUE));
        let secret = cloud::secret(s);
        section.finish();
        Some(Self {
            place: place?,
            access_key_id: access_key_id?,
            access_key_secret: access_key_secret?,
            sign_name: sign_name?,
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
        let secrets = vec![self.access_key_secret.clone()];
        let vendor = Vendor::new(&self.place, ("aliyun_sms", name), &[], secrets)?;
        Ok(Arc::new(AliyunSms { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct AliyunSms {
    config: Config,
    vendor: Vendor,
}

impl AliyunSms {
    /// A call with everything in its query, signed for now and for once.
    fn request(&self, action: &str, query: &[(&str, &str)]) -> Result<Rendered, String> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| format!("no random bytes ({error})"))?;
        let now = Clock::System.now().ms();
        let call = Call {
            action,
            host: cloud::host(&self.config.place.base),
            path: cloud::path(&self.config.place.base),
            query: canonical(query),
            // Whole seconds.
            date: Timestamp::from_ms(now.saturating_sub(now.rem_euclid(1000))).rfc3339(),
            nonce: HEXLOWER.encode(&random),
        };
        let authorization =
            call.authorization(&self.config.access_key_id, &self.config.access_key_secret);
        let mut request = Rendered {
            method: "POST".to_owned(),
            path: format!("/?{}", call.query),
            ..Rendered::default()
        };
        for (name, value) in call.headers() {
            request = request.with(name, &value);
        }
        Ok(request.with("accept", "application/json").with("authorization", &authorization))
    }

    fn message(&self, message: &Message, recipient: &Recipient) -> Result<Rendered, Outcome> {
        let phone = vendor::phone(recipient)?;
        let filled = self.config.templates.fill(message)?;
        let values: Map<String, Value> =
            filled.values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let values = Value::Object(values).to_string();
        let number = phone.strip_prefix("+86").unwrap_or_else(|| phone.trim_start_matches('+'));
        let mut query = vec![
            ("PhoneNumbers", number),
            ("SignName", self.config.sign_name.as_str()),
            ("TemplateCode", filled.code),
            ("OutId", message.id.as_str()),
        ];
        if !filled.values.is_empty() {
            query.push(("TemplateParam", values.as_str()));
        }
        self.request("SendSms", &query).map_err(|why| Outcome::Retry { after: None, why })
    }

    /// One report; `None` where it is none.
    fn report(&self, report: &Value) -> Option<Report> {
        let message = cloud::text(report, "biz_id")?.to_owned();
        let delivery = if report.get("success")?.as_bool()? {
            Delivery::Delivered
        } else {
            cloud::failed(&self.vendor, report, ["err_code", "err_msg"])
        };
        Some(Report { message, delivery })
    }

    /// What the answer says, whatever its status.
    fn outcome(&self, reply: &Reply) -> Outcome {
        let value = vendor::json(reply);
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let why = self.vendor.status(reply);
        match text("Code") {
            Some("OK") if vendor::is_success(reply) => vendor::accepted(text("BizId"), "BizId"),
            Some("isv.BUSINESS_LIMIT_CONTROL") => {
                Outcome::Retry { after: Some(pause(text("Message").unwrap_or_default())), why }
            }
            Some(code) if code.starts_with("Throttling") => {
                Outcome::Retry { after: reply.retry_after, why }
            }
            Some(code) if RECIPIENT.contains(&code) => Outcome::BadRecipient { why },
            Some(code)
                if code == "isp.SYSTEM_ERROR"
                    || matches!(code, "InternalError" | "ServiceUnavailable" | "UnknownError") =>
            {
                Outcome::Ambiguous { why }
            }
            Some(_) => self.vendor.by_status(reply).unwrap_or(Outcome::BadConfig { why }),
            None => self.vendor.by_status(reply).unwrap_or(Outcome::Ambiguous { why }),
        }
    }
}

#[async_trait]
impl Channel for AliyunSms {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = self.message(message, recipient);
        self.vendor.try_once(request, |reply| self.outcome(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        // A question about nobody proves the key as well as any.
        let today = cloud::now_in_china(8);
        let query = [
            ("PhoneNumber", "13800000000"),
            ("SendDate", today.as_str()),
            ("PageSize", "1"),
            ("CurrentPage", "1"),
        ];
        let answer = self.vendor.ask(&self.request("QuerySendDetails", &query)?).await?;
        match answer.get("Code").and_then(Value::as_str) {
            Some("OK") => Ok(format!("{} answers and takes the key", self.config.place.base)),
            code => {
                let code = self.vendor.clean(code.unwrap_or("no code"));
                Err(format!("{} answers {code}", self.config.place.base))
            }
        }
    }

    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        cloud::reports(call, self.config.secret.as_ref(), |report| self.report(report))
    }

    /// The code has to be a number.
    fn answer(&self, _news: usize) -> Value {
        json!({ "code": 0, "msg": "OK" })
    }
}

/// How long a limit on one number lasts: its message names the minute, the hour or the day.
fn pause(message: &str) -> Span {
    if message.contains('\u{5206}') {
        Span::minutes(1)
    } else if message.contains('\u{5929}') {
        Span::hours(6)
    } else {
        Span::hours(1)
    }
}

/// One call, as far as it is signed.
#[derive(Debug)]
struct Call<'a> {
    action: &'a str,
    host: String,
    path: String,
    query: String,
    date: String,
    nonce: String,
}

impl Call<'_> {
    /// The headers that are signed and sent; `Host` is sent by itself.
    fn headers(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", NO_BODY.to_owned()),
            ("x-acs-date", self.date.clone()),
            ("x-acs-signature-nonce", self.nonce.clone()),
            ("x-acs-version", VERSION.to_owned()),
        ])
    }

    /// ACS3-HMAC-SHA256 over method, path, query, headers and body.
    fn authorization(&self, id: &str, secret: &SecretString) -> String {
        let mut headers = self.headers();
        headers.insert("host", self.host.clone());
        let names: Vec<&str> = headers.keys().copied().collect();
        let names = names.join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n{}\n{}\n{lines}\n{names}\n{NO_BODY}", self.path, self.query);
        let text = format!("ACS3-HMAC-SHA256\n{}", cloud::sha256_hex(canonical.as_bytes()));
        let signature = hmac_sha256(secret.expose_secret().as_bytes(), text.as_bytes());
        let signature = HEXLOWER.encode(&signature);
        format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}")
    }
}

/// The query as it is signed and sent: sorted, everything but unreserved characters encoded.
fn canonical(query: &[(&str, &str)]) -> String {
    let mut sorted = query.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<String> =
        sorted.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "aliyun_sms",
    config: "base_url = \"BASE\"\naccess_key_id = \"AKID\"\naccess_key_secret = \"s3cret\"\n\
             sign_name = \"\u{67d0}\u{67d0}\u{901a}\u{77e5}\"\n\
             [templates.low_balance]\ncode = \"SMS_123456\"\nparams = { line = \"label\", bal = \"balance\" }",
    accepted: (
        200,
        r#"{"Code":"OK","Message":"OK","BizId":"900619746936498440^0","RequestId":"r"}"#,
    ),
    vendor_id: Some("900619746936498440^0"),
    reads_body: true,
};
