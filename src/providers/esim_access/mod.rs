//! eSIM Access: one eSIM's volume and end, top-up packages, top-ups with our reference, the wallet.
//!
//! Facts: a transcription of its reference, agreeing clients of others, its article on top-ups.
//! Every call is a signed POST and answers 200 with an envelope, errors too. Nothing is looked up
//! by our reference, so only the line itself tells what became of an order.

mod envelope;
mod orders;
mod records;
mod sign;
#[cfg(test)]
mod tests;

use super::api::{Api, Site, headers, items};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, wallet_only,
};
use crate::clock::Clock;
use crate::domain::{Currency, ErrorKind, Money, Rounding, Span, Subscription};
use crate::input::{Fault, Rate, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use envelope::Envelope;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "eSIM Access",
    reads: "data left and the end of service of eSIMs; the wallet",
    tops_up: "eSIM packages, by package code",
    after_silence: "the line itself is watched; what stays unclear is left to a person, never sent \
                    again by itself",
    setup: "access_code = \"…\"\nsecret_key = \"…\"",
    unverified: &[
        "what a `transactionId` that was used before is answered with: it is taken to prove nothing",
        "what error codes that nobody lists prove: nothing, unless the HTTP status is 4xx",
        "the price in the moment of the order: an amount as a guard is said to cause trouble and \
         is left out",
        "which eSIM is topped up where a serial was given to another one later: serials are sent, \
         not its own numbers of eSIMs",
    ],
};

const LIVE: &str = "https://api.esimaccess.com/api/v1/open";
/// Not documented; a top-up is answered when it is done.
const MAX_PROCESSING: Span = Span::seconds(90);
/// Figures of usage are two to three hours late.
const USAGE_LAG: Span = Span::hours(3);

/// `[providers.NAME.esim_access]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    access_code: SecretString,
    secret_key: SecretString,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let access_code = s.required_secret("access_code");
        let secret_key = s.required_secret("secret_key");
        section.finish();
        Some(Self { site: site?, access_code: access_code?, secret_key: secret_key? })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::None,
            ref_unique: RefUnique::NotEnforced,
            max_processing: MAX_PROCESSING,
            balance_lag: USAGE_LAG,
            wallet: true,
            sells: true,
            quotes: true,
            concurrency: 4,
            // Eight a second are allowed for everything; some are left for orders.
            rate: Some(Rate { events: 5, per: Span::seconds(1) }),
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let secrets = vec![self.access_code.clone(), self.secret_key.clone()];
        self.site.build(("esim_access", name), MAX_PROCESSING, secrets, |api| {
            let currency = Currency::parse("USD").map_err(|error| error.to_string())?;
            Ok(EsimAccess { declares: config.declares(), config, currency, api })
        })
    }
}

#[derive(Debug)]
struct EsimAccess {
    config: Config,
    declares: Declares,
    /// What all prices are in: dollars.
    currency: Currency,
    api: Api,
}

impl EsimAccess {
    /// The API under the signature of `request`, which holds for the very bytes of its body and
    /// for now.
    fn signed(&self, request: &Rendered) -> Result<Api, String> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| format!("no random bytes ({error})"))?;
        let id = data_encoding::HEXLOWER.encode(&random);
        let timestamp = Clock::System.now().ms().to_string();
        let code = self.config.access_code.expose_secret();
        let body = request.body.as_deref().unwrap_or_default();
        let key = self.config.secret_key.expose_secret();
        let signature = sign::signature(key, [&timestamp, &id, code, body])?;
        let headers = headers(&[
            ("rt-accesscode", code),
            ("rt-requestid", &id),
            ("rt-timestamp", &timestamp),
            ("rt-signature", &signature),
        ])?;
        Ok(self.api.with(headers))
    }

    /// Asks, and gives back what the envelope holds.
    async fn ask(&self, path: &str, body: &Value) -> Result<Value, ReadError> {
        let request = Rendered::post(path, body);
        let api =
            self.signed(&request).map_err(|why| ReadError::new(ErrorKind::Configuration, why))?;
        let value = api.ask(&request).await?;
        match envelope::open(&value) {
            Envelope::Done(obj) => Ok(obj.clone()),
            Envelope::Refused { code, message } => Err(envelope::read_error(&code, &message)),
            Envelope::Neither => Err(ReadError::unparseable("no envelope in the answer")),
        }
    }

    /// The packages that can be put on the line's eSIM.
    async fn packages(&self, line: &Subscription) -> Result<Vec<Value>, ReadError> {
        let iccid = line.iccid.as_ref().ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "its catalogue is asked for one eSIM: by iccid")
        })?;
        let body = json!({ "type": "TOPUP", "iccid": iccid.as_str() });
        let obj = self.ask("/package/list", &body).await?;
        if !obj.get("packageList").is_some_and(Value::is_array) {
            return Err(ReadError::unparseable("no list of packages in the answer"));
        }
        Ok(items(&obj, "/packageList").to_vec())
    }
}

#[async_trait]
impl Provider for EsimAccess {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let Some(iccid) = &line.iccid else {
            return wallet_only(line, self.wallet()).await;
        };
        let body = json!({
            "iccid": iccid.as_str(),
            "pager": { "pageNum": 1, "pageSize": 50 },
        });
        let obj = self.ask("/esim/query", &body).await?;
        records::reading(records::ours(&obj, iccid)?)
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let obj = self.ask("/balance/query", &json!({})).await?;
        records::money(&obj, "/balance", self.currency, Rounding::Floor)
            .ok_or_else(|| ReadError::unparseable("no balance in the answer"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let (package, iccid) = (order.wanted("package code")?, order.iccid()?);
        if order.amount.currency() != self.currency {
            return Err(order.refuse("packages are sold in USD"));
        }
        if order.reference.len() > 50 {
            return Err(order.refuse("the reference is longer than the 50 characters it takes"));
        }
        let body = json!({
            "iccid": iccid.as_str(),
            "packageCode": package.trim(),
            "transactionId": order.reference,
        });
        Rendered::post("/esim/topup", &body).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let request = match Rendered::thaw(frozen) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let api = match self.signed(&request) {
            Ok(api) => api,
            Err(why) => return Answer::NotSent { why },
        };
        match api.send(&request).await {
            Ok(said) => orders::judge(&said, order),
            Err(answer) => answer,
        }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "it has no look-up by reference".to_owned() }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let line = line.ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "its catalogue is asked for one eSIM: by line")
        })?;
        let packages = self.packages(line).await?;
        Ok(packages.iter().filter_map(|p| records::product(p, self.currency)).collect())
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        records::priced(&self.packages(&order.line).await?, order, self.currency)
    }

    fn clock_skew(&self) -> Option<Span> {
        self.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(self.config.site.holds(self.wallet().await?))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "esim_access",
    product: Some("TOPUP_JC172"),
    iccid: Some("8943108170000775671"),
    reads_wallet: false,
    has_token: false,
    turns_away: true,
    refused: crate::domain::FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: true,
    charges_copies: false,
};
