//! The decisions, told as short stories.

use super::fixtures::{
    at, episode_of, keep_alive, money, need_of, order, policy, reading, snapshot,
};
use super::*;
use proptest::prelude::*;

/// The line after its first low reading at minute 0 was decided about: episode, need and order.
fn proposed(balance: &str, minute: i64) -> Snapshot {
    let mut s = snapshot(reading(balance, minute));
    s.episodes = vec![episode_of(&keep_alive(), at(0))];
    s.need = Some(need_of("li-tmobile", 1));
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    s
}

fn reason(decision: &Decision) -> &'static str {
    match &decision.order {
        OrderStep::Nothing => "nothing",
        OrderStep::Propose { .. } => "propose",
        OrderStep::Ask { .. } => "ask",
        OrderStep::Reserve { .. } => "reserve",
        OrderStep::Cancel { reason, .. } | OrderStep::Wait { reason } => reason,
    }
}

#[test]
fn a_calm_line_needs_nothing() {
    let decision = decide(&snapshot(reading("12.00 USD", 0)), &policy(), at(0));
    assert_eq!(decision.order, OrderStep::Nothing);
    assert!(decision.episodes.is_empty() && decision.notices.is_empty());
    // Seven days before service end the rule fires by itself.
    assert_eq!(decision.decide_at, Some(at(0).plus(Span::hours(18))));
}

#[test]
fn the_threshold_is_inclusive() {
    assert_eq!(reason(&decide(&snapshot(reading("5.00 USD", 0)), &policy(), at(0))), "propose");
    assert_eq!(reason(&decide(&snapshot(reading("5.01 USD", 0)), &policy(), at(0))), "nothing");
}

#[test]
fn a_first_low_reading_proposes_tells_and_asks_for_a_second() {
    let decision = decide(&snapshot(reading("3.20 USD", 0)), &policy(), at(0));
    assert_eq!(reason(&decision), "propose");
    assert_eq!(decision.poll_at, Some(at(2)));
    assert_eq!(
        decision.notices.iter().map(|n| n.kind).collect::<Vec<_>>(),
        [NoticeKind::LowBalance]
    );
    assert_eq!(decision.next.what, "confirm");
    assert_eq!(
        decision.notices[0].facts.trigger.as_deref(),
        Some("balance 3.20 USD is at most 5.00 USD")
    );
}

#[test]
fn money_moves_only_after_two_agreeing_readings() {
    let one = decide(&proposed("3.20 USD", 0), &policy(), at(1));
    assert_eq!(reason(&one), "preflight_fresh_read");
    assert_eq!(one.poll_at, Some(at(2)));
    let two = decide(&proposed("3.10 USD", 2), &policy(), at(2));
    assert_eq!(two.order, OrderStep::Reserve { amount: money("10.00 USD") });
    assert!(two.gates.iter().all(|gate| gate.passed));
    // The same reading, too old by now, no longer suffices.
    let old = decide(&proposed("3.10 USD", 2), &policy(), at(9));
    assert_eq!(reason(&old), "preflight_fresh_read");
    assert_eq!(old.poll_at, Some(at(9)));
}

#[test]
fn a_second_reading_that_disagrees_cancels() {
    let decision = decide(&proposed("25.00 USD", 2), &policy(), at(2));
    assert_eq!(decision.order, OrderStep::Cancel { reason: "need_gone", need_gone: true });
    assert!(matches!(decision.episodes[..], [EpisodeChange::Close { .. }]));
}

#[test]
fn a_failed_poll_keeps_the_state_and_moves_no_money() {
    let mut s = proposed("3.10 USD", 2);
    s.trouble = Some(Reading {
        quality: Quality::Unparseable,
        values: Values::default(),
        ..reading("1.00 USD", 3)
    });
    let decision = decide(&s, &policy(), at(3));
    assert_eq!(reason(&decision), "preflight_fresh_read");
    assert!(decision.episodes.is_empty());
    let identity = Quality::Error(ErrorKind::Identity);
    s.trouble = s.trouble.map(|t| Reading { quality: identity, ..t });
    assert_eq!(reason(&decide(&s, &policy(), at(3))), "preflight_identity");
}

