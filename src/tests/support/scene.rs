//! Random lines under random luck, day after day, with the whole engine in this process: what replays
//! are compared with.

use super::oracle::{Dice, Oracle};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};
use topupd::{
    clock::Clock,
    config::{
        Settings,
        fleet::{Fleet, FleetContext, StoredFleet},
    },
    domain::{Money, Span, State, SubscriptionId, SubscriptionStatus, Timestamp},
    flow::{Engine, Parts, Resolution, Stage, fleet_changes},
    providers::Provider,
    store::Store,
};

const RULES: &str = r#"
[[rules]]
id = "a-fixed"
applies_to = { tag = "a" }
mode = "auto"
any = [{ metric = "balance", at_most = "5.00 USD" }, { metric = "days_to_service_end", at_most = 7 }]
amount = { fixed = "10.00 USD" }
caps = { order = "30.00 USD", subscription_30d = "60.00 USD" }
approve_first = false
cooldown_success = "12h"
[[rules]]
id = "b-target"
applies_to = { tag = "b" }
mode = "approve"
fire_after = 2
clear_after = 3
any = [{ metric = "balance", at_most = "6.00 USD" }]
unless = [{ metric = "days_to_service_end", at_least = 25 }]
amount = { to_target = "20.00 USD" }
caps = { order = "40.00 USD", subscription_30d = "80.00 USD" }
[[rules]]
id = "c-renewal"
applies_to = { tag = "c" }
mode = "auto"
any = [{ metric = "days_to_service_end", at_most = 5 }]
amount = { cover_next_renewal = true, margin = "10%" }
caps = { order = "60.00 USD", subscription_30d = "60.00 USD" }
on_stale = "auto_if_deadline"
[[rules]]
id = "d-forecast"
applies_to = { tag = "d" }
mode = "auto"
any = [{ metric = "days_to_runout", at_most = 4 }, { metric = "balance", at_most = "2.00 USD" }]
amount = { cover_days = 20 }
caps = { order = "50.00 USD", subscription_30d = "70.00 USD" }
approve_first = false
approve_if_unusual = false
[[rules]]
id = "e-told"
applies_to = { all = true }
mode = "notify"
any = [{ metric = "data_left", at_most = "3 GB" }, { metric = "reading_age", at_least = "12h" }]
"#;

const SETTINGS: &str = r#"
[flow]
poll_every = "6h"
[caps]
global_24h = "90.00 USD"
[safety]
storm_min = 12
[providers.carrier.simulated]
"#;

pub(crate) struct Scene {
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) oracle: Oracle,
    _dir: tempfile::TempDir,
    dice: Dice,
}

impl Scene {
    pub(crate) async fn new(seed: u64, lines: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (config, fleet) = (dir.path().join("topupd.toml"), dir.path().join("fleet.toml"));
        let database = format!("sqlite://{}", dir.path().join("t.db").display());
        std::fs::write(&config, format!("[database]\nurl = \"{database}\"\n{SETTINGS}")).unwrap();
        let settings = Settings::load(&[config], std::iter::empty()).unwrap();
        std::fs::write(&fleet, fleet_text(lines)).unwrap();
        let context = FleetContext::new(&settings, StoredFleet::default());
        let fleet = Fleet::read(&[fleet], &context).unwrap();
        let clock = Clock::fixed(Timestamp::parse_rfc3339("2026-11-21T00:00:00Z").unwrap());
        let store = Store::open(&database).await.unwrap();
        store.migrate().await.unwrap();
        // Lines have their turns from its id: with one of its own a scene would be another each time.
        let install_id = format!("scene-{seed}");
        let changes = fleet_changes(&fleet, |_, _| true);
        store.save_fleet(&changes, clock.now()).await.unwrap();
        let oracle = Oracle::new(clock.clone(), seed);
        let provider: Arc<dyn Provider> = Arc::new(oracle.clone());
        let recorder =
            topupd::store::Recorder::open(&dir.path().join("recorder"), &install_id, clock.now());
        let (recorder, _) = recorder.unwrap();
        let engine = Engine::new(Parts {
            settings,
            store,
            clock: clock.clone(),
            providers: BTreeMap::from([("carrier".to_owned(), provider)]),
            channels: BTreeMap::new(),
            install_id,
            money_off_file: dir.path().join("money-off"),
            recorder: Some(recorder),
            words: Arc::new(topupd::words::Words::new().unwrap()),
            vault: topupd::vault::Vault::at(dir.path().join("pins.key")),
        })
        .unwrap();
        Self { engine, clock, oracle, _dir: dir, dice: Dice::new(seed ^ 0xA5A5) }
    }

