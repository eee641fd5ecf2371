//! Any program as a provider: JSON on its standard input, one JSON object on its standard output.
//!
//! The protocol stands in `docs/exec-provider.md`. There is no shell; the environment is empty but
//! for `PATH` and what is configured. Invariant: whatever a program does not say exactly as the
//! protocol has it is no answer, and an order without an answer is unclear.

mod said;
#[cfg(test)]
mod tests;

use super::{
    About, Answer, Declares, Found, FreezeError, Listed, Order, Provider, ReadError, ReadOk,
    Refusal, TestReport, declared,
};
use crate::domain::{ErrorKind, Money, Span, Subscription, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::program::{Program, RunError};
use async_trait::async_trait;
use said::Output;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    future::{Ready, ready},
    sync::Arc,
};

pub(super) const ABOUT: About = About {
    name: "Any program",
    reads: "whatever the program finds: balance, data, minutes, messages, dates, buckets",
    tops_up: "whatever the program can order",
    after_silence: "as `[declares]` says; a program that is stopped at its time limit, or ends with \
                    anything but 0, has proved nothing",
    setup: "command = [\"/usr/local/bin/carrier\"]\nverbs = [\"read\"]",
    unverified: &[],
};

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// What a program may be able to do. All can be tested.
const VERBS: [&str; 5] = ["read", "topup", "find", "list", "wallet"];
/// Programs at once, where nothing is configured: each is a process.
const CONCURRENCY: usize = 4;

/// `[providers.NAME.exec]`.
#[derive(Clone, Debug)]
pub struct Config {
    program: Program,
    poll_timeout: Span,
    money_timeout: Span,
    finds: bool,
    declares: Declares,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let program = Program::read(s, "command");
        let verbs: BTreeSet<String> = s.texts("verbs").unwrap_or_default().into_iter().collect();
        let can = |verb: &str| verbs.contains(verb);
        if let Some(word) = verbs.iter().find(|verb| !VERBS.contains(&verb.as_str())) {
            s.fault("verbs", format!("{word:?} is not allowed; allowed are {}", VERBS.join(", ")));
        } else if !can("read") && !can("topup") {
            s.fault("verbs", "allowed is what the program can do: \"read\" or \"topup\" at least");
        }
        let timeout = s.span("timeout");
        let wants_product = s.boolean("wants_product").unwrap_or(false);
        let concurrency = s.integer("concurrency", 1..=64).and_then(|n| usize::try_from(n).ok());
        let rate = s.rate("rate");
        let said = declared::declares(s.section_or_empty("declares"), can("find"), can("list"));
        section.finish();
        let poll_timeout = timeout.unwrap_or(said.timeout);
        // A short time limit manufactures unknown outcomes.
        let money_timeout = timeout
            .filter(|given| *given > said.max_processing)
            .unwrap_or_else(|| said.max_processing.plus(Span::seconds(10)));
        let declares = Declares {
            reads: can("read"),
            tops_up: can("topup"),
            lists: can("list"),
            wallet: can("wallet"),
            wants_product,
            timeout: if can("topup") { poll_timeout.max(money_timeout) } else { poll_timeout },
            concurrency: concurrency.unwrap_or(CONCURRENCY),
            rate,
            ..said
        };
        Some(Self { program: program?, poll_timeout, money_timeout, finds: can("find"), declares })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.declares.clone()
    }

    /// Builds the provider.
    pub fn build(&self, _: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        ready(Ok(Arc::new(Exec(self.clone()))))
    }
}

#[derive(Debug)]
struct Exec(Config);

impl Exec {
    async fn ask(&self, input: &Value) -> Result<Output, ReadError> {
        let program = &self.0.program;
        match program.run(&input.to_string(), self.0.poll_timeout).await {
            Ok(output) => {
                Output::parse(&output).map_err(|why| ReadError::unparseable(program.clean(&why)))
            }
            Err(RunError::NotStarted(why)) => Err(ReadError::new(ErrorKind::Configuration, why)),
            Err(RunError::Lost { why, is_garbled: true, .. }) => Err(ReadError::unparseable(why)),
            Err(RunError::Lost { why, .. }) => Err(ReadError::new(ErrorKind::Temporary, why)),
        }
    }

    /// What may be kept of what a program wrote: no secrets, and nothing from a code on.
    fn raw(&self, output: &str) -> String {
        let end = output.find("\"pin\"").unwrap_or(output.len());
        self.0.program.clean(output.get(..end).unwrap_or_default())
    }

    /// Details in a program's own words may hold what must not be kept.
    fn clean(&self, mut error: ReadError) -> ReadError {
        error.detail = self.0.program.clean(&error.detail);
        error
    }

