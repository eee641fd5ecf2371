//! E-mail over SMTP, or by a program such as `sendmail`: `[channels.NAME.email]`.
//!
//! Invariant: every try has its own connection, which dies with it. A pool would hand a connection
//! that was cut off in mid-message to the next message, which then reads the replies to the old
//! one and takes a rejection for success.

mod compose;
mod config;
mod conversation;
mod sendmail;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

pub(super) use config::Config;

use super::{Channel, Message, Needs, Outcome, Recipient};
use async_trait::async_trait;
use compose::{Letter, Sender};
use conversation::Route;
use sendmail::Sendmail;

/// The channel: who writes, and the way the letters go.
#[derive(Debug)]
struct Email {
    sender: Sender,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Server(Route),
    Program(Sendmail),
}

#[async_trait]
impl Channel for Email {
    fn needs(&self) -> Needs {
        Needs::Email
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        match Letter::write(&self.sender, message, recipient) {
            Ok(letter) => match &self.way {
                Way::Server(route) => route.deliver(&letter).await,
                Way::Program(sendmail) => sendmail.deliver(&letter).await,
            },
            Err(outcome) => outcome,
        }
    }

    async fn test(&self) -> Result<String, String> {
        match &self.way {
            Way::Server(route) => route.test().await,
            Way::Program(sendmail) => sendmail.test().await,
        }
    }
}
