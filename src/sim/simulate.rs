//! Simulate: stored readings → what rules would have done with them. Reads only.

use super::replay::{Act, Counted, Doing, LineHistory, Pace, Replay, Report, Setup};
use crate::domain::{
    BurnLog, Episode, Policy, Reading, RecordedTopup, Rule, RuleBook, Span, State, Subscription,
    SubscriptionStatus, Timestamp,
};
use crate::store::{PastNeed, Store, StoreError, settle_times};
use std::collections::{BTreeMap, HashMap};

/// Readings per window, more or less: what is held in memory at once.
const WINDOW_READINGS: i64 = 150_000;

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// From where.
    pub from: Timestamp,
    /// To where.
    pub to: Timestamp,
    /// Which lines.
    pub lines: Vec<Subscription>,
    /// Under which rules, where not under the active ones alone.
    pub draft: Option<Vec<Rule>>,
    /// Tell the story.
    pub story: bool,
}

/// What a simulation found.
#[derive(Debug)]
pub struct Simulated {
    /// Under the draft, or under the active rules where there is no draft.
    pub report: Report,
    /// Under the active rules, beside a draft.
    pub active: Option<Report>,
    /// How often rules were applied meanwhile: history was made under others before the last time.
    pub rules_applied: usize,
}

/// A simulation could not run.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The replay broke off.
    #[error("the replay broke off: {0}")]
    Broken(String),
}

/// What simulations read: the past, and how decisions are made now.
#[derive(Clone, Debug)]
pub struct Past<'a> {
    /// The rows.
    pub store: &'a Store,
    /// The configured part of decisions.
    pub policy: Policy,
    /// The active rules.
    pub rules: &'a RuleBook,
}

