//! Telnyx: our float, read only. What it charges a card by itself (auto-recharge) is shown, never
//! changed.
//!
//! Facts: Telnyx's SDK 4.189.0 and developer documentation of 2026.

use super::api::{Api, Site, balance, cut, text};
use super::{
    About, Answer, Declares, Found, FreezeError, Order, Provider, ReadError, ReadOk, TestReport,
    wallet_only,
};
use crate::domain::{Money, Span, Subscription};
use crate::input::{Fault, Section};
use crate::transport::http::Rendered;
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use std::{future::Ready, sync::Arc};

pub(super) const ABOUT: About = About {
    name: "Telnyx",
    reads: "the wallet; `provider test` also shows what auto-recharge is set to",
    tops_up: "nothing: its own auto-recharge fills the wallet",
    after_silence: "nothing is ever sent",
    setup: "api_key = \"…\"",
    unverified: &[
        "whether the preferences stand under `payment` or `payments`: both are tried",
        "how soon a charge shows in the balance",
    ],
};

const LIVE: &str = "https://api.telnyx.com/v2";

/// Where the preferences stand, by the SDK and by newer pages.
const PREFERENCES: [&str; 2] = ["/payment/auto_recharge_prefs", "/payments/auto_recharge_prefs"];

/// `[providers.NAME.telnyx]`.
#[derive(Clone, Debug)]
pub struct Config {
    site: Site,
    api_key: SecretString,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let site = Site::read(&mut section, Some(LIVE));
        let api_key = section.required_secret("api_key");
        section.finish();
        Some(Self { site: site?, api_key: api_key? })
    }

    /// What it can do and how far it can be trusted.
    pub fn declares(&self) -> Declares {
        self.site.declares(Declares { reads: true, wallet: true, ..Declares::default() })
    }

    /// Builds the provider, named `name` in errors.
    pub fn build(&self, name: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let (config, secrets) = (self.clone(), vec![self.api_key.clone()]);
        self.site.build(("telnyx", name), Declares::default().max_processing, secrets, |api| {
            let api = api.bearing(&config.api_key)?;
            Ok(Telnyx { declares: config.declares(), config, api })
        })
    }
}

#[derive(Debug)]
struct Telnyx {
    config: Config,
    declares: Declares,
    api: Api,
}

impl Telnyx {
    /// What auto-recharge is set to, in words.
    async fn auto_recharge(&self) -> Result<String, ReadError> {
        for path in PREFERENCES {
            let reply = self.api.get(&Rendered::get(path)).await?;
            if reply.status != 404 {
                return Ok(preferences(&self.api.values(&reply)?));
            }
        }
        Ok("it shows no auto-recharge preferences".to_owned())
    }
}

/// The preferences in words; figures as Telnyx writes them.
fn preferences(value: &Value) -> String {
    let at = |key: &str| text(value, &format!("/data/{key}")).map(|text| cut(&text, 40));
    match (at("enabled").as_deref(), at("recharge_amount"), at("threshold_amount")) {
        (Some("true"), Some(amount), Some(threshold)) => {
            let by = at("preference").map(|by| format!(" by {by}")).unwrap_or_default();
            format!("auto-recharge adds {amount} below {threshold}{by}")
        }
        (Some("true"), ..) => "auto-recharge is on".to_owned(),
        (Some("false"), ..) => "auto-recharge is off".to_owned(),
        _ => "whether auto-recharge is on cannot be read".to_owned(),
    }
}

#[async_trait]
impl Provider for Telnyx {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        wallet_only(line, self.wallet()).await
    }

    async fn wallet(&self) -> Result<Money, ReadError> {
        let value = self.api.ask(&Rendered::get("/balance")).await?;
        // Not `available_credit`, which has money in it that Telnyx only lends.
        balance(&value, ("/data/balance", "/data/currency"))
    }

    fn freeze(&self, _: &Order) -> Result<String, FreezeError> {
        Err(FreezeError("no wallet at Telnyx is topped up from here".to_owned()))
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::NotSent { why: "no wallet at Telnyx is topped up from here".to_owned() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "no wallet at Telnyx is topped up from here".to_owned() }
    }

    fn clock_skew(&self) -> Option<Span> {
        self.api.skew()
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let left = self.wallet().await?;
        let recharge = match self.auto_recharge().await {
            Ok(words) => words,
            Err(error) => format!("auto-recharge cannot be read ({})", error.quality),
        };
        Ok(self.config.site.answers(&format!("the wallet holds {left}; {recharge}")))
    }
}

#[cfg(test)]
pub(super) const CASE: super::conformance::Case = super::conformance::Case {
    kind: "telnyx",
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
    use crate::domain::{ErrorKind, Quality};
    use crate::sim::fakes::{Fake, Trouble, telnyx::FAKE};
    use serde_json::json;

    async fn scene() -> (Fake, Arc<dyn Provider>) {
        let fake = Fake::start(FAKE).await.unwrap();
        let provider = config("telnyx", &fake.config()).build("it").await.unwrap();
        (fake, provider)
    }

    #[tokio::test]
    async fn borrowed_money_is_no_float() {
        let (fake, telnyx) = scene().await;
        let balance = json!({"balance": "-3.251", "credit_limit": "100.00", "available_credit": "96.749", "currency": "USD"});
        fake.shared().books().world.insert("balance".to_owned(), balance);
        assert_eq!(telnyx.wallet().await.ok(), Money::parse("-3.26 USD").ok());
        let error = telnyx.read(&testing::line()).await.unwrap_err();
        assert_eq!(error.quality, Quality::Error(ErrorKind::Unsupported));
    }

    #[tokio::test]
    async fn auto_recharge_is_shown_and_never_changed() {
        let (fake, telnyx) = scene().await;
        let detail = telnyx.test().await.unwrap().detail;
        assert!(
            detail.ends_with("auto-recharge adds 100.00 below 20.00 by credit_paypal"),
            "{detail}"
        );
        // The first place is one that the fake does not know.
        assert_eq!(fake.shared().asked("/payment/auto_recharge_prefs"), 1);
        for (preferences, words) in [
            (json!({"enabled": false}), "auto-recharge is off"),
            (json!({"enabled": true}), "auto-recharge is on"),
            (json!({}), "cannot be read"),
            (json!(null), "it shows no auto-recharge preferences"),
        ] {
            fake.shared().books().world.insert("preferences".to_owned(), preferences);
            let detail = telnyx.test().await.unwrap().detail;
            assert!(detail.ends_with(words), "{detail}");
        }
        fake.shared().trouble_questions(&[Trouble::None, Trouble::Page]);
        let detail = telnyx.test().await.unwrap().detail;
        assert!(detail.ends_with("auto-recharge cannot be read (error(temporary))"), "{detail}");
        assert_eq!(fake.shared().asked("PATCH") + fake.shared().asked("POST"), 0);
    }
}
