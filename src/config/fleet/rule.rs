//! `[[rules]]`.

use super::{condition, draft::read_id};
use crate::{
    config::{caps, positive_span},
    domain::{
        Amount, Mode, OnEnable, OnStale, Rule, RuleId, Scope, Span, SubscriberId, SubscriptionId,
        Timestamp,
    },
    input::{Intake, Section},
};

const SCOPE: &str = "allowed is exactly one of { subscription = \"ID\" }, { subscriber = \"ID\" }, \
                     { tag = \"WORD\" }, { provider = \"NAME\" }, { all = true }";
const AMOUNT: &str = "allowed is exactly one of { fixed = \"10.00 USD\" }, \
                      { to_target = \"25.00 USD\" }, { cover_next_renewal = true }, { cover_days = 30 }";
/// Taxes and fees are on top of a plan's price.
const MARGIN_PERCENT: i64 = 10;

/// Reads one rule; what it refers to is checked later.
pub(super) fn read(s: &mut Section<'_>, intake: &Intake) -> (Option<String>, Option<Rule>) {
    let before = intake.count();
    let id = read_id(s, RuleId::parse);
    let text = id.as_ref().map(ToString::to_string);
    let scope = read_scope(s);
    let shared = s.text("clear_at");
    let mut shared_used = false;
    let any = condition::read(s, "any", shared.as_deref(), &mut shared_used);
    let all = condition::read(s, "all", shared.as_deref(), &mut shared_used);
    match (s.has("any"), s.has("all")) {
        (true, true) => s.fault("all", "allowed is either `any` or `all`, not both"),
        (false, false) => {
            s.fault("any", "allowed is at least one condition in `any` or `all`");
        }
        _ => {}
    }
    if shared.is_some() && !shared_used && intake.count() == before {
        let allowed = "allowed is a level in the unit of a condition that has no `clear_at`";
        s.fault("clear_at", allowed);
    }
    let mode = s.word("mode", &Mode::WORDS).unwrap_or(Mode::Notify);
    let amount = read_amount(s);
    let caps = s.section("caps").map(|mut section| {
        let limits = caps::read_limits(&mut section);
        section.finish();
        limits
    });
    let priority = s.integer("priority", -1_000_000..=1_000_000).unwrap_or(0);
    let approve_first = s.boolean("approve_first").unwrap_or(true);
    let approve_above = s.positive_money("approve_above");
    let cooldown_attempt = positive_span(s, "cooldown_attempt", Span::hours(1));
    let cooldown_success = positive_span(s, "cooldown_success", Span::hours(6));
    let unless = condition::read(s, "unless", None, &mut shared_used);
    let fire_after = s.integer("fire_after", 1..=10).unwrap_or(1);
    let clear_after = s.integer("clear_after", 1..=10).unwrap_or(2);
    let milestones = read_milestones(s);
    let order_min = s.positive_money("order_min");
    let order_max = s.positive_money("order_max");
    let approve_if_price_up = s.percent("approve_if_price_up").unwrap_or(5);
    let approve_if_unusual = s.boolean("approve_if_unusual").unwrap_or(true);
    let max_declines = s.integer("max_declines", 1..=20).unwrap_or(4);
    let on_enable = s.word("on_enable", &OnEnable::WORDS).unwrap_or(OnEnable::Approve);
    let on_stale = s.word("on_stale", &OnStale::WORDS).unwrap_or(OnStale::Notify);
    let instant = "allowed is an instant in RFC 3339, such as \"2026-12-01T08:00:00Z\"";
    let valid_from = s.parsed("valid_from", instant, Timestamp::parse_rfc3339);
    let valid_until = s.parsed("valid_until", instant, Timestamp::parse_rfc3339);
    let rule = id.zip(scope).map(|(id, scope)| Rule {
        id,
        scope,
        priority,
        mode,
        any,
        all,
        amount,
        caps: caps.unwrap_or_default(),
        approve_first,
        approve_above,
        cooldown_attempt,
        cooldown_success,
        unless,
        fire_after,
        clear_after,
        milestones,
        order_min,
        order_max,
        approve_if_price_up,
        approve_if_unusual,
        max_declines,
        on_enable,
        on_stale,
        valid_from,
        valid_until,
        enabled_at: None,
    });
    if let Some(rule) = rule.as_ref().filter(|_| intake.count() == before) {
        for fault in rule.validate() {
            s.fault(fault.key, fault.allowed);
        }
    }
    (text, rule)
}

fn read_milestones(s: &mut Section<'_>) -> Vec<i64> {
    let days = s.integers("milestones", &(0..=3660));
    let mut days = days.unwrap_or_else(|| Rule::MILESTONES.to_vec());
    days.sort_unstable_by(|a, b| b.cmp(a));
    days.dedup();
    days
}

fn read_scope(s: &mut Section<'_>) -> Option<Scope> {
    let Some(mut target) = s.section("applies_to") else {
        if !s.has("applies_to") {
            s.fault("applies_to", SCOPE);
        }
        return None;
    };
    let keys = target.keys();
    match keys.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["subscription"] => {
            target.checked("subscription", SubscriptionId::parse).map(Scope::Subscription)
        }
        ["subscriber"] => target.checked("subscriber", SubscriberId::parse).map(Scope::Subscriber),
        ["tag"] => target.required("tag", "allowed is a tag of subscriptions").map(Scope::Tag),
        ["provider"] => {
            target.required("provider", "allowed is the name of a provider").map(Scope::Provider)
        }
        ["all"] => match target.boolean("all") {
            Some(true) => Some(Scope::All),
            Some(false) => {
                target.fault("all", "allowed is true");
                None
            }
            None => None,
        },
        _ => {
            s.fault("applies_to", SCOPE);
            None
        }
    }
}

fn read_amount(s: &mut Section<'_>) -> Option<Amount> {
    let mut section = s.section("amount")?;
    let kinds = ["fixed", "to_target", "cover_next_renewal", "cover_days"];
    let written: Vec<&str> = kinds.into_iter().filter(|kind| section.has(kind)).collect();
    for kind in kinds {
        section.value(kind);
    }
    let margin = section.percent("margin");
    let amount = match written.as_slice() {
        ["fixed"] => section.positive_money("fixed").map(Amount::Fixed),
        ["to_target"] => section.positive_money("to_target").map(Amount::ToTarget),
        ["cover_next_renewal"] => match section.boolean("cover_next_renewal") {
            Some(true) => {
                Some(Amount::CoverNextRenewal { margin_percent: margin.unwrap_or(MARGIN_PERCENT) })
            }
            Some(false) => {
                section.fault("cover_next_renewal", "allowed is true");
                None
            }
            None => None,
        },
        ["cover_days"] => section.integer("cover_days", 1..=3660).map(Amount::CoverDays),
        _ => {
            s.fault("amount", AMOUNT);
            None
        }
    };
    if section.has("margin") && matches!(written.as_slice(), ["fixed" | "to_target" | "cover_days"])
    {
        section.fault("margin", "allowed only with `cover_next_renewal`");
    }
    section.finish();
    amount
}