impl Past<'_> {
    /// Replays stored readings. `progress` hears how far it is, window by window.
    pub async fn simulate(
        &self,
        what: &Simulation,
        mut progress: impl FnMut(Timestamp),
    ) -> Result<Simulated, SimulationError> {
        let Simulation { from, to, lines, .. } = what;
        let active = self.active_rules(*from);
        let mut setups = Vec::new();
        if let Some(draft) = &what.draft {
            setups.push(self.setup(what, &enabled(draft, &active, *from)).await?);
        }
        setups.push(
            self.setup(
                &Simulation { story: what.story && setups.is_empty(), ..what.clone() },
                &active,
            )
            .await?,
        );
        let rules_applied = self.store.acts(*from, *to).await?;
        let rules_applied =
            rules_applied.iter().filter(|act| act.why == "rules were applied").count();
        let mut replays: Vec<Replay> = setups.into_iter().map(Replay::new).collect();
        let window = self.window(lines.len());
        let (mut at, mut until) = (*from, from.plus(window).min(*to));
        let mut readings = self.store.readings_between(lines, at, until).await?;
        while at < *to {
            let work = tokio::task::spawn_blocking(move || {
                run(&mut replays, readings, until);
                replays
            });
            // The next window comes from the database while this one is replayed.
            let (begin, end) = (until, until.plus(window).min(*to));
            let (next, done) = tokio::join!(self.store.readings_between(lines, begin, end), work);
            replays = done.map_err(|error| SimulationError::Broken(error.to_string()))?;
            readings = next?;
            progress(until);
            (at, until) = (begin, end);
        }
        let mut reports = replays.into_iter().map(Replay::finish);
        let first = reports.next().ok_or_else(|| SimulationError::Broken("nothing ran".into()))?;
        Ok(Simulated { report: first, active: reports.next(), rules_applied })
    }

    /// So long that about [`WINDOW_READINGS`] fall into it.
    fn window(&self, lines: usize) -> Span {
        let lines = i64::try_from(lines).unwrap_or(i64::MAX).max(1);
        let every = self.policy.poll_every;
        every.times((WINDOW_READINGS / lines).max(4)).min(Span::days(28)).max(Span::hours(1))
    }

    /// The active rules, none of which is younger than `from`.
    fn active_rules(&self, from: Timestamp) -> Vec<Rule> {
        let as_of =
            |rule: Rule| Rule { enabled_at: rule.enabled_at.map(|at| at.min(from)), ..rule };
        self.rules.all().cloned().map(as_of).collect()
    }

    async fn setup(&self, what: &Simulation, rules: &[Rule]) -> Result<Setup, SimulationError> {
        let Simulation { from, to, lines, story, .. } = what;
        let store = self.store;
        let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
        let mut topups = store.recorded_topups(&ids, *to).await?;
        let mut needs = store.needs_of(&ids, *to).await?;
        let watched = store.watched_since(&ids).await?;
        let book = RuleBook::new(rules.to_vec());
        let places: HashMap<&str, usize> =
            ids.iter().enumerate().map(|(n, id)| (id.as_str(), n)).collect();
        let stored = store.acts(*from, *to).await?;
        let mut acts = Vec::new();
        for act in &stored {
            let line = act.subscription.as_ref().and_then(|id| places.get(id.as_str()).copied());
            let doing = match act.what.as_str() {
                "status" => status_of(&act.why).filter(|_| line.is_some()),
                "money" => serde_json::from_str(&act.why).ok().map(Doing::Money),
                "settle" => Some(Doing::Settle(settle_times(&act.why))),
                _ => Some(Doing::Judged),
            };
            acts.extend(doing.map(|doing| Act { at: act.at, line, doing }));
        }
        let paces = paces(topups.values().flatten());
        let mut before = self.before(what).await?;
        let mut burns = self.burns(what, &book).await?;
        let mut episodes: HashMap<String, Vec<(Episode, Timestamp)>> = HashMap::new();
        for found in store.episodes_of(&ids, from.minus(Span::days(7)), *from).await? {
            episodes.entry(found.0.subscription.to_string()).or_default().push(found);
        }
        let mut histories = Vec::with_capacity(lines.len());
        for (n, line) in lines.iter().enumerate() {
            let id = line.id.as_str();
            let (watched_since, reset_at) =
                watched.get(id).copied().unwrap_or((*from, Timestamp::from_ms(0)));
            let first = acts.iter().find_map(|act| match act.doing {
                Doing::Status(was, _) if act.line == Some(n) => Some(was),
                Doing::Status(..) | Doing::Money(_) | Doing::Settle(_) | Doing::Judged => None,
            });
            let status = first.unwrap_or(line.status);
            let rules = book.of(line);
            let episodes = episodes.remove(id).unwrap_or_default();
            let covers = |episode: &Episode| rules.iter().any(|rule| rule.id == episode.rule);
            let (need, need_seq) = open_need(needs.remove(id).unwrap_or_default(), *from);
            let (earlier, trouble) = before.remove(&n).unwrap_or_default();
            histories.push(LineHistory {
                subscription: Subscription { status, ..line.clone() },
                watched_since,
                reset_at: if reset_at < *from { reset_at } else { Timestamp::from_ms(0) },
                earlier,
                trouble,
                recent: episodes.iter().map(|(e, _)| (e.rule.clone(), e.opened_at)).collect(),
                episodes: episodes
                    .into_iter()
                    .filter(|(e, _)| e.closed_at.is_none_or(|at| at >= *from) && covers(e))
                    .collect(),
                need,
                need_seq,
                topups: topups.remove(id).unwrap_or_default(),
                burn: burns.remove(&n),
                rules,
            });
        }
        Ok(Setup {
            policy: Policy {
                // Nobody kept what orders would have cost.
                quoting: Vec::new(),
                settle_p99: store.settle_times_before(*from).await?,
                ..self.policy.clone()
            },
            from: *from,
            to: *to,
            lines: histories,
            acts,
            others: self.others(&ids, *from, *to).await?,
            paces,
            money: store.switch_before(*from).await?,
            story: *story,
        })
    }

    /// The newest readings before the beginning: `ok` ones, newest first, and one that was not.
    async fn before(&self, what: &Simulation) -> Result<HashMap<usize, Before>, SimulationError> {
        let since = what.from.minus(Span::days(1).plus(self.policy.poll_every.times(3)));
        let mut before: HashMap<usize, Before> = HashMap::new();
        for (n, reading) in self.store.readings_between(&what.lines, since, what.from).await? {
            let (earlier, trouble) = before.entry(n).or_default();
            if reading.quality == crate::domain::Quality::Ok {
                earlier.insert(0, reading);
                earlier.truncate(16);
                *trouble = None;
            } else {
                *trouble = Some(reading);
            }
        }
        Ok(before)
    }

    /// The use of the weeks before, of lines whose rules want a forecast.
    async fn burns(
        &self,
        what: &Simulation,
        book: &RuleBook,
    ) -> Result<HashMap<usize, BurnLog>, SimulationError> {
        let mut burns = HashMap::new();
        for (n, line) in what.lines.iter().enumerate() {
            if !book.of(line).iter().any(Rule::wants_forecast) {
                continue;
            }
            let mut log = BurnLog::default();
            for credit in self.store.credits(&line.id).await? {
                if credit.from < what.from {
                    log.expect(credit);
                }
            }
            let one = std::slice::from_ref(line);
            let since = BurnLog::window_start(what.from);
            for (_, reading) in self.store.readings_between(one, since, what.from).await? {
                log.add(&reading);
            }
            burns.insert(n, log);
        }
        Ok(burns)
    }

    /// What lines outside the simulation spent.
    async fn others(
        &self,
        ids: &[String],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Counted>, SimulationError> {
        let since = from.minus(crate::domain::CapLimits::MONTH);
        Ok(self
            .store
            .counted_elsewhere(ids, since, to)
            .await?
            .into_iter()
            .map(|(at, subscriber, amount)| Counted {
                at,
                subscriber,
                minor: amount.minor(),
                currency: amount.currency(),
            })
            .collect())
    }
}

