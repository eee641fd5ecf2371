//! The running daemon: one loop per stage (and per reader), a drain at the end.

use super::{Beats, Engine, EngineError, Stage, StageReport, schedule, traced};
use super::{heartbeat::Heartbeat, polling::BUNCH};
use crate::clock::since_boot;
use crate::domain::Span;
use crate::store::Dialect;
use tokio::{sync::watch, task::JoinSet};

/// Loops that run until they are told to stop.
pub struct Daemon {
    engine: Engine,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
    scheduler: tokio_cron_scheduler::JobScheduler,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("loops", &self.loops.len()).finish_non_exhaustive()
    }
}

/// A loop that found nothing due looks again after this, bell or not: the bells hang on the wall
/// clock, and fall silent when that is set back.
const IDLE: Span = Span::seconds(5);

impl Daemon {
    /// Starts every loop. Before the first, claims of a dead process become `unknown`.
    pub async fn start(engine: Engine) -> Result<Self, EngineError> {
        if engine.may_pay() {
            engine.recover().await?;
            let orphans = engine.adopt_orphans().await?;
            if orphans > 0 {
                tracing::warn!(
                    orphans,
                    "top-ups were being sent when the last process died; none is sent again that may have left"
                );
            }
            // Open outcomes come first, before any new money.
            traced::round(Stage::Reconcile, None, engine.run_stage(Stage::Reconcile)).await?;
        }
        let (stop, stopped) = watch::channel(false);
        let poll_thread = engine.0.poll_thread.handle()?.clone();
        let mut loops = JoinSet::new();
        for stage in [Stage::Decide, Stage::Reconcile, Stage::Verify, Stage::Notify, Stage::Retain]
        {
            let (engine, stopped) = (engine.clone(), stopped.clone());
            loops.spawn(async move {
                let name = stage.as_str();
                let run = || traced::round(stage, None, engine.run_stage(stage));
                turn(&engine, name, stage, stopped, run).await;
            });
        }
        for reader in engine
            .providers()
            .iter()
            .filter(|(_, p)| p.declares().reads)
            .map(|(name, _)| name.clone())
        {
            let (engine, stopped) = (engine.clone(), stopped.clone());
            let polls = async move {
                let name = format!("poll {reader}");
                if let Err(error) = engine.begin_to_poll(&reader).await {
                    tracing::error!("what is overdue at {reader} could not be looked at: {error}");
                }
                let run = || traced::round(Stage::Poll, Some(&reader), engine.poll_reader(&reader));
                turn(&engine, &name, Stage::Poll, stopped, run).await;
            };
            loops.spawn_on(polls, &poll_thread);
        }
        let payers = engine.providers().iter().filter(|(_, p)| p.declares().tops_up);
        for payer in payers.map(|(name, _)| name.clone()) {
            let (engine, stopped) = (engine.clone(), stopped.clone());
            loops.spawn(async move {
                let name = format!("act {payer}");
                let run = || traced::round(Stage::Act, Some(&payer), engine.pay_through(&payer));
                turn(&engine, &name, Stage::Act, stopped, run).await;
            });
        }
        loops.spawn(engine.clone().stay_known(stopped.clone()));
        if engine.store().dialect() == Dialect::Postgres {
            loops.spawn(engine.clone().speak_up(stopped.clone()));
            loops.spawn(engine.clone().hear_others(stopped.clone()));
        }
        if let Some(heartbeat) = Heartbeat::of(&engine) {
            let (engine, stopped) = (engine.clone(), stopped.clone());
            loops.spawn(heartbeat.run(engine, stopped));
        }
        loops.spawn(engine.clone().keep_counting(stopped.clone()));
        let scheduler = schedule::start(&engine).await?;
        Ok(Self { engine, stop, loops, scheduler })
    }

    /// When each loop last came round.
    pub fn beats(&self) -> Beats {
        self.engine.beats().clone()
    }

    /// Stops claiming work and waits for calls under way, money calls above all, up to `drain`.
    /// What is cut off is found by the rows at the next start.
    pub async fn stop(mut self, drain: Span) {
        self.scheduler.shutdown().await.ok();
        self.engine.stop_claiming();
        self.stop.send_replace(true);
        for stage in Stage::ALL {
            self.engine.wake_here(stage);
        }
        let all = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(drain.to_std(), all).await.is_err() {
            tracing::warn!(
                "some calls did not end in time; their outcomes are looked up at the next start"
            );
        }
        self.engine.farewell().await;
    }
}

/// One loop: run, then sleep until the next row is due or the bell rings.
async fn turn<F, Fut>(
    engine: &Engine,
    name: &str,
    stage: Stage,
    mut stopped: watch::Receiver<bool>,
    run: F,
) where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<StageReport, EngineError>>,
{
    let mut bell = engine.0.bells.listen(stage);
    let least = if stage == Stage::Poll { BUNCH } else { Span::from_ms(1) };
    while !*stopped.borrow() {
        bell.mark_unchanged();
        let began = since_boot();
        let round = run().await;
        let took = Span::from_ms(since_boot().ms().saturating_sub(began.ms()));
        let pause = match round {
            Ok(report) => {
                let now = engine.now();
                engine.beats().beat(name, now, None);
                if report.seen > 0 {
                    // Rounds that find nothing come every second, and would drown the others.
                    engine.meters().came_round(stage, took);
                }
                if report.done + report.failed > 0 {
                    engine.beats().progress(name, now);
                }
                report.next_at.map_or(IDLE, |at| at.since(now)).min(IDLE).max(least)
            }
            Err(error) => {
                engine.meters().failed(stage);
                tracing::error!("{name} failed: {:#}", anyhow::Error::new(error).context("stage"));
                engine.beats().beat(
                    name,
                    engine.now(),
                    Some("the last round failed; see the log".into()),
                );
                Span::seconds(5)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause.to_std()) => {}
            _ = bell.changed() => {}
            _ = stopped.changed() => {}
        }
    }
}
