//! Which rules fire now, which breaches are over. Fires on effective values, clears on observed
//! ones, and on `ok` readings only: no data keeps the last state.

use super::{Condition, Episode, EpisodeId, Metric, Rule, RuleId, Snapshot, Timestamp};

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

/// The first condition by which `rule` fires now, with its words; `None` while it does not.
pub(super) fn firing<'a>(
    snapshot: &Snapshot,
    rule: &'a Rule,
    now: Timestamp,
) -> Option<(&'a Condition, String)> {
    let fires = |condition: &&Condition| {
        snapshot.measure(condition.metric, true, now).is_some_and(|value| condition.fires(value))
    };
    let fired = if rule.any.is_empty() {
        rule.all.iter().all(|c| fires(&c)).then(|| rule.all.first()).flatten()?
    } else {
        rule.any.iter().find(fires)?
    };
    let value = snapshot.measure(fired.metric, true, now)?;
    Some((fired, format!("{} {value} is {}", fired.metric.as_str(), tail(fired))))
}

fn tail(condition: &Condition) -> String {
    let words = condition.to_string();
    words.split_once(' ').map(|(_, tail)| tail.to_owned()).unwrap_or_default()
}

/// True once the rule's breach is over: beyond every clear level (`any`), or one of them (`all`).
fn cleared(snapshot: &Snapshot, rule: &Rule, now: Timestamp) -> bool {
    let clears = |condition: &Condition| {
        snapshot.measure(condition.metric, false, now).is_some_and(|value| condition.clears(value))
    };
    if rule.any.is_empty() {
        rule.all.iter().any(clears)
    } else {
        // A condition nobody can measure neither keeps a breach open nor ends it.
        let mut measured =
            rule.any.iter().filter(|c| snapshot.measure(c.metric, false, now).is_some()).peekable();
        measured.peek().is_some() && measured.all(clears)
    }
}

/// What begins and what ends now.
pub(super) fn episode_changes(snapshot: &Snapshot, now: Timestamp) -> Vec<EpisodeChange> {
    let mut changes = Vec::new();
    let read_at = snapshot.reading.as_ref().map(|r| r.at);
    for rule in &snapshot.rules {
        let open = open_episode(snapshot, rule);
        match (open, firing(snapshot, rule, now)) {
            (None, Some((condition, trigger))) => {
                // Only an age can fire with no reading at all.
                let Some(read_at) = read_at.or_else(|| {
                    (condition.metric == Metric::ReadingAge).then_some(snapshot.watched_since)
                }) else {
                    continue;
                };
                let is_deadline = condition.metric.is_deadline();
                changes.push(EpisodeChange::Open {
                    rule: rule.id.clone(),
                    trigger,
                    is_deadline,
                    read_at,
                });
            }
            (Some(episode), None) if cleared(snapshot, rule, now) => {
                changes
                    .push(EpisodeChange::Close { id: episode.id.clone(), rule: rule.id.clone() });
            }
            (None, None) | (Some(_), _) => {}
        }
    }
    for (episode, _) in &snapshot.episodes {
        if !snapshot.rules.iter().any(|rule| rule.id == episode.rule) {
            changes
                .push(EpisodeChange::Close { id: episode.id.clone(), rule: episode.rule.clone() });
        }
    }
    changes
}

pub(super) fn open_episode<'a>(snapshot: &'a Snapshot, rule: &Rule) -> Option<&'a Episode> {
    snapshot.episodes.iter().map(|(episode, _)| episode).find(|episode| episode.rule == rule.id)
}

/// When a date condition that is quiet now will fire by itself.
pub(super) fn next_deadline_firing(snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let conditions = snapshot.rules.iter().flat_map(Rule::conditions);
    conditions
        .filter_map(|condition| {
            let deadline = if condition.metric == Metric::DaysToServiceEnd {
                snapshot.service_end_at()
            } else if condition.metric == Metric::DaysToNumberLoss {
                snapshot.number_loss_at()
            } else {
                None
            }?;
            let super::Quantity::Days(lead) = condition.threshold else { return None };
            Some(deadline.minus(lead))
        })
        .filter(|at| *at > now)
        .min()
}
