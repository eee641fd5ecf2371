//! Which rules fire now, which breaches are over. Fires on effective values, clears on observed
//! ones, and on `ok` readings only: no data keeps the last state.

use super::{
    Condition, Episode, EpisodeId, Metric, Quantity, Reading, Rule, RuleId, Snapshot, Timestamp,
};

/// A breach that begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EpisodeChange {
    /// A rule fires that was quiet.
    Open {
        /// Which rule.
        rule: RuleId,
        /// What fired, in words.
        trigger: String,
        /// True when a date fired rather than a level.
        is_deadline: bool,
        /// The time of the reading it was seen in.
        read_at: Timestamp,
    },
    /// A rule is back beyond its clear level.
    Close {
        /// The episode that ends.
        id: EpisodeId,
        /// Its rule.
        rule: RuleId,
    },
}

/// A condition that holds, and the value by which it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fired<'a> {
    pub(super) condition: &'a Condition,
    value: Quantity,
}

impl Fired<'_> {
    /// In words: `balance 3.20 USD is at most 5.00 USD`.
    pub(super) fn words(&self) -> String {
        let words = self.condition.to_string();
        let tail = words.split_once(' ').map_or("", |(_, tail)| tail);
        format!("{} {} is {tail}", self.condition.metric.as_str(), self.value)
    }
}

/// The condition by which `rule` is in breach now; `None` while it is not, or not in enough
/// readings yet. `counts` says which conditions are looked at.
pub(super) fn breach<'a>(
    snapshot: &Snapshot,
    rule: &'a Rule,
    now: Timestamp,
    counts: impl Fn(&Condition) -> bool,
) -> Option<Fired<'a>> {
    let fired = firing(snapshot, rule, now, counts)?;
    let lasting = open_episode(snapshot, rule).is_some() || fires_long_enough(snapshot, rule);
    lasting.then_some(fired)
}

/// The first condition by which `rule` fires now, whatever was read before.
fn firing<'a>(
    snapshot: &Snapshot,
    rule: &'a Rule,
    now: Timestamp,
    counts: impl Fn(&Condition) -> bool,
) -> Option<Fired<'a>> {
    if !in_force(rule, now) {
        return None;
    }
    let fires = |condition: &'a Condition| {
        let value = snapshot.measure(condition.metric, true, now)?;
        (condition.fires(value) && counts(condition)).then_some(Fired { condition, value })
    };
    let fired = if rule.any.is_empty() {
        let mut all = rule.all.iter().map(fires);
        let first = all.next()??;
        all.all(|fired| fired.is_some()).then_some(first)?
    } else {
        rule.any.iter().find_map(fires)?
    };
    let holds = |c: &Condition| snapshot.measure(c.metric, true, now).is_some_and(|v| c.fires(v));
    (!rule.unless.iter().any(holds)).then_some(fired)
}

fn in_force(rule: &Rule, now: Timestamp) -> bool {
    rule.valid_from.is_none_or(|from| from <= now) && rule.valid_until.is_none_or(|end| now < end)
}

/// True when the readings before the newest fire as well, as many as the rule asks for.
fn fires_long_enough(snapshot: &Snapshot, rule: &Rule) -> bool {
    in_a_row(snapshot, rule.fire_after, |reading| {
        let fires = |condition: &Condition| {
            snapshot.measured(condition.metric, reading).is_some_and(|v| condition.fires(v))
        };
        if rule.any.is_empty() { rule.all.iter().all(fires) } else { rule.any.iter().any(fires) }
    })
}

/// True when `holds` for the `wanted` − 1 readings before the newest one.
fn in_a_row(snapshot: &Snapshot, wanted: i64, holds: impl Fn(&Reading) -> bool) -> bool {
    let more = usize::try_from(wanted.saturating_sub(1)).unwrap_or(0);
    snapshot.earlier.len() >= more && snapshot.earlier.iter().take(more).all(holds)
}

