//! One line in memory: its snapshot as a decision sees it, and what the rows would remember of it.

use super::{LineHistory, LineReport, correct::Correction, course::Course, report::Figures};
use crate::domain::{
    BurnLog, CapUsage, Forecast, MoneySwitch, PAST_TOPUPS, Past, Quality, Reading, Recorded,
    RecordedTopup, Rule, RuleId, Snapshot, Span, SpendHistory, State, SubscriptionStatus,
    Timestamp, Topup, served_need,
};
use std::collections::{HashSet, VecDeque};

/// How long a forecast is good for, and how far back episodes count as recent.
const DAY: Span = Span::days(1);
const WEEK: Span = Span::days(7);

#[derive(Debug)]
pub(super) struct Line {
    pub(super) snapshot: Snapshot,
    pub(super) recorded: Vec<RecordedTopup>,
    /// The recorded top-up that was open at the beginning.
    pub(super) open_recorded: Option<usize>,
    /// Which way the open top-up goes.
    pub(super) course: Course,
    /// The recorded top-ups that were ordered here as well.
    pub(super) followed: Vec<usize>,
    pub(super) correction: Correction,
    pub(super) decide_at: Option<Timestamp>,
    pub(super) queued_at: Option<Timestamp>,
    pub(super) reread_at: Option<Timestamp>,
    pub(super) need_seq: i64,
    pub(super) figures: Figures,
    pub(super) last: Option<Recorded>,
    pub(super) decisions: Vec<(Timestamp, Recorded)>,
    pub(super) said: HashSet<String>,
    pub(super) recent: Vec<(RuleId, Timestamp)>,
    /// Top-ups, newest first, each with its reference.
    past: VecDeque<(String, Past)>,
    reset_at: Timestamp,
    /// Readings to keep before the newest.
    looks_back: usize,
    burn: Option<BurnLog>,
    others_paid: usize,
    /// The newest `ok` reading as history has it.
    raw: Option<Reading>,
    first_read_at: Option<Timestamp>,
}

impl Line {
    pub(super) fn new(history: LineHistory, money: &MoneySwitch, from: Timestamp) -> Self {
        let LineHistory { subscription, rules, mut earlier, burn, .. } = history;
        let looks_back = rules.iter().map(Rule::looks_back).max().unwrap_or(0);
        let looks_back = usize::try_from(looks_back).unwrap_or(1).max(1);
        let reading = (!earlier.is_empty()).then(|| earlier.remove(0));
        earlier.truncate(looks_back);
        let others_paid = burn.as_ref().map_or(0, |burn| burn.external().len());
        let wants = rules.iter().any(Rule::wants_forecast);
        let snapshot = Snapshot {
            prices: Vec::new(),
            misplaced: Vec::new(),
            subscription,
            rules,
            earlier,
            doubt_since: None,
            trouble: history.trouble,
            watched_since: history.watched_since,
            stale_since: None,
            episodes: history.episodes,
            recent_episodes: Vec::new(),
            milestone: None,
            need: history.need,
            served: None,
            forecast: None,
            topup: None,
            history: SpendHistory::default(),
            usage: CapUsage::default(),
            money: money.clone(),
            next_poll_at: None,
            reading: reading.clone(),
        };
        let mut line = Self {
            snapshot,
            recorded: history.topups,
            open_recorded: None,
            course: Course::None,
            followed: Vec::new(),
            correction: Correction::default(),
            decide_at: None,
            queued_at: None,
            reread_at: None,
            need_seq: history.need_seq,
            figures: Figures::default(),
            last: None,
            decisions: Vec::new(),
            said: HashSet::new(),
            recent: history.recent,
            past: VecDeque::new(),
            reset_at: history.reset_at,
            looks_back,
            burn: wants.then(|| burn.unwrap_or_default()),
            others_paid,
            raw: reading,
            first_read_at: None,
        };
        line.begin(from);
        line
    }

