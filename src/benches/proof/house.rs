//! An installation inside this process, under a clock that stands still until it is moved: the whole
//! engine on a real SQLite file and a real flight recorder. It can be closed, copied and opened again.

use anyhow::Context;
use async_trait::async_trait;
use sqlx::Connection;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use topupd::{
    channels::{Channel, Message, Needs, Outcome, Recipient},
    clock::Clock,
    config::{
        Settings,
        fleet::{Fleet, FleetContext, StoredFleet},
    },
    domain::{Span, State, Timestamp, Topup},
    flow::{Engine, Parts, Stage, build_parts, fleet_changes},
    providers::Provider,
    store::{Recorder, Store},
    vault::Vault,
    words::Words,
};

/// The fastest place for files that are synced all the time.
pub(crate) fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// Takes every message and remembers whom it was for.
#[derive(Debug, Default)]
pub(crate) struct Letterbox {
    pub(crate) took: Mutex<Vec<(Timestamp, String)>>,
    /// While true nothing is taken.
    pub(crate) is_shut: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Channel for Letterbox {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    async fn send(&self, message: &Message, recipient: &Recipient) -> Outcome {
        if self.is_shut.load(std::sync::atomic::Ordering::SeqCst) {
            return Outcome::Retry { why: "shut".into(), after: None };
        }
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let whom = recipient.email.as_deref().unwrap_or_default();
        took.push((message.at, format!("{}\n{}\nto {whom}", message.subject, message.text)));
        Outcome::Accepted { vendor_id: None }
    }

    async fn test(&self) -> Result<String, String> {
        Ok("a letterbox".into())
    }
}

/// The texts, tried once for all lives.
fn words() -> anyhow::Result<Arc<Words>> {
    static WORDS: OnceLock<Arc<Words>> = OnceLock::new();
    if WORDS.get().is_none() {
        WORDS.set(Arc::new(Words::new()?)).ok();
    }
    WORDS.get().cloned().context("no words")
}

/// A database with nothing in it but an installation that is the same every time, since references
/// follow from it. Made once, copied for every life.
async fn empty_rows() -> anyhow::Result<&'static [u8]> {
    static EMPTY: tokio::sync::OnceCell<Vec<u8>> = tokio::sync::OnceCell::const_new();
    let make = async || -> anyhow::Result<Vec<u8>> {
        let dir = folder()?;
        let file = dir.path().join("t.db");
        let url = format!("sqlite://{}", file.display());
        let store = Store::open(&url).await?;
        store.migrate().await?;
        store.close().await;
        let mut connection = sqlx::AnyConnection::connect(&url).await?;
        sqlx::query(
            "INSERT INTO installation (id, install_id, created_at, last_wall_at) VALUES (1, 'proof', 0, 0)",
        )
        .execute(&mut connection)
        .await?;
        connection.close().await?;
        Ok(std::fs::read(file)?)
    };
    EMPTY.get_or_try_init(make).await.map(Vec::as_slice)
}

pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    /// Time goes by in steps of at least this: many lines are then due at once.
    pub(crate) grain: Span,
    pub(crate) letterbox: Arc<Letterbox>,
    settings: Settings,
    providers: BTreeMap<String, Arc<dyn Provider>>,
    engine: Option<Engine>,
}

impl House {
    /// Config and fleet as files would hold them; `{database}` is set. `extra` providers stand in
    /// for those of the same name.
    pub(crate) async fn new(
        config: &str,
        fleet: &str,
        extra: BTreeMap<String, Arc<dyn Provider>>,
        begin: Timestamp,
    ) -> anyhow::Result<Self> {
        let dir = folder()?;
        let (path, fleet_path) = (dir.path().join("topupd.toml"), dir.path().join("fleet.toml"));
        let database = format!("sqlite://{}", dir.path().join("t.db").display());
        std::fs::write(&path, format!("[database]\nurl = \"{database}\"\n{config}"))?;
        std::fs::write(&fleet_path, fleet)?;
        let settings =
            Settings::load(&[path], std::iter::empty()).map_err(|f| anyhow::anyhow!("{f:?}"))?;
        std::fs::write(dir.path().join("t.db"), empty_rows().await?)?;
        let (mut providers, _) =
            build_parts(&settings).await.map_err(|f| anyhow::anyhow!("{f:?}"))?;
        providers.extend(extra);
        let clock = Clock::fixed(begin);
        let letterbox = Arc::new(Letterbox::default());
        let mut house = Self {
            dir,
            grain: Span::from_ms(1),
            clock,
            letterbox,
            settings,
            providers,
            engine: None,
        };
        house.open().await?;
        let context = FleetContext::new(&house.settings, StoredFleet::default());
        let fleet = Fleet::read(&[fleet_path], &context).map_err(|f| anyhow::anyhow!("{f:?}"))?;
        let changes = fleet_changes(&fleet, |_, _| true);
        house.engine().store().save_fleet(&changes, begin).await?;
        Ok(house)
    }

