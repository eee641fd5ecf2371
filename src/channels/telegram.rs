//! Messages by a Telegram bot: `[channels.NAME.telegram]`.
//!
//! Facts: Telegram's page on the Bot API. The token stands in the path of every request, so no URL
//! is ever shown. It does not know a message again. UNVERIFIED: whether the limit of 4096 counts
//! characters or UTF-16 units: units, which are never fewer; the words of refusals about a chat.

use super::{
    Channel, Message, Needs, Outcome, Recipient,
    vendor::{self, Vendor},
};
use crate::domain::{Severity, Span};
use crate::input::{Fault, Section};
use crate::transport::http::{Place, Rendered, Reply};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;

const LIVE: &str = "https://api.telegram.org";
/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 4096;
/// What 400 says, in lower case, where it is about the chat and not about us.
const NO_CHAT: [&str; 6] = [
    "chat not found",
    "chat_id is empty",
    "user not found",
    "peer_id_invalid",
    "group chat was upgraded",
    "have no rights to send",
];

/// What is written in `[channels.NAME.telegram]`.
#[derive(Clone, Debug)]
pub struct Config {
    place: Place,
    bot_token: SecretString,
    /// Without one, the recipient's address is the chat.
    chat_id: Option<String>,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let place = vendor::place(s, Some(LIVE));
        let bot_token = s.required_secret("bot_token").filter(|token| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-');
            let text = token.expose_secret();
            let is_token = !text.is_empty() && text.bytes().all(fits);
            if !is_token {
                s.fault_hidden(
                    "bot_token",
                    "allowed is the token of a bot, such as 123456:ABC-def",
                );
            }
            is_token
        });
        let allowed =
            "allowed is the id of a chat, such as \"-100123456\", or a channel's \"@name\"";
        let chat_id = s.parsed("chat_id", allowed, |text| {
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        });
        section.finish();
        Some(Self { place: place?, bot_token: bot_token?, chat_id })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        if self.chat_id.is_some() { Needs::Nothing } else { Needs::Address }
    }

    /// Builds the channel, named `name` in errors.
    pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
        // The part behind the bot's number is the secret of it.
        let whole = self.bot_token.expose_secret();
        let tail = whole.split_once(':').map_or(whole, |(_, tail)| tail);
        let secrets = vec![self.bot_token.clone(), tail.into()];
        let vendor = Vendor::new(&self.place, ("telegram", name), &[], secrets)?;
        Ok(Arc::new(Telegram { config: self.clone(), vendor }))
    }
}

#[derive(Debug)]
struct Telegram {
    config: Config,
    vendor: Vendor,
}

impl Telegram {
    fn path(&self, method: &str) -> String {
        format!("/bot{}/{method}", self.config.bot_token.expose_secret())
    }

    fn request(&self, message: &Message, recipient: &Recipient) -> Result<Rendered, Outcome> {
        let chat = self.config.chat_id.as_deref().or(recipient.address.as_deref());
        let Some(chat) = chat.map(str::trim).filter(|chat| !chat.is_empty()) else {
            let why = "there is no address, so no chat".to_owned();
            return Err(Outcome::BadRecipient { why });
        };
        let chat = chat.parse::<i64>().map_or_else(|_| json!(chat), |number| json!(number));
        let text = format!("{}\n\n{}", message.subject, message.text.trim_end());
        let body = json!({
            "chat_id": chat,
            "text": cut(&text),
            "disable_notification": message.severity == Severity::Info,
            "disable_web_page_preview": true,
        });
        Ok(Rendered::post(self.path("sendMessage"), &body))
    }

    /// What follows from an answer.
    fn follows(&self, reply: &Reply) -> Outcome {
        let said = vendor::json(reply);
        let why = self.vendor.status(reply);
        let failed = said.get("ok") == Some(&Value::Bool(false));
        let word = said.get("description").and_then(Value::as_str).unwrap_or_default();
        let word = word.to_lowercase();
        let code = said.get("error_code").and_then(Value::as_i64).filter(|_| failed);
        match code {
            Some(429) => {
                let after = said.pointer("/parameters/retry_after").and_then(Value::as_i64);
                // More than a day is no number of seconds that anybody meant.
                let after = after.filter(|after| (0..=86_400).contains(after)).map(Span::seconds);
                return Outcome::Retry { after: after.or(reply.retry_after), why };
            }
            // Blocked, kicked out, never greeted.
            Some(403) => return Outcome::BadRecipient { why },
            Some(400) if NO_CHAT.iter().any(|words| word.contains(words)) => {
                return Outcome::BadRecipient { why };
            }
            Some(_) | None => {}
        }
        if let Some(outcome) = self.vendor.by_status(reply) {
            return outcome;
        }
        let id = said.pointer("/result/message_id").and_then(Value::as_i64);
        let id = id.filter(|_| said.get("ok") == Some(&Value::Bool(true)));
        vendor::accepted(id.map(|id| id.to_string()).as_deref(), "message_id")
    }
}

