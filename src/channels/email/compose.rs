//! One letter to one person, the same to the last byte on every try.

use crate::{
    channels::{Message, Outcome, Recipient},
    domain::Timestamp,
};
use lettre::{
    Address,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};
use std::{
    error::Error,
    time::{Duration, SystemTime},
};

/// Whose name the letters bear.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// The From header, and the envelope's sender.
    pub(super) from: Mailbox,
    /// Where answers go, if elsewhere.
    pub(super) reply_to: Option<Mailbox>,
}

/// A letter ready to be handed over.
#[derive(Debug)]
pub(super) struct Letter {
    /// The envelope's sender.
    pub(super) from: Address,
    /// The envelope's one recipient: with two, one bad address would cost the other his letter.
    pub(super) to: Address,
    /// Headers and body.
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Writes `message` to `recipient`.
    pub(super) fn write(
        sender: &Sender,
        message: &Message,
        recipient: &Recipient,
    ) -> Result<Self, Outcome> {
        let written = recipient.email.as_deref().unwrap_or_default().trim();
        let to: Address = written.parse().map_err(|error| Outcome::BadRecipient {
            why: format!("the recipient's e-mail address cannot be used: {error}"),
        })?;
        let domain = sender.from.email.domain();
        let (id, thread) = (atom(&message.id), atom(&message.thread));
        let person = recipient_hash(written);
        let root = format!("<{thread}.line@{domain}>");
        let name = Some(printable(&recipient.name)).filter(|name| !name.is_empty());
        // Random boundaries would make every try another message.
        let parts = MultiPart::alternative()
            .boundary(format!("=_{person}_{}", short_hash(&message.id)))
            .singlepart(SinglePart::plain(message.text.clone()))
            .singlepart(SinglePart::html(message.html.clone()));
        let mut builder = lettre::Message::builder()
            .from(sender.from.clone())
            .to(Mailbox::new(name, to.clone()))
            .subject(printable(&message.subject))
            .date(date(message.at))
            .message_id(Some(format!("<{id}.{person}@{domain}>")))
            .in_reply_to(root.clone())
            .references(root)
            .header(AutoSubmitted)
            .header(ListUnsubscribe(unsubscribe(sender, message)));
        if let Some(reply_to) = &sender.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let built = builder.multipart(parts).map_err(|error| Outcome::BadConfig {
            why: format!("the letter cannot be written: {error}"),
        })?;
        Ok(Self { from: sender.from.email.clone(), to, bytes: built.formatted() })
    }
}

/// Tells one recipient's copy of a message from another's, without telling who it is.
fn recipient_hash(address: &str) -> String {
    short_hash(&address.to_lowercase())
}

fn short_hash(text: &str) -> String {
    let mut hex = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
    hex.truncate(8);
    hex
}

/// Only what may stand in the left part of a Message-ID.
fn atom(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().map(|c| if safe(c) { c } else { '-' }).collect()
}

/// Without line ends or other controls, which could start another header.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

/// Within the years that the header can hold.
fn date(at: Timestamp) -> SystemTime {
    let ms = u64::try_from(at.ms().clamp(0, 253_402_300_799_000)).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// How to be told no more (RFC 2369): a letter to whoever runs this, or the page of the notice.
/// Without RFC 8058's header: nobody's program may silence what a person has not seen.
fn unsubscribe(sender: &Sender, message: &Message) -> String {
    let desk = sender.reply_to.as_ref().unwrap_or(&sender.from);
    let mail = format!("<mailto:{}?subject=unsubscribe>", desk.email);
    match &message.link {
        Some(link) => format!("{mail}, <{}>", printable(link)),
        None => mail,
    }
}

/// The header of [`unsubscribe`].
#[derive(Clone, Debug)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// RFC 3834: so that no holiday autoresponder answers.
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        if text == "auto-generated" {
            Ok(Self)
        } else {
            Err("only auto-generated is written".into())
        }
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
