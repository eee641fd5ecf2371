//! SIMs of things by emnify: the data quota of an endpoint, read and set.
//!
//! Facts: its API description of 2026. A quota is set, not added to: the product of an order is
//! the whole target, volume and date, because a request has to be known before anything was read.
//! There are no transactions and no references; only the quota itself tells what became of an order.

mod target;
#[cfg(test)]
mod tests;

use super::api::{self, Api, Labelled, Login, Said, Session, Site, Token, cut, moment, text};
use super::{
    About, Answer, Declares, Evidence, Found, FreezeError, Order, Provider, ReadError, ReadOk,
    Refusal, TestReport, is_target,
};
use crate::clock::{Clock, since_boot};
use crate::domain::{
    ErrorKind, FailureClass, Iccid, Quality, Span, Subscription, Timestamp, Values,
};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    future::Ready,
    sync::{Arc, Mutex, PoisonError},
};
use target::{SYNTAX, Target, parse_until};

pub(in crate::providers) const ABOUT: About = About {
    name: "emnify",
    reads: "data left and its expiry, by the endpoint of an ICCID",
    tops_up: "the data quota of an endpoint by setting it: the product `500 MB until 2027-12-31` \
              makes it exactly 500 MB that expire with that day in UTC, whatever was left before; \
              the amount is your own reckoning, it is not sent",
    after_silence: "the quota itself tells: where it rose the order was carried out, else a \
                    person decides; sending it again would leave the same quota",
    setup: "application_token = \"…\"\nendpoints = { \"89883030000000123452\" = \"4711\" }\nuntil = \"2030-12-31\"",
    unverified: &[
        "whether a MB is 10^6 or 2^20 bytes: readings take the smaller, orders name MB as they are",
        "how long a token lives: it is renewed after an hour, and when it is refused",
        "what is answered where an endpoint has no quota: 404 is taken for it",
        "that setting a quota turns off its daily refill and drops its threshold",
        "how soon a new quota shows",
    ],
};

const LIVE: &str = "https://cdn.emnify.net";
/// Where volume is counted in MB, nobody says which.
const MB: i64 = 1_000_000;
/// Three refusals lock every caller out for so long; so we ask once, and wait.
const LOCKED_OUT: Span = Span::minutes(5);

/// `[providers.NAME.emnify]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    application_token: SecretString,
    /// Ids of endpoints by the serial of their SIM.
    endpoints: BTreeMap<String, u64>,
    until: Option<Timestamp>,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let application_token = s.required_secret("application_token");
        let until = s.parsed(
            "until",
            "allowed is when quotas expire, such as \"2030-12-31\" or \"2030-12-31T12:00:00Z\"",
            parse_until,
        );
        let mut table = s.section_or_empty("endpoints");
        let mut endpoints = BTreeMap::new();
        for key in table.keys() {
            let id = table.parsed(&key, "allowed is the id of an endpoint, a number", |text| {
                text.trim().parse().ok()
            });
            match (Iccid::parse(&key), id) {
                (Ok(iccid), Some(id)) => {
                    endpoints.insert(iccid.as_str().to_owned(), id);
                }
                (Err(error), _) => table.fault(&key, error),
                (Ok(_), None) => {}
            }
        }
        table.finish();
        if !s.has("endpoints") {
            s.fault(
                "endpoints",
                "allowed is a table such as { \"ICCID\" = \"id of the endpoint\" }",
            );
        }
        section.finish();
        Some(Self { site: site?, application_token: application_token?, endpoints, until })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let work = Declares::default().max_processing;
        self.site.build(("emnify", name), work, vec![self.application_token.clone()], |api| {
            let application_token = config.application_token.clone();
            let account = Account { application_token, refused: Mutex::default() };
            let session = Session::new(api, account);
            Ok(Emnify { declares: config.declares(), config, session })
        })
    }
}

#[derive(Debug)]
struct Emnify {
    config: Config,
    declares: Declares,
    session: Session<Account>,
}

/// Whoever asks.
#[derive(Debug)]
struct Account {
    application_token: SecretString,
    /// When it was refused, by the clock since boot.
    refused: Mutex<Option<Span>>,
}

impl Login for Account {
    async fn token(&self, api: &Api) -> Result<Token, ReadError> {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_some_and(|at| since_boot().ms() < at.plus(LOCKED_OUT).ms()) {
            let why = "the application token was refused; it is tried again after five minutes";
            return Err(ReadError::new(ErrorKind::Authentication, why));
        }
        let body = json!({"application_token": self.application_token.expose_secret()});
        let reply = api.get(&Rendered::post("/api/v1/authenticate", &body)).await?;
        if reply.status == 401 {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(since_boot());
        }
        let secret = text(&api.values(&reply)?, "/auth_token")
            .ok_or_else(|| ReadError::unparseable("no auth_token in the answer"))?;
        Ok(Token { secret: secret.into(), lives: Span::hours(1) })
    }
}

impl Emnify {
    async fn ask(&self, path: &str) -> Result<Value, ReadError> {
        self.session.ask(&Rendered::get(path)).await
    }

