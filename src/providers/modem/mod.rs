//! A modem in this machine, through ModemManager over D-Bus: the line itself is asked for its
//! balance, and vouchers are redeemed on it, by USSD or text message.
//!
//! Invariant: a line is found by IMEI and SIM, never by a modem's changing number; one question at
//! a time on each modem; a code is entered once, and only clear words of the network settle it.
//!
//! Facts: ModemManager's interface descriptions, and ModemManager 1.20.4 with a simulated modem.

mod config;
mod reply;

pub(super) use config::{ABOUT, Config};

use super::{
    Answer, Declares, Evidence, Found, FreezeError, Order, Pin, Provider, ReadError, ReadOk,
    Refusal, TestReport,
};
use crate::clock::Clock;
use crate::domain::{ErrorKind, FailureClass, Quality, Span, Subscription};
use crate::operators::Ask;
use crate::transport::{
    modem::{
        bus::{Bus, Trouble},
        device::{self, Device, READY},
        sms::{Heard, Message, Post, Question},
        ussd::{self, Talk},
    },
    redact,
};
use async_trait::async_trait;
use config::Asking;
use reply::{Verdict, excerpt};

/// What D-Bus calls get beyond our own limit, so that ours is the one that counts.
const BEYOND: Span = Span::seconds(30);

#[derive(Debug)]
struct Modem {
    config: Config,
    declares: Declares,
    bus: Bus,
}

impl From<Trouble> for ReadError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.kind, trouble.why)
    }
}

impl Modem {
    fn new(config: Config) -> Self {
        let longest = config.timeout.plus(BEYOND);
        let bus = Bus::new(config.bus.clone(), longest.plus(READY));
        Self { declares: config.declares(), config, bus }
    }

    /// Asks on the line's own modem, alone on it. `understand` picks the answer out of what is said.
    async fn ask<T>(
        &self,
        line: &Subscription,
        asking: &Asking,
        tidy: bool,
        understand: impl Fn(&Said<'_>) -> Option<T>,
    ) -> Result<Heard<T>, Trouble> {
        let device = self.device(line).await?;
        let lock = device::lock(&self.config.bus, &device);
        let _alone = lock.lock().await;
        device::ready(&self.bus, &device).await?;
        let limit = self.config.timeout.to_std();
        match &asking.ask {
            Ask::Ussd(code) => {
                let (bus, modem) = (&self.bus, device.path.as_str());
                let talk = ussd::ask(bus, modem, code, &asking.respond, limit).await?;
                let answer = understand(&Said::InSession(&talk));
                Ok(answer.map_or(Heard::Other(talk.text), Heard::Answer))
            }
            Ask::Sms { to, text } => {
                let question = Question { to, text, from: &asking.from };
                let post = Post { bus: &self.bus, modem: &device.path };
                let understand = |message: &Message| understand(&Said::InMessage(message));
                if tidy {
                    post.forget(question, understand).await.map_err(Trouble::harmless)?;
                }
                post.ask(question, limit, understand).await
            }
        }
    }

    /// The modem of `line`.
    async fn device(&self, line: &Subscription) -> Result<Device, Trouble> {
        let written = line.msisdn.as_ref().and_then(|msisdn| self.config.lines.get(msisdn));
        let which = written.cloned().unwrap_or_default().merged(line.iccid.as_ref())?;
        device::pick(device::all(&self.bus).await?, &which)
    }

    /// The answer as it may be kept: the code is money until it is used.
    fn kept(text: &str, pin: &Pin) -> String {
        let written = [pin.code.clone(), plain(&pin.code)];
        redact::clean(text, std::iter::once(written.to_vec()))
    }
}

/// The network's words: as the answer in a session, or in a message that may be about anything.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    InSession(&'a Talk),
    InMessage(&'a Message),
}

impl Said<'_> {
    fn text(&self) -> &str {
        match self {
            Self::InSession(talk) => &talk.text,
            Self::InMessage(message) => &message.text,
        }
    }
}

