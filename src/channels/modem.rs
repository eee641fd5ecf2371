//! SMS by a modem in this machine, through ModemManager: `[channels.NAME.modem]`.
//!
//! Facts: ModemManager's interface descriptions, ModemManager 1.20.4 with a simulated modem: what
//! the network says in an RP-ERROR arrives as the error `Message.Unknown` with its number in the
//! words. UNVERIFIED: cause 21 is taken for a matter of our own line (networks say it where there is
//! no credit). Invariant: whoever uses a modem, provider or channel, is alone on it.

use super::{Channel, Delivery, Message, Needs, Outcome, Recipient};
use crate::clock::Clock;
use crate::domain::{ErrorKind, Span, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::modem::{
    bus::{Address, Bus, Trouble},
    device::{self, Device, Which},
    sms::{Post, Report, Sent},
};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// How long the network may take, unless the config says otherwise.
const TIMEOUT: Span = Span::seconds(30);
/// With [`PREPARE`] less than the time after which somebody else may try.
const TIMEOUT_MAX: Span = Span::seconds(45);
/// How long the modem may be busy with others, off, or without a network.
const PREPARE: Span = Span::minutes(1);
/// What D-Bus calls get beyond our own limits, so that ours are the ones that count.
const BEYOND: Span = Span::seconds(30);

/// What is written in `[channels.NAME.modem]`.
#[derive(Clone, Debug)]
pub struct Config {
    bus: Address,
    which: Which,
    timeout: Span,
}

impl Config {
    /// Reads the table; every fault goes to the section's list.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let bus = Address::read(s);
        let which = Which::read(s);
        let timeout = s.span("timeout").unwrap_or(TIMEOUT);
        if timeout < Span::seconds(1) || timeout > TIMEOUT_MAX {
            s.fault("timeout", format!("allowed is a span from 1s to {TIMEOUT_MAX}"));
        }
        section.finish();
        Some(Self { bus: bus?, which, timeout })
    }

    /// What it needs of a recipient.
    pub fn needs(&self) -> Needs {
        Needs::Phone
    }

    /// Builds the channel; the bus is joined at the first call.
    pub fn build(&self, _: &str) -> Result<Arc<dyn Channel>, Fault> {
        let bus = Bus::new(self.bus.clone(), PREPARE.plus(BEYOND));
        Ok(Arc::new(Modem { config: self.clone(), bus }))
    }
}

#[derive(Debug)]
struct Modem {
    config: Config,
    bus: Bus,
}

impl Modem {
    async fn device(&self) -> Result<Device, Trouble> {
        device::pick(device::all(&self.bus).await?, &self.config.which)
    }

    /// The modem, in a network, and ours alone until the guard is gone. Nothing is sent.
    async fn ready(&self) -> Result<(Device, OwnedMutexGuard<()>), Trouble> {
        let preparing = async {
            let device = self.device().await?;
            let alone = device::lock(&self.config.bus, &device).lock_owned().await;
            device::ready(&self.bus, &device).await?;
            Ok((device, alone))
        };
        let why = "the modem is busy, or in no network";
        tokio::time::timeout(PREPARE.to_std(), preparing)
            .await
            .unwrap_or_else(|_| Err(Trouble::before(ErrorKind::Temporary, why)))
            .map_err(Trouble::harmless)
    }
}

#[async_trait]
impl Channel for Modem {
    fn needs(&self) -> Needs {
        self.config.needs()
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        let Some(phone) = &recipient.phone else {
            return Outcome::BadRecipient { why: "there is no phone number".to_owned() };
        };
        let (device, _alone) = match self.ready().await {
            Ok(ready) => ready,
            Err(trouble) => return sorted(&trouble),
        };
        let post = Post { bus: &self.bus, modem: &device.path };
        let at = Clock::System.now();
        match post.tell(phone.as_str(), &message.short, self.config.timeout.to_std()).await {
            Ok(reference) => {
                let id = |reference| format!("{reference}:{}:{}", phone.as_str(), at.ms());
                Outcome::Accepted { vendor_id: reference.map(id) }
            }
            Err(trouble) => sorted(&trouble),
        }
    }

    async fn test(&self) -> Result<String, String> {
        let device = self.device().await.map_err(|trouble| trouble.why)?;
        Ok(format!("ModemManager answers; the modem is {device}"))
    }

    fn can_be_asked(&self) -> bool {
        true
    }

    async fn delivery(&self, vendor_id: &str) -> Result<Option<Delivery>, String> {
        let Some(sent) = read_id(vendor_id) else { return Ok(None) };
        let device = self.device().await.map_err(|trouble| trouble.why)?;
        let post = Post { bus: &self.bus, modem: &device.path };
        let report = post.report(sent).await.map_err(|trouble| trouble.why)?;
        Ok(report.map(|report| match report {
            Report::Delivered => Delivery::Delivered,
            Report::Trying => Delivery::Underway,
            Report::Failed(state) => {
                Delivery::Failed { why: format!("the network gave it up (TP-Status {state:#04x})") }
            }
        }))
    }
}

/// `7:+12025550199:1795197600000`: the modem's number for it, its recipient, when it was sent.
fn read_id(text: &str) -> Option<Sent<'_>> {
    let mut parts = text.split(':');
    let (reference, to, ms) = (parts.next()?, parts.next()?, parts.next()?);
    let at = Timestamp::from_ms(ms.parse().ok()?);
    Some(Sent { reference: reference.parse().ok()?, to, at })
}

