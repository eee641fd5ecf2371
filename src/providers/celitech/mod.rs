//! CELITECH (data for eSIMs): purchases and what is left of them, top-ups with an idempotency key
//! that is also their reference.
//!
//! Facts: the official SDK for Python 2.0.10. For three days a repeated key with the same body gives
//! the first answer again (409 while the first is under way); after that only the look-up by
//! reference tells.

mod ask;
mod records;

use super::api::{Api, Client, Said, Session, Site, package_values, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Product, Provider, Quote,
    ReadError, ReadOk, RefUnique, TestReport, is_target,
};
use crate::clock::Clock;
use crate::domain::{Currency, ErrorKind, FailureClass, Iccid, Money, Quality, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use ask::Account;
use async_trait::async_trait;
use records::{Plan, Purchase, bought, cents, lacks_funds, row};
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "CELITECH",
    reads: "data and dates of eSIMs",
    tops_up: "data of eSIMs; products are size and duration, such as `1GB/7d` (0.5, 1, 2, 3, 5, 8, \
              20, 50 GB for 1, 2, 7, 14, 30, 90 days)",
    after_silence: "looked up by `referenceId`; sent again once with the same `Idempotency-Key`, \
                    within the three days for which keys are remembered",
    setup: "client_id = \"…\"\nclient_secret = \"…\"",
    unverified: &[
        "the currency of prices: taken to be `currency`, USD where that is not written",
        "rate limits, a sandbox, and how soon a purchase shows under its reference",
        "a purchase without an end is one that has not begun: it counts, and leaves the end open",
        "the words of refusals: one that speaks of balance, funds or credit is taken for ours being \
         used up; others are an internal failure unless the eSIM cannot be topped up",
        "an order that is answered with 409, 422 or 503 may have been charged",
    ],
};

const LIVE: &str = "https://api.celitech.net/v1";
const AUTH: &str = "https://auth.celitech.net";
/// No bound is documented.
const MAX_PROCESSING: Span = Span::seconds(120);
/// Consumption is meant to be asked for about once an hour.
const BALANCE_LAG: Span = Span::hours(1);
const REF_WINDOW: Span = Span::days(3);

/// `[providers.NAME.celitech]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    auth: Site,
    client: Client,
    currency: Currency,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let auth = site.as_ref().and_then(|site| site.beside(s, "auth_url", AUTH));
        let client = Client::read(s);
        let currency = if s.has("currency") {
            s.checked("currency", Currency::parse)
        } else {
            Currency::parse("USD").ok()
        };
        section.finish();
        Some(Self { site: site?, auth: auth?, client: client?, currency: currency? })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::Strict,
            ref_window: Some(REF_WINDOW),
            max_processing: MAX_PROCESSING,
            balance_lag: BALANCE_LAG,
            sells: true,
            quotes: true,
            // Each reading is several questions.
            concurrency: 8,
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let secrets = vec![self.client.secret.clone()];
        self.site.build(("celitech", name), MAX_PROCESSING, secrets.clone(), |api| {
            let auth = Api::new(&config.auth, MAX_PROCESSING, secrets)?;
            let session = Session::new(api, Account { auth, client: config.client.clone() });
            Ok(Celitech { declares: config.declares(), config, session })
        })
    }
}

#[derive(Debug)]
struct Celitech {
    config: Config,
    declares: Declares,
    session: Session<Account>,
}

impl Celitech {
    /// An eSIM that is gone, or takes no more data, is an error for good.
    async fn alive(&self, line: &Subscription, iccid: &Iccid) -> Result<(), ReadError> {
        let value = self.ask(&Rendered::query("/esim", &[("iccid", iccid.as_str())])).await?;
        let dead = |why| Err(ReadError::new(ErrorKind::Permanent, why));
        let echo = text(&value, "/esim/iccid")
            .ok_or_else(|| ReadError::unparseable("no eSIM in the answer"))?;
        if !is_target(line, &echo) {
            return Err(ReadError::new(ErrorKind::Identity, "the answer is about another eSIM"));
        }
        if text(&value, "/esim/status").as_deref() == Some("DELETED") {
            return dead("the eSIM was deleted");
        }
        if text(&value, "/esim/isTopUpAllowed").as_deref() == Some("false") {
            return dead("the eSIM cannot be topped up");
        }
        Ok(())
    }

    /// A refusal: their words are for people, so the eSIM is asked whether it is the reason.
    async fn refusal(&self, said: &Said, order: &Order) -> Answer {
        let Some(message) = said.text("/message") else {
            return said.unclear(format!("HTTP status {} without a message", said.status));
        };
        let code = said.status.to_string();
        if lacks_funds(&message) {
            return said.refused(&code, FailureClass::DeclinedSoft);
        }
        let is_dead = match &order.line.iccid {
            Some(iccid) => {
                let alive = self.alive(&order.line, iccid).await;
                alive.is_err_and(|error| error.is(ErrorKind::Permanent))
            }
            None => false,
        };
        let class = if is_dead { FailureClass::InvalidTarget } else { FailureClass::Internal };
        said.refused(&code, class)
    }

