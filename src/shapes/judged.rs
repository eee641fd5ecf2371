//! What was decided and why, and whether money may be spent.

use super::{At, Next, Topup, at, topup, words};
use crate::domain::{self, Decision, Rule, Snapshot, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether money may be spent, and what stands against it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MoneySwitch {
    /// True when nothing stops all paying.
    pub paying: bool,
    /// Off by hand, and why.
    pub off: Option<String>,
    /// Too many orders at once.
    pub storm: Option<String>,
    /// The clock cannot be trusted.
    pub clock: Option<String>,
    /// The flight recorder knows more than the database.
    pub recovery: Option<String>,
    /// The disk takes nothing.
    pub disk: Option<String>,
    /// A payer charged what it had called not charged.
    pub books: Option<String>,
    /// Payers with too many unknown outcomes.
    pub payers_out: Vec<PayerOut>,
}

/// A payer through which nothing is paid.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayerOut {
    /// Its name.
    pub payer: String,
    /// Why.
    pub why: String,
}

/// Whether money may be spent.
pub fn money_switch(switch: &domain::MoneySwitch) -> MoneySwitch {
    let out = switch.payers_out.iter();
    MoneySwitch {
        paying: switch.stops().is_empty(),
        off: switch.off.clone(),
        storm: switch.storm.clone(),
        clock: switch.clock.clone(),
        recovery: switch.recovery.clone(),
        disk: switch.disk.clone(),
        books: switch.books.clone(),
        payers_out: out
            .map(|(payer, why)| PayerOut { payer: payer.clone(), why: why.clone() })
            .collect(),
    }
}

/// The decision as it would fall now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// Of which line.
    pub subscription: String,
    /// When that was so.
    pub at: At,
    /// The rules for it.
    pub rules: Vec<RuleState>,
    /// The top-up under way.
    pub topup: Option<Topup>,
    /// Every gate on the way to money.
    pub gates: Vec<Gate>,
    /// What happens next.
    pub next: Next,
}

/// A gate on the way to money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Whether it is open.
    pub passed: bool,
    /// Why.
    pub why: String,
}

/// How a rule stands for a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleState {
    /// The rule.
    pub id: String,
    /// What it may do.
    #[schema(value_type = words::Mode)]
    pub mode: &'static str,
    /// Its conditions, in words.
    pub conditions: Vec<String>,
    /// Since when it is in breach.
    pub in_breach_since: Option<At>,
    /// What brought it there.
    pub trigger: Option<String>,
}

/// What `explain` tells: every gate, and what happens next.
pub fn explain(snapshot: &Snapshot, decision: &Decision, now: Timestamp) -> Explanation {
    let next = &decision.next;
    let next_at = if next.what == "poll" { snapshot.next_poll_at } else { next.at };
    let gate = |g: &domain::Gate| Gate {
        name: g.name.to_string(),
        passed: g.passed,
        why: g.why.to_string(),
    };
    Explanation {
        subscription: snapshot.subscription.id.to_string(),
        at: At(now),
        rules: snapshot.rules.iter().map(|rule| rule_state(snapshot, rule)).collect(),
        topup: snapshot.topup.as_ref().map(topup),
        gates: decision.gates.iter().map(gate).collect(),
        next: Next { at: at(next_at), what: next.what.to_string(), why: next.why.to_string() },
    }
}

fn rule_state(snapshot: &Snapshot, rule: &Rule) -> RuleState {
    let open = snapshot.episodes.iter().find(|(episode, _)| episode.rule == rule.id);
    RuleState {
        id: rule.id.to_string(),
        mode: rule.mode.as_str(),
        conditions: rule.conditions().iter().map(ToString::to_string).collect(),
        in_breach_since: open.map(|(episode, _)| At(episode.opened_at)),
        trigger: open.map(|(episode, _)| episode.trigger.clone()),
    }
}
