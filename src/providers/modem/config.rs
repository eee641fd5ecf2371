//! `[providers.NAME.modem]`: which modem serves which line, what is asked, how answers are read.

use super::{
    Modem,
    reply::{Reading, Verdicts},
};
use crate::domain::{Currency, Msisdn, Span};
use crate::input::{Fault, Section};
use crate::operators::{self, Ask, Operator, Reply};
use crate::providers::{About, Declares, Provider};
use crate::transport::modem::{
    bus::Address,
    device::{READY, Which},
};
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    sync::Arc,
};

pub(in crate::providers) const ABOUT: About = About {
    name: "A modem in this machine, through ModemManager",
    reads: "whatever the operator says when its code is dialled or its number is texted",
    tops_up: "nothing by itself; redeems codes of vouchers on the line",
    after_silence: "a session or message without a clear answer proves nothing: the line's own \
                    balance tells, or a person does; a code is never entered twice",
    setup: "operator = \"t-mobile-us\"",
    unverified: &[
        "the polkit rule that lets a service without a login use USSD and messages",
        "how late answers by message come on real networks: one that comes after the timeout \
         is deleted at the next read",
        "whether networks state the zone of a message's time rightly: an answer about a code \
         that seems older than the code counts as no answer",
    ],
};

/// How long the network may take, unless the config says otherwise.
const TIMEOUT: Span = Span::seconds(45);
/// Modems that are asked at the same time.
const CONCURRENCY: usize = 8;

/// `[providers.NAME.modem]`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) bus: Address,
    pub(super) timeout: Span,
    operator: Option<&'static Operator>,
    balance: Option<Asking>,
    reading: Option<Reading>,
    redeem: Option<Redeem>,
    pub(super) lines: BTreeMap<Msisdn, Which>,
}

/// What is asked, and how the network's questions in between are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) ask: Ask,
    /// Answers to menus, in order.
    pub(super) respond: Vec<String>,
    /// Senders of answers besides the number that was texted.
    pub(super) from: Vec<String>,
}

#[derive(Clone, Debug)]
struct Redeem {
    asking: Option<Asking>,
    verdicts: Verdicts,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let bus = Address::read(s);
        let timeout = s.span("timeout").unwrap_or(TIMEOUT);
        if timeout < Span::seconds(1) || timeout > Span::minutes(10) {
            s.fault("timeout", "allowed is a span from \"1s\" to \"10m\"");
        }
        let operator = s.parsed(
            "operator",
            "allowed is an operator of `topupd operator list`",
            operators::find,
        );
        let balance = s.section("balance").and_then(|mut table| {
            let asking = asking(&mut table, "");
            table.finish();
            asking
        });
        let reading = reading(s).or(operator.map(Reading::Known));
        if let Some(operator) = operator
            && balance.is_none()
            && !s.has("balance")
            && operator.balance.is_empty()
        {
            s.fault("balance", format!("nothing is known of how {} is asked", operator.name));
        }
        let redeem = s.section("redeem").and_then(|table| redeem(table, operator));
        let lines = lines(s.section_or_empty("lines"));
        section.finish();
        Some(Self { bus: bus?, timeout, operator, balance, reading, redeem, lines })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        let whole = self.timeout.times(2).plus(READY);
        Declares {
            reads: true,
            redeems: self.redeem.is_some(),
            max_processing: whole,
            timeout: whole,
            concurrency: CONCURRENCY,
            ..Declares::default()
        }
    }

    /// Builds the provider; the bus is joined at the first call.
    pub fn build(&self, _: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        ready(Ok(Arc::new(Modem::new(self.clone()))))
    }

    /// How a line of `operator` (its name in the fleet file) is asked, and how the answer is read.
    pub(super) fn balance(&self, operator: Option<&str>) -> Result<(Asking, Reading), String> {
        let operator = self.operator.or_else(|| operator.and_then(operators::find));
        let known = operator.and_then(|operator| operator.balance.first()).map(Asking::of);
        let asking = self.balance.clone().or(known).ok_or(
            "nothing is known of how the operator is asked: write `operator` or `balance`",
        )?;
        let reading = self.reading.clone().or(operator.map(Reading::Known));
        Ok((asking, reading.ok_or("the operator's answers are not known: write `pattern`")?))
    }

    /// How a code is entered on a line of `operator`, and how the answer is understood.
    pub(super) fn redeem(&self, operator: Option<&str>) -> Result<(Asking, &Verdicts), String> {
        let redeem = self.redeem.as_ref().ok_or("there is no table `redeem`")?;
        let operator = self.operator.or_else(|| operator.and_then(operators::find));
        let known = operator.and_then(|operator| operator.redeem.first()).map(Asking::of);
        let asking = redeem.asking.clone().or(known);
        let missing = "nothing is known of how codes are entered: write `ussd` or `sms`";
        Ok((asking.ok_or(missing)?, &redeem.verdicts))
    }
}