    /// Where the eSIM's data is good for: top-ups are for the same place.
    async fn destination(&self, iccid: &Iccid) -> Result<String, ReadError> {
        let rows = self.purchases(iccid).await?;
        rows.iter()
            .find_map(|row| text(row, "/package/destination"))
            .ok_or_else(|| ReadError::unparseable("no purchase says the eSIM's destination"))
    }
}

#[async_trait]
impl Provider for Celitech {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let iccid = line.iccid.as_ref().ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "it reads eSIMs only: a line with an iccid")
        })?;
        self.alive(line, iccid).await?;
        let now = Clock::System.now();
        let mut packages = Vec::new();
        for found in self.purchases(iccid).await? {
            if text(&found, "/esim/iccid").is_some_and(|echo| !is_target(line, &echo)) {
                continue;
            }
            let purchase = Purchase::read(&found)?;
            packages.push(if purchase.is_over(now) {
                purchase.with_nothing()
            } else {
                let path = format!("/purchases/{}/consumption", purchase.id);
                purchase.with(&self.ask(&Rendered::get(path)).await?)?
            });
        }
        if packages.is_empty() {
            // The first purchase is what makes an eSIM.
            return Err(ReadError::unparseable("an eSIM without purchases"));
        }
        Ok(ReadOk { values: package_values(packages, now), quality: Quality::Ok, detail: None })
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        if order.amount.currency() != self.config.currency {
            return Err(order.refuse("the amount is not in the currency of the prices"));
        }
        let plan = Plan::of(order).map_err(|why| order.refuse(why))?;
        let iccid = order.iccid()?;
        let body = json!({
            "iccid": iccid.as_str(),
            "dataLimitInGB": plan.size_number(),
            "duration": plan.days,
            "referenceId": order.reference,
        });
        Rendered::post("/purchases/topup", &body)
            .with("Idempotency-Key", &order.reference)
            .freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let said = match self.session.order(frozen).await {
            Ok(said) => said,
            Err(answer) => return answer,
        };
        match said.status {
            200..=299 => bought(&said, order),
            429 => said.turned_away("too many requests"),
            408 => said.unclear("it took them too long"),
            409 => said.unclear("the same order is being worked on"),
            422 => said.unclear("the key may have been used for another request"),
            400..=499 => self.refusal(&said, order).await,
            // Theirs would mean that nothing was done, but a gateway's looks the same.
            status => said.unclear(format!("HTTP status {status} proves nothing")),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let filter = [("referenceId", order.reference.as_str()), ("limit", "100")];
        let rows = match self.all("/purchases", "purchases", &filter).await {
            Ok(rows) => rows,
            Err(error) => return Found::Blind { why: error.to_string() },
        };
        let ours: Vec<&Value> = rows
            .iter()
            .filter(|row| text(row, "/referenceId").is_some_and(|r| r == order.reference))
            .collect();
        match ours.as_slice() {
            [] => Found::Nothing,
            [one] => {
                let raw = self.session.api.clean(&one.to_string());
                Found::One(row(one, raw, order, self.config.currency))
            }
            several => Found::Several {
                count: several.len(),
                raw: self.session.api.clean(&json!(several).to_string()),
            },
        }
    }

    async fn products(&self, line: Option<&Subscription>) -> Result<Vec<Product>, ReadError> {
        let destination = match line.and_then(|line| line.iccid.as_ref()) {
            Some(iccid) => Some(self.destination(iccid).await?),
            None => None,
        };
        let mut filter = vec![("limit", "160")];
        filter.extend(destination.as_deref().map(|place| ("destination", place)));
        let packages = self.all("/packages", "packages", &filter).await?;
        let currency = self.config.currency;
        Ok(packages.iter().flat_map(|package| records::products(package, currency)).collect())
    }

    async fn quote(&self, order: &Order) -> Result<Quote, ReadError> {
        let unsupported = |why: String| ReadError::new(ErrorKind::Unsupported, why);
        let plan = Plan::of(order).map_err(unsupported)?;
        let iccid = order.line.iccid.as_ref();
        let iccid = iccid.ok_or_else(|| unsupported("it has no iccid".to_owned()))?;
        let place = self.destination(iccid).await?;
        let filter =
            [("destination", place.as_str()), ("dataLimitInGB", plan.size), ("limit", "160")];
        let packages = self.all("/packages", "packages", &filter).await?;
        let prices = packages.iter().filter(|package| plan.is_in(package));
        let prices = prices.filter_map(|p| cents(p, "/priceInCents", self.config.currency));
        let cost: Option<Money> = prices.max_by_key(|price| price.minor());
        let why = format!("the price of {plan} for {place}");
        match cost {
            Some(cost) => Ok(Quote { cost, delivered: None, bonus: None, why }),
            None => Err(unsupported(format!("{plan} is not sold for {place}"))),
        }
    }

    fn clock_skew(&self) -> Option<Span> {
        self.session.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        self.ask(&Rendered::query("/packages", &[("limit", "1")])).await?;
        Ok(TestReport { detail: format!("{} answers", self.config.site.place.base) })
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "celitech",
    product: Some("1GB/7d"),
    iccid: Some("1111222233334444555003"),
    reads_wallet: false,
    has_token: true,
    turns_away: true,
    refused: FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: true,
    charges_copies: false,
};

#[cfg(test)]
mod tests;
