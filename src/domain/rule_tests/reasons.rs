//! The table of reasons is whole, and every reason has a story that leads to it.

use super::*;
use crate::domain::reasons::{GATES, Reason, STEPS};
use std::collections::BTreeSet;

/// A line that meets this reason, and when.
fn story(code: &str) -> (Snapshot, Timestamp) {
    let mut s = ready();
    let caps = |caps: &CapLimits| CapLimits { order: caps.order, ..CapLimits::default() };
    match code {
        "subscription_inactive" => s.subscription.status = SubscriptionStatus::Paused,
        "subscription_active" => {
            s.subscription.status = SubscriptionStatus::Paused;
            s.need.as_mut().unwrap().kind = NeedKind::Manual;
        }
        "number_lost" => end_at(&mut s, at(0).minus(Span::days(60))),
        "kill_switch" => s.money.off = Some("paying is off by hand: on holiday".into()),
        "fleet_anomaly" => {
            s.money.storm =
                Some("12 lines needed money within an hour; 3 are usual at most".into());
        }
        "clock_suspect" => s.money.clock = Some("the clock ran back by 2h".into()),
        "recovery" => s.money.recovery = Some("RECOVERY: 2 submissions came back".into()),
        "disk_space" => s.money.disk = Some("/var/lib/topupd has 12 MB left".into()),
        "books_disagree" => s.money.books = Some("CHARGED_AFTER_FAILED: t_1".into()),
        "provider_incident" => {
            let why = "the last 3 outcomes at carrier are unknown".to_owned();
            s.money.payers_out = vec![("carrier".into(), why)];
        }
        "line_in_flight" => s.topup = Some(order(State::Unknown, money("10.00 USD"))),
        "need_already_served" => {
            s = ending(72, Renewal::ExtendFromExpiry);
            s.served = Some(Need { period_end_at: s.service_end_at(), ..need_of("li-tmobile", 1) });
        }
        "cooldown" => s.history.last_success_at = Some(at(-60)),
        "renewal_timing" => s = ending(72, Renewal::RestartFromPayment),
        "charge_window" => {
            s.subscription.plan.as_mut().unwrap().charge_window = QuietHours::parse("05:00-11:00");
            let now = Timestamp::parse_rfc3339("2026-11-25T06:00:00-05:00").unwrap();
            end_at(&mut s, now.plus(Span::hours(3)));
            s.reading.as_mut().unwrap().at = now;
            return (s, now);
        }
        "payment_suspended" => s.history.failures_in_a_row = 4,
        "preflight_identity" => s.subscription.msisdn = None,
        "implausible_reading" => s.doubt_since = Some(at(0)),
        "preflight_fresh_read" => s.reading.as_mut().unwrap().at = at(1),
        "cap_order" => s.rules[0].caps.order = Some(money("9.99 USD")),
        "cap_subscription_24h" => {
            let limits = caps(&s.rules[0].caps);
            s.rules[0].caps = CapLimits { subscription_24h: Some(money("15.00 USD")), ..limits };
            s.usage.subscription_24h = 1000;
        }
        "cap_subscription_30d" => {
            let limits = caps(&s.rules[0].caps);
            s.rules[0].caps = CapLimits { subscription_30d: Some(money("40.00 USD")), ..limits };
            s.usage.subscription_30d = 3500;
        }
        "cap_subscriber_30d" => {
            let limits = caps(&s.rules[0].caps);
            s.rules[0].caps = CapLimits { subscriber_30d: Some(money("90.00 USD")), ..limits };
            s.usage.subscriber_30d = 8500;
        }
        "cap_global_24h" => s.usage.global_24h = 19_500,
        "count_24h" => {
            s.rules[0].caps.orders_24h = Some(1);
            s.usage.orders_24h = 1;
        }
        "count_30d" => {
            s.rules[0].caps.orders_30d = Some(3);
            s.usage.orders_30d = 3;
        }
        "price_guard" => {
            s.rules[0].amount = Some(Amount::CoverNextRenewal { margin_percent: 10 });
            s.history.last_price = Some(money("14.00 USD"));
        }
        "approval_needed" => s.rules[0].approve_first = true,
        "order_max" => s.rules[0].order_max = Some(money("9.99 USD")),
        "prices_awaited" => {
            (s.topup, s.need) = (None, None);
            s.subscription.payers = vec!["carrier".into(), "reseller".into()];
        }
        "need_gone" => s.reading = Some(reading("25.00 USD", 2)),
        "externally_renewed" => {
            let end = s.service_end_at().map(|end| end.minus(Span::days(30)));
            let need = need_of("li-tmobile", 1);
            s.need = Some(Need { kind: NeedKind::Period, period_end_at: end, ..need });
        }
        "rule_gone" => s.rules[0].mode = Mode::Notify,
        "approval_expired" => {
            let topup = order(State::AwaitingApproval, money("10.00 USD"));
            s.topup = Some(Topup { next_action_at: Some(at(1)), ..topup });
        }
        other => panic!("no story for {other}"),
    }
    (s, at(2))
}

