//! Zendit (airtime, eSIM plans): purchases under a transaction id of ours, the plans of an eSIM,
//! the wallet.
//!
//! Facts: the official SDK for Node 1.9.0 and its guide, Zendit's pages on transactions and errors.
//! A purchase is accepted first and decided later, also for want of funds. What a second purchase
//! under the same id is answered with is not written anywhere, so an answer that might be that is
//! looked up.

mod records;

use super::api::{Api, Site, items};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, api, wallet_only,
};
use crate::clock::Clock;
use crate::domain::{ErrorKind, Money, Rounding, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use records::{Offer, judge, minor, plans, product, refusal};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "Zendit",
    reads: "the wallet; data and dates of the plans on an eSIM",
    tops_up: "airtime by number, plans by the serial of an eSIM; products are offer ids, and \
              `OFFER/zend`, `OFFER/price` or `OFFER/cost` where an offer takes any amount",
    after_silence: "looked up by our `transactionId`; never sent again by itself",
    setup: "api_key = \"…\"",
    unverified: &[
        "what a second purchase with the same `transactionId` is answered with, and whether it is \
         refused: taken to be charged",
        "times of plans are taken to be in UTC; a gigabyte is taken to have 10^9 bytes",
        "a plan without an end is one that has not begun: it counts, and leaves the end open",
        "whether the cost of an offer has the fee in it",
    ],
};

const LIVE: &str = "https://api.zendit.io/v1";
/// Nearly all end within 15 s; for the rest no bound is known.
const MAX_PROCESSING: Span = Span::seconds(90);
/// Offers asked for at once: an answer may have a megabyte.
const PAGE: usize = 100;
const PAGES_AT_MOST: usize = 200;

/// What is sold under which paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goods {
    Airtime,
    Plan,
}

impl Goods {
    const WORDS: [(&'static str, Self); 2] = [("airtime", Self::Airtime), ("esim", Self::Plan)];

    const fn path(self) -> &'static str {
        match self {
            Self::Airtime => "/topups",
            Self::Plan => "/esim",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Airtime => Self::Plan,
            Self::Plan => Self::Airtime,
        }
    }
}

/// `[providers.NAME.zendit]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    api_key: SecretString,
    with_both: Goods,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let api_key = s.required_secret("api_key");
        // What a line with a number and a serial gets.
        let with_both = s.word("with_both", &Goods::WORDS).unwrap_or(Goods::Plan);
        section.finish();
        Some(Self { site: site?, api_key: api_key?, with_both })
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
            wallet: true,
            sells: true,
            quotes: true,
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let secrets = vec![self.api_key.clone()];
        self.site.build(("zendit", name), MAX_PROCESSING, secrets, |api| {
            let api = api.bearing(&config.api_key)?;
            Ok(Zendit { declares: config.declares(), config, api })
        })
    }
}

#[derive(Debug)]
struct Zendit {
    config: Config,
    declares: Declares,
    api: Api,
}

impl Zendit {
    /// What a line gets.
    const fn goods(&self, line: &Subscription) -> Option<Goods> {
        match (&line.msisdn, &line.iccid) {
            (Some(_), Some(_)) => Some(self.config.with_both),
            (Some(_), None) => Some(Goods::Airtime),
            (None, Some(_)) => Some(Goods::Plan),
            (None, None) => None,
        }
    }

    /// The purchase under our reference; `None` where Zendit has none among `goods`.
    async fn purchase(&self, goods: Goods, order: &Order) -> Result<Option<Answer>, Found> {
        let path = format!("{}/purchases/{}", goods.path(), order.reference);
        let said = self.api.look(&Rendered::get(path)).await?;
        if said.is_success() {
            return Ok(Some(judge(&said, order)));
        }
        // A wrong address is answered without a code.
        if said.status == 404 && said.text("/errorCode").as_deref() == Some("NOT_FOUND") {
            return Ok(None);
        }
        Err(Found::Blind { why: format!("HTTP status {}", said.status) })
    }

    /// All offers of a kind, page by page.
    async fn offers(&self, goods: Goods, country: Option<&str>) -> Result<Vec<Value>, ReadError> {
        let (mut offers, limit) = (Vec::new(), PAGE.to_string());
        for _ in 0..PAGES_AT_MOST {
            let offset = offers.len().to_string();
            let mut query = vec![("_limit", limit.as_str()), ("_offset", offset.as_str())];
            query.extend(country.map(|country| ("country", country)));
            let request = Rendered::query(&format!("{}/offers", goods.path()), &query);
            let page = self.api.ask(&request).await?;
            let list = items(&page, "/list");
            offers.extend_from_slice(list);
            let total = api::number(&page, "/total").and_then(|n| usize::try_from(n).ok());
            if list.is_empty() || total.is_none_or(|total| offers.len() >= total) {
                return Ok(offers);
            }
        }
        Err(ReadError::unparseable("the list of offers has no end"))
    }
}

