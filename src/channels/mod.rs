//! Ways of telling people: one file each. A channel sends once and classifies; the outbox
//! remembers and retries.
//!
//! Invariant: no channel names the store, the config loader or a provider.
//!
//! Adding one: a new file with `Config` (`read`, `needs`, `build`), its `mod` line, and
//! its word in the list at the end of this file.

mod aliyun_sms;
mod android_gateway;
mod cloud;
#[cfg(test)]
mod conformance;
mod email;
mod exec;
mod form;
mod kannel;
mod message;
mod modem;
mod ntfy;
mod plivo;
#[cfg(test)]
mod recipe_tests;
mod report;
#[cfg(test)]
mod shape_tests;
mod telegram;
mod telnyx;
mod templates;
mod tencent_sms;
#[cfg(test)]
mod testing;
mod twilio;
mod vendor;
mod vonage;
mod webhook;

pub use crate::transport::hook::{HookCall, HookError};
pub use message::{Message, Outcome, Recipient};
pub use report::{Delivery, Report};

use crate::input::{Fault, Section};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// What of a person a channel needs to reach them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// An address of the channel's own: `addresses = { NAME = "…" }` in the fleet file.
    Address,
    /// Nothing: it always goes to the same place.
    Nothing,
}

impl Needs {
    /// True where `recipient` has what is needed.
    pub fn are_met(self, recipient: &Recipient) -> bool {
        let is_there = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        match self {
            Self::Email => is_there(&recipient.email),
            Self::Phone => recipient.phone.is_some(),
            Self::Address => is_there(&recipient.address),
            Self::Nothing => true,
        }
    }
}

/// Sends messages to people.
#[async_trait]
pub trait Channel: Send + Sync + fmt::Debug {
    /// What it needs of a recipient.
    fn needs(&self) -> Needs;

    /// True where a second try of the same message cannot become a second message: the vendor
    /// knows it by its id. An ambiguous try is then simply repeated.
    fn repeats_safely(&self) -> bool {
        false
    }

    /// One try. Bounded in time; never retries by itself.
    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome;

    /// Tries the connection and the credentials without sending.
    async fn test(&self) -> Result<String, String>;

    /// Asks what became of a message that was accepted under `vendor_id`; `None` where the vendor
    /// cannot be asked or does not know it.
    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let _ = vendor_id;
        Ok(None)
    }

    /// True where [`Self::delivery`] can answer.
    fn can_be_asked(&self) -> bool {
        false
    }

    /// Proves who called, then reads the reports. Calls that are none are none.
    fn hear(&self, call: &HookCall) -> Result<Vec<Report>, HookError> {
        let _ = call;
        Err(HookError::Closed("it has no reports, or no secret to prove them"))
    }

    /// The answer to a call that was taken, `news` of whose reports were news. A vendor that misses
    /// the answer it wants calls again.
    fn answer(&self, news: usize) -> Value {
        json!({ "reports": news })
    }
}

/// Writes the enum of configurations and the list of kinds from one list of words.
macro_rules! channels {
    ($($kind:ident)*) => {
        /// One channel's configuration, by kind.
        #[derive(Clone, Debug)]
        #[expect(non_camel_case_types, reason = "the variant is the kind as written in config")]
        pub enum ChannelConfig { $(
            #[doc = concat!("`[channels.NAME.", stringify!($kind), "]`")]
            $kind(Box<$kind::Config>),
        )* }

        /// Every kind, as written in `[channels.NAME.KIND]`.
        pub const KINDS: &[&str] = &[$(stringify!($kind)),*];

        impl ChannelConfig {
            /// The kind's word.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($kind),)* }
            }

            fn read(kind: &str, section: Section<'_>) -> Option<Self> {
                match kind {
                    $(stringify!($kind) => $kind::Config::read(section).map(Box::new).map(Self::$kind),)*
                    _ => None,
                }
            }

            /// What it needs of a recipient.
            pub fn needs(&self) -> Needs {
                match self { $(Self::$kind(config) => config.needs(),)* }
            }

            /// Builds the channel, named `name` in errors.
            pub fn build(&self, name: &str) -> Result<Arc<dyn Channel>, Fault> {
                match self { $(Self::$kind(config) => config.build(name),)* }
            }
        }
    };
}

/// Reads `[channels.NAME]`, which must hold exactly one table, named by its kind.
pub fn read_config(mut named: Section<'_>) -> Option<ChannelConfig> {
    let (kind, section) = named.of_one_kind(KINDS)?;
    ChannelConfig::read(&kind, section)
}

channels! {
    aliyun_sms
    android_gateway
    email
    exec
    kannel
    modem
    ntfy
    plivo
    telegram
    telnyx
    tencent_sms
    twilio
    vonage
    webhook
}
