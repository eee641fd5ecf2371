//! The operator's text messages as readings: a phone forwards them, or a person enters them.
//!
//! Facts: documentation and source of SMS Gateway for Android (webhook `sms:received`, signed over
//! body and `X-Timestamp`). It tops up nothing. Invariant: a message counts only from a sender that
//! was allowed, and only where its signature is proved or a person with a token brings it.

mod post;
#[cfg(test)]
mod tests;

use super::{
    About, Answer, Declares, Found, FreezeError, Inbox, IsFor, Order, Post, PostError, Provider,
    ReadError, ReadOk, Sms, TestReport,
};
use crate::domain::{Currency, ErrorKind, Iccid, Msisdn, Quality, Subscription, Timestamp};
use crate::input::{Fault, Section};
use crate::operators::{self, Operator, Reply};
use crate::transport::sms_gate::SignedPost;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    sync::Arc,
};

pub(super) const ABOUT: About = About {
    name: "The operator's text messages",
    reads: "balance, allowances and dates, from texts that a phone forwards or a person enters",
    tops_up: "nothing",
    after_silence: "does not apply",
    setup: "operator = \"T-Mobile US\"\nfrom = [\"456\"]\nsecret = \"…\"",
    unverified: &["what most operators' texts look like: see `topupd operator list`"],
};

/// How much of a text that is not understood is kept.
const SHOWN: usize = 80;
/// Longer runs of digits are codes and numbers, not amounts.
const LONGEST_AMOUNT: usize = 3;

/// `[providers.NAME.sms_inbox]`.
#[derive(Clone, Debug)]
pub struct Config {
    operator: Option<&'static Operator>,
    replies: Vec<Reply>,
    from: Vec<String>,
    secret: Option<SecretString>,
    sims: BTreeMap<i64, Sim>,
}

/// Whose SIM is in a slot.
#[derive(Clone, Debug)]
enum Sim {
    Number(Msisdn),
    Serial(Iccid),
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let allowed = "allowed is an id or a name of `topupd operator list`";
        let operator = s.parsed("operator", allowed, operators::find);
        let replies = s.tables("replies").into_iter().filter_map(reply).collect();
        let from: Vec<String> = s.texts("from").unwrap_or_default();
        if from.iter().any(|sender| plain(sender).is_empty()) {
            s.fault("from", "allowed are senders, such as \"456\" or \"T-Mobile\"");
        }
        let secret = s.secret("secret");
        if secret.as_ref().is_some_and(|secret| secret.expose_secret().trim().is_empty()) {
            s.fault_hidden("secret", "allowed is the signing key of the phone's webhooks");
        }
        if secret.is_some() && from.is_empty() {
            let allowed =
                "allowed are the senders that count, such as [\"456\"]; anybody can text a phone";
            s.fault("from", allowed);
        }
        let sims = s.section("sims").map(sims).unwrap_or_default();
        section.finish();
        Some(Self { operator, replies, from, secret, sims })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        Declares { reads: true, polled: false, ..Declares::default() }
    }

    /// Builds the provider.
    pub fn build(&self, _: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        ready(Ok(Arc::new(SmsInbox { declares: self.declares(), config: self.clone() })))
    }
}

/// A text of one's own: `pattern`, `currency`, and where they are needed `date`, `decimal_comma`.
fn reply(mut section: Section<'_>) -> Option<Reply> {
    let s = &mut section;
    let pattern = s.required("pattern", "allowed is a text with holes such as <balance>");
    let currency = s
        .required("currency", "allowed is the currency of the amounts, such as \"USD\"")
        .and_then(|_| s.checked("currency", Currency::parse));
    let date = s.text("date");
    let comma = s.boolean("decimal_comma").unwrap_or(false);
    let built =
        pattern.zip(currency).map(|(p, currency)| Reply::new(&p, currency, date.as_deref()));
    let reply = built.and_then(|built| built.map_err(|why| s.fault("pattern", why)).ok());
    section.finish();
    reply.map(|reply| reply.with_decimal_comma(comma))
}

/// `sims = { 1 = "+12025550123" }`: whose SIM is in which slot.
fn sims(mut section: Section<'_>) -> BTreeMap<i64, Sim> {
    let mut sims = BTreeMap::new();
    for key in section.keys() {
        let allowed = "allowed is a number in E.164, or an ICCID";
        let sim = section.parsed(&key, allowed, |text| {
            let number = Msisdn::parse(text).ok().map(Sim::Number);
            number.or_else(|| Iccid::parse(text).ok().map(Sim::Serial))
        });
        match (key.parse::<i64>(), sim) {
            (Ok(slot @ 1..=32), Some(sim)) => drop(sims.insert(slot, sim)),
            (Ok(1..=32), None) => {}
            _ => section.fault(&key, "allowed is the number of a slot, counted from 1"),
        }
    }
    section.finish();
    sims
}

