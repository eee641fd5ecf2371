//! Ways of telling people: one file each. A channel sends once and classifies; the outbox
//! remembers and retries.
//!
//! Invariant: no channel names the store, the config loader or a provider.
//!
//! Adding one: a new file with `Config`, `Config::read` and `Config::build`, its `mod` line, and
//! its word in the list at the end of this file.

mod email;
mod message;

pub use message::{Message, Outcome, Recipient};

use crate::input::{Fault, Section};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// Sends messages to people.
#[async_trait]
pub trait Channel: Send + Sync + fmt::Debug {
    /// True when this channel can reach `recipient` at all (has the kind of address it needs).
    fn reaches(&self, recipient: &Recipient) -> bool;

    /// One try. Bounded in time; never retries by itself.
    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome;

    /// Tries the connection and the credentials without sending.
    async fn test(&self) -> Result<String, String>;
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

channels! { email }
