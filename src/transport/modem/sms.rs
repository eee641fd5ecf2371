//! Text messages: one is sent, and the answer is picked out of what comes in.
//!
//! Invariant: only messages that were understood as answers, and our own, are deleted; everything
//! else on the SIM is somebody's post.

use super::bus::{Bus, Properties, Trouble, number, path, text};
use crate::domain::Timestamp;
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::Instant;
use zbus::{OwnedObjectPath, Variant};

const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
const SMS: &str = "org.freedesktop.ModemManager1.Sms";
/// All parts are there; before that the text is not whole.
const RECEIVED: i64 = 3;
/// The kinds of message that come in, over GSM and over CDMA.
const DELIVERED: [i64; 2] = [1, 32];
/// How often what came in is looked through.
const LOOK: Duration = Duration::from_millis(500);

/// What is sent to whom, and who answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) to: &'a str,
    pub(crate) text: &'a str,
    /// Senders of answers besides `to`.
    pub(crate) from: &'a [String],
}

impl Question<'_> {
    fn is_answered_by(&self, sender: &str) -> bool {
        self.from.iter().map(String::as_str).chain([self.to]).any(|known| is_sender(known, sender))
    }
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it says.
    pub(crate) text: String,
    /// When the network took it, by the network's clock.
    pub(crate) at: Option<Timestamp>,
}

/// What the expected sender said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard<T> {
    /// The answer.
    Answer(T),
    /// Only something else: an advert, an error.
    Other(String),
}

/// The messages of one modem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post<'a> {
    pub(crate) bus: &'a Bus,
    pub(crate) modem: &'a str,
}

