//! Reloadly (airtime, data, PIN): `topups-async` with our reference, its status, the report list.
//!
//! Facts: Reloadly's `OpenAPI` file and official Java SDK; sandbox measurements of October 2026. Its
//! check for used references lets copies in parallel through, so it protects only one after the
//! other.

mod records;

use super::api::{
    Api, Client, Login, Session, Site, Token, account_currency, balance, cut, items, text,
};
use super::{
    About, Answer, Declares, Evidence, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, api, wallet_only,
};
use crate::domain::{Currency, FailureClass, Money, Rounding, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use records::{refusal, without_code};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "Reloadly",
    reads: "the wallet",
    tops_up: "airtime, data and PIN products, by operator id",
    after_silence: "looked up by `customIdentifier` in the report of transactions; never sent again \
                    by itself",
    setup: "client_id = \"…\"\nclient_secret = \"…\"\ncurrency = \"USD\"",
    unverified: &[
        "whether the check of identifiers lets copies in parallel through in production as it \
         does in the sandbox: it is taken to",
        "rate limits; the zone of `transactionDate`: transactions are never searched by date",
    ],
};

const LIVE: &str = "https://topups.reloadly.com";
const SANDBOX: &str = "https://topups-sandbox.reloadly.com";
const AUTH: &str = "https://auth.reloadly.com";
/// The longest call seen took 52 s; an asynchronous one ends in seconds.
const MAX_PROCESSING: Span = Span::seconds(90);

/// `[providers.NAME.reloadly]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    auth: Site,
    audience: String,
    client: Client,
    currency: Currency,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let sandbox = s.boolean("sandbox").unwrap_or(false);
        let usual = if sandbox { SANDBOX } else { LIVE };
        let site = Site::read(s, Some(usual));
        let auth = site.as_ref().and_then(|site| site.beside(s, "auth_url", AUTH));
        let client = Client::read(s);
        let currency = account_currency(s);
        section.finish();
        Some(Self {
            site: site?,
            auth: auth?,
            audience: usual.to_owned(),
            client: client?,
            currency: currency?,
        })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::Sequential,
            max_processing: MAX_PROCESSING,
            wallet: true,
            sells: true,
            quotes: true,
            knows_operators: true,
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let secrets = vec![self.client.secret.clone()];
        self.site.build(("reloadly", name), MAX_PROCESSING, secrets.clone(), |api| {
            let auth = Api::new(&config.auth, MAX_PROCESSING, secrets)?;
            let version = HeaderValue::from_static("application/com.reloadly.topups-v1+json");
            let api = api.with(HeaderMap::from_iter([(ACCEPT, version)]));
            let (client, audience) = (config.client.clone(), config.audience.clone());
            let session = Session::new(api, Account { auth, audience, client });
            Ok(Reloadly { declares: config.declares(), config, session })
        })
    }
}

#[derive(Debug)]
struct Reloadly {
    config: Config,
    declares: Declares,
    session: Session<Account>,
}

/// Whoever asks.
#[derive(Debug)]
struct Account {
    auth: Api,
    audience: String,
    client: Client,
}

impl Login for Account {
    async fn token(&self, _: &Api) -> Result<Token, ReadError> {
        let body = json!({
            "client_id": self.client.id,
            "client_secret": self.client.secret.expose_secret(),
            "grant_type": "client_credentials",
            "audience": self.audience,
        });
        // Sixty days live, an hour in the sandbox: what is written counts.
        Token::granted(&self.auth.ask(&Rendered::post("/oauth/token", &body)).await?)
    }
}

impl Reloadly {
    async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        self.session.ask(request).await
    }

    async fn status(&self, id: &str) -> Result<Option<String>, ReadError> {
        let value = self.ask(&Rendered::get(format!("/topups/{id}/status"))).await?;
        // An envelope, or the transaction itself: the status stands on top of both.
        Ok(text(&value, "/status").or_else(|| text(&value, "/transaction/status")))
    }
}