    /// A process starts: recorder and rows are compared, orphans adopted.
    pub(crate) async fn open(&mut self) -> anyhow::Result<()> {
        let store = Store::open(self.settings.database.url()).await?;
        // Lines have their turns from its id: with one of its own a seed would be another house each time.
        store.install_id(self.clock.now()).await?;
        let install_id = "house".to_owned();
        let (recorder, _) =
            Recorder::open(&self.dir.path().join("recorder"), &install_id, self.clock.now())?;
        let channel: Arc<dyn Channel> = self.letterbox.clone();
        let engine = Engine::new(Parts {
            settings: self.settings.clone(),
            store,
            clock: self.clock.clone(),
            providers: self.providers.clone(),
            channels: BTreeMap::from([("mail".to_owned(), channel)]),
            install_id,
            money_off_file: self.dir.path().join("money-off"),
            recorder: Some(recorder),
            words: words()?,
            vault: Vault::at(self.dir.path().join("pins.key")),
        })?;
        engine.recover().await?;
        engine.adopt_orphans().await?;
        self.engine = Some(engine);
        Ok(())
    }

    /// The process is gone; whatever it was doing is dropped.
    pub(crate) async fn close(&mut self) {
        if let Some(engine) = self.engine.take() {
            if let Some(recorder) = engine.recorder() {
                recorder.close();
            }
            engine.store().close().await;
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap_or_else(|| unreachable!("the house is closed"))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Everything that is due; returns when the next thing will be.
    pub(crate) async fn tick(&self) -> anyhow::Result<Option<Timestamp>> {
        let reports = self.engine().tick().await?;
        Ok(reports.values().filter_map(|r| r.next_at).filter(|at| *at > self.now()).min())
    }

    /// Lets `span` go by, from one due thing to the next.
    pub(crate) async fn pass(&self, span: Span) -> anyhow::Result<()> {
        let end = self.now().plus(span);
        while let Some(at) = self.tick().await?.filter(|at| *at < end) {
            let at = at.max(self.now().plus(self.grain)).min(end);
            self.clock.advance(at.since(self.now()));
        }
        self.clock.advance(end.since(self.now()));
        self.tick().await.map(drop)
    }

    /// When the next thing is due, without doing anything.
    pub(crate) async fn tick_due(&self) -> anyhow::Result<Option<Timestamp>> {
        let store = self.engine().store();
        let mut due = vec![store.next_decision_due().await?, store.next_notice_due().await?];
        due.push(store.next_topup_due(&State::ALL).await?);
        for reader in self.providers.keys() {
            due.push(store.next_poll_due(reader).await?);
        }
        Ok(due.into_iter().flatten().filter(|at| *at > self.now()).min())
    }

    pub(crate) async fn topups(&self) -> anyhow::Result<Vec<Topup>> {
        let all = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
        Ok(self.engine().store().topups(None, all.0, all.1, i64::MAX).await?)
    }

    /// What `topupd verify` says.
    pub(crate) async fn findings(&self) -> anyhow::Result<Vec<String>> {
        let proof = self.engine().store().prove(&[]).await?;
        Ok(proof
            .findings
            .into_iter()
            .map(|f| format!("{}: {}: {}", f.proof, f.row, f.why))
            .collect())
    }

    /// A copy of the database as it is on the disk, while nobody has it open.
    pub(crate) fn copy_rows(&self, to: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(to)?;
        for name in ["t.db", "t.db-wal"] {
            let from = self.dir.path().join(name);
            if from.exists() {
                std::fs::copy(&from, to.join(name)).context("copy")?;
            }
        }
        Ok(())
    }

    /// An old copy takes the place of the database; the flight recorder stays.
    pub(crate) fn restore_rows(&self, from: &Path) -> anyhow::Result<()> {
        for name in ["t.db", "t.db-wal", "t.db-shm"] {
            std::fs::remove_file(self.dir.path().join(name)).ok();
            if from.join(name).exists() {
                std::fs::copy(from.join(name), self.dir.path().join(name)).context("restore")?;
            }
        }
        Ok(())
    }

    pub(crate) async fn run(&self, stage: Stage) -> anyhow::Result<()> {
        Ok(self.engine().run_stage(stage).await.map(drop)?)
    }
}
