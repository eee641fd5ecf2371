//! Ding (airtime, bundles, PIN): `SendTransfer` with our reference, the list of transfers.
//!
//! Facts: Ding's own specification of V1; measurements and an incident of September 2026, in which
//! one reference was paid twice a minute apart: references protect from nothing, so an order is
//! never sent again by itself. The status of HTTP says little; `ResultCode` and `ErrorCodes` count.

mod records;
#[cfg(test)]
mod tests;

use super::api::{self, Api, Echo, Said, Site, account_currency, balance, headers, items, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, wallet_only,
};
use crate::domain::{Currency, ErrorKind, FailureClass, Money, Msisdn, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::{Rendered, Reply};
use async_trait::async_trait;
use records::{Proof, Verdict, hide_torn, without_receipt};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "DingConnect",
    reads: "the wallet",
    tops_up: "airtime, bundles and PIN products, by SKU code",
    after_silence: "looked up by `DistributorRef` in the list of transfers; never sent again by \
                    itself, since Ding pays one reference twice",
    setup: "api_key = \"…\"\ncurrency = \"USD\"",
    unverified: &[
        "when `DuplicateTransactionPrevented` is answered: it is taken to mean that the transfer \
         may exist, and looked up",
        "how long a `DistributorRef` may be: ours has 24 characters; production rate limits",
        "whether a PIN product takes the line's own number where Ding's guide writes zeros: the \
         line's own number is always sent",
        "whether `RateLimited` tells throttling from a limit of the line: it is taken for the latter",
        "a status 429 that has no `ResultCode` is taken for an unknown outcome",
    ],
};

const LIVE: &str = "https://api.dingconnect.com/api/V1";
/// The longest Ding works on one transfer, as documented.
const MAX_PROCESSING: Span = Span::seconds(90);
/// Transfers are listed for two months; no two are shorter.
const HORIZON: Span = Span::days(59);
/// More transfers than ever have one reference.
const TAKE: u32 = 50;

/// `[providers.NAME.dingconnect]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    api_key: SecretString,
    currency: Currency,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let api_key = s.required_secret("api_key");
        let currency = account_currency(s);
        section.finish();
        Some(Self { site: site?, api_key: api_key?, currency: currency? })
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
            lookup_horizon: HORIZON,
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
        let secrets = vec![self.api_key.clone()];
        self.site.build(("dingconnect", name), MAX_PROCESSING, secrets, |api| {
            let api = api.with(headers(&[("api_key", config.api_key.expose_secret())])?);
            Ok(DingConnect { declares: config.declares(), config, api })
        })
    }
}

#[derive(Debug)]
struct DingConnect {
    config: Config,
    declares: Declares,
    api: Api,
}

impl DingConnect {
    /// Asks; what Ding says of the answer itself goes before the status.
    async fn ask(&self, request: &Rendered) -> Result<Value, ReadError> {
        self.values(&self.api.get(request).await?)
    }

    fn values(&self, reply: &Reply) -> Result<Value, ReadError> {
        let own = serde_json::from_str(&reply.body).ok();
        let own = own.filter(|value| Verdict::of(value).result.is_some());
        let verdict = own.as_ref().map(Verdict::of).filter(|verdict| !verdict.is_fine());
        match verdict {
            Some(verdict) => Err(ReadError {
                retry_after: reply.retry_after,
                ..ReadError::new(verdict.kind(), verdict.words())
            }),
            None => {
                let value = self.api.values(reply)?;
                match Verdict::of(&value).result {
                    Some(_) => Ok(value),
                    None => Err(ReadError::unparseable("no ResultCode in the answer")),
                }
            }
        }
    }

    /// An answer without what is printed on receipts: a code may be among it.
    fn hidden(&self, said: Said) -> Said {
        let raw = self.api.clean(&without_receipt(&said.value).to_string());
        Said { raw, ..said }
    }

    /// What an answer proves that has no transfer in it.
    fn not_bought(said: &Said, verdict: &Verdict) -> Answer {
        let (code, proof) = verdict.proof();
        match proof {
            Proof::Refused(class) => said.refused(&code, class),
            Proof::Key => said.turned_away("the key was refused"),
            Proof::Exists => said.unclear("Ding knows such a transfer already"),
            Proof::Unsorted if said.status < 500 => said.refused(&code, FailureClass::Internal),
            Proof::Unsorted => said.unclear(verdict.words()),
        }
    }
}

/// A number as Ding writes it.
fn digits(msisdn: &Msisdn) -> &str {
    msisdn.as_str().trim_start_matches('+')
}

