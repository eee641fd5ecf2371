//! A channel that keeps what it is given, and behaves as told.

use async_trait::async_trait;
use std::sync::{Mutex, PoisonError};
use topupd::channels::{Channel, Message, Needs, Outcome, Recipient};

/// What it took, and what it says to the next ones.
#[derive(Debug, Default)]
pub(crate) struct Letterbox {
    took: Mutex<Vec<Message>>,
    says: Mutex<Option<Outcome>>,
}

impl Letterbox {
    /// What it took so far.
    pub(crate) fn took(&self) -> Vec<Message> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it says from now on; `None`: it takes everything.
    pub(crate) fn says(&self, outcome: Option<Outcome>) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }
}

#[async_trait]
impl Channel for Letterbox {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    async fn send(&self, message: &Message, _: &Recipient) -> Outcome {
        let says = self.says.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(outcome) = says {
            return outcome;
        }
        self.took.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Outcome::Accepted { vendor_id: None }
    }

    async fn test(&self) -> Result<String, String> {
        Ok("a letterbox".into())
    }
}
