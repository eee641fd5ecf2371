//! Does work flow? Asked by `/readyz` and by the heartbeat. Only looks.
//!
//! A loop may come round and still move nothing: whatever is overdue while its loop did nothing for
//! as long is stuck. A loop with too much to do is late, not stuck.

use super::{Beats, Engine, EngineError, Stage};
use crate::domain::{Span, Timestamp};

/// A store that answers later than this does not answer.
const ANSWERS_IN: Span = Span::seconds(5);

impl Engine {
    /// Why work does not flow; `None` when the store takes writes, every loop came round within
    /// `patience`, the flight recorder takes lines, and nothing due waits longer than that while
    /// its loop does nothing.
    pub async fn trouble(&self, beats: &Beats, patience: Span, now: Timestamp) -> Option<String> {
        let ping = tokio::time::timeout(ANSWERS_IN.to_std(), self.store().ping_writer());
        match ping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!("the store takes no writes: {error}");
                return Some("the store takes no writes".to_owned());
            }
            Err(_) => return Some("the store does not answer".to_owned()),
        }
        if let Some(why) = self.idle() {
            return Some(why);
        }
        if let Some(why) = beats.trouble(patience, now) {
            return Some(why);
        }
        if let Some(recorder) = self.recorder()
            && let Some(why) = recorder.trouble(now).await
        {
            return Some(format!("the flight recorder: {why}"));
        }
        match self.stuck(beats, patience, now).await {
            Ok(stuck) => stuck,
            Err(error) => {
                tracing::error!("what is due cannot be read: {error}");
                Some("what is due cannot be read; see the log".to_owned())
            }
        }
    }

    async fn stuck(
        &self,
        beats: &Beats,
        patience: Span,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let progressed = beats.progressed();
        let is_late = |at: Timestamp| now.since(at) > patience;
        let mut late = Vec::new();
        // Whoever tells by himself is not asked, however long it was due.
        let asked = self.providers().iter().filter(|(_, p)| p.declares().polled);
        let readers: Vec<&str> = asked.map(|(name, _)| name.as_str()).collect();
        for (stage, provider, due) in self.store().oldest_due(&readers).await? {
            let name = provider.map_or_else(|| stage.clone(), |name| format!("{stage} {name}"));
            if let Some(at) = progressed.get(&name).filter(|at| is_late(due) && is_late(**at)) {
                late.push((name, due, *at));
            }
        }
        if late.is_empty() {
            return Ok(None);
        }
        // While paying is stopped, orders wait as they should.
        let is_off = !self.money_switch(now).await?.stops().is_empty();
        let stuck =
            late.into_iter().find(|(name, ..)| !(is_off && name.starts_with(Stage::Act.as_str())));
        Ok(stuck.map(|(name, due, at)| {
            let (due, at) = (now.since(due), now.since(at));
            format!("{name} is {due} behind and did nothing for {at}")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Paying, money_off_file};
    use crate::clock::Clock;
    use crate::config::Settings;
    use crate::domain::{Money, State, Subscriber, SubscriberId, SubscriptionId, Topup, fixtures};
    use crate::flow::raise_flag;
    use crate::store::{Change, FleetChanges};

    const PATIENCE: Span = Span::minutes(5);

    /// Two lines: one is asked, the other's reader tells by himself.
    async fn place() -> (App, Clock, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("topupd.toml");
        let database = dir.path().join("t.db").display().to_string();
        let text = format!(
            "[database]\nurl = \"sqlite://{database}\"\n[providers.carrier.simulated]\n[providers.me.manual]\n"
        );
        std::fs::write(&config, text).unwrap();
        let settings = Settings::load(&[config], std::iter::empty()).unwrap();
        let clock = Clock::fixed(fixtures::at(0));
        let app = App::open(settings, clock.clone(), Paying::IfFree).await.unwrap();
        let mut fleet = FleetChanges::default();
        let li = Subscriber {
            id: SubscriberId::parse("li").unwrap(),
            name: "Li".into(),
            email: None,
            phone: None,
            locale: "en".into(),
            time_zone: chrono_tz::UTC,
            quiet_hours: None,
            channels: Vec::new(),
            addresses: std::collections::BTreeMap::new(),
        };
        fleet.subscribers.push((li, "{}".into()));
        let by_hand =
            crate::domain::Subscription { reader: "me".into(), ..fixtures::line("by-hand") };
        for line in [fixtures::line("l0"), by_hand] {
            fleet.subscriptions.push((line, "{}".into()));
        }
        app.engine().store().save_fleet(&fleet, clock.now()).await.unwrap();
        (app, clock, dir)
    }

    /// All loops come round, whether they do something or not.
    fn come_round(engine: &Engine, names: &[&str]) {
        for name in names {
            engine.beats().beat(name, engine.now(), None);
        }
    }

    async fn trouble(engine: &Engine) -> Option<String> {
        engine.trouble(engine.beats(), PATIENCE, engine.now()).await
    }

    #[tokio::test]
    async fn a_loop_that_comes_round_and_does_nothing_that_is_due_is_stuck() {
        let (app, clock, _dir) = place().await;
        let engine = app.engine();
        let loops = ["poll carrier", "poll me"];
        come_round(engine, &loops);
        assert_eq!(trouble(engine).await, None, "due, but only just begun");
        clock.advance(Span::minutes(6));
        come_round(engine, &loops);
        let why = trouble(engine).await.unwrap();
        assert_eq!(why, "poll carrier is 6m behind and did nothing for 6m");
        engine.beats().progress("poll carrier", clock.now());
        assert_eq!(trouble(engine).await, None, "late, but at work");
    }

    #[tokio::test]
    async fn orders_may_wait_while_paying_is_stopped() {
        let (app, clock, _dir) = place().await;
        let engine = app.engine();
        let line = SubscriptionId::parse("l0").unwrap();
        let amount = Money::parse("10.00 USD").unwrap();
        let ordered = engine.order_by_hand(&line, amount, None, "test").await.unwrap();
        let reserved = Topup {
            state: State::Reserved,
            request: Some("frozen".into()),
            next_action_at: Some(clock.now()),
            ..ordered.clone()
        };
        let change = Change::by("test", "moved");
        let moved = engine.store().move_topup(&ordered, reserved, &change, &[], clock.now()).await;
        assert_eq!(moved.unwrap().state, State::Reserved);
        come_round(engine, &["act carrier"]);
        clock.advance(Span::minutes(6));
        come_round(engine, &["act carrier"]);
        assert!(trouble(engine).await.unwrap().starts_with("act carrier is 6m behind"));
        raise_flag(&money_off_file(engine.settings()), "test").unwrap();
        assert_eq!(trouble(engine).await, None);
    }

    #[tokio::test]
    async fn without_the_flight_recorder_or_writes_nothing_flows() {
        let (app, _clock, dir) = place().await;
        let engine = app.engine();
        come_round(engine, &["decide"]);
        assert_eq!(trouble(engine).await, None);
        engine.recorder().unwrap().close();
        assert_eq!(trouble(engine).await.unwrap(), "the flight recorder: it is closed");
        // What can be read may still not be written.
        let url = format!("sqlite://{}", dir.path().join("t.db").display());
        let mut other = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::query(
            "CREATE TRIGGER full BEFORE UPDATE ON installation BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .execute(&mut other)
        .await
        .unwrap();
        assert!(engine.store().ping().await.is_ok());
        assert_eq!(trouble(engine).await.unwrap(), "the store takes no writes");
    }
}