#[test]
fn hysteresis_keeps_one_episode_open() {
    let mut s = snapshot(reading("5.50 USD", 5));
    s.episodes = vec![episode_of(&keep_alive(), at(0))];
    assert!(decide(&s, &policy(), at(5)).episodes.is_empty());
    s.reading = Some(reading("6.00 USD", 6));
    assert!(matches!(decide(&s, &policy(), at(6)).episodes[..], [EpisodeChange::Close { .. }]));
}

#[test]
fn money_in_flight_counts_for_firing_but_not_for_clearing() {
    for state in [State::Submitting, State::Pending, State::Unknown, State::Paid, State::Held] {
        let mut s = proposed("3.10 USD", 3);
        s.topup = Some(order(state, money("10.00 USD")));
        let decision = decide(&s, &policy(), at(3));
        assert_eq!(decision.order, OrderStep::Nothing, "{state:?}");
        assert!(decision.episodes.is_empty(), "{state:?}");
        assert_eq!(s.effective_balance(), Some(money("13.10 USD")), "{state:?}");
    }
}

#[test]
fn every_switch_stops_paying_with_its_own_reason() {
    let shut = |change: fn(&mut Snapshot)| {
        let mut s = proposed("3.10 USD", 2);
        change(&mut s);
        reason(&decide(&s, &policy(), at(2)))
    };
    assert_eq!(shut(|s| s.money.off = Some("off".into())), "kill_switch");
    assert_eq!(shut(|s| s.money.storm = Some("storm".into())), "fleet_anomaly");
    assert_eq!(shut(|s| s.money.clock = Some("back".into())), "clock_suspect");
    assert_eq!(
        shut(|s| s.money.payers_out = vec![("carrier".into(), "unknown".into())]),
        "provider_incident"
    );
    assert_eq!(shut(|s| s.history.failures_in_a_row = 4), "payment_suspended");
    assert_eq!(shut(|s| s.history.last_failure_at = Some(at(1))), "cooldown");
    assert_eq!(shut(|s| s.history.last_rejection_at = Some(at(-1400))), "cooldown");
    assert_eq!(shut(|s| s.history.last_rejection_at = Some(at(-1440))), "reserve");
    assert_eq!(shut(|s| s.history.last_success_at = Some(at(-300))), "cooldown");
    assert_eq!(shut(|s| s.history.last_success_at = Some(at(-360))), "reserve");
    assert_eq!(shut(|s| s.usage.global_24h = 19_001), "cap_global_24h");
    assert_eq!(shut(|s| s.rules[0].caps.order = Some(money("9.99 USD"))), "cap_order");
    assert_eq!(shut(|s| s.rules[0].caps.orders_24h = Some(0)), "count_24h");
    assert_eq!(shut(|s| s.subscription.msisdn = None), "preflight_identity");
    assert_eq!(
        shut(|s| s.subscription.status = SubscriptionStatus::Paused),
        "subscription_inactive"
    );
    assert_eq!(shut(|s| s.rules[0].mode = Mode::Notify), "rule_gone");
}

#[test]
fn explain_shows_every_gate_even_of_a_calm_line() {
    let names = |gates: &[Gate]| gates.iter().map(|gate| gate.name).collect::<Vec<_>>();
    let calm = snapshot(reading("12.00 USD", 0));
    let shown = explain_gates(&calm, &policy(), decide(&calm, &policy(), at(0)).gates, at(0));
    let low = proposed("3.10 USD", 2);
    let ordered = explain_gates(&low, &policy(), decide(&low, &policy(), at(2)).gates, at(2));
    assert_eq!(names(&shown), names(&ordered));
    assert!(!shown[0].passed && ordered.iter().all(|gate| gate.passed), "{shown:?} {ordered:?}");
    let mut told = snapshot(reading("3.00 USD", 0));
    told.rules[0].mode = Mode::Notify;
    let shown = explain_gates(&told, &policy(), Vec::new(), at(0));
    assert!(shown[0].why.contains("mode is notify"), "{shown:?}");
}

