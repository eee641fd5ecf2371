//! E-mail over SMTP: `[channels.NAME.email]`.
//!
//! Invariant: every try has its own connection, which dies with it. A pool would hand a connection
//! that was cut off in mid-message to the next message, which then reads the replies to the old
//! one and takes a rejection for success.

mod compose;
mod config;
mod conversation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

pub(super) use config::Config;

use super::{Channel, Message, Needs, Outcome, Recipient};
use async_trait::async_trait;
use compose::{Letter, Sender};
use conversation::Route;

/// The channel: who writes, and the way to the server.
#[derive(Debug)]
struct Email {
    sender: Sender,
    route: Route,
}

#[async_trait]
impl Channel for Email {
    fn needs(&self) -> Needs {
        Needs::Email
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        match Letter::write(&self.sender, message, recipient) {
            Ok(letter) => self.route.deliver(&letter).await,
            Err(outcome) => outcome,
        }
    }

    async fn test(&self) -> Result<String, String> {
        self.route.test().await
    }
}
