//! Text messages as readings: what somebody else's inbox brings, and the proof of who brought it.

use super::{ReadError, ReadOk};
use crate::domain::{Subscription, Timestamp};

/// One text message that reached a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sms {
    /// What it is called where it was received. Not unique everywhere: see [`Sms::key`].
    pub id: Option<String>,
    /// Who sent it: a number, a short code, a name.
    pub from: Option<String>,
    /// The number it was sent to.
    pub to: Option<String>,
    /// The slot of the SIM it reached, counted from one.
    pub sim: Option<i64>,
    /// What it says.
    pub text: String,
    /// When it was received.
    pub at: Option<Timestamp>,
}

impl Sms {
    /// What makes it this message and no other. Ids can be made of the text alone, so that the same
    /// balance next week has the same one; the time it was received tells them apart, and stays the
    /// same when it is posted again.
    pub fn key(&self) -> Option<String> {
        let at = self.at.map(Timestamp::rfc3339).unwrap_or_default();
        Some(format!("{}|{}|{at}", self.id.as_deref()?, self.from.as_deref().unwrap_or_default()))
    }
}

/// What was posted to an inbox, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// The body.
    pub body: &'a [u8],
    /// The header with the signature.
    pub signature: Option<&'a str>,
    /// The header with the time of the signature.
    pub timestamp: Option<&'a str>,
}

/// Why a post is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Nothing is taken by post.
    #[error("this provider takes nothing by post: it has no secret")]
    Closed,
    /// Nobody proves who posted it.
    #[error("{0}")]
    Unproven(&'static str),
    /// It is proven, and cannot be read.
    #[error("{0}")]
    Malformed(String),
}

/// Whether a message is for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsFor {
    /// It says so.
    This,
    /// It is for another one.
    Other,
    /// It says nothing about it.
    Unsaid,
}

/// A provider that is told text messages.
pub trait Inbox: Send + Sync {
    /// Proves who posted it, then reads it. Events that are no message are no message.
    fn open(&self, post: &Post<'_>, now: Timestamp) -> Result<Vec<Sms>, PostError>;

    /// True for senders whose messages are about the balance.
    fn is_sender(&self, from: &str) -> bool;

    /// Whether the message reached `line`.
    fn is_for(&self, line: &Subscription, sms: &Sms) -> IsFor;

    /// What the text says of `line`.
    fn understand(&self, line: &Subscription, text: &str) -> Result<ReadOk, ReadError>;
}