#[test]
fn what_may_have_been_sent_is_never_called_off() {
    let mut s = proposed("25.00 USD", 2);
    s.topup = Some(Topup { maybe_sent: 1, ..order(State::Reserved, money("10.00 USD")) });
    assert_eq!(decide(&s, &policy(), at(2)).order, OrderStep::Nothing);
    assert!(!s.topup.unwrap().may_go_to(State::Cancelled));
}

#[test]
fn a_cap_refusal_is_loud() {
    let mut s = proposed("3.10 USD", 2);
    s.rules[0].caps.order = Some(money("9.99 USD"));
    let decision = decide(&s, &policy(), at(2));
    let refused: Vec<&NoticeDraft> =
        decision.notices.iter().filter(|n| n.kind == NoticeKind::TopupRefused).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].facts.reason.as_deref(), Some("cap_order"));
    assert!(refused[0].facts.detail.as_deref().unwrap().contains("10.00 USD"));
}

#[test]
fn approvals_are_asked_bound_and_expire() {
    let mut s = proposed("3.10 USD", 2);
    s.rules[0].approve_first = true;
    assert_eq!(reason(&decide(&s, &policy(), at(2))), "ask");
    s.history.ever_paid = true;
    assert_eq!(reason(&decide(&s, &policy(), at(2))), "reserve");
    s.rules[0].approve_above = Some(money("9.00 USD"));
    assert_eq!(reason(&decide(&s, &policy(), at(2))), "ask");
    s.topup = Some(Topup {
        state: State::AwaitingApproval,
        next_action_at: Some(at(60)),
        ..order(State::Proposed, money("10.00 USD"))
    });
    assert_eq!(reason(&decide(&s, &policy(), at(3))), "approval_needed");
    assert_eq!(reason(&decide(&s, &policy(), at(60))), "approval_expired");
    s.topup.as_mut().unwrap().approved = Some((at(2), "li".into()));
    assert_eq!(
        decide(&s, &policy(), at(2)).order,
        OrderStep::Reserve { amount: money("10.00 USD") }
    );
    // What was approved is what is ordered, whatever the balance says now.
    s.reading = Some(reading("1.00 USD", 3));
    s.rules[0].amount = Some(Amount::ToTarget(money("25.00 USD")));
    assert_eq!(
        decide(&s, &policy(), at(3)).order,
        OrderStep::Reserve { amount: money("10.00 USD") }
    );
}

#[test]
fn amounts() {
    let needed = |amount, balance: &str| {
        let mut s = snapshot(reading(balance, 0));
        s.rules[0].amount = Some(amount);
        amount_needed(&s, &policy(), &s.rules[0], "carrier").map(|s| s.amount.to_string())
    };
    let fixed = |text| Amount::Fixed(money(text));
    assert_eq!(needed(fixed("10.00 USD"), "3.00 USD"), Ok("10.00 USD".into()));
    // The gap to the clear level, 6.00, is closed in one order, not once per increment.
    assert_eq!(needed(fixed("2.00 USD"), "0.00 USD"), Ok("6.00 USD".into()));
    assert_eq!(needed(fixed("2.00 USD"), "5.00 USD"), Ok("2.00 USD".into()));
    assert_eq!(needed(Amount::ToTarget(money("25.00 USD")), "3.10 USD"), Ok("21.90 USD".into()));
    let renewal = Amount::CoverNextRenewal { margin_percent: 10 };
    assert_eq!(needed(renewal, "3.00 USD"), Ok("13.50 USD".into()));
    assert_eq!(needed(renewal, "16.50 USD"), Err(AmountError::Nothing));
    assert!(matches!(needed(fixed("10.00 EUR"), "3.00 USD"), Err(AmountError::Unknown(_))));
}

#[test]
fn a_deadline_fires_by_time_alone() {
    let s = snapshot(reading("50.00 USD", 0));
    let day13 = at(0).plus(Span::days(13));
    let decision = decide(&s, &policy(), day13);
    assert!(matches!(decision.order, OrderStep::Propose { kind: NeedKind::Period, .. }));
    assert_eq!(decision.notices[0].kind, NoticeKind::ExpiryNear);
    assert_eq!(reason(&decide(&s, &policy(), day13.minus(Span::from_ms(1)))), "nothing");
}

