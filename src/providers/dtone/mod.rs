//! DT One DVS (airtime, bundles, PIN, eSIM): a transaction is created, compared with the order,
//! and only then confirmed.
//!
//! Facts: DT One's specification of DVS, its Java client and public pages. Invariant: only
//! [`Provider::topup`] confirms or cancels, and each at most once; what is not confirmed never
//! charges.

mod benefits;
mod catalogue;
mod product;
mod purchase;
mod records;
#[cfg(test)]
mod tests;

use super::api::{self, Api, Site, account_currency, basic, headers, items, money, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, wallet_only,
};
use crate::clock::Clock;
#[cfg(test)]
use crate::domain::FailureClass;
use crate::domain::{Currency, ErrorKind, Money, Rounding, Span, Subscription, Timestamp};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use product::Wanted;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "DT One DVS",
    reads: "the wallet; what is left on eSIMs it sold, and until when, by serial",
    tops_up: "airtime, bundles, PIN products and eSIM plans: `ID`, or `ID:ranged` where the amount \
              is chosen, or `ID:esim` for a line's serial",
    after_silence: "looked up by `external_id`; what was created and not confirmed never charges, \
                    and counts as refused once it was cancelled or has expired",
    setup: "api_key = \"…\"\napi_secret = \"…\"\ncurrency = \"USD\"\nprice_margin = \"0%\"",
    unverified: &[
        "whether one `external_id` is refused twice also for copies in parallel: it is taken not \
         to be",
        "whether a transaction that was refused uses up its `external_id`: a copy that is called \
         used is looked up",
        "how long a created transaction can be confirmed: it counts as expired ten minutes after \
         the time it names itself",
        "the code of an empty list answered as 404: only 1008004 is taken for \"there is none\"",
        "megabytes of benefits: taken for 1,000,000 bytes",
        "whether an eSIM without any plan lists no benefits: an empty list is no value",
    ],
};

const LIVE: &str = "https://dvs-api.dtone.com/v1";
const SANDBOX: &str = "https://preprod-dvs-api.dtone.com/v1";
/// How long one asynchronous call may take; what follows is looked up.
const CALL: Span = Span::seconds(60);
/// Creating, confirming and, where that is refused, cancelling.
const CALLS: i64 = 3;
/// The longest a transaction is worked on, going by the synchronous way, which is held so long.
const MAX_PROCESSING: Span = Span::seconds(180);
/// The service all eSIMs belong to.
const ESIM: i64 = 13;

/// `[providers.NAME.dtone]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    api_key: String,
    api_secret: SecretString,
    currency: Currency,
    /// How many hundredths the wholesale price may lie above an order's amount.
    price_margin: i64,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let sandbox = s.boolean("sandbox").unwrap_or(false);
        let site = Site::read(s, Some(if sandbox { SANDBOX } else { LIVE }));
        let api_key = s.required("api_key", "allowed is the key of the API");
        let api_secret = s.required_secret("api_secret");
        let currency = account_currency(s);
        // Caps and approvals speak of the amount, so nothing above it is paid unasked.
        let price_margin = s.percent("price_margin").unwrap_or(0);
        section.finish();
        Some(Self {
            site: site?,
            api_key: api_key?,
            api_secret: api_secret?,
            currency: currency?,
            price_margin,
        })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        let declares = self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::Sequential,
            max_processing: CALL,
            wallet: true,
            sells: true,
            quotes: true,
            knows_operators: true,
            ..Declares::default()
        });
        let timeout = declares.timeout.times(CALLS);
        Declares { max_processing: MAX_PROCESSING, timeout, ..declares }
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let authorization = basic(&self.api_key, &self.api_secret);
        let encoded = authorization.trim_start_matches("Basic ").to_owned();
        let secrets = vec![self.api_secret.clone(), encoded.into()];
        self.site.build(("dtone", name), CALL, secrets, |api| {
            let api = api.with(headers(&[("authorization", &authorization)])?);
            Ok(DtOne { declares: config.declares(), config, api })
        })
    }
}

#[derive(Debug)]
struct DtOne {
    config: Config,
    declares: Declares,
    api: Api,
}

impl DtOne {
    async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        let reply = self.api.get(request).await?;
        self.api.values(&reply).map_err(|error| records::read_error(&reply.body, error))
    }

    /// The present time on DT One's clock, as far as that is known.
    fn now(&self) -> Timestamp {
        Clock::System.now().minus(self.api.skew().unwrap_or(Span::ZERO))
    }
}

