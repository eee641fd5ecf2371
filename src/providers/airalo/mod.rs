//! Airalo Partner API v2 (eSIM): usage and packages of one eSIM, top-up packages, orders by their
//! description.
//!
//! Facts: Airalo's published specification, its official SDKs, its pages on errors and limits. It refuses no
//! copy: only the core protects. Sandbox and production have one URL, so the configuration says
//! which it is.

mod catalogue;
mod orders;
mod reading;
#[cfg(test)]
mod tests;

use super::api::{Api, Client, Login, Session, Site, Token, balance, items, number, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, wallet_only,
};
use crate::domain::{Currency, ErrorKind, Money, Span, Subscription};
use crate::input::{Fault, Rate, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "Airalo Partner API",
    reads: "data, minutes and messages left and the end of service of eSIMs, each package; the \
            wallet",
    tops_up: "eSIM packages, by package id; the amount is the most a package may cost",
    after_silence: "looked up by our reference in the description of orders; never sent again by \
                    itself",
    setup: "mode = \"live\"\nclient_id = \"…\"\nclient_secret = \"…\"",
    unverified: &[
        "how soon an order for a top-up shows in the list of orders: one that is not found is left \
         to a person",
        "whether an order that is called failed was charged: it is taken to be unclear",
        "the zone of the date in the usage, taken for UTC; the packages' own dates come first",
        "how packages that are not active yet prolong the service: their days are not counted",
        "whether requests must be signed: they are not",
        "orders are sent as URL-encoded forms, like its PHP client does; its pages show multipart",
        "rate limits per eSIM: one page says ten a minute, another one in 15 minutes",
    ],
};

const LIVE: &str = "https://partners-api.airalo.com";
/// Not documented; a call is answered when it is done.
const MAX_PROCESSING: Span = Span::seconds(90);
/// Tokens say they are good for a year; Airalo advises a new one each day.
const TOKEN_LIFE: Span = Span::hours(24);
/// Rows on one page of orders.
const PAGE: usize = 50;

/// Whether orders move money. The URL is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Live,
    Sandbox,
}

impl Mode {
    const WORDS: [(&'static str, Self); 2] = [("live", Self::Live), ("sandbox", Self::Sandbox)];

    /// How long Airalo gives the same answer about an eSIM again.
    const fn cache(self) -> Span {
        match self {
            Self::Live => Span::minutes(20),
            Self::Sandbox => Span::minutes(60),
        }
    }
}

/// `[providers.NAME.airalo]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    mode: Mode,
    client: Client,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let mode = s
            .required(
                "mode",
                "allowed: live, sandbox, whichever the account is in (Airalo has one URL for both)",
            )
            .and_then(|_| s.word("mode", &Mode::WORDS));
        let client = Client::read(s);
        section.finish();
        Some(Self { site: site?, mode: mode?, client: client? })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::NotEnforced,
            max_processing: MAX_PROCESSING,
            balance_lag: self.mode.cache(),
            wallet: true,
            sells: true,
            quotes: true,
            concurrency: 4,
            // Five requests a second are allowed, and a reading takes two.
            rate: Some(Rate { events: 2, per: Span::seconds(1) }),
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let secrets = vec![self.client.secret.clone()];
        self.site.build(("airalo", name), MAX_PROCESSING, secrets, |api| {
            let currency = Currency::parse("USD").map_err(|error| error.to_string())?;
            let session = Session::new(api, Account(config.client.clone()));
            Ok(Airalo { declares: config.declares(), config, currency, session })
        })
    }
}

#[derive(Debug)]
struct Airalo {
    config: Config,
    declares: Declares,
    /// What prices without a currency are in: dollars.
    currency: Currency,
    session: Session<Account>,
}

/// Whoever asks.
#[derive(Debug)]
struct Account(Client);

