//! A carrier in this process: real HTTP on loopback, made-up lines. For demos, rehearsals and for
//! trying rules without spending.
//!
//! Invariant: it is asked through the declarative provider, like any other carrier.

use super::{
    About, Answer, Declares, Found, FreezeError, Lookup, Order, Provider, ReadError, ReadOk,
    RefUnique, TestReport, http,
};
use crate::domain::{Money, Msisdn, Span, Subscription};
use crate::input::{Fault, Intake, Origin, Section, from_toml, parse_bytes};
use crate::sim::{Carrier, CarrierConfig, Fate, Line};
use async_trait::async_trait;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

pub(super) const ABOUT: About = About {
    name: "A made-up carrier in the same process",
    reads: "balance, data and expiry of made-up lines",
    tops_up: "the same lines, without money",
    after_silence: "looked up by reference, sent again once",
    setup: "balance = \"20.00 USD\"",
    unverified: &[],
};

/// `[providers.NAME.simulated]`.
#[derive(Clone, Debug)]
pub struct Config {
    listen: SocketAddr,
    speed: i64,
    newcomer: Line,
    lines: Vec<(Msisdn, Line)>,
}

impl Config {
    /// Reads the section; every fault is reported.
    pub fn read(mut section: Section<'_>) -> Option<Self> {
        let local = (Ipv4Addr::LOCALHOST, 0).into();
        let allowed = "allowed is an address of this machine such as \"127.0.0.1:9100\"";
        let listen = section
            .parsed("listen", allowed, |text| {
                text.trim().parse().ok().filter(|at: &SocketAddr| at.ip().is_loopback())
            })
            .unwrap_or(local);
        let speed = section.integer("speed", 1..=1_000_000).unwrap_or(1);
        let usual = Line { burn_per_day_minor: 50, ..Line::quiet(Money::parse("20.00 USD").ok()?) };
        let newcomer = line(&mut section, &usual);
        let mut table = section.section_or_empty("lines");
        let mut lines = Vec::new();
        for key in table.keys() {
            let Some(mut one) = table.section(&key) else {
                continue;
            };
            match Msisdn::parse(&key) {
                Ok(msisdn) => lines.push((msisdn, line(&mut one, &newcomer))),
                Err(error) => table.fault(&key, error),
            }
            one.finish();
        }
        table.finish();
        section.finish();
        Some(Self { listen, speed, newcomer, lines })
    }

    /// What the simulated carrier can do: everything, at once.
    pub fn declares(&self) -> Declares {
        Declares {
            reads: true,
            tops_up: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::Strict,
            max_processing: Span::seconds(5),
            balance_lag: Span::ZERO,
            timeout: Span::seconds(10),
            ..Declares::default()
        }
    }

    /// Starts the carrier and builds the provider that asks it.
    pub async fn build(&self, name: &str) -> Result<Arc<dyn Provider>, Fault> {
        let fault = |why: String| Fault {
            file: "the network".to_owned(),
            line: None,
            key: format!("providers.{name}.simulated.listen"),
            found: self.listen.to_string(),
            allowed: format!("allowed is an address to listen at ({why})"),
        };
        let config = CarrierConfig {
            listen: self.listen,
            speed: self.speed,
            newcomer: Some(self.newcomer.clone()),
            ..CarrierConfig::default()
        };
        let carrier = Carrier::start(config).await.map_err(|error| fault(error.to_string()))?;
        for (msisdn, line) in &self.lines {
            carrier.add_line(msisdn, line.clone());
        }
        let http = asking(&carrier.base_url()).map_err(fault)?.build(name).await?;
        Ok(Arc::new(Simulated { carrier, http }))
    }
}

/// A line's keys; what is not written is as in `usual`.
fn line(section: &mut Section<'_>, usual: &Line) -> Line {
    let balance = section.money("balance").unwrap_or(usual.balance);
    let mut minor = |key: &str, usual: i64| match section.money(key) {
        Some(money) if money.currency() == balance.currency() && money.minor() >= 0 => {
            money.minor()
        }
        Some(_) => {
            section.fault(
                key,
                format!("allowed is an amount in {}, not below zero", balance.currency()),
            );
            usual
        }
        None => usual,
    };
    let burn_per_day_minor = minor("burn_per_day", usual.burn_per_day_minor);
    let plan_price_minor = minor("plan_price", usual.plan_price_minor);
    let allowed = "allowed is an amount of data such as \"500 MB\"";
    Line {
        balance,
        burn_per_day_minor,
        plan_price_minor,
        data_left: section.parsed("data_left", allowed, parse_bytes).unwrap_or(usual.data_left),
        service_days: section.integer("service_end_days", 0..=3650).unwrap_or(usual.service_days),
        cycle_days: section.integer("cycle_days", 1..=3650).unwrap_or(usual.cycle_days),
        fate: section.word("fate", &Fate::WORDS).unwrap_or(usual.fate),
    }
}

/// The declarative provider for a carrier at `base_url`.
fn asking(base_url: &str) -> Result<http::Config, String> {
    let text = format!("base_url = {base_url:?}\n{ASKING}");
    let table = from_toml("simulated", &text).map_err(|fault| fault.to_string())?;
    let intake = Intake::new();
    let section = Section::new(&table, "simulated", &Origin::file("simulated"), &intake);
    let config = http::Config::read(section);
    let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
    config.filter(|_| faults.is_empty()).ok_or_else(|| faults.join("; "))
}

