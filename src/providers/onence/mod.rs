//! SIMs of things by 1NCE: data and SMS left, and top-ups of one SIM with the volume of its tariff.
//!
//! Facts: 1NCE's API descriptions (authorization v2.1.1, SIM management v1, order management v2.0) and
//! help pages. An order for a top-up takes no reference of ours, so what became of it is only
//! found in the list of orders, by SIM and time.

mod orders;
#[cfg(test)]
mod tests;

use super::api::{
    self, Api, Labelled, Login, Session, Site, Token, basic, cut, headers, moment, text,
};
use super::{
    About, Answer, Declares, Evidence, Found, FreezeError, Listed, Lookup, Order, Provider,
    ReadError, ReadOk, TestReport,
};
use crate::domain::{
    ErrorKind, FailureClass, Iccid, Money, Offer, Quality, Span, Subscription, Timestamp, Values,
};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use orders::order_number;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{future::Ready, sync::Arc};

pub(in crate::providers) const ABOUT: About = About {
    name: "1NCE",
    reads: "data and SMS left, and when the data quota expires, by ICCID",
    tops_up: "the volume of the SIM's tariff, as product `topup`, always for `price`",
    after_silence: "looked for in the list of orders: exactly one top-up of this SIM at that time \
                    is adopted; never sent again by itself",
    setup: "username = \"…\"\npassword = \"…\"\npayment_method = \"creditcard\"\nprice = \"10.00 EUR\"",
    unverified: &[
        "whether a MB is 10^6 or 2^20 bytes: the smaller is taken",
        "what a top-up costs and brings: `price` is what you pay for one, taxes included",
        "every order status but COMPLETED: another one proves nothing",
        "whether volume comes before a bank transfer or a boleto is paid",
        "whether orders can be sorted by `-order_date` as other lists can: where not, every page \
         is read",
        "how soon a top-up shows in the quota and in the list of orders",
    ],
};

const LIVE: &str = "https://api.1nce.com/management-api";
/// The only thing that is sold here.
const PRODUCT: &str = "topup";
/// A SIM's serial as 1NCE writes it: without its check digit.
const SERIAL: usize = 19;
/// Where volume is counted in MB, nobody says which.
const MB: i64 = 1_000_000;

/// Always written out: what 1NCE takes by itself is a bank transfer, an invoice nobody paid yet.
const METHODS: [(&str, &str); 4] = [
    ("creditcard", "creditcard"),
    ("monthlyinvoice", "monthlyinvoice"),
    ("banktransfer", "banktransfer"),
    ("boleto", "boleto"),
];

/// `[providers.NAME.onence]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    username: String,
    password: SecretString,
    payment_method: &'static str,
    price: Money,
    sms: bool,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let username = s.required("username", "allowed is the name of an API user");
        let password = s.required_secret("password");
        let allowed = "allowed: creditcard, monthlyinvoice, banktransfer, boleto";
        let payment_method =
            s.required("payment_method", allowed).and_then(|_| s.word("payment_method", &METHODS));
        let price = s
            .required("price", "allowed is what one top-up costs, such as \"10.00 EUR\"")
            .and_then(|_| s.positive_money("price"));
        let sms = s.boolean("sms").unwrap_or(true);
        section.finish();
        Some(Self {
            site: site?,
            username: username?,
            password: password?,
            payment_method: payment_method?,
            price: price?,
            sms,
        })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares {
            reads: true,
            tops_up: true,
            wants_product: true,
            lookup: Lookup::ListOnly,
            lists: true,
            offer: Offer { denominations: vec![self.price], ..Offer::default() },
            ..Declares::default()
        })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let config = self.clone();
        let work = Declares::default().max_processing;
        self.site.build(("onence", name), work, vec![self.password.clone()], |api| {
            let (username, password) = (config.username.clone(), config.password.clone());
            let session = Session::new(api, Account { username, password });
            Ok(Onence { declares: config.declares(), config, session })
        })
    }
}

#[derive(Debug)]
struct Onence {
    config: Config,
    declares: Declares,
    session: Session<Account>,
}

/// Whoever asks.
#[derive(Debug)]
struct Account {
    username: String,
    password: SecretString,
}

impl Login for Account {
    async fn token(&self, api: &Api) -> Result<Token, ReadError> {
        let failed = |why| ReadError::new(ErrorKind::Configuration, why);
        let basic = basic(&self.username, &self.password);
        let headers = headers(&[("authorization", &basic)]).map_err(failed)?;
        let body = json!({"grant_type": "client_credentials"});
        let reply = api.with(headers).get(&Rendered::post("/oauth/token", &body)).await?;
        if reply.status == 400 {
            // Wrong credentials are a bad request here.
            let why = format!("no token was given: {}", cut(&api.clean(&reply.body), 200));
            return Err(ReadError::new(ErrorKind::Authentication, why));
        }
        Token::granted(&api.values(&reply)?)
    }
}