/// Newest `ok` readings first, and the newest of all where it was not `ok`.
type Before = (Vec<Reading>, Option<Reading>);

/// Replays one window through all replays, side by side.
fn run(replays: &mut [Replay], readings: Vec<(usize, Reading)>, until: Timestamp) {
    let Some((last, others)) = replays.split_last_mut() else { return };
    std::thread::scope(|scope| {
        for replay in others {
            let copy = readings.clone();
            scope.spawn(move || replay.window(copy, until));
        }
        last.window(readings, until);
    });
}

/// A draft as it would be enabled at `from`: rules that pay already go on, others begin then.
fn enabled(draft: &[Rule], active: &[Rule], from: Timestamp) -> Vec<Rule> {
    let known = |rule: &Rule| active.iter().find(|a| a.id == rule.id).and_then(|a| a.enabled_at);
    let begin = |rule: &Rule| rule.mode.pays().then(|| known(rule).unwrap_or(from));
    draft.iter().map(|rule| Rule { enabled_at: begin(rule), ..rule.clone() }).collect()
}

fn status_of(text: &str) -> Option<Doing> {
    let (was, is) = text.split_once('>')?;
    Some(Doing::Status(SubscriptionStatus::parse(was)?, SubscriptionStatus::parse(is)?))
}

fn open_need(needs: Vec<PastNeed>, from: Timestamp) -> (Option<crate::domain::Need>, i64) {
    let before = needs.into_iter().filter(|need| need.need.opened_at < from);
    let last = before.max_by_key(|need| need.need.seq);
    let seq = last.as_ref().map_or(0, |last| last.need.seq);
    let open = last.filter(|last| last.closed_at.is_none_or(|at| at >= from));
    (open.map(|open| open.need), seq)
}

/// The usual course at each payer: the middle of what its verified top-ups took.
fn paces<'a>(topups: impl Iterator<Item = &'a RecordedTopup>) -> BTreeMap<String, Pace> {
    let mut times: BTreeMap<String, (Vec<Span>, Vec<Span>)> = BTreeMap::new();
    for recorded in topups.filter(|r| r.topup.state == State::Verified) {
        let paid_at = recorded.topup.paid_at;
        let (Some(reserved), Some(paid), Some(seen)) =
            (recorded.reserved_at, paid_at, recorded.finalized_at)
        else {
            continue;
        };
        let (pays, shows) = times.entry(recorded.topup.payer.clone()).or_default();
        pays.push(paid.since(reserved));
        shows.push(seen.since(paid));
    }
    let usual = Pace::default();
    times
        .into_iter()
        .map(|(payer, (pays, shows))| {
            let pace = Pace {
                paid_after: middle(pays).unwrap_or(usual.paid_after),
                seen_after: middle(shows).unwrap_or(usual.seen_after),
            };
            (payer, pace)
        })
        .collect()
}

fn middle(mut spans: Vec<Span>) -> Option<Span> {
    spans.sort_unstable();
    spans.get(spans.len() / 2).copied()
}