#[async_trait]
impl Provider for Zendit {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let Some(iccid) = &line.iccid else {
            return wallet_only(line, self.wallet()).await;
        };
        let found = self.api.ask(&Rendered::get(format!("/esim/{}/plans", iccid.as_str()))).await?;
        plans(&found, line, Clock::System.now())
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let value = self.api.ask(&Rendered::get("/balance")).await?;
        minor(&value, "/availableBalance", "/currency", Rounding::Floor)
            .ok_or_else(|| ReadError::unparseable("no balance with currency and divisor"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let goods =
            self.goods(&order.line).ok_or_else(|| order.refuse("no msisdn and no iccid"))?;
        let offer = Offer::of(order).map_err(|why| order.refuse(why))?;
        if order.reference.is_empty() || !order.reference.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err(order.refuse("the reference is not alphanumeric"));
        }
        let target = match (goods, &order.line.msisdn, &order.line.iccid) {
            (Goods::Airtime, Some(msisdn), _) => ("recipientPhoneNumber", msisdn.as_str()),
            (Goods::Plan, _, Some(_)) if offer.by.is_some() => {
                return Err(order.refuse("plans take no amount"));
            }
            (Goods::Plan, _, Some(iccid)) => ("iccid", iccid.as_str()),
            (Goods::Airtime | Goods::Plan, _, _) => return Err(order.refuse("no msisdn or iccid")),
        };
        let mut body = serde_json::Map::new();
        body.insert("offerId".to_owned(), json!(offer.id));
        body.insert("transactionId".to_owned(), json!(order.reference));
        body.insert(target.0.to_owned(), json!(target.1));
        if let Some(by) = offer.by {
            let value = json!({ "type": by.word(), "value": order.amount.minor() });
            body.insert("value".to_owned(), value);
        }
        let body = Value::Object(body);
        Rendered::post(format!("{}/purchases", goods.path()), &body).freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let said = match self.api.order(frozen).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        let code = said.text("/errorCode").unwrap_or_default();
        match said.status {
            200..=299 => judge(&said, order),
            401 => said.turned_away("the key was refused"),
            429 => said.turned_away("too many requests"),
            400..=499 => match refusal(&code, &said.value) {
                Some(class) => said.refused(&code, class),
                None => said.unclear(format!("it may be there already ({code})")),
            },
            status => said.unclear(format!("HTTP status {status} proves nothing ({code})")),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let first = self.goods(&order.line).unwrap_or(Goods::Airtime);
        // A line that was edited since may have been of the other kind when the order was sent.
        for goods in [first, first.other()] {
            match self.purchase(goods, order).await {
                Ok(Some(answer)) => return Found::One(answer),
                Ok(None) => {}
                Err(blind) => return blind,
            }
        }
        Found::Nothing
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let (goods, country) = match line {
            Some(line) => {
                let goods = self.goods(line).map_or(vec![], |goods| vec![goods]);
                (goods, line.msisdn.as_ref().and_then(|msisdn| msisdn.parts()))
            }
            None => (vec![Goods::Airtime, Goods::Plan], None),
        };
        let mut products = Vec::new();
        for goods in goods {
            // A plan is for where the traveller goes, not for where the number is from.
            let country = country.as_ref().filter(|_| goods == Goods::Airtime);
            let offers = self.offers(goods, country.map(|(code, _)| code.as_str())).await?;
            products.extend(offers.iter().filter_map(|offer| product(offer, goods)));
        }
        Ok(products)
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let unsupported = |why: String| ReadError::new(ErrorKind::Unsupported, why);
        let offer = Offer::of(order).map_err(unsupported)?;
        let goods = self.goods(&order.line).unwrap_or(Goods::Airtime);
        let path = format!("{}/offers/{}", goods.path(), offer.id);
        offer.quote(&self.api.ask(&Rendered::get(path)).await?, order.amount)
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
    kind: "zendit",
    product: Some("TMOBILE_US_010"),
    iccid: None,
    reads_wallet: true,
    has_token: false,
    turns_away: true,
    refused: crate::domain::FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: true,
    charges_copies: false,
};

#[cfg(test)]
pub(super) const ESIM_CASE: super::conformance::Case = super::conformance::Case {
    product: Some("ESIM-US-30D-3GB"),
    iccid: Some("8910300000005271142"),
    reads_wallet: false,
    ..CASE
};

#[cfg(test)]
mod tests;