    /// The place of the line's endpoint.
    fn place(&self, line: &Subscription) -> Result<String, String> {
        let iccid = line.iccid.as_ref().ok_or("it has no iccid")?;
        let id = self.config.endpoints.get(iccid.as_str());
        let id = id.ok_or_else(|| format!("`endpoints` has no id for ICCID {iccid}"))?;
        Ok(format!("/api/v1/endpoint/{id}"))
    }
}

/// Where the quota of the endpoint at `place` is.
fn quota(place: &str) -> String {
    format!("{place}/quota/data")
}

/// What a quota says is left, and until when.
fn judge(quota: &Value) -> Result<ReadOk, ReadError> {
    let volume = api::bytes(quota, "/volume", MB)
        .ok_or_else(|| ReadError::unparseable("no volume in the quota"))?;
    let service_end_at = text(quota, "/expiry_date").and_then(|text| moment(&text, false));
    let status = text(quota, "/status/id");
    let data_left = match status.as_deref() {
        // What is left of an expired quota cannot be used.
        Some("3") => volume.min(0),
        _ => volume,
    };
    let detail = if !matches!(status.as_deref(), Some("1" | "2" | "3")) {
        Some(format!("the status {} is not known", cut(&status.unwrap_or_default(), 40)))
    } else if service_end_at.is_none() {
        Some("the date at /expiry_date cannot be read".to_owned())
    } else {
        None
    };
    let values = Values { data_left: Some(data_left), service_end_at, ..Values::default() };
    let quality = if detail.is_none() { Quality::Ok } else { Quality::Partial };
    Ok(ReadOk { values, quality, detail })
}

/// What the answer to an order proves.
fn classify(said: &Said) -> Answer {
    let words = said.text("/message").or_else(|| said.text("/error_token"));
    match (said.status, words) {
        (201, _) if said.value.is_null() || said.value.is_object() => {
            Answer::Paid(Evidence { raw: said.raw.clone(), ..Evidence::default() })
        }
        (429, _) => said.turned_away("too many requests"),
        (404, words) if said.value.is_null() || words.is_some() => {
            said.refused("no_such_endpoint", FailureClass::InvalidTarget)
        }
        (400..=499, Some(words)) => said.refused(&cut(&words, 60), FailureClass::Internal),
        (status, _) => said.unclear(format!("HTTP status {status} proves nothing")),
    }
}

#[async_trait]
impl Provider for Emnify {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let place =
            self.place(line).map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        // Ids are written by people, and a SIM can move to another endpoint.
        let endpoint = self.ask(&place).await?;
        if !text(&endpoint, "/sim/iccid").is_some_and(|iccid| is_target(line, &iccid)) {
            let why = "the endpoint in `endpoints` has another SIM, or none";
            return Err(ReadError::new(ErrorKind::Identity, why));
        }
        judge(&self.ask(&quota(&place)).await?)
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let refuse = |why: String| order.refuse(why);
        let place = self.place(&order.line).map_err(refuse)?;
        let product = order.product.as_deref();
        let product = product.ok_or_else(|| refuse(format!("no product; allowed is {SYNTAX}")))?;
        let target = Target::parse(product, self.config.until).map_err(refuse)?;
        let body = json!({
            "status": { "id": "1" },
            "volume": target.volume,
            "expiry_date": target.until.rfc3339(),
            "action_on_exhaustion": { "id": "1" },
        });
        Labelled::freeze(Rendered::post(quota(&place), &body), order, &quota(&place))
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let place = self.place(&order.line).map(|place| quota(&place));
        let request = place.and_then(|place| Labelled::thaw(frozen, &order.line, &place));
        let request = match request {
            Ok(request) => request,
            Err(why) => return Answer::NotSent { why },
        };
        if let Some(refusal) = lapsed(&request, Clock::System.now()) {
            return Answer::Refused(refusal);
        }
        match self.session.deliver(&request).await {
            Ok((said, _)) => classify(&said),
            Err(answer) => answer,
        }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "a quota keeps no orders: only the line itself tells".to_owned() }
    }

    fn clock_skew(&self) -> Option<Span> {
        self.session.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        self.ask("/api/v1/endpoint?page=1&per_page=1").await?;
        let known = self.config.endpoints.len();
        Ok(self.config.site.answers(&format!("{known} endpoints are configured")))
    }
}

/// A quota that expires before it is set would cut the line off: such an order is not sent.
fn lapsed(request: &Rendered, now: Timestamp) -> Option<Refusal> {
    let body: Value = serde_json::from_str(request.body.as_deref()?).ok()?;
    let until = text(&body, "/expiry_date").and_then(|text| moment(&text, false));
    until.is_none_or(|until| until <= now).then(|| Refusal {
        code: "expiry_passed".to_owned(),
        class: FailureClass::DenominationGone,
        raw: "not sent: the product's date has passed".to_owned(),
    })
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "emnify",
    product: Some("500 MB until 2099-12-31"),
    iccid: Some("89883030000000123452"),
    reads_wallet: false,
    has_token: true,
    turns_away: true,
    refused: FailureClass::Internal,
    dearer: None,
    echoes_target: false,
    charges_copies: false,
};
