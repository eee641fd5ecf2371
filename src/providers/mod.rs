//! APIs and devices we talk to: one file each. They translate and classify; the core remembers,
//! decides and retries.
//!
//! Invariant: no provider names the store, the config loader, a channel or another stage. A
//! provider never repeats a request by itself.
//!
//! Adding one: a new file with `Config`, `Config::read` and `Config::build`, its `mod` line, and
//! its word in the list at the end of this file.

pub mod client;
mod declares;
mod listed;
mod http;
mod manual;

mod outcome;
mod simulated;

pub use declares::{Class, Declares, Lookup, RefUnique};
pub use listed::{Booked, Listed, is_target};
pub use outcome::{
    Answer, Evidence, Found, FreezeError, Order, ReadError, ReadOk, Refusal, TestReport,
};

use crate::domain::{ErrorKind, Money, Span, Subscription, Timestamp};
use crate::input::{Fault, Section};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// Reads lines, tops them up, looks up what became of a top-up.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// What it can do and how far it can be trusted, as data.
    fn declares(&self) -> &Declares;

    /// Asks for the present values of `line`. Only called where [`Declares::reads`].
    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError>;

    /// Renders the request for `order`, without secrets, so that it can be stored and hashed
    /// before anything is sent. Pure. Only called where [`Declares::tops_up`].
    fn freeze(&self, order: &Order) -> Result<String, FreezeError>;

    /// Sends the frozen request, once. Every doubt is [`Answer::Unclear`].
    async fn topup(&self, order: &Order, frozen: &str) -> Answer;

    /// Looks up what became of `order` by its reference. Only called where
    /// [`Declares::lookup`] is not [`Lookup::None`].
    async fn find(&self, order: &Order) -> Found;

    /// Every transaction in the provider's own books from `from` up to `to`, all pages. Only called
    /// where [`Declares::lists`].
    async fn list(&self, _from: Timestamp, _to: Timestamp) -> Result<Vec<Listed>, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "it has no list of transactions"))
    }

    /// What is left of our own float. Only called where [`Declares::wallet`].
    async fn wallet(&self) -> Result<Money, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "it has no wallet"))
    }

    /// How far our clock was ahead of the provider's at the last answer; `None` where it is not
    /// known.
    fn clock_skew(&self) -> Option<Span> {
        None
    }

    /// Tries the connection and the credentials without spending.
    async fn test(&self) -> Result<TestReport, ReadError>;
}

/// Writes the enum of configurations and the list of kinds from one list of words.
macro_rules! providers {
    ($($kind:ident)*) => {
        /// One provider's configuration, by kind.
        #[derive(Clone, Debug)]
        #[expect(non_camel_case_types, reason = "the variant is the kind as written in config")]
        pub enum ProviderConfig { $(
            #[doc = concat!("`[providers.NAME.", stringify!($kind), "]`")]
            $kind(Box<$kind::Config>),
        )* }

        /// Every kind, as written in `[providers.NAME.KIND]`.
        pub const KINDS: &[&str] = &[$(stringify!($kind)),*];

        impl ProviderConfig {
            /// The kind's word.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($kind),)* }
            }

            /// What a provider of this configuration declares.
            pub fn declares(&self) -> Declares {
                match self { $(Self::$kind(config) => config.declares(),)* }
            }

            fn read(kind: &str, section: Section<'_>) -> Option<Self> {
                match kind {
                    $(stringify!($kind) => $kind::Config::read(section).map(Box::new).map(Self::$kind),)*
                    _ => None,
                }
            }

            /// Builds the provider, named `name` in errors.
            pub async fn build(&self, name: &str) -> Result<Arc<dyn Provider>, Fault> {
                match self { $(Self::$kind(config) => config.build(name).await,)* }
            }
        }
    };
}

/// Reads `[providers.NAME]`, which must hold exactly one table, named by its kind.
pub fn read_config(mut named: Section<'_>) -> Option<ProviderConfig> {
    let (kind, section) = named.of_one_kind(KINDS)?;
    ProviderConfig::read(&kind, section)
}

providers! { http manual simulated }
