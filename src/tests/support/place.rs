//! A line that a person reads and two fakes of a published API may pay, with the whole engine in this
//! process and a clock that stands still.

use super::letterbox::Letterbox;
use sqlx::Connection as _;
use std::sync::Arc;
use topupd::{
    channels::Channel,
    clock::Clock,
    config::{
        Settings,
        fleet::{Fleet, FleetContext, StoredFleet},
    },
    domain::{Money, Span, SubscriptionId, Timestamp},
    flow::{Engine, Parts, build_parts, fleet_changes},
    input::HandReading,
    sim::fakes::{FAKES, Fake},
    store::{Recorder, Store},
    words::Words,
};

const FLEET: &str = r#"
[[subscribers]]
id = "li"
name = "Li"
email = "li@example.com"
time_zone = "UTC"
[[subscribers]]
id = "boss"
name = "Boss"
email = "boss@example.com"
time_zone = "UTC"
channels = ["zchat"]
[[subscriptions]]
id = "bank"
subscriber = "li"
label = "Bank"
msisdn = "+12025550123"
reader = "me"
payers = ["alpha", "beta"]
products = { alpha = "548", beta = "548" }
[[rules]]
id = "keep"
applies_to = { all = true }
mode = "auto"
any = [{ metric = "balance", at_most = "5.00 USD" }]
amount = { fixed = "10.00 USD" }
caps = { subscription_30d = "60.00 USD" }
approve_first = false
"#;

/// Known to the fleet; letterboxes stand in place of these two, and of no other.
const CHANNELS: &str = r#"
[channels.mail.email]
url = "smtp://127.0.0.1:9"
from = "topupd@example.com"
[channels.zchat.email]
url = "smtp://127.0.0.1:9"
from = "topupd@example.com"
[notices]
remind_after = ["1d", "3d"]
operators = ["boss"]
MORE[admin]
public_url = "https://topupd.example.com/"
"#;

pub(crate) struct Place {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) alpha: Fake,
    pub(crate) beta: Fake,
    /// The first channel, and the one after it.
    pub(crate) mail: Arc<Letterbox>,
    pub(crate) chat: Arc<Letterbox>,
    database: String,
    _dir: tempfile::TempDir,
}

impl Place {
    /// `edit` changes the fleet.
    pub(crate) async fn new(edit: impl Fn(&str) -> String) -> Self {
        Self::with_notices(edit, "").await
    }

    /// The same with more keys in `[notices]`, and more tables after it.
    pub(crate) async fn with_notices(edit: impl Fn(&str) -> String, notices: &str) -> Self {
        let reloadly = *FAKES.iter().find(|fake| fake.kind == "reloadly").unwrap();
        let (alpha, beta) =
            (Fake::start(reloadly).await.unwrap(), Fake::start(reloadly).await.unwrap());
        let dir = tempfile::tempdir().unwrap();
        let (config, fleet) = (dir.path().join("topupd.toml"), dir.path().join("fleet.toml"));
        let database = format!("sqlite://{}", dir.path().join("t.db").display());
        let text = format!(
            "[database]\nurl = \"{database}\"\n{CHANNELS}[providers.me.manual]\n[hooks.alpha]\nsecret = \"0123456789abcdef\"\nsign = \"token\"\n[providers.alpha.reloadly]\n{}\n[providers.beta.reloadly]\n{}",
            alpha.config(),
            beta.config()
        );
        std::fs::write(&config, text.replace("MORE", notices)).unwrap();
        std::fs::write(&fleet, edit(FLEET)).unwrap();
        let settings = Settings::load(&[config], std::iter::empty()).unwrap();
        let (providers, mut channels) = build_parts(&settings).await.unwrap();
        let context = FleetContext::new(&settings, StoredFleet::default());
        let fleet = Fleet::read(&[fleet], &context).unwrap();
        let clock = Clock::fixed(Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap());
        let store = Store::open(&database).await.unwrap();
        store.migrate().await.unwrap();
        let install_id = store.install_id(clock.now()).await.unwrap();
        let changes = fleet_changes(&fleet, |_, _| true);
        store.save_fleet(&changes, clock.now()).await.unwrap();
        let (recorder, _) =
            Recorder::open(&dir.path().join("recorder"), &install_id, clock.now()).unwrap();
        let (mail, chat) = (Arc::new(Letterbox::default()), Arc::new(Letterbox::default()));
        let letterboxes: [(&str, Arc<dyn Channel>); 2] =
            [("mail", mail.clone()), ("zchat", chat.clone())];
        channels.extend(letterboxes.map(|(name, channel)| (name.to_owned(), channel)));
        let engine = Engine::new(Parts {
            settings,
            store,
            clock: clock.clone(),
            providers,
            channels,
            install_id,
            money_off_file: dir.path().join("money-off"),
            recorder: Some(recorder),
            words: Arc::new(Words::new().unwrap()),
            vault: topupd::vault::Vault::at(dir.path().join("pins.key")),
        })
        .unwrap();
        Self { engine, clock, alpha, beta, mail, chat, database, _dir: dir }
    }

    /// Two readings by hand that agree, and everything that follows.
    pub(crate) async fn runs_low(&self) {
        for _ in 0..2 {
            let line = SubscriptionId::parse("bank").unwrap();
            let reading =
                HandReading { balance: Money::parse("3.00 USD").ok(), ..HandReading::default() };
            self.engine.reading_by_hand(&line, reading).await.unwrap();
            self.engine.tick().await.unwrap();
            self.clock.advance(Span::minutes(3));
        }
        self.engine.tick().await.unwrap();
    }

    /// What came of each try of a notice: by which channel, and in which word.
    pub(crate) async fn tries(&self, id: &str) -> Vec<(String, String)> {
        sqlx::any::install_default_drivers();
        let mut db = sqlx::AnyConnection::connect(&self.database).await.unwrap();
        sqlx::query_as(
            "SELECT channel, outcome FROM deliveries WHERE notice_id = $1 ORDER BY attempt",
        )
        .bind(id)
        .fetch_all(&mut db)
        .await
        .unwrap()
    }

    /// Spoils the row of a notice, as a bug or a hand in the database might.
    pub(crate) async fn break_notice(&self, id: &str) {
        sqlx::any::install_default_drivers();
        let mut db = sqlx::AnyConnection::connect(&self.database).await.unwrap();
        sqlx::query("UPDATE notices SET facts = '{' WHERE id = $1")
            .bind(id)
            .execute(&mut db)
            .await
            .unwrap();
    }

    pub(crate) async fn topup(&self) -> topupd::domain::Topup {
        let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
        let mut found = self.engine.store().topups(None, all.0, all.1, 10).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}
