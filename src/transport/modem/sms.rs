//! Text messages: one is sent, and the answer or the network's report is picked out of what comes in.
//!
//! Invariant: only messages that were understood as answers, reports about our own, and our own are
//! deleted; everything else on the SIM is somebody's post.

use super::bus::{Bus, Properties, Trouble, number, path, text};
use crate::domain::{Span, Timestamp};
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
/// The kind of message that reports what became of another.
const REPORT: i64 = 3;
/// How often what came in is looked through.
const LOOK: Duration = Duration::from_millis(500);

/// How far the network's clock may be behind.
const SLACK: Span = Span::minutes(10);

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

/// What the network says of a message that was sent (3GPP TS 23.040, TP-Status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// It is there, or the network did all it can.
    Delivered,
    /// It is still being tried.
    Trying,
    /// It will not arrive.
    Failed(i64),
}

/// A message that was sent, as its report will name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent<'a> {
    /// The modem's number for it; after 255 it begins anew.
    pub(crate) reference: i64,
    /// Its recipient.
    pub(crate) to: &'a str,
    /// When it was sent: reports that are older are about another.
    pub(crate) at: Timestamp,
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

    /// Looks for the network's report about a message. One that settles it is deleted.
    pub(crate) async fn report(self, sent: Sent<'_>) -> Result<Option<Report>, Trouble> {
        let mut last = None;
        for at in self.list().await? {
            let Ok(found) = self.bus.properties(&at, SMS).await else { continue };
            let Some(report) = report_of(sent, &found) else { continue };
            last = Some(report);
            if report != Report::Trying {
                self.delete(&at).await;
                break;
            }
        }
        Ok(last)
    }

    async fn send(self, question: Question<'_>, limit: Duration) -> Result<(), Trouble> {
        let message = [("number", question.to.into()), ("text", question.text.into())];
        self.submit(message.into(), limit).await.map(drop)
    }

    /// Sends a message and asks for a report about it; the modem's number for it, if it says one.
    pub(crate) async fn tell(
        self,
        to: &str,
        text: &str,
        limit: Duration,
    ) -> Result<Option<i64>, Trouble> {
        let report: Variant<'_> = true.into();
        let message =
            [("number", to.into()), ("text", text.into()), ("delivery-report-request", report)];
        self.submit(message.into(), limit).await
    }

    async fn submit(
        self,
        message: HashMap<&str, Variant<'_>>,
        limit: Duration,
    ) -> Result<Option<i64>, Trouble> {
        let created: OwnedObjectPath = self
            .bus
            .call(self.modem, MESSAGING, "Create", &(message,))
            .await
            .map_err(Trouble::harmless)?;
        let sending = self.bus.call::<_, ()>(created.as_str(), SMS, "Send", &());
        let sent = tokio::time::timeout(limit, sending).await;
        let reference = match &sent {
            Ok(Ok(())) => self.bus.properties(created.as_str(), SMS).await.ok(),
            Ok(Err(_)) | Err(_) => None,
        };
        self.delete(created.as_str()).await;
        sent.unwrap_or_else(|_| Err(Trouble::silence(limit)))?;
        Ok(reference.and_then(|found| number(&found, "MessageReference")))
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

/// What a report says, where it is one about this message.
fn report_of(sent: Sent<'_>, found: &Properties) -> Option<Report> {
    let is_ours = number(found, "PduType") == Some(REPORT)
        && number(found, "MessageReference") == Some(sent.reference)
        && is_sender(sent.to, &text(found, "Number"));
    // By the network's clock, which may be a little behind ours.
    let at = instant(&text(found, "DischargeTimestamp"));
    let is_older = at.is_some_and(|at| at.plus(SLACK) < sent.at);
    if !is_ours || is_older {
        return None;
    }
    Some(match number(found, "DeliveryState")? {
        0x00..=0x1f => Report::Delivered,
        0x20..=0x3f => Report::Trying,
        state @ 0x40..=0x7f => Report::Failed(state),
        _ => return None,
    })
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
    fn reports_are_about_one_message() {
        let at = Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
        let sent = Sent { reference: 7, to: "+12025550199", at };
        let found = |kind: u32, reference: u32, from: &str, state: u32, at: &str| -> Properties {
            let value = |value: Variant<'_>| value.try_into().unwrap();
            [
                ("PduType".to_owned(), value(kind.into())),
                ("MessageReference".to_owned(), value(reference.into())),
                ("Number".to_owned(), value(from.into())),
                ("DeliveryState".to_owned(), value(state.into())),
                ("DischargeTimestamp".to_owned(), value(at.into())),
            ]
            .into()
        };
        let (us, now) = ("+12025550199", "2026-11-21T12:00:30+00");
        for (properties, expected) in [
            (found(3, 7, us, 0, now), Some(Report::Delivered)),
            (found(3, 7, us, 0, ""), Some(Report::Delivered)),
            (found(3, 7, us, 0x20, now), Some(Report::Trying)),
            (found(3, 7, us, 0x41, now), Some(Report::Failed(0x41))),
            (found(3, 7, us, 256, now), None),
            (found(3, 8, us, 0, now), None),
            (found(1, 7, us, 0, now), None),
            (found(3, 7, "+12025550198", 0, now), None),
            (found(3, 7, us, 0, "2026-11-21T11:00:00+00"), None),
        ] {
            assert_eq!(report_of(sent, &properties), expected, "{properties:?}");
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
