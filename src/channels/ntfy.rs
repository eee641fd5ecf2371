//! Push messages by ntfy, the public server or one's own: `[channels.NAME.ntfy]`.
//!
//! Facts: ntfy's pages on publishing, the error table in its server's sources. It does not know a
//! message again, so a second try can be a second message. UNVERIFIED: that the daily quota begins
//! anew at midnight UTC; that `/v1/account` answers on every server that knows users.

use super::{
    Channel, Message, Needs, Outcome, Recipient,
    vendor::{self, Vendor},
};
use crate::clock::Clock;
use crate::domain::{Severity, Span, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::http::{self, Place, Rendered, Reply};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;

const PUBLIC: &str = "https://ntfy.sh";
/// A longer message becomes a file.
const MESSAGE_MAX: usize = 4096;
const TOPIC: &str = "allowed is a topic: 1 to 64 letters, digits, `_` and `-`";
/// The topic is none, or is one that nobody may use.
const BAD_TOPIC: [i64; 2] = [40009, 40010];
/// So many messages a day.
const DAY_IS_FULL: i64 = 42908;

/// What is written in `[channels.NAME.ntfy]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    /// Without one, the recipient's address is the topic.
    topic: Option<String>,
    authorization: Option<SecretString>,
    secret: Option<SecretString>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(PUBLIC));
        let topic = s.parsed("topic", TOPIC, |text| is_topic(text).then(|| text.to_owned()));
        let (token, user, password) = (s.secret("token"), s.text("user"), s.secret("password"));
        let wanted = "allowed is either `token`, or `user` with `password`, or nothing";
        let (authorization, secret) = match (token, user, password) {
            (None, None, None) => (None, None),
            (Some(token), None, None) => (Some(http::bearer(&token).into()), Some(token)),
            (None, Some(user), Some(password)) => {
                (Some(http::basic(&user, &password).into()), Some(password))
            }
            (Some(_), _, _) | (None, Some(_), None) | (None, None, Some(_)) => {
                s.fault_hidden("token", wanted);
                (None, None)
            }
        };
        section.finish();
        Some(Self { place: place?, topic, authorization, secret })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        if self.topic.is_some() { Needs::Nothing } else { Needs::Address }
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        let authorization = self.authorization.as_ref().map(|text| text.expose_secret());
        let headers: Vec<(&str, &str)> =
            authorization.map(|value| ("authorization", value)).into_iter().collect();
        let secrets = self.secret.iter().cloned().collect();
        let vendor = Vendor::new(&self.place, ("ntfy", name), &headers, secrets)?;
        Ok(Arc::new(Ntfy { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Ntfy {
    config: Config,
    vendor: Vendor,
}

impl Ntfy {
    fn request(&self, message: &Message, recipient: &Recipient) -> Result<Rendered, Outcome> {
        let topic = self.config.topic.as_deref().or(recipient.address.as_deref());
        let Some(topic) = topic.map(str::trim).filter(|topic| is_topic(topic)) else {
            return Err(Outcome::BadRecipient { why: format!("the address is no topic; {TOPIC}") });
        };
        let body = json!({
            "topic": topic,
            "title": message.subject,
            "message": cut(message.text.trim_end()),
            "priority": priority(message.severity),
        });
        Ok(Rendered::post("/", &body))
    }

    /// What an error of its own table means; `None` for what the HTTP status says better.
    fn sorted(&self, reply: &Reply, now: Timestamp) -> Option<Outcome> {
        let code = vendor::json(reply).get("code")?.as_i64()?;
        let why = self.vendor.status(reply);
        if BAD_TOPIC.contains(&code) && self.config.topic.is_none() {
            return Some(Outcome::BadRecipient { why });
        }
        (code == DAY_IS_FULL).then(|| Outcome::Retry {
            after: Some(reply.retry_after.unwrap_or_else(|| until_midnight(now))),
            why,
        })
    }
}

#[async_trait]
impl Channel for Ntfy {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let judge = |reply: &_| {
            let sorted = self.sorted(reply, Clock::System.now());
            sorted.unwrap_or_else(|| self.vendor.accepted_at("/id", reply))
        };
        self.vendor.try_once(self.request(message, recipient), judge).await
    }

    async fn test(&self) -> Result<String, String> {
        let base = &self.config.place.base;
        if self.config.authorization.is_none() {
            self.vendor.ask(&Rendered::get("/v1/health")).await?;
            return Ok(format!("{base} answers; nobody signs in"));
        }
        let account = self.vendor.ask(&Rendered::get("/v1/account")).await?;
        let user = account.get("username").and_then(Value::as_str).unwrap_or("unknown");
        Ok(format!("{base} answers; signed in as {user}"))
    }
}

fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// From "no sound" to "rings through".
const fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 2,
        Severity::Warning => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// As much as is still a message, in whole characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MESSAGE_MAX)).unwrap_or(text)
}

fn until_midnight(now: Timestamp) -> Span {
    let day = Span::days(1).ms();
    Span::from_ms(day.saturating_sub(now.ms().rem_euclid(day)))
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "ntfy",
    config: "base_url = \"BASE\"\ntopic = \"alerts\"\ntoken = \"s3cret\"",
    accepted: (200, r#"{"id":"hwQ2YpKdmg","time":1795197600,"event":"message","topic":"alerts"}"#),
    vendor_id: Some("hwQ2YpKdmg"),
    reads_body: true,
};

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Vendor, channel, config, message, reader};
    use super::*;

    fn text(base: &str, keys: &str) -> String {
        format!("allow_private_network = true\nbase_url = {base:?}\n{keys}")
    }

    async fn outcome(keys: &str, answer: Answer) -> Outcome {
        let vendor = Vendor::start([answer]).await;
        channel("ntfy", &text(&vendor.url, keys)).send(&message(), &reader()).await
    }

    #[tokio::test]
    async fn the_request_is_json_and_signed_in() {
        for (keys, topic, authorization) in [
            ("topic = \"alerts\"\ntoken = \"tk_abc\"", "alerts", Some("Bearer tk_abc")),
            ("user = \"li\"\npassword = \"x\"", "chat-7", Some("Basic bGk6eA==")),
            ("", "chat-7", None),
        ] {
            let vendor = CASE.vendor().await;
            channel("ntfy", &text(&vendor.url, keys)).send(&message(), &reader()).await;
            let seen = vendor.only();
            assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/"));
            assert_eq!(seen.headers["content-type"], "application/json");
            assert_eq!(seen.headers.get("authorization").map(String::as_str), authorization);
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let expected = json!({
                "topic": topic,
                "title": message().subject,
                "message": message().text,
                "priority": 3,
            });
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn its_own_codes_are_sorted() {
        let own = "topic = \"alerts\"";
        for (keys, status, code, expected) in [
            ("", 400, 40009, "BadRecipient"),
            (own, 400, 40009, "BadConfig"),
            ("", 400, 40010, "BadRecipient"),
            ("", 400, 40017, "BadConfig"),
            ("", 401, 40101, "BadConfig"),
            ("", 403, 40301, "BadConfig"),
            ("", 404, 40401, "BadConfig"),
            ("", 413, 41303, "BadConfig"),
            ("", 429, 42901, "Retry { after: None"),
            ("", 429, 42908, "Retry { after: Some"),
            ("", 500, 50001, "Ambiguous"),
        ] {
            let body = format!("{{\"code\":{code},\"http\":{status},\"error\":\"no\"}}");
            let outcome = outcome(keys, Answer::new(status, &body)).await;
            assert!(format!("{outcome:?}").starts_with(expected), "{code}: {outcome:?}");
        }
        let noon = Timestamp::parse_rfc3339("2026-11-20T12:00:00Z").unwrap();
        assert_eq!(until_midnight(noon), Span::hours(12));
    }

    #[tokio::test]
    async fn an_address_must_be_a_topic() {
        let channel = channel("ntfy", "");
        assert_eq!(channel.needs(), Needs::Address);
        for address in [None, Some(""), Some("a/b"), Some("a b")] {
            let recipient = Recipient { address: address.map(str::to_owned), ..reader() };
            let outcome = channel.send(&message(), &recipient).await;
            assert!(matches!(outcome, Outcome::BadRecipient { .. }), "{outcome:?}");
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut(&"\u{4f59}".repeat(1400)).len(), 4095);
        assert_eq!(cut("short"), "short");
    }

    #[tokio::test]
    async fn a_test_signs_in_and_sends_nothing() {
        let vendor = Vendor::start([Answer::new(200, "{\"username\":\"li\"}")]).await;
        let channel = channel("ntfy", &CASE.table(&vendor.url));
        assert!(channel.test().await.unwrap().contains("signed in as li"));
        let seen = vendor.only();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1/account"));
    }

    #[test]
    fn there_is_one_way_to_sign_in() {
        for keys in [
            "token = \"s3cret\"\nuser = \"li\"",
            "user = \"li\"",
            "password = \"s3cret\"",
            "topic = \"a b\"",
        ] {
            let faults = config("ntfy", keys).unwrap_err();
            assert!(faults.len() == 1 && !faults[0].contains("s3cret"), "{faults:?}");
        }
        let whole = config("ntfy", "token = \"s3cret\"").unwrap();
        assert!(!format!("{whole:?}").contains("s3cret"));
    }
}