impl Asking {
    fn of(ask: &Ask) -> Self {
        Self { ask: ask.clone(), respond: Vec::new(), from: Vec::new() }
    }
}

/// `ussd = "#999#"` or `sms = { to = "6700", text = "BAL" }`. Where `must` is given it must stand in
/// what is asked, and what is asked may be left out.
fn asking(s: &mut Section<'_>, must: &str) -> Option<Asking> {
    let respond = s.texts("respond").unwrap_or_default();
    let allowed = format!("allowed is a code such as \"#{must}999#\"");
    let ussd = s.parsed("ussd", &allowed, |code| {
        let rest = code.replacen(must, "", usize::from(!must.is_empty()));
        let signs = rest.starts_with(['*', '#']) && rest.ends_with('#');
        let plain = rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
        (signs && plain && code.contains(must)).then(|| Ask::Ussd(code.to_owned()))
    });
    let (mut sms, mut from) = (None, Vec::new());
    if let Some(mut table) = s.section("sms") {
        let to = table.required("to", "allowed is the number that is texted");
        let text = table.required("text", "allowed is what is texted, such as \"BAL\"");
        if text.as_ref().is_some_and(|text| !text.contains(must)) {
            table.fault("text", format!("allowed is a text with {must} in it"));
        }
        from = table.texts("from").unwrap_or_default();
        table.finish();
        sms = to.zip(text).map(|(to, text)| Ask::Sms { to, text });
    }
    match (s.has("ussd"), s.has("sms")) {
        (true, true) => s.fault("sms", "allowed is either `ussd` or `sms`"),
        (false, false) if must.is_empty() => s.fault("ussd", "allowed is either `ussd` or `sms`"),
        (true | false, _) => {}
    }
    if s.has("sms") && !respond.is_empty() {
        s.fault("respond", "allowed only with `ussd`: a message has no menus");
    }
    ussd.or(sms).map(|ask| Asking { ask, respond, from })
}

/// `pattern` with `currency`, `date`, `decimal_comma`: an answer's form where it is not known.
fn reading(s: &mut Section<'_>) -> Option<Reading> {
    let comma = s.boolean("decimal_comma").unwrap_or(false);
    let date = s.text("date");
    let currency = s.checked("currency", Currency::parse);
    if !s.has("pattern") {
        s.value("pattern");
        for key in ["currency", "date", "decimal_comma"] {
            if s.has(key) {
                s.fault(key, "allowed only with `pattern`");
            }
        }
        return None;
    }
    if !s.has("currency") {
        s.fault("currency", "allowed is the currency of the balance, such as \"USD\"");
    }
    let text = s.required("pattern", "allowed is a pattern with holes such as <balance>")?;
    let reply = Reply::new(&text, currency?, date.as_deref())
        .map_err(|why| s.fault("pattern", why))
        .ok()?;
    Some(Reading::Own(Box::new(reply.with_decimal_comma(comma))))
}

fn redeem(mut s: Section<'_>, operator: Option<&Operator>) -> Option<Redeem> {
    let asking = asking(&mut s, "CODE");
    let unknown = operator.is_some_and(|operator| operator.redeem.is_empty());
    if unknown && !s.has("ussd") && !s.has("sms") {
        s.fault("ussd", "nothing is known of how this operator's codes are entered");
    }
    let [redeemed, rejected] = ["redeemed", "rejected"].map(|key| {
        s.required(key, "allowed is a regular expression for words of the answer")
            .and_then(|_| s.checked(key, Verdicts::pattern))
    });
    s.finish();
    Some(Redeem { asking, verdicts: Verdicts { redeemed: redeemed?, rejected: rejected? } })
}

/// `lines."+12025550123" = { imei = "…" }` or `{ iccid = "…" }` or both.
fn lines(mut table: Section<'_>) -> BTreeMap<Msisdn, Which> {
    let mut lines = BTreeMap::new();
    for key in table.keys() {
        let Some(mut one) = table.section(&key) else { continue };
        let which = Which::read(&mut one);
        one.finish();
        match Msisdn::parse(&key) {
            Ok(msisdn) => {
                lines.insert(msisdn, which);
            }
            Err(error) => table.fault(&key, error),
        }
    }
    table.finish();
    lines
}