impl Onence {
    /// A quota of the SIM; `None` where it has none of this kind.
    async fn quota(&self, sim: &str, kind: &str) -> Result<Option<Value>, ReadError> {
        let path = format!("/v1/sims/{sim}/quota/{kind}");
        let reply = self.session.get(&Rendered::get(path)).await?;
        match reply.status {
            404 => Ok(None),
            422 => Err(ReadError::new(
                ErrorKind::Permanent,
                "the SIM expired: it can only be extended, which is done by hand",
            )),
            _ => self.session.api.values(&reply).map(Some),
        }
    }
}

/// The place of a SIM in the API.
fn place(sim: &str) -> String {
    format!("/v1/sims/{sim}/topup?")
}

/// The serial as 1NCE writes it.
fn serial(line: &Subscription) -> Option<&str> {
    let iccid: &str = line.iccid.as_ref().map(Iccid::as_str)?;
    Some(iccid.get(..SERIAL).unwrap_or(iccid))
}

#[async_trait]
impl Provider for Onence {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let sim = serial(line).ok_or_else(|| {
            ReadError::new(ErrorKind::Unsupported, "1NCE knows lines by their iccid only")
        })?;
        let data = self.quota(sim, "data").await?.ok_or_else(|| {
            ReadError::new(ErrorKind::Permanent, "1NCE knows no such SIM, or it has no data quota")
        })?;
        let data_left = api::bytes(&data, "/volume", MB)
            .ok_or_else(|| ReadError::unparseable("no volume in the data quota"))?;
        let written = text(&data, "/expiry_date");
        let service_end_at = written.as_deref().and_then(|text| moment(text, false));
        let mut detail = (written.is_some() && service_end_at.is_none())
            .then(|| "the date at /expiry_date cannot be read".to_owned());
        let mut values = Values { data_left: Some(data_left), service_end_at, ..Values::default() };
        if self.config.sms
            && let Some(sms) = self.quota(sim, "sms").await?
        {
            values.sms_left = api::number(&sms, "/volume");
            if values.sms_left.is_none() {
                detail = Some("no volume in the SMS quota".to_owned());
            }
        }
        let quality = if detail.is_none() { Quality::Ok } else { Quality::Partial };
        Ok(ReadOk { values, quality, detail })
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        if order.product.as_deref() != Some(PRODUCT) {
            return Err(order.refuse("the product has to be `topup`: nothing else is sold"));
        }
        if order.amount != self.config.price {
            let price = self.config.price;
            return Err(order.refuse(format_args!("{} is not the price, {price}", order.amount)));
        }
        let sim = serial(&order.line).ok_or_else(|| order.refuse("it has no iccid"))?;
        let request = Rendered {
            method: "POST".to_owned(),
            path: format!("{}payment_method={}", place(sim), self.config.payment_method),
            ..Rendered::default()
        };
        Labelled::freeze(request, order, &place(sim))
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        let sim = serial(&order.line).unwrap_or_default();
        let request = match Labelled::thaw(frozen, &order.line, &place(sim)) {
            Ok(request) => request,
            Err(why) => return Answer::NotSent { why },
        };
        let (said, location) = match self.session.deliver(&request).await {
            Ok(answered) => answered,
            Err(answer) => return answer,
        };
        let message = said.text("/message").unwrap_or_default();
        match said.status {
            // The order stands, and an invoice is on its way; whether it is done stands in the
            // list. The only trace of it is its address.
            201 => match location.as_deref().and_then(order_number) {
                Some(number) => Answer::Pending(Evidence {
                    raw: format!("{}; order {number}", said.raw),
                    transaction_id: Some(number),
                    ..Evidence::default()
                }),
                None => said.unclear("the answer has no address of an order"),
            },
            429 => said.turned_away("too many requests"),
            400 if message.to_ascii_lowercase().contains("payment method") => {
                said.refused("payment_method", FailureClass::DeclinedHard)
            }
            403 => said.refused("not_your_sim", FailureClass::InvalidTarget),
            404 => said.refused("no_such_sim", FailureClass::InvalidTarget),
            422 => said.refused("sim_expired", FailureClass::InvalidTarget),
            400..=499 if !message.is_empty() => {
                said.refused(&cut(&message, 60), FailureClass::Internal)
            }
            status => said.unclear(format!("HTTP status {status} proves nothing")),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let number = order.transaction_id.as_deref().filter(|id| orders::is_number(id));
        let Some(number) = number else {
            return Found::Blind { why: "1NCE keeps no reference of ours".to_owned() };
        };
        match self.session.ask(&Rendered::get(format!("/v1/orders/{number}"))).await {
            Ok(value) => self.judge(&value, order),
            Err(error) => Found::Blind { why: error.to_string() },
        }
    }

    async fn list(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Listed>, ReadError> {
        self.orders(from, to).await
    }

    fn clock_skew(&self) -> Option<Span> {
        self.session.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let first = [("page", "1"), ("pageSize", "1")];
        self.session.ask(&Rendered::query("/v1/orders", &first)).await?;
        let (price, method) = (self.config.price, self.config.payment_method);
        Ok(self.config.site.answers(&format!("a top-up is {price} by {method}")))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "onence",
    product: Some(PRODUCT),
    iccid: Some("89882280666000000012"),
    reads_wallet: false,
    has_token: true,
    turns_away: true,
    refused: FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: false,
    charges_copies: true,
};