impl Login for Account {
    async fn token(&self, api: &Api) -> Result<Token, ReadError> {
        let form = [
            ("client_id", self.0.id.as_str()),
            ("client_secret", self.0.secret.expose_secret()),
            ("grant_type", "client_credentials"),
        ];
        let reply = api.get(&Rendered::form("/v2/token", &form)).await?;
        if reply.status == 422 {
            // How a client id that does not exist is answered.
            let why = "Airalo does not know this client_id";
            return Err(ReadError::new(ErrorKind::Authentication, why));
        }
        let value = api.values(&reply)?;
        let secret = text(&value, "/data/access_token")
            .ok_or_else(|| ReadError::unparseable("no access_token in the answer"))?;
        let said = number(&value, "/data/expires_in").map_or(TOKEN_LIFE, Span::seconds);
        Ok(Token { secret: secret.into(), lives: said.min(TOKEN_LIFE) })
    }
}

impl Airalo {
    async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        let reply = self.session.get(request).await?;
        // Everything but the usage answers for a recycled eSIM with 422.
        if reply.status == 422
            && serde_json::from_str::<Value>(&reply.body)
                .is_ok_and(|body| text(&body, "/code").as_deref() == Some("73"))
        {
            return Err(reading::recycled());
        }
        self.session.api.values(&reply)
    }

    /// The packages that can be put on the line's eSIM.
    async fn topups(&self, line: &Subscription) -> Result<Vec<Value>, ReadError> {
        let iccid = line.iccid.as_ref().ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "its catalogue is asked for one eSIM: by iccid")
        })?;
        let path = format!("/v2/sims/{}/topups", iccid.as_str());
        let value = self.ask(&Rendered::get(path)).await?;
        if !value.get("data").is_some_and(Value::is_array) {
            return Err(ReadError::unparseable("no list of packages in the answer"));
        }
        Ok(items(&value, "/data").to_vec())
    }
}

#[async_trait]
impl Provider for Airalo {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let Some(iccid) = &line.iccid else {
            return wallet_only(line, self.wallet()).await;
        };
        let about = |what| Rendered::get(format!("/v2/sims/{}/{what}", iccid.as_str()));
        let usage = self.ask(&about("usage")).await?;
        if reading::is_recycled(&usage) {
            return Err(reading::recycled());
        }
        let packages = self.ask(&about("packages")).await?;
        reading::reading(&usage, &packages)
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let value = self.ask(&Rendered::get("/v2/balance")).await?;
        let left = value.pointer("/data/balances/availableBalance").unwrap_or(&Value::Null);
        balance(left, ("/amount", "/currency"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let (package, iccid) = (order.wanted("package id")?, order.iccid()?);
        if order.amount.currency() != self.currency {
            return Err(order.refuse("packages are sold in USD"));
        }
        let form = [
            ("package_id", package.trim()),
            ("iccid", iccid.as_str()),
            ("description", order.reference.as_str()),
        ];
        Rendered::form("/v2/orders/topups", &form).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let said = match self.session.order(frozen).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        match said.status {
            200..=299 => match said.value.get("data") {
                // The call is answered when the order is done.
                Some(made) if text(made, "/id").is_some() => {
                    self.judge(made, Some("completed"), order)
                }
                _ => said.unclear("no order in the answer"),
            },
            429 => said.turned_away("too many requests"),
            _ => orders::refusal(&said),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let limit = PAGE.to_string();
        let query = [
            ("filter[description]", order.reference.as_str()),
            ("include", "sims,status"),
            ("limit", limit.as_str()),
            ("page", "1"),
        ];
        match self.ask(&Rendered::query("/v2/orders", &query)).await {
            Ok(list) => self.found(&list, order),
            Err(error) => Found::Blind { why: error.to_string() },
        }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let line = line.ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "its catalogue is asked for one eSIM: by line")
        })?;
        let packages = self.topups(line).await?;
        Ok(packages.iter().filter_map(|package| self.product(package)).collect())
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        self.priced(&self.topups(&order.line).await?, order)
    }

    fn clock_skew(&self) -> Option<Span> {
        self.session.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let left = self.wallet().await?;
        let mode = match self.config.mode {
            Mode::Live => "live: orders are charged",
            Mode::Sandbox => "sandbox, if the account is in it: nothing in the URL tells",
        };
        Ok(self.config.site.answers(&format!("the wallet holds {left}; mode {mode}")))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "airalo",
    product: Some("bonbon-mobile-30days-3gb-topup"),
    iccid: Some("8943108170000775671"),
    reads_wallet: false,
    has_token: true,
    turns_away: true,
    refused: crate::domain::FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: false,
    charges_copies: true,
};
