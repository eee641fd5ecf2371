//! APIs and devices we talk to: one file each. They translate and classify; the core remembers,
//! decides and retries.
//!
//! Invariant: no provider names the store, the config loader, a channel or another stage. A
//! provider never repeats an order by itself.
//!
//! Adding one: a new file with `Config`, `Config::read` and `Config::build`, its `mod` line, and
//! its word in the list at the end of this file.

mod about;
mod airalo;
mod api;
mod catalogue;
mod celitech;
mod declared;
mod declares;
mod dingconnect;
mod dtone;
mod emnify;
mod esim_access;
mod exec;
mod frozen;
mod http;
mod inbox;
mod listed;
mod manual;
mod modem;
mod onence;
mod outcome;
mod reloadly;
mod simulated;
mod sms_inbox;
mod telnyx;
mod twilio;
mod zendit;

pub use about::About;
pub use catalogue::{Pin, Product, ProductKind, Quote};
pub use declares::{Class, Declares, Lookup, RefUnique};
pub use inbox::{Inbox, IsFor, Post, PostError, Sms};
pub use listed::{Booked, Listed, is_target};
pub use outcome::{
    Answer, Evidence, Found, FreezeError, Order, ReadError, ReadOk, Refusal, TestReport,
};

use crate::domain::{ErrorKind, Money, Quality, Span, Subscription, Timestamp, Values};
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

    /// What it sells that suits `line`, or all of it. Only called where [`Declares::sells`].
    async fn products(&self, _line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "it has no catalogue"))
    }

    /// What `order` would cost. Moves nothing. Only called where [`Declares::quotes`].
    async fn quote(&self, _order: &Order) -> Result<Quote, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "it quotes no prices"))
    }

    /// Enters the code of a voucher on the line itself, once. Every doubt is [`Answer::Unclear`]. Only
    /// called where [`Declares::redeems`].
    async fn redeem(&self, _line: &Subscription, _pin: &Pin) -> Answer {
        Answer::NotSent { why: "it redeems no codes".to_owned() }
    }

    /// Which operator serves the line, in the provider's words; `None` where it does not know.
    /// Only called where [`Declares::knows_operators`].
    async fn operator(&self, _line: &Subscription) -> Result<Option<String>, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "it looks up no operators"))
    }

    /// How far our clock was ahead of the provider's at the last answer; `None` where it is not
    /// known.
    fn clock_skew(&self) -> Option<Span> {
        None
    }

    /// Where text messages go that are brought to it; `None` for all that are asked.
    fn inbox(&self) -> Option<&dyn Inbox> {
        None
    }

    /// Tries the connection and the credentials without spending.
    async fn test(&self) -> Result<TestReport, ReadError>;
}

/// A reader that knows nothing of lines, only of our float, which is asked for `left`: for
/// subscriptions without number and serial.
async fn wallet_only(
    line: &Subscription,
    left: impl Future<Output = Result<Money, ReadError>>,
) -> Result<ReadOk, ReadError> {
    if line.msisdn.is_some() || line.iccid.is_some() {
        return Err(ReadError::new(
            ErrorKind::Unsupported,
            "it reads its own wallet only: a subscription without msisdn and iccid",
        ));
    }
    let values = Values { balance: Some(left.await?), ..Values::default() };
    Ok(ReadOk { values, quality: Quality::Ok, detail: None })
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

            /// What is written of the kind.
            pub fn about(kind: &str) -> Option<&'static About> {
                match kind { $(stringify!($kind) => Some(&$kind::ABOUT),)* _ => None }
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

providers! {
    airalo
    celitech
    dingconnect
    dtone
    emnify
    esim_access
    exec
    http
    manual
    modem
    onence
    reloadly
    simulated
    sms_inbox
    telnyx
    twilio
    zendit
}

#[cfg(test)]
mod conformance;