/// What a person reads about it.
fn example(code: &str) -> String {
    let (s, now) = story(code);
    let quoting = if code == "prices_awaited" { vec!["reseller".to_owned()] } else { Vec::new() };
    let policy = Policy { quoting, ..policy() };
    let decision = decide(&s, &policy, now);
    // What nothing is ordered for shows its gates in `explain` only; its first says so.
    let gates = explain_gates(&s, &policy, decision.gates.clone(), now);
    let shut = gates.iter().find(|gate| !gate.passed && gate.name != "need");
    match (&decision.order, shut) {
        (OrderStep::Cancel { reason, .. }, _) => {
            assert_eq!(*reason, code);
            "the order is withdrawn".to_owned()
        }
        (OrderStep::Ask { why, .. }, Some(gate)) => {
            assert_eq!((gate.name, &gate.why), (code, why));
            why.clone()
        }
        (_, Some(gate)) => {
            assert_eq!(gate.name, code, "{decision:?}");
            gate.why.clone()
        }
        (step, None) => panic!("{code}: {step:?}"),
    }
}

#[test]
fn the_gates_come_in_the_order_of_the_table() {
    let (s, now) = (ready(), at(2));
    let table: Vec<&str> = GATES.iter().map(|reason| reason.code).collect();
    let caps = |name: &&str| name.starts_with("cap_") || name.starts_with("count_");
    let expected: Vec<&str> = table.iter().filter(|name| !caps(name)).copied().collect();
    let found: Vec<&str> = decide(&s, &policy(), now).gates.iter().map(|gate| gate.name).collect();
    let found: Vec<&str> = found.into_iter().filter(|name| *name != "caps").collect();
    assert_eq!(found, expected);
    let codes: BTreeSet<&str> = GATES.iter().chain(&STEPS).map(|reason| reason.code).collect();
    assert_eq!(codes.len(), GATES.len() + STEPS.len());
}

/// `UPDATE_DOCS=1 cargo test --lib reasons` writes the page anew.
#[test]
fn the_page_of_reasons_is_made_from_the_code() {
    let table = |reasons: &[Reason]| -> String {
        let rows = reasons.iter().map(|reason| {
            let Reason { code, means, then } = reason;
            format!("| `{code}` | {means} | {then} | {} |\n", example(code))
        });
        rows.collect()
    };
    let head = "| code | it means | what follows | as people read it |\n|---|---|---|---|\n";
    let page = format!(
        "# Why nothing is ordered\n\n\
         Each decision passes these gates in this order; the first that is shut gives the reason. `topupd subscription explain ID` shows\n\
         all of them for one line. The codes are stable: they are the same in gates, decisions, notices, the API and logs.\n\n\
         {head}{}\n## Reasons that are no gates\n\n{head}{}",
        table(&GATES),
        table(&STEPS)
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reasons.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page);
}
