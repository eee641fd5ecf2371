//! One suite that every adapter of an API passes, against its stateful fake.
//!
//! What differs between adapters is data: a [`Case`]. What must hold is the same for all.

use super::http::testing;
use super::{Answer, Found, KINDS, Lookup, Order, Provider, ProviderConfig};
use crate::domain::{ErrorKind, FailureClass, Iccid, Quality, Subscription};
use crate::input::{Intake, Origin, Section, from_toml};
use crate::sim::fakes::{FAKES, Fake, FakeKind, Shared, Trouble};
use std::sync::Arc;

mod orders;
mod page;
mod questions;

/// What is particular about one adapter.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each asked by name")]
pub(super) struct Case {
    /// Its kind.
    pub(super) kind: &'static str,
    /// The product that is ordered.
    pub(super) product: Option<&'static str>,
    /// The line is an eSIM with this serial and has no number.
    pub(super) iccid: Option<&'static str>,
    /// The line that is read is a wallet.
    pub(super) reads_wallet: bool,
    /// It has tokens that run out.
    pub(super) has_token: bool,
    /// What 401 on an order proves: nothing was done (`true`), or nothing at all.
    pub(super) turns_away: bool,
    /// The class of an order that the operator refuses.
    pub(super) refused: FailureClass,
    /// Where the price rose: the class of the refusal.
    pub(super) dearer: Option<FailureClass>,
    /// The answer echoes the target, so that another one is noticed.
    pub(super) echoes_target: bool,
    /// Copies of one order are charged by the provider: only the core protects.
    pub(super) charges_copies: bool,
}

/// Every case. An adapter adds its own.
const CASES: &[Case] = &[
    // One line each.
    super::dingconnect::CASE,
    super::dtone::CASE,
    super::dtone::ESIM_CASE,
    super::airalo::CASE,
    super::esim_access::CASE,
    super::emnify::CASE,
    super::onence::CASE,
    super::celitech::CASE,
    super::reloadly::CASE,
    super::telnyx::CASE,
    super::twilio::CASE,
    super::zendit::CASE,
    super::zendit::ESIM_CASE,
];

/// Kinds that take nothing from a float of ours, so that none can be used up.
const WITHOUT_FLOAT: &[&str] = &["emnify", "onence"];

/// A provider and the fake it asks.
struct Scene {
    case: Case,
    _fake: Fake,
    shared: Shared,
    provider: Arc<dyn Provider>,
}

impl Scene {
    async fn new(case: Case) -> Self {
        let fake = Fake::start(fake_of(case.kind)).await.unwrap();
        let provider = config(case.kind, &fake.config()).build(case.kind).await.unwrap();
        Self { case, shared: fake.shared().clone(), _fake: fake, provider }
    }

    fn line(&self) -> Subscription {
        let line = testing::line();
        match self.case.iccid {
            Some(iccid) => Subscription { msisdn: None, iccid: Iccid::parse(iccid).ok(), ..line },
            None => line,
        }
    }

    fn read_line(&self) -> Subscription {
        let line = self.line();
        if self.case.reads_wallet {
            Subscription { msisdn: None, iccid: None, ..line }
        } else {
            line
        }
    }

    fn order(&self) -> Order {
        Order {
            line: self.line(),
            product: self.case.product.map(str::to_owned),
            ..testing::order()
        }
    }

    /// Freezes and sends, as the core does.
    async fn send(&self) -> Answer {
        let order = self.order();
        let frozen = self.provider.freeze(&order).unwrap();
        self.provider.topup(&order, &frozen).await
    }

    async fn find(&self) -> Found {
        self.provider.find(&self.order()).await
    }

    fn by_ref(&self) -> bool {
        self.provider.declares().lookup == Lookup::ByRef
    }
}

fn fake_of(kind: &str) -> FakeKind {
    *FAKES.iter().find(|fake| fake.kind == kind).unwrap_or_else(|| panic!("{kind} has no fake"))
}

/// A configuration of `kind` without faults.
pub(super) fn config(kind: &str, text: &str) -> ProviderConfig {
    let table = from_toml("test.toml", text).unwrap();
    let intake = Intake::new();
    let path = format!("providers.it.{kind}");
    let section = Section::new(&table, &path, &Origin::file("test.toml"), &intake);
    let config = ProviderConfig::read(kind, section);
    assert_eq!(intake.into_faults(), [], "{kind}");
    config.unwrap()
}

/// True for an answer that says the order stands.
fn stands(answer: &Answer) -> bool {
    matches!(answer, Answer::Paid(_) | Answer::Pending(_))
}

#[test]
fn every_fake_has_a_case() {
    for fake in FAKES {
        assert!(CASES.iter().any(|case| case.kind == fake.kind), "{} has no case", fake.kind);
    }
}

#[test]
fn what_is_written_of_a_kind_can_be_used() {
    for kind in KINDS {
        let about = ProviderConfig::about(kind).unwrap();
        let declares = config(kind, about.setup).declares();
        assert!(declares.reads || declares.tops_up, "{kind}");
        assert!(!about.name.is_empty() && !about.after_silence.is_empty(), "{kind}");
    }
}