/// What follows from a failure.
fn sorted(trouble: &Trouble) -> Outcome {
    let why = trouble.why.clone();
    if trouble.nothing_sent {
        return match trouble.kind {
            ErrorKind::Configuration | ErrorKind::Identity | ErrorKind::Unsupported => {
                Outcome::BadConfig { why }
            }
            ErrorKind::Temporary
            | ErrorKind::Authentication
            | ErrorKind::RateLimit
            | ErrorKind::Maintenance
            | ErrorKind::Permanent
            | ErrorKind::Currency => Outcome::Retry { after: None, why },
        };
    }
    let said = why.strip_prefix("ModemManager1.Error.Message.");
    let Some((name, words)) = said.and_then(|said| said.split_once(':')) else {
        return Outcome::Ambiguous { why };
    };
    match name {
        "Unknown" => match words.rsplit(' ').next().and_then(|code| code.parse().ok()) {
            Some(code) => by_network(code, why),
            None => Outcome::Ambiguous { why },
        },
        // The modem has not begun: no network, somebody else at it, its store in the way.
        "NoNetwork" | "SmsServiceReserved" | "SimBusy" | "MemoryFull" => {
            Outcome::Retry { after: None, why }
        }
        "NotAllowed"
        | "NotSupported"
        | "InvalidPduParameter"
        | "InvalidTextParameter"
        | "SimNotInserted"
        | "SimPin"
        | "PhSimPin"
        | "SimFailure"
        | "SimWrong"
        | "SimPuk"
        | "SimPin2"
        | "SimPuk2"
        | "SmscAddressUnknown" => Outcome::BadConfig { why },
        // A time limit of the network's, a failure of the modem's: it may be on its way.
        _ => Outcome::Ambiguous { why },
    }
}

/// The network's own causes (3GPP TS 24.011, Annex E): it answered, so it did not take the message.
fn by_network(code: i64, why: String) -> Outcome {
    match code {
        // No such number.
        1 => Outcome::BadRecipient { why },
        // Out of service; out of order, temporary failure, congestion; no resources.
        22 | 27 | 38 | 41 | 42 | 47 => Outcome::Retry { after: None, why },
        // Barred, rejected, unknown to the network, not subscribed, not possible.
        8 | 10 | 21 | 28..=30 | 50 | 69 => Outcome::BadConfig { why },
        _ => Outcome::Ambiguous { why },
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{channel, config, english, reader};
    use super::*;

    #[test]
    fn every_failure_is_sorted_by_what_may_follow() {
        let said = |words: &str| Trouble {
            kind: ErrorKind::Temporary,
            nothing_sent: false,
            why: format!("ModemManager1.Error.{words}"),
        };
        for (words, expected) in [
            ("Message.Unknown: Unknown message error: 1", "BadRecipient"),
            ("Message.Unknown: Unknown message error: 21", "BadConfig"),
            ("Message.Unknown: Unknown message error: 27", "Retry"),
            ("Message.Unknown: Unknown message error: 38", "Retry"),
            ("Message.Unknown: Unknown message error: 42", "Retry"),
            ("Message.Unknown: Unknown message error: 500", "Ambiguous"),
            ("Message.Unknown: Unknown message error", "Ambiguous"),
            ("Message.NoNetwork: No network", "Retry"),
            ("Message.NetworkTimeout: Network timeout", "Ambiguous"),
            ("Message.MeFailure: ME failure", "Ambiguous"),
            ("Message.SmscAddressUnknown: SMSC address unknown", "BadConfig"),
            ("Core.Failed: Unknown message error: 38", "Ambiguous"),
        ] {
            let outcome = sorted(&said(words));
            assert!(format!("{outcome:?}").starts_with(expected), "{words}: {outcome:?}");
        }
        for (kind, expected) in [
            (ErrorKind::Temporary, "Retry"),
            (ErrorKind::Configuration, "BadConfig"),
            (ErrorKind::Identity, "BadConfig"),
        ] {
            let outcome = sorted(&Trouble::before(kind, "no"));
            assert!(format!("{outcome:?}").starts_with(expected), "{kind:?}: {outcome:?}");
        }
        let outcome = sorted(&Trouble::silence(TIMEOUT.to_std()));
        assert!(matches!(outcome, Outcome::Ambiguous { .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn without_modem_manager_nothing_was_sent() {
        let text = "bus = \"unix:path=/nonexistent/bus\"\nimei = \"353490069873319\"";
        let modem = channel("modem", text);
        let outcome = modem.send(&english(), &reader()).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
        assert!(modem.test().await.is_err());
        assert!(modem.delivery("7:+12025550199:0").await.is_err());
        assert_eq!(modem.delivery("of another vendor").await, Ok(None));
    }

    #[test]
    fn a_modem_is_named_by_what_stays() {
        for (text, words) in [
            ("", "allowed is `imei` or `iccid`, or both"),
            ("imei = \"12\"", "15 digits"),
            ("imei = \"353490069873319\"\ntimeout = \"2m\"", "from 1s to 45s"),
            ("imei = \"353490069873319\"\nbus = \"tcp:host=a\"", "\"session\""),
        ] {
            let faults = config("modem", text).unwrap_err();
            assert!(faults.len() == 1 && faults[0].contains(words), "{faults:?}");
        }
        assert!(config("modem", "iccid = \"8901260852290847433\"").is_ok());
    }
}