    /// Takes in the top-ups from before the beginning.
    fn begin(&mut self, from: Timestamp) {
        let before: Vec<(usize, State)> = self
            .recorded
            .iter()
            .enumerate()
            .filter_map(|(n, recorded)| Some((n, recorded.state_at(from)?)))
            .collect();
        for (n, state) in before {
            let Some(recorded) = self.recorded.get(n) else { continue };
            let was = |at: Option<Timestamp>| at.filter(|at| *at < from);
            let topup = Topup {
                state,
                paid_at: was(recorded.topup.paid_at),
                approved: recorded.topup.approved.clone().filter(|(at, _)| *at < from),
                next_action_at: None,
                ..recorded.topup.clone()
            };
            let past = Past {
                finalized_at: was(recorded.finalized_at),
                outcome: recorded.outcome.filter(|_| state.is_final()),
                ..past_of(&topup, &recorded.need)
            };
            self.past.push_front((topup.reference.clone(), past));
            if !state.is_final() {
                self.snapshot.topup = Some(topup);
                self.open_recorded = Some(n);
            }
        }
        self.past.truncate(PAST_TOPUPS);
        self.tell_history();
    }

    /// A reading of history.
    pub(super) fn read(&mut self, raw: Reading) {
        self.figures.readings += 1;
        self.first_read_at = self.first_read_at.or(Some(raw.at));
        if raw.quality != Quality::Ok {
            self.snapshot.trouble = Some(raw);
            return;
        }
        if self.correction.is_idle() {
            self.take(raw);
            return;
        }
        let plan = self.snapshot.subscription.plan.as_ref();
        let before = self.raw.as_ref();
        let values = self.correction.correct(plan, before, &raw);
        let seen = Reading { values, ..raw.clone() };
        self.take(seen);
        self.raw = Some(raw);
    }

    /// The line read once more, with nothing changed but by our own top-ups. False where it was
    /// never read.
    pub(super) fn read_again(&mut self, now: Timestamp) -> bool {
        let Some(raw) = self.raw.clone().or_else(|| self.snapshot.reading.clone()) else {
            return false;
        };
        let again = Reading { at: now, ..raw };
        let plan = self.snapshot.subscription.plan.as_ref();
        let values = self.correction.correct(plan, self.raw.as_ref(), &again);
        self.take(Reading { values, ..again });
        true
    }

    fn take(&mut self, reading: Reading) {
        if let Some(burn) = &mut self.burn {
            burn.add(&reading);
        }
        let s = &mut self.snapshot;
        if let Some(old) = &s.reading {
            self.figures.dark = self.figures.dark.plus(dark_between(s, old, &reading));
        }
        s.trouble = None;
        if let Some(old) = s.reading.replace(reading) {
            if self.looks_back == 1 && s.earlier.len() == 1 {
                if let Some(slot) = s.earlier.first_mut() {
                    *slot = old;
                }
            } else {
                s.earlier.insert(0, old);
                s.earlier.truncate(self.looks_back);
            }
        }
    }

    pub(super) fn is_read_since(&self, at: Timestamp) -> bool {
        self.snapshot.reading.as_ref().is_some_and(|reading| reading.at >= at)
    }

    /// Corrections begin: from now on the readings of history are kept beside ours.
    pub(super) fn keep_raw(&mut self) {
        if self.correction.is_idle() {
            self.raw.clone_from(&self.snapshot.reading);
        }
    }

    /// Renews the forecast where it is a day old. True where others paid meanwhile.
    pub(super) fn foresee(&mut self, now: Timestamp) -> bool {
        let Some(burn) = &self.burn else { return false };
        let known = self.snapshot.forecast.as_ref();
        if known.is_some_and(|f| now.since(f.at) < DAY) {
            return false;
        }
        let used_before = known.and_then(|f| f.last_used_at);
        self.snapshot.forecast = Some(Forecast::of(burn, used_before, now));
        let paid = burn.external().len();
        let news = i64::try_from(paid.saturating_sub(self.others_paid)).unwrap_or(i64::MAX);
        self.others_paid = paid;
        if news > 0 {
            let sum = self.figures.notices.entry("external_topup").or_default();
            *sum = sum.saturating_add(news);
        }
        news > 0
    }