    fn clean_answer(&self, answer: Answer) -> Answer {
        let clean = |text: String| self.0.program.clean(&text);
        match answer {
            Answer::Unclear { why, raw } => Answer::Unclear { why: clean(why), raw },
            Answer::NotSent { why } => Answer::NotSent { why: clean(why) },
            Answer::Mismatch { evidence, why } => Answer::Mismatch { evidence, why: clean(why) },
            Answer::Refused(refusal) => {
                Answer::Refused(Refusal { code: clean(refusal.code), ..refusal })
            }
            sure @ (Answer::Paid(_) | Answer::Pending(_) | Answer::Reversed(_)) => sure,
        }
    }
}

/// A request of the protocol.
fn request(verb: &str) -> Value {
    json!({ "protocol": PROTOCOL, "verb": verb })
}

/// A request about a line, and about an order for it.
fn request_for(verb: &str, line: &Subscription, order: Option<&Order>) -> Value {
    let mut request = request(verb);
    let line = json!({
        "id": line.id.as_str(),
        "msisdn": line.msisdn.as_ref().map(|msisdn| msisdn.as_str()),
        "iccid": line.iccid.as_ref().map(|iccid| iccid.as_str()),
        "operator": line.operator,
        "time_zone": line.time_zone.name(),
    });
    let order = order.map(|order| {
        json!({
            "reference": order.reference,
            "amount": order.amount.plain(),
            "currency": order.amount.currency().code(),
            "product": order.product,
        })
    });
    if let Some(fields) = request.as_object_mut() {
        fields.insert("line".to_owned(), line);
        fields.extend(order.map(|order| ("order".to_owned(), order)));
    }
    request
}

#[async_trait]
impl Provider for Exec {
    fn declares(&self) -> &Declares {
        &self.0.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let output = self.ask(&request_for("read", line, None)).await?;
        output.reading(line).map_err(|error| self.clean(error))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let refuse = |why: &str| Err(order.refuse(why));
        if !order.amount.is_positive() {
            return refuse("the amount is nothing to pay");
        }
        if order.line.msisdn.is_none() && order.line.iccid.is_none() {
            return refuse("it has neither msisdn nor iccid, so nothing says which line is paid");
        }
        if self.0.declares.wants_product && order.product.is_none() {
            return refuse("no product for this payer in products");
        }
        Ok(request_for("topup", &order.line, Some(order)).to_string())
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let is_ours = serde_json::from_str::<Value>(frozen).is_ok_and(|request| {
            request.get("protocol") == Some(&json!(PROTOCOL))
                && request.get("verb") == Some(&json!("topup"))
        });
        if !is_ours {
            return Answer::NotSent { why: "the stored request cannot be read".to_owned() };
        }
        let unclear = |why: &str, output: &str| Answer::Unclear {
            why: self.0.program.clean(why),
            raw: self.raw(output),
        };
        match self.0.program.run(frozen, self.0.money_timeout).await {
            Ok(written) => match Output::parse(&written) {
                Ok(output) => {
                    let raw = self.0.program.clean(&output.without_pins());
                    self.clean_answer(output.topup(order, raw))
                }
                Err(why) => unclear(&why, &written),
            },
            Err(RunError::NotStarted(why)) => Answer::NotSent { why },
            Err(RunError::Lost { why, output, .. }) => unclear(&why, &output),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        if !self.0.finds {
            return Found::Blind { why: "the program looks nothing up".to_owned() };
        }
        let mut request = request_for("find", &order.line, Some(order));
        if let Some(order_fields) = request.get_mut("order").and_then(Value::as_object_mut) {
            order_fields.insert("transaction_id".to_owned(), json!(order.transaction_id));
        }
        match self.ask(&request).await {
            Ok(output) => {
                let raw = self.0.program.clean(&output.without_pins());
                match output.found(order, raw) {
                    Found::One(answer) => Found::One(self.clean_answer(answer)),
                    Found::Blind { why } => Found::Blind { why: self.0.program.clean(&why) },
                    found @ (Found::Nothing | Found::Several { .. }) => found,
                }
            }
            Err(error) => Found::Blind { why: error.to_string() },
        }
    }

    async fn list(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Listed>, ReadError> {
        let mut request = request("list");
        if let Some(fields) = request.as_object_mut() {
            fields.insert("from".to_owned(), json!(from.rfc3339()));
            fields.insert("to".to_owned(), json!(to.rfc3339()));
        }
        let output = self.ask(&request).await?;
        output.list(|text| self.0.program.clean(text)).map_err(|error| self.clean(error))
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        self.ask(&request("wallet")).await?.wallet().map_err(|error| self.clean(error))
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let output = self.ask(&request("test")).await?;
        let detail = output.test().map_err(|error| self.clean(error))?;
        Ok(TestReport { detail: self.0.program.clean(&detail) })
    }
}