#[async_trait]
impl Channel for Telegram {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let request = self.request(message, recipient);
        self.vendor.try_once(request, |reply| self.follows(reply)).await
    }

    async fn test(&self) -> Result<String, String> {
        let me = self.vendor.ask(&Rendered::get(self.path("getMe"))).await?;
        let name = me.pointer("/result/username").and_then(Value::as_str).unwrap_or("unknown");
        Ok(format!("{} answers; the bot is @{name}", self.config.place.base))
    }
}

/// As much as fits, in whole characters.
fn cut(text: &str) -> &str {
    let mut units = 0_usize;
    let end = text.char_indices().find(|(_, c)| {
        units = units.saturating_add(c.len_utf16());
        units > TEXT_MAX
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "telegram",
    config: "base_url = \"BASE\"\nbot_token = \"s3cret\"\nchat_id = \"-100123456\"",
    accepted: (200, r#"{"ok":true,"result":{"message_id":77,"chat":{"id":-100123456}}}"#),
    vendor_id: Some("77"),
    reads_body: true,
};

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Vendor, channel, config, message, reader};
    use super::*;

    fn text(base: &str, keys: &str) -> String {
        format!(
            "allow_private_network = true\nbase_url = {base:?}\nbot_token = \"123456789:s3cret\"\n{keys}"
        )
    }

    #[tokio::test]
    async fn the_request_is_a_message_to_the_chat() {
        for (keys, chat) in [
            ("chat_id = \"-100123456\"", json!(-100_123_456)),
            ("chat_id = \"@ours\"", json!("@ours")),
            ("", json!("chat-7")),
        ] {
            let vendor = CASE.vendor().await;
            channel("telegram", &text(&vendor.url, keys)).send(&message(), &reader()).await;
            let seen = vendor.only();
            assert_eq!(
                (seen.method.as_str(), seen.path.as_str()),
                ("POST", "/bot123456789:s3cret/sendMessage")
            );
            assert_eq!(seen.headers["content-type"], "application/json");
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let expected = json!({
                "chat_id": chat,
                "text": format!("{}\n\n{}", message().subject, message().text),
                "disable_notification": false,
                "disable_web_page_preview": true,
            });
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn refusals_are_sorted() {
        for (status, description, expected) in [
            (400, "Bad Request: chat not found", "BadRecipient"),
            (400, "Bad Request: PEER_ID_INVALID", "BadRecipient"),
            (400, "Bad Request: message text is empty", "BadConfig"),
            (401, "Unauthorized", "BadConfig"),
            (403, "Forbidden: bot was blocked by the user", "BadRecipient"),
            (404, "Not Found: s3cret", "BadConfig"),
            (500, "Internal Server Error", "Ambiguous"),
        ] {
            let body = json!({"ok": false, "error_code": status, "description": description});
            let vendor = Vendor::start([Answer::new(status, &body.to_string())]).await;
            let telegram = channel("telegram", &text(&vendor.url, ""));
            let outcome = telegram.send(&message(), &reader()).await;
            assert!(format!("{outcome:?}").starts_with(expected), "{description}: {outcome:?}");
            assert!(!format!("{outcome:?} {telegram:?}").contains("s3cret"));
        }
        let busy = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 35",
                       "parameters":{"retry_after":35}}"#;
        let vendor = Vendor::start([Answer::new(429, busy)]).await;
        let outcome = channel("telegram", &text(&vendor.url, "")).send(&message(), &reader()).await;
        let Outcome::Retry { after, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(after, Some(Span::seconds(35)));
    }

    #[tokio::test]
    async fn without_a_chat_there_is_nobody() {
        let telegram = channel("telegram", &text("http://127.0.0.1:9", ""));
        assert_eq!(telegram.needs(), Needs::Address);
        let outcome = telegram.send(&message(), &Recipient { address: None, ..reader() }).await;
        assert!(matches!(outcome, Outcome::BadRecipient { .. }), "{outcome:?}");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        // A face is two units of UTF-16.
        let faces = "\u{1f600}".repeat(3000);
        assert_eq!(cut(&faces).chars().count(), 2048);
        assert_eq!(cut(&format!("a{faces}")).chars().count(), 2048);
        assert_eq!(cut("short"), "short");
    }

    #[tokio::test]
    async fn a_test_asks_who_the_bot_is() {
        let answer = r#"{"ok":true,"result":{"id":1,"is_bot":true,"username":"topupd_bot"}}"#;
        let vendor = Vendor::start([Answer::new(200, answer)]).await;
        let said = channel("telegram", &text(&vendor.url, "")).test().await.unwrap();
        assert!(said.contains("@topupd_bot") && !said.contains("s3cret"), "{said}");
        assert_eq!(vendor.only().path, "/bot123456789:s3cret/getMe");
    }

    #[test]
    fn a_token_cannot_lead_elsewhere() {
        for token in ["", "s3cret/../x", "s3cret?x=1"] {
            let faults = config("telegram", &format!("bot_token = {token:?}")).unwrap_err();
            assert!(faults.len() == 1 && !faults[0].contains("s3cret"), "{faults:?}");
        }
    }
}