#[async_trait]
impl Provider for Reloadly {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        wallet_only(line, self.wallet()).await
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let value = self.ask(&Rendered::get("/accounts/balance")).await?;
        balance(&value, ("/balance", "/currencyCode"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        order.is_in(self.config.currency)?;
        let operator = order.wanted("operator id")?.parse::<u64>();
        let operator = operator.map_err(|_| order.refuse("the operator id is not a number"))?;
        let msisdn = order.msisdn()?;
        let (country, _) =
            msisdn.parts().ok_or_else(|| order.refuse("its country is not known"))?;
        let body = json!({
            "operatorId": operator,
            "amount": api::exact(order.amount),
            "useLocalAmount": false,
            "customIdentifier": order.reference,
            "recipientPhone": { "countryCode": country, "number": msisdn.as_str().trim_start_matches('+') },
        });
        Rendered::post("/topups-async", &body).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let said = match self.session.order(frozen).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        let code = said.text("/errorCode").unwrap_or_default();
        match said.status {
            200..=299 => match said.text("/transactionId") {
                Some(_) if said.value.get("status").is_some() => {
                    self.judge(&said.value, said.text("/status").as_deref(), order)
                }
                Some(id) => Answer::Pending(Evidence {
                    transaction_id: Some(id),
                    raw: said.raw,
                    ..Evidence::default()
                }),
                None => said.unclear("no transactionId in the answer"),
            },
            429 => said.turned_away("too many requests"),
            400..=499 if said.value.get("message").is_some() => match refusal(&code) {
                Some(class) => said.refused(if code.is_empty() { "error" } else { &code }, class),
                None => said.unclear("the reference exists already"),
            },
            503 if code == "OPERATOR_UNAVAILABLE_OR_CURRENTLY_INACTIVE" => {
                said.refused(&code, FailureClass::ProviderDown)
            }
            status => said.unclear(format!("HTTP status {status} proves nothing ({code})")),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let blind = |error: ReadError| Found::Blind { why: error.to_string() };
        let query = [("customIdentifier", order.reference.as_str()), ("size", "50"), ("page", "1")];
        let list = match self.ask(&Rendered::query("/topups/reports/transactions", &query)).await {
            Ok(list) => list,
            Err(error) => return blind(error),
        };
        if !list.get("content").is_some_and(Value::is_array) {
            return Found::Blind { why: "no list of transactions in the answer".to_owned() };
        }
        // The search is a loose one; only the very same reference is ours.
        let ours: Vec<&Value> = items(&list, "/content")
            .iter()
            .filter(|row| {
                text(row, "/customIdentifier")
                    .is_some_and(|r| r.eq_ignore_ascii_case(&order.reference))
            })
            .collect();
        match ours.as_slice() {
            [] => Found::Nothing,
            [one] => {
                let status = match (text(one, "/status"), text(one, "/transactionId")) {
                    (Some(status), _) => Some(status),
                    (None, Some(id)) => match self.status(&id).await {
                        Ok(status) => status,
                        Err(error) => return blind(error),
                    },
                    (None, None) => None,
                };
                Found::One(self.judge(one, status.as_deref(), order))
            }
            several => Found::Several {
                count: several.len(),
                raw: self.session.api.clean(
                    &several
                        .iter()
                        .map(|row| without_code(row).to_string())
                        .collect::<Vec<_>>()
                        .join("\n"),
                ),
            },
        }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let country = line
            .and_then(|line| line.msisdn.as_ref()?.parts())
            .map_or_else(|| "US".to_owned(), |(country, _)| country);
        let path = format!(
            "/operators/countries/{country}?includeBundles=true&includeData=true&includePin=true"
        );
        let list = self.ask(&Rendered::get(path)).await?;
        Ok(items(&list, "")
            .iter()
            .chain(items(&list, "/content"))
            .filter_map(|o| self.product(o))
            .collect())
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let id = order.product.as_deref().unwrap_or_default();
        let operator = self.ask(&Rendered::get(format!("/operators/{id}"))).await?;
        let amount =
            rust_decimal::Decimal::new(order.amount.minor(), order.amount.currency().digits());
        let at = |key: &str| api::decimal(&operator, key).unwrap_or_default();
        // Fees at most, discounts left out: the upper bound is what caps are checked with.
        let percent = at("/fees/internationalPercentage").max(at("/fees/localPercentage"));
        let flat = at("/fees/international").max(at("/fees/local"));
        let fee = amount
            .checked_mul(percent)
            .and_then(|fee| fee.checked_div(100.into()))
            .and_then(|fee| fee.checked_add(flat));
        let cost = fee.and_then(|fee| amount.checked_add(fee));
        let cost = cost.and_then(|cost| {
            Money::from_decimal(cost, order.amount.currency(), Rounding::Ceiling).ok()
        });
        let cost = cost.ok_or_else(|| ReadError::unparseable("the fees cannot be read"))?;
        let bonus = items(&operator, "/promotions").first().and_then(|p| text(p, "/title"));
        let why = format!(
            "{} with fees of {percent} % and {flat}; the discount of {} % is left out",
            order.amount,
            at("/internationalDiscount")
        );
        Ok(Quote { cost, delivered: None, bonus: bonus.map(|b| cut(&b, 100)), why })
    }

    async fn operator(&self, line: &Subscription) -> Result<Option<String>, ReadError> {
        let Some(msisdn) = &line.msisdn else { return Ok(None) };
        let Some((country, _)) = msisdn.parts() else { return Ok(None) };
        let number = msisdn.as_str().replace('+', "%2B");
        let path = format!("/operators/auto-detect/phone/{number}/countries/{country}");
        let reply = self.session.get(&Rendered::get(path)).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        Ok(text(&self.session.api.values(&reply)?, "/name"))
    }

    fn clock_skew(&self) -> Option<Span> {
        self.session.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(self.config.site.holds(self.wallet().await?))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "reloadly",
    product: Some("548"),
    iccid: None,
    reads_wallet: true,
    has_token: true,
    turns_away: true,
    refused: FailureClass::InvalidTarget,
    dearer: Some(FailureClass::DenominationGone),
    echoes_target: true,
    charges_copies: false,
};