    /// One instant: what is due is read, then everything that follows is done. A reading that is
    /// asked for meanwhile comes a millisecond later, as no answer takes no time. Returns when the
    /// next thing is due.
    async fn instant(&self) -> Option<Timestamp> {
        let read = self.engine.run_stage(Stage::Poll).await.unwrap().next_at;
        self.follow().await.into_iter().chain(read).min()
    }

    /// Everything that follows from what is known. Returns when the next thing is due.
    async fn follow(&self) -> Option<Timestamp> {
        loop {
            let (mut done, mut first) = (0, None);
            for stage in [Stage::Decide, Stage::Act, Stage::Reconcile, Stage::Verify, Stage::Notify]
            {
                let report = self.engine.run_stage(stage).await.unwrap();
                done += report.done + report.failed;
                first = first.into_iter().chain(report.next_at).min();
            }
            if done == 0 {
                let due = self.engine.store().next_poll_due("carrier").await.unwrap();
                return first.into_iter().chain(due).min();
            }
        }
    }

    /// Lets days go by; now and then a person does something.
    pub(crate) async fn live(&mut self, span: Span) {
        let end = self.clock.now().plus(span);
        let mut person_at = self.clock.now().plus(Span::hours(5));
        while self.clock.now() < end {
            let mut due = self.instant().await;
            if self.clock.now() >= person_at {
                self.somebody_acts().await;
                due = self.follow().await;
                person_at =
                    self.clock.now().plus(Span::hours(3)).plus(Span::minutes(self.roll(240)));
            }
            let now = self.clock.now();
            let next = due.unwrap_or(end).min(person_at).min(end).max(now.plus(Span::from_ms(1)));
            self.clock.advance(next.since(now));
        }
        self.instant().await;
    }

    fn roll(&mut self, n: u64) -> i64 {
        i64::try_from(self.dice.roll(n)).unwrap()
    }

    async fn somebody_acts(&mut self) {
        let (engine, now) = (self.engine.clone(), self.clock.now());
        let lines: Vec<SubscriptionId> = engine
            .store()
            .views(None, "", 1000)
            .await
            .unwrap()
            .into_iter()
            .map(|view| view.subscription.id)
            .collect();
        let place = usize::try_from(self.roll(u64::try_from(lines.len()).unwrap())).unwrap();
        let line = &lines[place];
        match self.roll(12) {
            0 => engine.store().set_status(line, SubscriptionStatus::Paused, now).await.unwrap(),
            1 | 2 => {
                engine.store().set_status(line, SubscriptionStatus::Active, now).await.unwrap()
            }
            3 => drop(
                engine
                    .order_by_hand(line, Money::parse("5.00 USD").unwrap(), None, "somebody")
                    .await,
            ),
            4 => topupd::flow::raise_flag(&engine_flag(&self._dir), "test").unwrap(),
            5 => {
                topupd::flow::lower_flag(&engine_flag(&self._dir)).unwrap();
                engine.store().clear_breakers(now).await.unwrap();
                engine.switch_turned().await.unwrap();
            }
            _ => {
                for topup in engine
                    .store()
                    .topups(None, Timestamp::from_ms(0), now.plus(Span::days(1)), 1000)
                    .await
                    .unwrap()
                {
                    let id = topup.id.as_str();
                    match (topup.state, self.roll(10)) {
                        (State::AwaitingApproval, 0..=5) => {
                            drop(engine.approve(id, None, "somebody").await);
                        }
                        (State::AwaitingApproval, 6) => drop(engine.reject(id, "somebody").await),
                        (State::Held, 0..=2) => {
                            let failed =
                                engine.resolve(id, Resolution::Failed, "looked", true, "somebody");
                            if failed.await.is_err() {
                                drop(
                                    engine
                                        .resolve(id, Resolution::Paid, "looked", true, "somebody")
                                        .await,
                                );
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn engine_flag(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("money-off")
}

fn fleet_text(lines: usize) -> String {
    let mut text = String::new();
    for owner in 0..3 {
        write!(text, "[[subscribers]]\nid = \"o{owner}\"\nname = \"Owner\"\ntime_zone = \"UTC\"\n")
            .unwrap();
    }
    for n in 0..lines {
        let tag = ["a", "b", "c", "d"][n % 4];
        let renewal = ["fund_balance", "fund_balance", "restart_from_payment", "unknown"][n % 4];
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{n:02}\"\nsubscriber = \"o{}\"\nlabel = \"L\"\nmsisdn = \"+1202555{:04}\"\n\
             reader = \"carrier\"\npayers = [\"carrier\"]\ntags = [\"{tag}\"]\n\
             plan = {{ price = \"15.00 USD\", cycle_days = 30, renewal = \"{renewal}\", number_loss_days = 45 }}\n",
            n % 3,
            1000 + n
        )
        .unwrap();
    }
    text + RULES
}
