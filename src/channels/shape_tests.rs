//! What channels of different shapes make of every notice, as it was last looked at by a person. A
//! change shows as a difference; `INSTA_UPDATE=always cargo test --lib shape` accepts it.
//!
//! The notice's own words (which have snapshots of their own in `words`) stand here as SUBJECT, TEXT,
//! HTML and SHORT, its facts as FACTS: what is left is what the channel adds, leaves out or cuts.

use super::testing::{Answer, Vendor, channel, reader};
use super::{Message, Outcome, conformance::Case};
use crate::domain::{NoticeKind, Severity};
use crate::sim::mailbox::Mailbox;
use crate::words::{LOCALES, Words};
use serde_json::{Value, json};

/// The kinds of channels whose requests are JSON.
const CASES: [Case; 3] = [super::webhook::CASE, super::ntfy::CASE, super::telegram::CASE];

/// Every kind, then one kind in every severity.
fn messages(locale: &str) -> Vec<(String, Message)> {
    let words = Words::new().unwrap();
    let sample = |kind| words.sample(kind, locale).unwrap();
    let kinds = NoticeKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), sample(*kind)));
    let severities = [Severity::Info, Severity::Warning, Severity::High, Severity::Critical];
    let severities = severities.map(|severity| {
        let message = Message { severity, ..sample(NoticeKind::Stale) };
        (format!("stale, {}", severity.as_str()), message)
    });
    kinds.chain(severities).collect()
}

/// The notice's own words become names.
fn named(text: &str, message: &Message) -> String {
    let text = text.replace("\r\n", "\n");
    let words = [
        ("HTML", message.html.trim_end()),
        ("TEXT", message.text.trim_end()),
        ("SHORT", &message.short),
        ("SUBJECT", &message.subject),
    ];
    words.iter().fold(text, |text, (name, words)| text.replace(words, name))
}

fn all_named(value: Value, message: &Message) -> Value {
    match value {
        facts @ Value::Object(_) if facts == json!(message.params) => "FACTS".into(),
        Value::String(text) => named(&text, message).into(),
        Value::Array(items) => items.into_iter().map(|item| all_named(item, message)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, all_named(value, message))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// The page: what is the same of several stands there once.
#[derive(Default)]
struct Page(Vec<(Value, Vec<String>)>);

impl Page {
    fn add(&mut self, name: String, sent: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == sent) {
            Some((_, names)) => names.push(name),
            None => self.0.push((sent, vec![name])),
        }
    }

    fn text(&self) -> String {
        let blocks =
            self.0.iter().map(|(sent, names)| format!("=== {}\n{sent:#}\n", names.join("; ")));
        blocks.collect()
    }
}

#[tokio::test]
async fn every_kind_in_every_language_as_channels_send_it() {
    for case in CASES {
        let (status, body) = case.accepted;
        let vendor = Vendor::start([Answer::new(status, body)]).await;
        let config = case.config.replace("BASE", &vendor.url);
        let channel = channel(case.kind, &format!("allow_private_network = true\n{config}"));
        for locale in LOCALES {
            let mut page = Page::default();
            for (name, message) in messages(locale) {
                let outcome = channel.send(&message, &reader()).await;
                assert!(matches!(outcome, Outcome::Accepted { .. }), "{name}: {outcome:?}");
                let sent = serde_json::from_str(&vendor.seen().pop().unwrap().body).unwrap();
                page.add(name, all_named(sent, &message));
            }
            insta::assert_snapshot!(format!("{locale}_{}", case.kind), page.text());
        }
    }
}

#[tokio::test]
async fn every_kind_in_every_language_as_a_letter() {
    let mailbox = Mailbox::start().await.unwrap();
    let config = format!("url = {:?}\nfrom = \"topupd <topupd@example.com>\"", mailbox.url());
    let channel = channel("email", &config);
    for locale in LOCALES {
        let mut page = Page::default();
        for (name, message) in messages(locale) {
            let outcome = channel.send(&message, &reader()).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{name}: {outcome:?}");
            let mail = mailbox.mails().pop().unwrap();
            let header = |name: &str| mail.header(name);
            let part = |kind: &str| mail.part(kind).map(|text| named(text.trim_end(), &message));
            let letter = json!({
                "From": header("From"), "To": header("To"), "Subject": header("Subject"),
                "Date": header("Date"), "Message-ID": header("Message-ID"),
                "References": header("References"), "In-Reply-To": header("In-Reply-To"),
                "Auto-Submitted": header("Auto-Submitted"),
                "text/plain": part("text/plain"), "text/html": part("text/html"),
            });
            page.add(name, letter);
        }
        insta::assert_snapshot!(format!("{locale}_email"), page.text());
    }
}