#[async_trait]
impl Provider for DtOne {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let Some(iccid) = &line.iccid else {
            return match line.msisdn {
                None => wallet_only(line, self.wallet()).await,
                Some(_) => Err(ReadError::new(
                    ErrorKind::Unsupported,
                    "it reads its wallet and eSIMs: a subscription without msisdn, or with iccid",
                )),
            };
        };
        let body = json!({
            "service_id": ESIM,
            "credit_party_identifier": { "account_number": iccid.as_str() },
        });
        let list = self.ask(&Rendered::post("/lookup/credit-party-benefits", &body)).await?;
        benefits::reading(&list, self.now())
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let list = self.ask(&Rendered::get("/balances")).await?;
        let ours =
            |row: &&Value| text(row, "/unit").as_deref() == Some(self.config.currency.code());
        items(&list, "")
            .iter()
            .find(ours)
            .and_then(|row| money(row, "/available", self.config.currency, Rounding::Floor))
            .ok_or_else(|| ReadError::unparseable("no balance in the currency of the account"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        order.is_in(self.config.currency)?;
        let wanted = Wanted::parse(order.wanted("product id")?)
            .ok_or_else(|| order.refuse("the product is not ID, ID:ranged or ID:esim"))?;
        let mut body = json!({
            "external_id": order.reference,
            "product_id": wanted.id,
            // Nothing moves until the answer was compared with the order.
            "auto_confirm": false,
            "credit_party_identifier": wanted.party(&order.line).map_err(|why| order.refuse(why))?,
        });
        if let (true, Some(members)) = (wanted.is_ranged(), body.as_object_mut()) {
            let source = json!({
                "unit_type": "CURRENCY",
                "unit": order.amount.currency().code(),
                "amount": api::exact(order.amount),
            });
            members.insert("calculation_mode".to_owned(), json!("SOURCE_AMOUNT"));
            members.insert("source".to_owned(), source);
        }
        Rendered::post("/async/transactions", &body).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        self.purchase(order, frozen).await
    }

    async fn find(&self, order: &Order) -> Found {
        let query = [("external_id", order.reference.as_str()), ("per_page", "100")];
        let request = Rendered::query("/transactions", &query);
        let said = match self.api.look(&request).await {
            Ok(said) => said,
            Err(found) => return found,
        };
        if said.status == 404 && records::error_code(&said.value) == Some(records::NO_SUCH) {
            return Found::Nothing;
        }
        let (true, Some(list)) = (said.is_success(), said.value.as_array()) else {
            let why = format!("HTTP status {}: no list of transactions", said.status);
            return Found::Blind { why };
        };
        let ours: Vec<&Value> = list
            .iter()
            .filter(|row| {
                let reference = text(row, "/external_id");
                reference.is_some_and(|theirs| theirs.eq_ignore_ascii_case(&order.reference))
            })
            .collect();
        match ours.as_slice() {
            [] => Found::Nothing,
            [one] => Found::One(self.judge(one, order, self.now())),
            several => Found::Several {
                count: several.len(),
                raw: self.raw(&Value::from_iter(several.iter().copied().cloned())),
            },
        }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        self.catalogue(line).await
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let wanted = order.product.as_deref().and_then(Wanted::parse);
        let wanted = wanted.ok_or_else(|| {
            ReadError::new(ErrorKind::Configuration, "the product is not ID, ID:ranged or ID:esim")
        })?;
        let product = self.ask(&Rendered::get(format!("/products/{}", wanted.id))).await?;
        catalogue::quote(&product, order)
    }

    async fn operator(&self, line: &Subscription) -> Result<Option<String>, ReadError> {
        let Some(msisdn) = &line.msisdn else { return Ok(None) };
        Ok(self.identified(msisdn).await?.and_then(|operator| text(&operator, "/name")))
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
    kind: "dtone",
    product: Some("123:ranged"),
    iccid: None,
    reads_wallet: true,
    has_token: false,
    turns_away: true,
    refused: FailureClass::InvalidTarget,
    dearer: Some(FailureClass::PriceChanged),
    echoes_target: true,
    charges_copies: false,
};

/// The same for eSIMs.
#[cfg(test)]
pub(super) const ESIM_CASE: super::conformance::Case = super::conformance::Case {
    product: Some("777:esim"),
    iccid: Some("8944500102102198405"),
    reads_wallet: false,
    ..CASE
};
