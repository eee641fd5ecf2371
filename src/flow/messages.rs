//! The operator's text messages: whose they are, what they say, and that each counts once.

use super::{
    Engine, EngineError, OrderError, Stage,
    assess::assess,
    by_hand::{keep_dates, taken_at},
};
use crate::domain::{Money, Quality, Reading, Subscription, SubscriptionId, SubscriptionStatus};
use crate::providers::{Inbox, IsFor, Post, PostError, Sms};
use crate::store::{Polled, StoreError};

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is a reading now, good or not.
    Stored(Box<Reading>),
    /// It was one already.
    Known,
    /// It is none of ours; why, in words.
    Ignored(String),
}

/// Why a post to an inbox is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HearError {
    /// There is no such provider, or it is told no messages.
    #[error("no provider {0} is told text messages")]
    NoInbox(String),
    /// It is not proved, or cannot be read.
    #[error(transparent)]
    Post(#[from] PostError),
    /// The rows could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for HearError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

impl Engine {
    /// Takes what a phone posted to the inbox of `provider`. Messages of senders that were not
    /// allowed, and such as nobody can be found for, leave no trace: they are somebody's private
    /// life.
    pub async fn hear(&self, provider: &str, post: &Post<'_>) -> Result<Vec<Heard>, HearError> {
        let inbox = self.provider(provider).and_then(|provider| provider.inbox());
        let inbox = inbox.ok_or_else(|| HearError::NoInbox(provider.to_owned()))?;
        let mut heard = Vec::new();
        for sms in inbox.open(post, self.now())? {
            if !sms.from.as_deref().is_some_and(|from| inbox.is_sender(from)) {
                heard.push(Heard::Ignored("its sender is not among those allowed".to_owned()));
                continue;
            }
            let what = match whose(inbox, &sms, self.store().lines_of_reader(provider).await?) {
                Ok(line) => match self.take(inbox, &line, &sms).await {
                    Ok(heard) => heard,
                    Err(OrderError::Engine(error)) => return Err(error.into()),
                    Err(OrderError::Refused(why) | OrderError::Invalid(why)) => Heard::Ignored(why),
                },
                Err(why) => Heard::Ignored(why),
            };
            if let Heard::Ignored(why) = &what {
                tracing::warn!(provider, why, "a text message of the operator was not taken");
            }
            heard.push(what);
        }
        Ok(heard)
    }

    /// Takes a message that a person, or a forwarder with a token, brings for a line.
    pub async fn sms_by_hand(&self, id: &SubscriptionId, sms: &Sms) -> Result<Reading, OrderError> {
        let line = self.store().subscription(id).await?;
        let inbox = self.provider(&line.reader).and_then(|provider| provider.inbox());
        let Some(inbox) = inbox else {
            let reader = &line.reader;
            let why = format!(
                "subscription {id} is read through {reader}; allowed is one whose reader is an \
                 sms_inbox"
            );
            return Err(OrderError::Refused(why));
        };
        if sms.text.trim().is_empty() {
            return Err(OrderError::Invalid("text: allowed is what the message says".to_owned()));
        }
        if let Some(at) = sms.at.filter(|at| *at > self.now()) {
            let why = format!("at: found {at}; allowed is an instant up to now, {}", self.now());
            return Err(OrderError::Invalid(why));
        }
        if let Some(from) = sms.from.as_deref().filter(|from| !inbox.is_sender(from)) {
            let why = format!("from: found {from:?}; allowed are the senders of {}", line.reader);
            return Err(OrderError::Invalid(why));
        }
        match self.take(inbox, &line, sms).await? {
            Heard::Stored(reading) => Ok(*reading),
            Heard::Known => Err(OrderError::Refused("this message was stored before".to_owned())),
            Heard::Ignored(why) => Err(OrderError::Refused(why)),
        }
    }

    /// Makes a reading of a message for `line`.
    async fn take(
        &self,
        inbox: &dyn Inbox,
        line: &Subscription,
        sms: &Sms,
    ) -> Result<Heard, OrderError> {
        let now = self.now();
        let key = sms.key();
        if let Some(key) = &key
            && self.store().knows_message(&line.reader, key).await?
        {
            return Ok(Heard::Known);
        }
        if line.status == SubscriptionStatus::Closed {
            let why = format!("subscription {} is closed", line.id);
            return Err(OrderError::Refused(why));
        }
        let snapshot = self.store().snapshot(&line.id).await?.snapshot;
        // A phone's clock may be ahead of ours.
        let at = taken_at(&snapshot, sms.at.map(|at| at.min(now)), now)?;
        let before = snapshot.reading.as_ref();
        let known = before.and_then(|r| r.values.balance).map(Money::currency);
        let answer = inbox.understand(line, &sms.text);
        let (quality, mut values, detail) = assess(line, known, answer);
        if quality == Quality::Ok {
            keep_dates(&mut values, before);
        } else {
            let detail = detail.as_deref().unwrap_or_default();
            tracing::warn!(subscription.id = %line.id, provider = line.reader, %quality, detail, "a text message gave no usable reading");
        }
        let (subscription, provider) = (line.id.clone(), line.reader.clone());
        let reading = Reading { subscription, provider, at, quality, values, detail };
        let next_poll_at = self.next_poll(&reading, now);
        let polled = Polled { reading: reading.clone(), next_poll_at };
        if !self.store().apply_message(key.as_deref(), &polled, now).await? {
            return Ok(Heard::Known);
        }
        self.wake(Stage::Decide);
        self.wake(Stage::Verify);
        Ok(Heard::Stored(Box::new(reading)))
    }
}

/// The line a message is for: the one that it names, or the only one there is.
fn whose(inbox: &dyn Inbox, sms: &Sms, lines: Vec<Subscription>) -> Result<Subscription, String> {
    let (mut named, mut silent) = (Vec::new(), Vec::new());
    for line in lines {
        match inbox.is_for(&line, sms) {
            IsFor::This => named.push(line),
            IsFor::Unsaid => silent.push(line),
            IsFor::Other => {}
        }
    }
    let candidates = if named.is_empty() { silent } else { named };
    let count = candidates.len();
    let mut candidates = candidates.into_iter();
    match (candidates.next(), count) {
        (Some(line), 1) => Ok(line),
        (None, _) => Err("it is for none of the lines read here".to_owned()),
        (Some(_), _) => {
            Err(format!("{count} lines are read here, and nothing says which it is for"))
        }
    }
}
