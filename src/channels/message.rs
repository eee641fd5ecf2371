//! A rendered message, its recipient, and what can come of sending it.

use crate::domain::{Msisdn, NoticeKind, Severity, Span, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A notice put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The notice's id, the same on every try: the stable part of the Message-ID, and the
    /// idempotency key where a vendor has one.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// How much it matters.
    pub severity: Severity,
    /// The language it is in, as in [`crate::words::LOCALES`].
    pub locale: &'static str,
    /// Constant per line and topic, so that mail threads hold.
    pub subject: String,
    /// The whole notice as plain text; stands alone.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// One line for channels that have no room: one SMS, in GSM-7 or UCS-2.
    pub short: String,
    /// The facts that are known, by name, for gateways that send only templates they approved:
    /// see [`crate::words::PARAMETERS`].
    pub params: BTreeMap<&'static str, String>,
    /// Where it can be answered; nothing happens there before somebody confirms it.
    pub link: Option<String>,
    /// What the thread is about (subscription and topic); messages with the same one belong together.
    pub thread: String,
    /// When its cause happened; the Date header, so that retries are the same message.
    pub at: Timestamp,
}

impl Message {
    /// What programs and endpoints are told of it and of its recipient, as fields of a JSON object.
    pub(super) fn fields(&self, recipient: &Recipient) -> Map<String, Value> {
        let recipient = json!({
            "name": recipient.name,
            "email": recipient.email,
            "phone": recipient.phone.as_ref().map(Msisdn::as_str),
            "address": recipient.address,
        });
        let fields = [
            ("id", json!(self.id)),
            ("kind", json!(self.kind.as_str())),
            ("severity", json!(self.severity.as_str())),
            ("locale", json!(self.locale)),
            ("subject", json!(self.subject)),
            ("text", json!(self.text)),
            ("short", json!(self.short)),
            ("recipient", recipient),
            ("params", json!(self.params)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Where one person can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: Option<String>,
    /// Their number.
    pub phone: Option<Msisdn>,
    /// What the channel calls them (`addresses` of the fleet file): a chat, a topic.
    pub address: Option<String>,
}

/// What came of one try, sorted by what may follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took responsibility; its id if it gave one.
    Accepted {
        /// The vendor's id or queue id.
        vendor_id: Option<String>,
    },
    /// Proven not accepted: try again, not sooner than `after` where given.
    Retry {
        /// How long the channel asked us to wait.
        after: Option<Span>,
        /// Why, in words.
        why: String,
    },
    /// It may have been accepted.
    Ambiguous {
        /// Why, in words.
        why: String,
    },
    /// This recipient cannot be reached by this channel.
    BadRecipient {
        /// Why, in words.
        why: String,
    },
    /// This channel cannot send anything as configured.
    BadConfig {
        /// Why, in words.
        why: String,
    },
}