/// True once the rule's breach is over: beyond every clear level (`any`), or one of them (`all`),
/// in as many readings as the rule asks for. A rise that proved a top-up of ours needs no second.
fn cleared(snapshot: &Snapshot, rule: &Rule, episode: &Episode, now: Timestamp) -> bool {
    let clear = |measure: &dyn Fn(Metric) -> Option<Quantity>| {
        let clears = |c: &Condition| measure(c.metric).is_some_and(|value| c.clears(value));
        if rule.any.is_empty() {
            rule.all.iter().any(clears)
        } else {
            // A condition nobody can measure neither keeps a breach open nor ends it.
            let mut known = rule.any.iter().filter(|c| measure(c.metric).is_some()).peekable();
            known.peek().is_some() && known.all(clears)
        }
    };
    if !clear(&|metric| snapshot.measure(metric, false, now)) {
        return false;
    }
    let proven = snapshot.history.last_success_at.is_some_and(|at| at >= episode.opened_at);
    proven
        || in_a_row(snapshot, rule.clear_after, |reading| {
            clear(&|metric| snapshot.measured(metric, reading))
        })
}

/// What begins and what ends now.
pub(super) fn episode_changes(snapshot: &Snapshot, now: Timestamp) -> Vec<EpisodeChange> {
    let mut changes = Vec::new();
    let read_at = snapshot.reading.as_ref().map(|r| r.at);
    for rule in &snapshot.rules {
        let open = open_episode(snapshot, rule);
        match (open, breach(snapshot, rule, now, |_| true)) {
            (None, Some(fired)) => {
                // Only an age can fire with no reading at all.
                let metric = fired.condition.metric;
                let Some(read_at) = read_at
                    .or_else(|| (metric == Metric::ReadingAge).then_some(snapshot.watched_since))
                else {
                    continue;
                };
                changes.push(EpisodeChange::Open {
                    rule: rule.id.clone(),
                    trigger: fired.words(),
                    is_deadline: metric.is_deadline(),
                    read_at,
                });
            }
            (Some(episode), None) if cleared(snapshot, rule, episode, now) => {
                changes
                    .push(EpisodeChange::Close { id: episode.id.clone(), rule: rule.id.clone() });
            }
            (None, None) | (Some(_), _) => {}
        }
    }
    for (episode, _) in &snapshot.episodes {
        let rule = snapshot.rules.iter().find(|rule| rule.id == episode.rule);
        if rule.is_none_or(|rule| !in_force(rule, now)) {
            changes
                .push(EpisodeChange::Close { id: episode.id.clone(), rule: episode.rule.clone() });
        }
    }
    changes
}

pub(super) fn open_episode<'a>(snapshot: &'a Snapshot, rule: &Rule) -> Option<&'a Episode> {
    snapshot.episodes.iter().map(|(episode, _)| episode).find(|episode| episode.rule == rule.id)
}

/// When the breach of `rule` was first read: the reading that opened its episode, or the newest.
pub(super) fn first_read(snapshot: &Snapshot, rule: &Rule) -> Option<Timestamp> {
    let open = snapshot.episodes.iter().find(|(episode, _)| episode.rule == rule.id);
    open.map(|(_, read_at)| *read_at).or_else(|| snapshot.reading.as_ref().map(|r| r.at))
}

/// Episodes of a rule within seven days from which on it counts as flapping.
const FLAPPING: i64 = 3;

/// True when `rule` opens and closes over and over on this line; `opening` counts one more.
pub(super) fn flaps(snapshot: &Snapshot, rule: &RuleId, opening: bool) -> bool {
    let recent = snapshot.recent_episodes.iter().find(|(id, _)| id == rule).map_or(0, |(_, n)| *n);
    recent.saturating_add(i64::from(opening)) >= FLAPPING
}

/// When a condition on time that is quiet now will fire, or a rule begins or ceases to hold.
pub(super) fn next_firing(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let (service_end, number_loss) = (snapshot.service_end_at(), snapshot.number_loss_at());
    let conditions = snapshot.rules.iter().flat_map(Rule::conditions);
    let deadlines = conditions.filter_map(|condition| {
        let deadline = match condition.metric {
            Metric::DaysToServiceEnd => service_end,
            Metric::DaysToNumberLoss => number_loss,
            Metric::Balance
            | Metric::DataLeft
            | Metric::MinutesLeft
            | Metric::SmsLeft
            | Metric::DaysToRunout
            | Metric::RenewalsAffordable
            | Metric::BurnPerDay
            | Metric::IdleDays
            | Metric::ReadingAge => None,
        }?;
        let Quantity::Days(lead) = condition.threshold else { return None };
        Some(deadline.minus(lead))
    });
    let spans = snapshot.rules.iter().flat_map(|rule| [rule.valid_from, rule.valid_until]);
    deadlines.chain(spans.flatten()).filter(|at| *at > now).min()
}
