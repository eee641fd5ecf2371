//! Twilio: our float, read only. It has no API that adds money.
//!
//! Facts: Twilio's API reference, `Balance.json` of the 2010-04-01 API.

use super::api::{Api, Site, balance, basic, headers, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Order, Provider, ReadError, ReadOk, TestReport,
    wallet_only,
};
use crate::domain::{ErrorKind, Money, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use secrecy::SecretString;
use std::{future::Ready, sync::Arc};

pub(super) const ABOUT: About = About {
    name: "Twilio",
    reads: "the wallet",
    tops_up: "nothing: it has no API that adds money",
    after_silence: "nothing is ever sent",
    setup: "account_sid = \"AC00000000000000000000000000000000\"\nauth_token = \"…\"",
    unverified: &["how soon a charge shows in the balance"],
};

const LIVE: &str = "https://api.twilio.com";

/// `[providers.NAME.twilio]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    account_sid: String,
    auth_token: SecretString,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let s = &mut section;
        let site = Site::read(s, Some(LIVE));
        let allowed = "allowed is the SID of the account: AC and 32 hexadecimal digits";
        let account_sid = s.required("account_sid", allowed).and_then(|_| {
            s.parsed("account_sid", allowed, |text| {
                let digits = text.strip_prefix("AC")?;
                let fine = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                fine.then(|| text.to_owned())
            })
        });
        let auth_token = s.required_secret("auth_token");
        section.finish();
        Some(Self { site: site?, account_sid: account_sid?, auth_token: auth_token? })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares { reads: true, wallet: true, ..Declares::default() })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let (config, secrets) = (self.clone(), vec![self.auth_token.clone()]);
        self.site.build(("twilio", name), Declares::default().max_processing, secrets, |api| {
            let authorization = basic(&config.account_sid, &config.auth_token);
            let api = api.with(headers(&[("authorization", &authorization)])?);
            Ok(Twilio { declares: config.declares(), config, api })
        })
    }
}

#[derive(Debug)]
struct Twilio {
    config: Config,
    declares: Declares,
    api: Api,
}

#[async_trait]
impl Provider for Twilio {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        wallet_only(line, self.wallet()).await
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let ours = &self.config.account_sid;
        let request = Rendered::get(format!("/2010-04-01/Accounts/{ours}/Balance.json"));
        let value = self.api.ask(&request).await?;
        if text(&value, "/account_sid").is_some_and(|theirs| theirs != *ours) {
            return Err(ReadError::new(ErrorKind::Identity, "the answer is about another account"));
        }
        // It has up to five digits after the point.
        balance(&value, ("/balance", "/currency"))
    }

    fn freeze(&self, _: &Order) -> Result<String, FreezeError> {
        Err(FreezeError("Twilio has no API that adds money".to_owned()))
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::NotSent { why: "Twilio has no API that adds money".to_owned() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "Twilio has no API that adds money".to_owned() }
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
    kind: "twilio",
    product: None,
    iccid: None,
    reads_wallet: true,
    has_token: false,
    turns_away: true,
    refused: crate::domain::FailureClass::InvalidTarget,
    dearer: None,
    echoes_target: false,
    charges_copies: false,
};

#[cfg(test)]
mod tests {
    use super::super::{conformance::config, http::testing};
    use super::*;
    use crate::domain::Quality;
    use crate::sim::fakes::{Fake, twilio::FAKE};
    use serde_json::json;

    async fn with(balance: serde_json::Value) -> Result<Money, ReadError> {
        let fake = Fake::start(FAKE).await.unwrap();
        fake.shared().books().world.insert("balance".to_owned(), balance);
        config("twilio", &fake.config()).build("it").await.unwrap().wallet().await
    }

    #[tokio::test]
    async fn the_balance_is_never_read_as_more_than_it_is() {
        let sid = "ACdeadbeefdeadbeefdeadbeefdeadbeef";
        let said =
            |balance: &str| json!({"account_sid": sid, "balance": balance, "currency": "USD"});
        for (text, left) in
            [("0.05", "0.05 USD"), ("12.34567", "12.34 USD"), ("-0.001", "-0.01 USD")]
        {
            assert_eq!(with(said(text)).await.ok(), Money::parse(left).ok(), "{text}");
        }
        let unknown = json!({"account_sid": sid, "balance": "1", "currency": "XXX"});
        assert_eq!(with(unknown).await.unwrap_err().quality, Quality::Unparseable);
        let foreign = json!({"account_sid": "AC1", "balance": "1", "currency": "USD"});
        assert_eq!(with(foreign).await.unwrap_err().quality, Quality::Error(ErrorKind::Identity));
    }

    #[tokio::test]
    async fn it_reads_no_lines_and_pays_for_none() {
        let fake = Fake::start(FAKE).await.unwrap();
        let twilio = config("twilio", &fake.config()).build("it").await.unwrap();
        let error = twilio.read(&testing::line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
        assert!(!twilio.declares().tops_up && twilio.freeze(&testing::order()).is_err());
        let answer = twilio.topup(&testing::order(), "{}").await;
        assert!(matches!(answer, Answer::NotSent { .. }), "{answer:?}");
    }
}