    pub(super) fn expect(&mut self, credit: crate::domain::Credit) {
        if let Some(burn) = &mut self.burn {
            burn.expect(credit);
        }
    }

    /// How many episodes of each rule began within a week of the newest reading.
    pub(super) fn count_episodes(&mut self) {
        let s = &mut self.snapshot;
        if self.recent.is_empty() && s.recent_episodes.is_empty() {
            return;
        }
        let newest = s.reading.as_ref().map(|r| r.at).max(s.trouble.as_ref().map(|r| r.at));
        s.recent_episodes.clear();
        let Some(newest) = newest else { return };
        self.recent.retain(|(_, at)| newest.since(*at) < WEEK);
        for (rule, _) in &self.recent {
            match s.recent_episodes.iter_mut().find(|(id, _)| id == rule) {
                Some((_, n)) => *n = n.saturating_add(1),
                None => s.recent_episodes.push((rule.clone(), 1)),
            }
        }
    }

    pub(super) fn set_status(&mut self, status: SubscriptionStatus, now: Timestamp) {
        self.snapshot.subscription.status = status;
        if status == SubscriptionStatus::Active {
            self.reset_at = now;
            self.tell_history();
        }
    }

    /// Remembers the open top-up as it stands, and what follows from all of them.
    pub(super) fn remember(&mut self, topup: &Topup, past: Past) {
        match self.past.iter_mut().find(|(reference, _)| *reference == topup.reference) {
            Some((_, known)) => *known = past,
            None => self.past.push_front((topup.reference.clone(), past)),
        }
        self.past.truncate(PAST_TOPUPS);
        self.tell_history();
    }

    /// A verified top-up whose money came back.
    pub(super) fn reverse(&mut self, reference: &str, now: Timestamp) {
        if let Some((_, past)) = self.past.iter_mut().find(|(r, _)| r == reference) {
            past.state = State::Reversed;
            past.finalized_at = past.finalized_at.or(Some(now));
        }
        self.tell_history();
    }

    fn tell_history(&mut self) {
        let past: Vec<Past> = self.past.iter().map(|(_, past)| past.clone()).collect();
        self.snapshot.history = SpendHistory::of(&past, self.reset_at);
        self.snapshot.served = served_need(&past);
    }

    pub(super) fn report(mut self, to: Timestamp) -> LineReport {
        if let Some(newest) = &self.snapshot.reading {
            let end = newest.values.service_end_at.unwrap_or(to).max(newest.at);
            let dark = to.since(end);
            if dark > Span::ZERO {
                self.figures.dark = self.figures.dark.plus(dark);
            }
        }
        LineReport {
            id: self.snapshot.subscription.id,
            figures: self.figures,
            first_read_at: self.first_read_at,
            decisions: self.decisions,
        }
    }
}

/// What is remembered of `topup` as it stands.
pub(super) fn past_of(topup: &Topup, need: &crate::domain::Need) -> Past {
    Past {
        state: topup.state,
        reason: topup.reason.clone(),
        failure: topup.failure,
        amount: topup.amount,
        price: topup.price,
        paid_at: topup.paid_at,
        finalized_at: None,
        need: need.clone(),
        outcome: None,
    }
}

/// Time without service between two readings: from the end that the older one told, until the
/// renewal that the newer one shows.
fn dark_between(snapshot: &Snapshot, old: &Reading, new: &Reading) -> Span {
    let Some(end) = old.values.service_end_at else { return Span::ZERO };
    let from = end.max(old.at);
    if from >= new.at {
        return Span::ZERO;
    }
    let renewed = new.values.service_end_at.filter(|renewed| *renewed > new.at);
    let cycle = snapshot.subscription.plan.as_ref().and_then(crate::domain::Plan::cycle);
    let until = match renewed.zip(cycle) {
        // The new period began a cycle before its end.
        Some((renewed, cycle)) => renewed.minus(cycle).min(new.at).max(from),
        None => new.at,
    };
    until.since(from)
}
