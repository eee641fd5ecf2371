//! What the paths work on: a carrier, and a database with calm lines, made outside of the counting.

use anyhow::anyhow;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};
use topupd::{
    app::{App, Paying},
    clock::Clock,
    config::{
        Settings,
        fleet::{Fleet, FleetContext, StoredFleet},
    },
    domain::{Money, Span},
    flow::fleet_changes,
    input::Fault,
    sim::{Carrier, CarrierConfig, Line},
};

/// Lines in the database.
pub(super) const LINES: usize = 512;

/// A copy of the database as it was at first.
const PRISTINE: &str = "pristine.db";

/// A folder with config and database, and the carrier that the config names.
pub(super) struct World {
    folder: tempfile::TempDir,
    _carrier: Carrier,
}

impl World {
    /// Makes them.
    pub(super) async fn new() -> anyhow::Result<Self> {
        let balance = Money::parse("23.45 USD").map_err(|_| anyhow!("no amount"))?;
        let line = Line { service_days: 200, ..Line::quiet(balance) };
        let config = CarrierConfig {
            token: "s3cret".into(),
            newcomer: Some(line),
            ..CarrierConfig::default()
        };
        let carrier = Carrier::start(config).await?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("topupd.toml"), settings(folder.path(), &carrier))?;
        let fleet = folder.path().join("fleet.toml");
        std::fs::write(&fleet, lines()?)?;
        let settings = read(folder.path())?;
        let context = FleetContext::new(&settings, StoredFleet::default());
        let fleet = Fleet::read(&[fleet], &context).map_err(|faults| told(&faults))?;
        let app = App::open(settings, Clock::System, Paying::Never).await?;
        let (store, now) = (app.engine().store(), app.engine().now());
        store.save_fleet(&fleet_changes(&fleet, |_, _| true), now).await?;
        app.close().await;
        std::fs::copy(database(folder.path()), folder.path().join(PRISTINE))?;
        Ok(Self { folder, _carrier: carrier })
    }

    /// Makes the database what it was at first.
    pub(super) fn renew(&self) -> anyhow::Result<()> {
        let database = database(self.folder());
        for more in ["-wal", "-shm"] {
            let mut name = database.clone().into_os_string();
            name.push(more);
            std::fs::remove_file(name).ok();
        }
        std::fs::copy(self.folder().join(PRISTINE), database)?;
        Ok(())
    }

    /// Where config and database are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The settings of a world.
pub(super) fn read(folder: &Path) -> anyhow::Result<Settings> {
    Settings::load(&[config(folder)], std::iter::empty()).map_err(|faults| told(&faults))
}

/// An installation of the world in `folder`.
pub(super) async fn open(folder: &Path) -> anyhow::Result<App> {
    Ok(App::open(read(folder)?, Clock::System, Paying::Never).await?)
}

fn database(folder: &Path) -> PathBuf {
    folder.join("topupd.db")
}

fn config(folder: &Path) -> PathBuf {
    folder.join("topupd.toml")
}

fn told(faults: &[Fault]) -> anyhow::Error {
    anyhow!(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn settings(folder: &Path, carrier: &Carrier) -> String {
    format!(
        r#"
[database]
url = "sqlite://{}"
[flow]
poll_every = "{}"
[providers.carrier.http]
base_url = "{}"
allow_private_network = true
secrets = {{ token = "s3cret" }}
headers = {{ Authorization = "Bearer {{{{ secret.token }}}}" }}
[providers.carrier.http.read]
path = "/v1/lines/{{{{ subscription.msisdn }}}}"
balance = "/balance/amount"
currency = "/balance/currency"
service_end = "/expires_at"
data_left = {{ at = "/data/left_mb", unit = "MB" }}
"#,
        database(folder).display(),
        Span::hours(6),
        carrier.base_url(),
    )
}

fn lines() -> Result<String, std::fmt::Error> {
    let mut text = "[[subscribers]]\nid = \"li\"\nemail = \"li@example.com\"\n".to_owned();
    for n in 0..LINES {
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{n}\"\nsubscriber = \"li\"\nlabel = \"Line {n}\"\n\
             msisdn = \"+1202{:07}\"\noperator = \"T-Mobile US\"\ntime_zone = \"America/New_York\"\n\
             reader = \"carrier\"\ntags = [\"us\"]\n\
             plan = {{ price = \"15.00 USD\", cycle_days = 30, renewal = \"fund_balance\", number_loss_days = 60 }}\n",
            n.saturating_add(2_000_000)
        )?;
    }
    text.push_str(
        "[[rules]]\nid = \"low\"\napplies_to = { all = true }\n\
         any = [{ metric = \"balance\", at_most = \"5.00 USD\" }, { metric = \"days_to_service_end\", at_most = 7 }]\n",
    );
    Ok(text)
}
