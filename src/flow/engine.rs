//! What every stage works with, and one run of a stage.

use super::{
    Stage, StageReport,
    aloud::Rung,
    calendar::CalendarSeen,
    catch_up::CatchingUp,
    clock::ClockWatch,
    instance::Here,
    meters::Meters,
    poll_thread::PollThread,
    recover::Recovery,
    rules::RuleCache,
    settle::SettleTimes,
    tally::Remembered,
    wake::{Beats, Bells},
};
use crate::channels::Channel;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{MoneySwitch, Offer, Phase, Policy, Timestamp};
use crate::input::Fault;
use crate::providers::Provider;
use crate::store::{Recorder, Store, StoreError};
use crate::vault::{Vault, VaultError};
use crate::words::Words;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The validated configuration.
    pub settings: Settings,
    /// The rows.
    pub store: Store,
    /// Where `now` comes from.
    pub clock: Clock,
    /// Providers by name.
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    /// Channels by name.
    pub channels: BTreeMap<String, Arc<dyn Channel>>,
    /// This installation's id.
    pub install_id: String,
    /// The flag file that stops all paying.
    pub money_off_file: PathBuf,
    /// The flight recorder, where this process holds the right to pay.
    pub recorder: Option<Recorder>,
    /// The texts of notices.
    pub words: Arc<Words>,
    /// Where codes that were bought are sealed.
    pub vault: Vault,
}

