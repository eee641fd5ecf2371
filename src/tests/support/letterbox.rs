//! A channel that keeps what it is given, and behaves as told.

use async_trait::async_trait;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;
use topupd::channels::{Channel, Message, Needs, Outcome, Recipient};

/// What it took, and what it says to the next ones.
#[derive(Debug, Default)]
pub(crate) struct Letterbox {
    took: Mutex<Vec<Message>>,
    says: Mutex<Option<Outcome>>,
    gate: Mutex<Option<Arc<Semaphore>>>,
    at_the_gate: AtomicUsize,
}

impl Letterbox {
    /// What it took so far.
    pub(crate) fn took(&self) -> Vec<Message> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on whoever comes waits for a permit; `None`: nobody who comes from now on does.
    pub(crate) fn waits(&self, gate: Option<Arc<Semaphore>>) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// How many ever came to a gate.
    pub(crate) fn at_the_gate(&self) -> usize {
        self.at_the_gate.load(Ordering::SeqCst)
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
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(gate) = gate {
            self.at_the_gate.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
        }
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