#[derive(Debug)]
struct SmsInbox {
    config: Config,
    declares: Declares,
}

#[async_trait]
impl Provider for SmsInbox {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    fn inbox(&self) -> Option<&dyn Inbox> {
        Some(self)
    }

    async fn read(&self, _: &Subscription) -> Result<ReadOk, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "waiting for the operator's next text message"))
    }

    fn freeze(&self, _: &Order) -> Result<String, FreezeError> {
        Err(FreezeError("an inbox tops up nothing".to_owned()))
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::NotSent { why: "an inbox tops up nothing".to_owned() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "an inbox tops up nothing".to_owned() }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let post = if self.config.secret.is_some() {
            "a phone can post to /hooks/sms/NAME"
        } else {
            "nothing is taken by post, for want of a secret"
        };
        Ok(TestReport { detail: format!("texts are waited for; {post}") })
    }
}

impl Inbox for SmsInbox {
    fn open(&self, post: &Post<'_>, now: Timestamp) -> Result<Vec<Sms>, PostError> {
        let secret = self.config.secret.as_ref().ok_or(PostError::Closed)?;
        let signed =
            SignedPost { body: post.body, signature: post.signature, timestamp: post.timestamp };
        signed.prove(secret, now).map_err(PostError::Unproven)?;
        post::messages(post.body)
    }

    fn is_sender(&self, from: &str) -> bool {
        // Without a list nothing comes by post: who brings a text has a token.
        let sender = plain(from);
        let allowed = &self.config.from;
        allowed.is_empty() || allowed.iter().any(|allowed| is_same_sender(&plain(allowed), &sender))
    }

    fn is_for(&self, line: &Subscription, sms: &Sms) -> IsFor {
        if let (Some(to), Some(ours)) = (&sms.to, &line.msisdn) {
            return if ours.reads_as(to) { IsFor::This } else { IsFor::Other };
        }
        let Some(slot) = sms.sim.filter(|_| !self.config.sims.is_empty()) else {
            return IsFor::Unsaid;
        };
        let is_this = match self.config.sims.get(&slot) {
            Some(Sim::Number(number)) => {
                line.msisdn.as_ref().is_some_and(|ours| ours.reads_as(number.as_str()))
            }
            Some(Sim::Serial(serial)) => {
                line.iccid.as_ref().is_some_and(|ours| ours.reads_as(serial.as_str()))
            }
            None => false,
        };
        if is_this { IsFor::This } else { IsFor::Other }
    }

    fn understand(&self, line: &Subscription, text: &str) -> Result<ReadOk, ReadError> {
        let operator = self.config.operator.or_else(|| operators::find(line.operator.as_deref()?));
        if operator.is_none() && self.config.replies.is_empty() {
            let why = "nobody knows the operator; write `operator`, here or for the line";
            return Err(ReadError::new(ErrorKind::Configuration, why));
        }
        let own = self.config.replies.iter();
        let values = own
            .filter_map(|reply| reply.read(text, line.time_zone))
            .next()
            .or_else(|| operator?.read(text, line.time_zone));
        match values {
            Some(values) => Ok(ReadOk { values, quality: Quality::Ok, detail: None }),
            None => {
                let name = operator.map_or("the configured texts", |operator| &operator.name);
                let why = format!("no balance in the words of {name}: {}", shown(text));
                Err(ReadError::unparseable(why))
            }
        }
    }
}

/// Letters and digits only: senders are written in many ways.
fn plain(sender: &str) -> String {
    sender.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The same, or the same number without its country.
fn is_same_sender(allowed: &str, sender: &str) -> bool {
    let is_number = |text: &str| text.len() >= 7 && text.bytes().all(|b| b.is_ascii_digit());
    !sender.is_empty()
        && (allowed == sender
            || (is_number(allowed)
                && is_number(sender)
                && (allowed.ends_with(sender) || sender.ends_with(allowed))))
}

/// The first characters of a text, without what may be a code: operators text those, too.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    let end = |digits: &mut String, shown: &mut String| {
        let is_short = digits.len() <= LONGEST_AMOUNT;
        shown.push_str(if is_short { digits.as_str() } else { "…" });
        digits.clear();
    };
    for c in text.chars().take(SHOWN) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        end(&mut digits, &mut shown);
        shown.push(if c.is_control() { ' ' } else { c });
    }
    end(&mut digits, &mut shown);
    shown
}
