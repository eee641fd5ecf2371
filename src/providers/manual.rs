//! People as a provider: they enter readings, and pay what they are asked to pay.
//!
//! Invariant: an order is never sent anywhere. It stands as a task until a person says how it
//! ended.

use super::{
    About, Answer, Declares, Evidence, Found, FreezeError, Order, Provider, ReadError, ReadOk,
    TestReport,
};
use crate::domain::{ErrorKind, Span, Subscription};
use crate::input::{Fault, Section};
use async_trait::async_trait;
use std::{
    future::{Ready, ready},
    sync::Arc,
};

pub(super) const ABOUT: About = About {
    name: "People",
    reads: "nothing by itself: people enter readings",
    tops_up: "nothing by itself: every order becomes a task for a person",
    after_silence: "a person says how it ended",
    setup: "instructions = \"Log in at the carrier, choose Add money\"",
    unverified: &[],
};

/// `[providers.NAME.manual]`.
#[derive(Clone, Debug)]
pub struct Config {
    instructions: Option<String>,
    balance_lag: Span,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let instructions = section.text("instructions").filter(|text| !text.trim().is_empty());
        let balance_lag = section.span("balance_lag").unwrap_or(Declares::default().balance_lag);
        section.finish();
        Some(Self { instructions, balance_lag })
    }

    /// What people can do.
    pub fn declares(&self) -> Declares {
        Declares {
            reads: true,
            polled: false,
            tops_up: true,
            assisted: true,
            balance_lag: self.balance_lag,
            ..Declares::default()
        }
    }

    /// Builds the provider.
    pub fn build(&self, _: &str) -> Ready<Result<Arc<dyn Provider>, Fault>> {
        let (instructions, declares) = (self.instructions.clone(), self.declares());
        ready(Ok(Arc::new(Manual { instructions, declares })))
    }
}

#[derive(Debug)]
struct Manual {
    instructions: Option<String>,
    declares: Declares,
}

#[async_trait]
impl Provider for Manual {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, _: &Subscription) -> Result<ReadOk, ReadError> {
        Err(ReadError::new(ErrorKind::Unsupported, "waiting for a reading by hand"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let line = &order.line;
        let number = line.msisdn.as_ref().map(|msisdn| msisdn.as_str());
        let serial = line.iccid.as_ref().map(|iccid| iccid.as_str());
        let Some(target) = number.or(serial) else {
            return Err(FreezeError(format!("{} has neither msisdn nor iccid", line.id)));
        };
        let product = order.product.as_ref().map(|p| format!(", product {p}")).unwrap_or_default();
        let pay = format!(
            "Pay {}{product} for {} ({target}), reference {}.",
            order.amount, line.label, order.reference
        );
        Ok(serde_json::json!({ "task": pay, "instructions": self.instructions }).to_string())
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::Pending(Evidence {
            raw: "waiting for a person to pay and to say so".to_owned(),
            ..Evidence::default()
        })
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Blind { why: "only a person knows what became of it".to_owned() }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(TestReport { detail: "people read and pay; there is nothing to reach".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::testing::{line, order};
    use super::*;
    use crate::input::{Intake, Origin, from_toml};

    fn config(text: &str) -> Config {
        let table = from_toml("a.toml", text).unwrap();
        let intake = Intake::new();
        let section = Section::new(&table, "providers.me.manual", &Origin::file("a.toml"), &intake);
        let config = Config::read(section).unwrap();
        assert_eq!(intake.into_faults(), []);
        config
    }

    #[tokio::test]
    async fn an_order_becomes_a_task_for_a_person() {
        let config = config("instructions = \"Log in at Tello\"\nbalance_lag = \"1h\"");
        let manual = config.build("me").await.unwrap();
        assert!(manual.declares().assisted && manual.declares().reads && manual.declares().tops_up);
        assert_eq!(manual.declares().balance_lag, Span::hours(1));
        let frozen = manual.freeze(&order()).unwrap();
        for part in ["10.00 USD", "+12025550123", "abcdefghijklmnopqrstuvwx", "Log in at Tello"] {
            assert!(frozen.contains(part), "{part} is not in {frozen}");
        }
        assert!(matches!(manual.topup(&order(), &frozen).await, Answer::Pending(_)));
        assert!(matches!(manual.find(&order()).await, Found::Blind { .. }));
        assert!(manual.test().await.is_ok());
        let waiting = manual.read(&line()).await.unwrap_err();
        assert_eq!(
            waiting,
            ReadError::new(ErrorKind::Unsupported, "waiting for a reading by hand")
        );
    }

    #[tokio::test]
    async fn a_wallet_has_nobody_to_pay_for() {
        let mut order = order();
        order.line.msisdn = None;
        assert!(config("").build("me").await.unwrap().freeze(&order).is_err());
    }
}