impl Post<'_> {
    /// Sends the question and waits for a message that `understand` takes for the answer.
    pub(crate) async fn ask<T>(
        self,
        question: Question<'_>,
        limit: Duration,
        understand: impl Fn(&Message) -> Option<T>,
    ) -> Result<Heard<T>, Trouble> {
        let mut known: BTreeSet<String> =
            self.list().await.map_err(Trouble::harmless)?.into_iter().collect();
        let until = Instant::now() + limit;
        self.send(question, limit).await?;
        let mut other = None;
        loop {
            for at in self.list().await.map_err(Trouble::begun)? {
                if known.contains(&at) {
                    continue;
                }
                // A message that is gone again was read by somebody else.
                let Ok(found) = self.bus.properties(&at, SMS).await else { continue };
                let Some(message) = answer_of(question, &found) else {
                    if is_whole(&found) {
                        known.insert(at);
                    }
                    continue;
                };
                if let Some(answer) = understand(&message) {
                    self.delete(&at).await;
                    return Ok(Heard::Answer(answer));
                }
                known.insert(at);
                other = Some(message.text);
            }
            if Instant::now() >= until {
                return other.map(Heard::Other).ok_or_else(|| Trouble::silence(limit));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Deletes answers that came too late for the question they belong to: they would fill the SIM
    /// until nothing comes in any more.
    pub(crate) async fn forget<T>(
        self,
        question: Question<'_>,
        understand: impl Fn(&Message) -> Option<T>,
    ) -> Result<(), Trouble> {
        for at in self.list().await? {
            let Ok(found) = self.bus.properties(&at, SMS).await else { continue };
            if answer_of(question, &found).is_some_and(|message| understand(&message).is_some()) {
                self.delete(&at).await;
            }
        }
        Ok(())
    }

    async fn send(self, question: Question<'_>, limit: Duration) -> Result<(), Trouble> {
        let message: HashMap<&str, Variant<'_>> =
            [("number", question.to.into()), ("text", question.text.into())].into();
        let created: OwnedObjectPath = self
            .bus
            .call(self.modem, MESSAGING, "Create", &(message,))
            .await
            .map_err(Trouble::harmless)?;
        let sending = self.bus.call::<_, ()>(created.as_str(), SMS, "Send", &());
        let sent = tokio::time::timeout(limit, sending).await;
        self.delete(created.as_str()).await;
        sent.unwrap_or_else(|_| Err(Trouble::silence(limit)))
    }

    async fn list(self) -> Result<Vec<String>, Trouble> {
        let paths: Vec<OwnedObjectPath> = self.bus.call(self.modem, MESSAGING, "List", &()).await?;
        Ok(paths.iter().map(ToString::to_string).collect())
    }

    async fn delete(self, at: &str) {
        let Ok(at) = path(at) else { return };
        if let Err(trouble) = self.bus.call::<_, ()>(self.modem, MESSAGING, "Delete", &(at,)).await
        {
            tracing::warn!(why = %trouble.why, "a message could not be deleted");
        }
    }
}

fn is_whole(found: &Properties) -> bool {
    number(found, "State") == Some(RECEIVED)
}

/// The whole message, where it came in from somebody who answers the question.
fn answer_of(question: Question<'_>, found: &Properties) -> Option<Message> {
    let came_in = number(found, "PduType").is_some_and(|kind| DELIVERED.contains(&kind));
    (is_whole(found) && came_in && question.is_answered_by(&text(found, "Number")))
        .then(|| Message { text: text(found, "Text"), at: instant(&text(found, "Timestamp")) })
}

/// ISO 8601 as ModemManager writes it: an offset of whole hours has no minutes.
fn instant(text: &str) -> Option<Timestamp> {
    let hours_only = text.len().checked_sub(3).and_then(|at| text.get(at..));
    let full = if hours_only.is_some_and(|tail| tail.starts_with(['+', '-'])) {
        format!("{text}:00")
    } else {
        text.to_owned()
    };
    Timestamp::parse_rfc3339(&full)
}

/// Short codes and names must be the same; numbers may lack their country.
fn is_sender(known: &str, sender: &str) -> bool {
    let (known, sender) = (known.trim(), sender.trim());
    known.eq_ignore_ascii_case(sender) || is_same_number(known, sender)
}

fn is_same_number(a: &str, b: &str) -> bool {
    let number = |text: &str| {
        let digits = text.trim_start_matches('+').trim_start_matches('0');
        let plain = digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| (digits.to_owned(), text.starts_with('+')))
    };
    let (Some((a, a_whole)), Some((b, b_whole))) = (number(a), number(b)) else { return false };
    a == b || (!a_whole && b.ends_with(&a)) || (!b_whole && a.ends_with(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_from_whoever_was_asked() {
        for (known, sender, same) in [
            ("6700", "6700", true),
            ("6700", "+6700", false),
            ("6700", "67001", false),
            ("6700", "16700", false),
            ("+18888781488", "8888781488", true),
            ("18888781488", "+18888781488", true),
            ("+18888781488", "+448888781488", false),
            ("Vodafone", "VODAFONE", true),
            ("Vodafone", "Vodaphone", false),
            ("Vodafone", "", false),
        ] {
            assert_eq!(is_sender(known, sender), same, "{known} {sender}");
        }
    }

    #[test]
    fn times_of_modem_manager() {
        for (text, expected) in [
            ("2026-11-21T12:00:00+00", Some("2026-11-21T12:00:00Z")),
            ("2026-11-21T12:00:00-05", Some("2026-11-21T17:00:00Z")),
            ("2026-11-21T12:00:00+05:30", Some("2026-11-21T06:30:00Z")),
            ("2026-11-21T12:00:00Z", Some("2026-11-21T12:00:00Z")),
            ("", None),
            ("é", None),
            ("soon", None),
        ] {
            assert_eq!(instant(text).map(Timestamp::rfc3339).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn half_a_message_and_others_post_are_no_answers() {
        let question = Question { to: "6700", text: "BAL", from: &[] };
        let found = |state: u32, kind: u32, number: &str| -> Properties {
            let value = |value: Variant<'_>| value.try_into().unwrap();
            [
                ("State".to_owned(), value(state.into())),
                ("PduType".to_owned(), value(kind.into())),
                ("Number".to_owned(), value(number.into())),
                ("Text".to_owned(), value("hello".into())),
            ]
            .into()
        };
        assert!(answer_of(question, &found(3, 1, "6700")).is_some());
        assert!(answer_of(question, &found(3, 32, "6700")).is_some());
        for (state, kind, number) in [(2, 1, "6700"), (5, 2, "6700"), (3, 3, "6700"), (3, 1, "611")]
        {
            assert_eq!(answer_of(question, &found(state, kind, number)), None);
        }
    }
}