/// A stage could not run at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored rule cannot be read.
    #[error("stored rule {rule}: {why}")]
    Rule {
        /// Its id.
        rule: String,
        /// Why.
        why: String,
    },
    /// The wake-up calls cannot start.
    #[error("the scheduler cannot start: {0}")]
    Scheduler(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// The thread for polls cannot start.
    #[error("the thread for polls cannot start: {0}")]
    Thread(std::io::Error),
    /// The flag file that stops all paying cannot be changed.
    #[error("the flag file {path} cannot be changed: {source}")]
    Flag {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A code cannot be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The flight recorder cannot be read.
    #[error("the flight recorder {path} cannot be read: {source}")]
    Recorder {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The stages and what they share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) bells: Bells,
    pub(super) rung: Rung,
    pub(super) here: Here,
    beats: Beats,
    pub(super) meters: Meters,
    stopping: AtomicBool,
    pub(super) poll_thread: PollThread,
    /// This installation's own, from which its lines have theirs.
    pub(super) phase: Phase,
    pub(super) rules: RuleCache,
    pub(super) settle: SettleTimes,
    /// When readers were last looked at.
    pub(super) readers_seen: Mutex<Option<Timestamp>>,
    /// When the calendar was last looked at.
    pub(super) calendar_seen: Mutex<CalendarSeen>,
    /// What only a look at every line can tell.
    pub(super) tally: Remembered,
    /// Readers that are catching up after a silence.
    pub(super) catching_up: CatchingUp,
    pub(super) recovery: tokio::sync::Mutex<Recovery>,
    pub(super) clock_watch: ClockWatch,
    /// How the switches stood when they were last written down.
    pub(super) switch: Mutex<Option<MoneySwitch>>,
    pub(super) limits: BTreeMap<String, DefaultDirectRateLimiter>,
}

impl Engine {
    /// Puts an engine together.
    pub fn new(parts: Parts) -> Result<Self, EngineError> {
        let limits = parts
            .providers
            .iter()
            .filter_map(|(name, provider)| {
                let rate = provider.declares().rate?;
                let events = NonZeroU32::new(rate.events)?;
                let period = rate.per.to_std().checked_div(rate.events)?;
                // A tenth of the allowance may come at once; the rest is spread evenly.
                let burst =
                    NonZeroU32::new(rate.events / 10).unwrap_or(NonZeroU32::MIN).min(events);
                let quota = Quota::with_period(period)?.allow_burst(burst);
                Some((name.clone(), RateLimiter::direct(quota)))
            })
            .collect();
        let meters = Meters::new(&parts.providers, &parts.channels);
        let here = Here::new(parts.clock.now());
        let phase = Phase::of(&parts.install_id);
        let inner = Inner {
            parts,
            bells: Bells::default(),
            rung: Rung::default(),
            here,
            beats: Beats::default(),
            meters,
            stopping: AtomicBool::new(false),
            poll_thread: PollThread::default(),
            phase,
            rules: RuleCache::default(),
            settle: SettleTimes::default(),
            readers_seen: Mutex::new(None),
            calendar_seen: Mutex::default(),
            tally: Remembered::default(),
            catching_up: CatchingUp::default(),
            recovery: tokio::sync::Mutex::default(),
            clock_watch: ClockWatch::default(),
            switch: Mutex::new(None),
            limits,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The rows.
    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    /// The validated configuration.
    pub fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    /// This installation's id.
    pub fn install_id(&self) -> &str {
        &self.0.parts.install_id
    }

    /// The texts of notices.
    pub fn words(&self) -> &Words {
        &self.0.parts.words
    }

    /// A provider by its name in config.
    pub fn provider(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.0.parts.providers.get(name)
    }

    /// All providers by name.
    pub fn providers(&self) -> &BTreeMap<String, Arc<dyn Provider>> {
        &self.0.parts.providers
    }

    /// All channels by name.
    pub fn channels(&self) -> &BTreeMap<String, Arc<dyn Channel>> {
        &self.0.parts.channels
    }

    /// True when this process holds the right to pay.
    pub fn may_pay(&self) -> bool {
        self.0.parts.recorder.is_some()
    }

    /// The configured part of a decision.
    pub fn policy(&self) -> Policy {
        let settings = self.settings();
        let assisted = self.providers().iter().filter(|(_, p)| p.declares().assisted);
        Policy {
            assisted: assisted.map(|(name, _)| name.clone()).collect(),
            poll_every: settings.flow.poll_every,
            confirm_after: settings.flow.confirm_after,
            stale_after: settings.flow.stale_after,
            approval_expires: settings.flow.approval_expires,
            implausible_after: settings.flow.confirm_after.times(5),
            offers: self.offers(),
            quoting: self.quoting(),
            cost_over: settings.safety.cost_over,
            settle_p99: self.0.settle.known(),
            caps: settings.caps.clone(),
        }
    }

    fn quoting(&self) -> Vec<String> {
        let quotes = self.providers().iter().filter(|(_, p)| p.declares().quotes);
        quotes.map(|(name, _)| name.clone()).collect()
    }

    fn offers(&self) -> BTreeMap<String, Offer> {
        let sells = |(name, provider): (&String, &Arc<dyn Provider>)| {
            let offer = &provider.declares().offer;
            (*offer != Offer::default()).then(|| (name.clone(), offer.clone()))
        };
        self.providers().iter().filter_map(sells).collect()
    }

    /// When each loop last made progress.
    pub fn beats(&self) -> &Beats {
        &self.0.beats
    }

    /// What was counted since the start.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// From now on stages end with what they have; nothing new is claimed.
    pub(super) fn stop_claiming(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Wakes a stage, here and in other instances; harmless where nobody listens.
    pub fn wake(&self, stage: Stage) {
        self.wake_here(stage);
        self.0.rung.add(stage);
    }

    /// One run of a stage over everything that is due. Polling is per reader: see
    /// [`Engine::poll_reader`].
    pub async fn run_stage(&self, stage: Stage) -> Result<StageReport, EngineError> {
        match stage {
            Stage::Poll => {
                let mut report = StageReport::default();
                for reader in self.providers().keys() {
                    report.add(self.poll_reader(reader).await?);
                }
                Ok(report)
            }
            Stage::Decide => self.decide_due().await,
            Stage::Act => {
                let mut report = StageReport::default();
                for payer in self.providers().keys() {
                    report.add(self.pay_through(payer).await?);
                }
                Ok(report)
            }
            Stage::Reconcile => self.reconcile_due().await,
            Stage::Verify => self.verify_due().await,
            Stage::Notify => self.notify_due().await,
            Stage::Retain => self.retain_due().await,
        }
    }

    /// Runs every stage until a whole round finds nothing due. Returns what was done.
    pub async fn tick(&self) -> Result<BTreeMap<Stage, StageReport>, EngineError> {
        let mut total: BTreeMap<Stage, StageReport> = BTreeMap::new();
        // More rounds than any chain of stages is long; a bound, not an expectation.
        for _ in 0..64 {
            let mut done = 0;
            for stage in Stage::ALL {
                let report = self.run_stage(stage).await?;
                done += report.done + report.failed;
                let sum = total.entry(stage).or_default();
                sum.next_at = None;
                sum.add(report);
            }
            if done == 0 {
                break;
            }
        }
        Ok(total)
    }
}

/// Providers and channels, each by name.
pub type BuiltParts = (BTreeMap<String, Arc<dyn Provider>>, BTreeMap<String, Arc<dyn Channel>>);

/// Builds all providers and channels of a configuration, collecting every fault.
pub async fn build_parts(settings: &Settings) -> Result<BuiltParts, Vec<Fault>> {
    let (mut providers, mut channels, mut faults) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (name, config) in &settings.providers {
        match config.build(name).await {
            Ok(provider) => drop(providers.insert(name.clone(), provider)),
            Err(fault) => faults.push(fault),
        }
    }
    for (name, config) in &settings.channels {
        match config.build(name) {
            Ok(channel) => drop(channels.insert(name.clone(), channel)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok((providers, channels)) } else { Err(faults) }
}