const ASKING: &str = r#"
allow_private_network = true
timeout = "10s"
secrets = { token = "simulated" }
headers = { Authorization = "Bearer {{ secret.token }}" }
[read]
path = "/v1/lines/{{ subscription.msisdn }}"
balance = "/balance/amount"
currency = "/balance/currency"
service_end = "/expires_at"
data_left = { at = "/data/left_mb", unit = "MB" }
msisdn = "/msisdn"
[topup]
path = "/v1/topups"
body = '{"ref":"{{ reference }}","msisdn":"{{ subscription.msisdn }}","amount":"{{ amount }}","currency":"{{ currency }}"}'
transaction_id = "/id"
status = "/status"
msisdn = "/msisdn"
amount = "/amount"
currency = "/currency"
reference = "/ref"
charged = "/amount"
paid = ["done"]
pending = ["pending"]
refused = ["refused"]
reversed = ["reversed"]
refused_http = [402, 422]
[find]
path = "/v1/topups?ref={{ reference }}"
items = "/items"
[declares]
lookup = "by_ref"
ref_unique = "strict"
max_processing = "5s"
balance_lag = "0s"
"#;

/// The provider and the carrier it asks; both end together.
#[derive(Debug)]
struct Simulated {
    carrier: Carrier,
    http: Arc<dyn Provider>,
}

#[async_trait]
impl Provider for Simulated {
    fn declares(&self) -> &Declares {
        self.http.declares()
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        self.http.read(line).await
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        self.http.freeze(order)
    }

    async fn topup(&self, order: &Order, frozen: &str) -> Answer {
        self.http.topup(order, frozen).await
    }

    async fn find(&self, order: &Order) -> Found {
        self.http.find(order).await
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        let charges = self.carrier.charges().len();
        let report = self.http.test().await?;
        Ok(TestReport { detail: format!("{}; {charges} simulated charges so far", report.detail) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::testing::{line, order};
    use super::*;
    use crate::domain::{ErrorKind, Quality};

    fn config(text: &str) -> Result<Config, Vec<String>> {
        let table = from_toml("a.toml", text).unwrap();
        let intake = Intake::new();
        let section =
            Section::new(&table, "providers.demo.simulated", &Origin::file("a.toml"), &intake);
        let config = Config::read(section);
        let faults: Vec<String> = intake.into_faults().iter().map(ToString::to_string).collect();
        config.filter(|_| faults.is_empty()).ok_or(faults)
    }

    #[tokio::test]
    async fn a_line_is_read_topped_up_and_found() {
        let provider = config("balance = \"3.00 USD\"\nburn_per_day = \"0.00 USD\"")
            .unwrap()
            .build("demo")
            .await
            .unwrap();
        assert_eq!(
            provider.read(&line()).await.unwrap().values.balance,
            Money::parse("3.00 USD").ok()
        );
        let frozen = provider.freeze(&order()).unwrap();
        let Answer::Paid(evidence) = provider.topup(&order(), &frozen).await else {
            panic!("not paid")
        };
        assert_eq!(evidence.charged, Some(order().amount));
        assert_eq!(evidence.transaction_id.as_deref(), Some("T-1"));
        assert!(matches!(provider.find(&order()).await, Found::One(Answer::Paid(_))));
        let read = provider.read(&line()).await.unwrap();
        assert_eq!(
            (read.quality, read.values.balance),
            (Quality::Ok, Money::parse("13.00 USD").ok())
        );
        assert!(provider.test().await.unwrap().detail.contains("1 simulated charges"));
    }

    #[tokio::test]
    async fn lines_differ_from_newcomers_as_written() {
        let text = "fate = \"refuse\"\n[lines.\"+12025550123\"]\nbalance = \"1.50 EUR\"\n\
                    burn_per_day = \"0.00 EUR\"\nplan_price = \"5.00 EUR\"\ndata_left = \"7 MB\"\nfate = \"other_number\"";
        let provider = config(text).unwrap().build("demo").await.unwrap();
        let foreign = provider.read(&line()).await.unwrap_err();
        assert_eq!(foreign.quality, Quality::Error(ErrorKind::Identity));
        let mut other = order();
        other.line.msisdn = Msisdn::parse("+12025550144").ok();
        let frozen = provider.freeze(&other).unwrap();
        assert!(matches!(provider.topup(&other, &frozen).await, Answer::Refused(_)));
    }

    #[tokio::test]
    async fn what_it_declares_is_what_it_is_asked_through() {
        let config = config("").unwrap();
        assert_eq!(asking("http://127.0.0.1:1").unwrap().declares(), config.declares());
        let provider = config.build("demo").await.unwrap();
        assert_eq!(*provider.declares(), config.declares());
    }

    #[test]
    fn faults_are_all_reported() {
        let found = config(
            "listen = \"0.0.0.0:80\"\nspeed = 0\nburn_per_day = \"1 EUR\"\ntypo = 1\n\
             [lines.12]\nfate = \"sad\"",
        )
        .unwrap_err();
        for key in ["listen", "speed", "burn_per_day", "typo", "lines.12:", "lines.12.fate"] {
            assert!(
                found.iter().any(|f| f.contains(&format!("simulated.{key}"))),
                "{key}: {found:#?}"
            );
        }
    }
}