#[async_trait]
impl Provider for DingConnect {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        wallet_only(line, self.wallet()).await
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let value = self.ask(&Rendered::get("/GetBalance")).await?;
        balance(&value, ("/Balance", "/CurrencyIso"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        order.is_in(self.config.currency)?;
        let body = json!({
            "SkuCode": order.wanted("SKU code")?.trim(),
            "SendValue": api::exact(order.amount),
            "SendCurrencyIso": self.config.currency.code(),
            "AccountNumber": digits(order.msisdn()?),
            "DistributorRef": order.reference,
            // Without it the request is refused.
            "ValidateOnly": false,
        });
        Rendered::post("/SendTransfer", &body).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let said = match self.api.order(frozen).await {
            Ok(said) => self.hidden(said),
            Err(answer) => return hide_torn(answer),
        };
        let verdict = Verdict::of(&said.value);
        let record = said.value.get("TransferRecord").filter(|record| record.is_object());
        let made = record.filter(|record| text(record, "/TransferId/TransferRef").is_some());
        match (verdict.result, made) {
            (Some(1 | 2 | 4 | 5), Some(record)) => self.judge(record, &verdict, order),
            (Some(4 | 5), None) => Self::not_bought(&said, &verdict),
            (Some(1 | 2), None) => said.unclear("no TransferRef in the answer"),
            // A timeout of theirs is documented as not paid; that is for the list to say.
            (Some(3), _) => said.unclear(verdict.words()),
            (Some(code), _) => said.unclear(format!("the ResultCode {code}")),
            (None, _) => said.unclear(format!("HTTP status {} without a ResultCode", said.status)),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let blind = |why: String| Found::Blind { why };
        // By the reference alone: a transfer to another number must be found as well.
        let body = json!({ "DistributorRef": order.reference, "Take": TAKE });
        let request = Rendered::post("/ListTransferRecords", &body);
        let said = match self.api.look(&request).await {
            Ok(said) => said,
            Err(found) => return found,
        };
        let verdict = Verdict::of(&said.value);
        if !said.is_success() || verdict.result != Some(1) {
            return blind(format!("HTTP status {}: {}", said.status, verdict.words()));
        }
        if !said.value.get("Items").is_some_and(Value::is_array) {
            return blind("no list of transfers in the answer".to_owned());
        }
        let ours: Vec<&Value> = items(&said.value, "/Items")
            .iter()
            .filter(|item| {
                let reference = text(item, "/TransferRecord/TransferId/DistributorRef");
                reference.is_some_and(|theirs| theirs.eq_ignore_ascii_case(&order.reference))
            })
            .collect();
        let more = said.value.get("ThereAreMoreItems").and_then(Value::as_bool).unwrap_or(false);
        match ours.as_slice() {
            [] if more => blind("the list goes on, and ours is not on its first page".to_owned()),
            [] => Found::Nothing,
            [one] => {
                let record = one.pointer("/TransferRecord").unwrap_or(&Value::Null);
                Found::One(self.judge(record, &Verdict::of(one), order))
            }
            several => Found::Several {
                count: several.len(),
                raw: self.api.clean(
                    &Value::from_iter(several.iter().map(|item| without_receipt(item))).to_string(),
                ),
            },
        }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let country = line
            .and_then(|line| line.msisdn.as_ref()?.parts())
            .map_or_else(|| "US".to_owned(), |(country, _)| country);
        let request = Rendered::query("/GetProducts", &[("countryIsos", country.as_str())]);
        let list = self.ask(&request).await?;
        Ok(items(&list, "/Items").iter().filter_map(records::product).collect())
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let sku = order.product.as_deref().unwrap_or_default();
        let body = json!([{
            "SendValue": api::exact(order.amount),
            "SendCurrencyIso": order.amount.currency().code(),
            "SkuCode": sku,
            "BatchItemRef": "1",
        }]);
        let answer = self.ask(&Rendered::post("/EstimatePrices", &body)).await?;
        let item = items(&answer, "/Items").first();
        let item = item.ok_or_else(|| ReadError::unparseable("no estimate in the answer"))?;
        let verdict = Verdict::of(item);
        if !verdict.is_fine() {
            return Err(ReadError::new(verdict.kind(), verdict.words()));
        }
        let price = item.pointer("/Price").unwrap_or(&Value::Null);
        let echo = Echo::default().same("the SKU code", sku, text(item, "/SkuCode")).money(
            "the amount",
            order.amount,
            records::sent(price, self.config.currency),
        );
        if let Some(why) = echo.differs() {
            return Err(ReadError::new(ErrorKind::Configuration, format!("it quotes {why}")));
        }
        let cost = records::charged(price, self.config.currency)
            .ok_or_else(|| ReadError::unparseable("the price cannot be read"))?;
        let fee = text(price, "/DistributorFee").unwrap_or_else(|| "0".to_owned());
        let why = format!("{} with a fee of {fee}; the commission is left out", order.amount);
        Ok(Quote { cost, delivered: records::delivered(price), bonus: None, why })
    }

    async fn operator(&self, line: &Subscription) -> Result<Option<String>, ReadError> {
        let Some(msisdn) = &line.msisdn else { return Ok(None) };
        let request = Rendered::query("/GetAccountLookup", &[("accountNumber", digits(msisdn))]);
        let answer = match self.ask(&request).await {
            // A number it cannot place.
            Err(error) if error.is(ErrorKind::Permanent) => return Ok(None),
            other => other?,
        };
        let mut codes: Vec<String> = items(&answer, "/Items")
            .iter()
            .filter_map(|item| text(item, "/ProviderCode"))
            .collect();
        codes.dedup();
        Ok((!codes.is_empty()).then(|| codes.join(", ")))
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
    kind: "dingconnect",
    product: Some("US_TL_TopUp"),
    iccid: None,
    reads_wallet: true,
    has_token: false,
    turns_away: false,
    refused: FailureClass::InvalidTarget,
    dearer: Some(FailureClass::DenominationGone),
    echoes_target: true,
    charges_copies: true,
};