#[test]
fn silence_is_told_once_and_its_end_too() {
    let mut s = snapshot(reading("12.00 USD", 0));
    let later = at(0).plus(Span::hours(18));
    let decision = decide(&s, &policy(), later);
    assert_eq!(decision.stale, Some(true));
    assert!(decision.notices.iter().any(|n| n.kind == NoticeKind::Stale));
    s.stale_since = Some(later);
    assert_eq!(decide(&s, &policy(), later.plus(Span::hours(1))).stale, None);
    s.reading = Some(Reading { at: later.plus(Span::hours(2)), ..reading("12.00 USD", 0) });
    let back = decide(&s, &policy(), later.plus(Span::hours(2)));
    assert_eq!(back.stale, Some(false));
    assert_eq!(back.notices[0].kind, NoticeKind::Recovered);
}

#[test]
fn of_two_paying_rules_one_orders() {
    let mut s = snapshot(reading("3.00 USD", 0));
    let other = Rule {
        id: RuleId::parse("big").unwrap(),
        priority: 5,
        amount: Some(Amount::Fixed(money("20.00 USD"))),
        ..keep_alive()
    };
    s.rules.push(other);
    let OrderStep::Propose { rule, .. } = decide(&s, &policy(), at(0)).order else {
        panic!("no order")
    };
    assert_eq!(rule.as_str(), "big");
}

fn any_snapshot() -> impl Strategy<Value = (Snapshot, i64)> {
    let state = prop::sample::select(
        State::ALL.iter().copied().filter(|s| !s.is_final()).collect::<Vec<_>>(),
    );
    (0_i64..3000, 0_i64..40_000, prop::option::of(state), 0_i64..30_000, any::<[bool; 6]>())
        .prop_map(
            |(minor, minutes, state, used, [approve, off, trouble, episode, approved, paused])| {
                let currency = Currency::parse("USD").unwrap();
                let mut s = snapshot(Reading {
                    values: Values {
                        balance: Some(Money::new(minor, currency)),
                        ..reading("1.00 USD", 0).values
                    },
                    ..reading("1.00 USD", minutes / 2)
                });
                s.rules[0].approve_first = approve;
                s.money.off = off.then(|| "off".into());
                s.trouble = trouble.then(|| Reading {
                    quality: Quality::Unparseable,
                    ..reading("1.00 USD", minutes / 2)
                });
                if episode {
                    s.episodes = vec![episode_of(&keep_alive(), at(0))];
                }
                s.usage.global_24h = used;
                if paused {
                    s.subscription.status = SubscriptionStatus::Paused;
                }
                if let Some(state) = state {
                    s.need = Some(need_of("li-tmobile", 1));
                    let approved = approved.then(|| (at(0), "li".to_owned()));
                    s.topup = Some(Topup { approved, ..order(state, money("10.00 USD")) });
                }
                (s, minutes)
            },
        )
}

proptest! {
    #[test]
    fn same_input_same_decision((s, minutes) in any_snapshot()) {
        prop_assert_eq!(decide(&s, &policy(), at(minutes)), decide(&s, &policy(), at(minutes)));
    }

    #[test]
    fn money_never_passes_a_shut_gate((s, minutes) in any_snapshot()) {
        let now = at(minutes);
        let decision = decide(&s, &policy(), now);
        if let OrderStep::Reserve { amount } = decision.order {
            prop_assert!(decision.gates.iter().all(|gate| gate.passed));
            prop_assert!(s.money.off.is_none() && s.trouble.is_none());
            prop_assert!(s.usage.global_24h + amount.minor() <= 20_000);
            prop_assert!(now.since(s.reading.as_ref().unwrap().at) <= policy().fresh_for());
            let topup = s.topup.as_ref().unwrap();
            prop_assert!(matches!(topup.state, State::Proposed | State::AwaitingApproval));
            prop_assert!(!s.rules[0].approve_first || topup.approved.is_some());
        }
    }

    #[test]
    fn nothing_new_is_proposed_while_a_top_up_is_open((s, minutes) in any_snapshot()) {
        let decision = decide(&s, &policy(), at(minutes));
        prop_assert!(s.topup.is_none() || !matches!(decision.order, OrderStep::Propose { .. }), "proposed a second");
    }
}