/// A code without what people write into it to read it better.
fn plain(code: &str) -> String {
    code.chars().filter(|c| !matches!(c, ' ' | '-')).collect()
}

/// The question with the code in its place. Only digits can be dialled: a `*` or `#` in a code would
/// be another command.
fn with_code(asking: &Asking, code: &str) -> Option<Asking> {
    let code = plain(code);
    let fits = (4..=40).contains(&code.len());
    let ask = match &asking.ask {
        Ask::Ussd(template) if fits && code.bytes().all(|b| b.is_ascii_digit()) => {
            Ask::Ussd(template.replace("CODE", &code))
        }
        Ask::Sms { to, text } if fits && code.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Ask::Sms { to: to.clone(), text: text.replace("CODE", &code) }
        }
        Ask::Ussd(_) | Ask::Sms { .. } => return None,
    };
    Some(Asking { ask, ..asking.clone() })
}

#[async_trait]
impl Provider for Modem {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let (asking, reading) = self
            .config
            .balance(line.operator.as_deref())
            .map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        let understand = |said: &Said<'_>| reading.read(said.text(), line.time_zone);
        match self.ask(line, &asking, true, understand).await? {
            Heard::Answer(values) => Ok(ReadOk { values, quality: Quality::Ok, detail: None }),
            Heard::Other(text) => Err(ReadError::unparseable(format!(
                "the answer is no balance: `{}`",
                excerpt(&text)
            ))),
        }
    }

    async fn redeem(&self, line: &Subscription, pin: &Pin) -> Answer {
        let (asking, verdicts) = match self.config.redeem(line.operator.as_deref()) {
            Ok(found) => found,
            Err(why) => return Answer::NotSent { why },
        };
        let Some(asking) = with_code(&asking, &pin.code) else {
            let why = "the code has signs that cannot be entered".to_owned();
            return Answer::NotSent { why };
        };
        let sent = Clock::System.now();
        let understand = |said: &Said<'_>| {
            let verdict = match said {
                // A no to the second copy may follow a yes to the first.
                Said::InSession(talk) => verdicts
                    .of(&talk.text)
                    .filter(|verdict| *verdict == Verdict::Redeemed || !talk.doubled),
                Said::InMessage(message) => verdicts.of_message(message, sent),
            };
            verdict.map(|verdict| (verdict, Self::kept(said.text(), pin)))
        };
        match self.ask(line, &asking, false, understand).await {
            Ok(Heard::Answer((Verdict::Redeemed, raw))) => {
                Answer::Paid(Evidence { raw, ..Evidence::default() })
            }
            // Not for the next code to try at once: a few wrong ones block a line.
            Ok(Heard::Answer((Verdict::Rejected, raw))) => Answer::Refused(Refusal {
                code: "rejected".to_owned(),
                class: FailureClass::DeclinedHard,
                raw,
            }),
            Ok(Heard::Other(text)) => Answer::Unclear {
                why: "the network says neither yes nor no".to_owned(),
                raw: Self::kept(&text, pin),
            },
            Err(trouble) if trouble.nothing_sent => {
                Answer::NotSent { why: Self::kept(&trouble.why, pin) }
            }
            Err(trouble) => {
                Answer::Unclear { why: Self::kept(&trouble.why, pin), raw: String::new() }
            }
        }
    }

    fn freeze(&self, _: &Order) -> Result<String, FreezeError> {
        Err(FreezeError("a modem sells nothing: it redeems codes".to_owned()))
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::NotSent { why: "a modem sells nothing: it redeems codes".to_owned() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "the network keeps no list of codes for us".to_owned() }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let devices = device::all(&self.bus).await?;
        if devices.is_empty() {
            let why = "ModemManager answers, but there is no modem";
            return Err(ReadError::new(ErrorKind::Temporary, why));
        }
        let named: Vec<String> = devices.iter().map(ToString::to_string).collect();
        Ok(TestReport { detail: format!("ModemManager answers: {}", named.join(", ")) })
    }
}

#[cfg(test)]
mod tests;
