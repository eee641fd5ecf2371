//! What draft rules would have done, by hand-made histories.

use super::*;
use crate::domain::{
    Amount, CapLimits, Mode, Move, Need, NeedOutcome, Plan, RecordedTopup, Renewal, Rule, Span,
    State, Subscription, SubscriptionId, SubscriptionStatus, Topup,
    fixtures::{at, keep_alive, line, money, need_of, order, policy, reading},
};

pub(super) fn history(subscription: Subscription, rules: Vec<Rule>) -> LineHistory {
    LineHistory {
        subscription,
        rules,
        watched_since: at(0),
        reset_at: Timestamp::from_ms(0),
        earlier: Vec::new(),
        trouble: None,
        episodes: Vec::new(),
        recent: Vec::new(),
        need: None,
        need_seq: 0,
        topups: Vec::new(),
        burn: None,
    }
}

pub(super) fn setup(lines: Vec<LineHistory>, days: i64) -> Setup {
    Setup {
        policy: policy(),
        from: at(0),
        to: at(days * 1440),
        lines,
        acts: Vec::new(),
        others: Vec::new(),
        paces: BTreeMap::new(),
        money: MoneySwitch::default(),
        story: true,
    }
}

/// Every six hours: what the line has by the day, and when its service ends by the day.
fn readings(
    days: i64,
    cents: impl Fn(i64) -> i64,
    end_day: impl Fn(i64) -> i64,
) -> Vec<(usize, Reading)> {
    let one = |n: i64| {
        let day = n / 4;
        let mut reading = reading("0.00 USD", n * 360 + 1);
        let code = money("1.00 USD").currency();
        reading.values.balance = Some(crate::domain::Money::new(cents(day), code));
        reading.values.service_end_at = Some(at(end_day(day) * 1440));
        (0, reading)
    };
    (0..days * 4).map(one).collect()
}

fn run(setup: Setup, readings: Vec<(usize, Reading)>) -> Report {
    let to = setup.to;
    let mut replay = Replay::new(setup);
    replay.window(readings, to);
    replay.finish()
}

/// 3.00 USD from the start, the end on day 20, nobody pays: the line goes dark on day 20.
fn starved(days: i64) -> Vec<(usize, Reading)> {
    readings(days, |_| 300, |_| 20)
}

#[test]
fn a_line_that_went_dark_would_have_been_renewed() {
    let observe = Rule { mode: Mode::Observe, ..keep_alive() };
    let dark =
        run(setup(vec![history(line("li-tmobile"), vec![observe])], 30), starved(30)).total();
    assert_eq!((dark.orders, dark.spend.len()), (0, 0));
    assert_eq!(dark.dark, Span::days(10));
    let report = run(setup(vec![history(line("li-tmobile"), vec![keep_alive()])], 30), starved(30));
    let kept = report.total();
    // 3.00 + 10.00 on the first day, 10.00 more before the end: the renewal costs 15.00.
    assert_eq!((kept.orders, kept.spend.get("USD")), (2, Some(&2000)), "{:#?}", report.story);
    assert_eq!(kept.dark, Span::ZERO);
    assert_eq!(kept.notices.get("topup_verified"), Some(&2));
}

#[test]
fn top_ups_of_history_are_taken_out_where_the_draft_orders_none() {
    // 10.00 USD were paid on day 10 and show from day 11 on; on day 20 the operator took 15.00.
    let paid_at = at(10 * 1440 + 361);
    let topup = Topup {
        state: State::Verified,
        paid_at: Some(paid_at),
        created_at: paid_at,
        before: crate::domain::Before {
            balance: Some(money("8.00 USD")),
            read_at: Some(at(10 * 1440 + 360)),
            service_end_at: Some(at(20 * 1440)),
            ..crate::domain::Before::default()
        },
        ..order(State::Verified, money("10.00 USD"))
    };
    let moved = |from, to, decided| Move { at: paid_at, from, to, decided };
    let recorded = RecordedTopup {
        topup,
        reserved_at: Some(paid_at),
        finalized_at: Some(at(11 * 1440)),
        need: need_of("li-tmobile", 1),
        outcome: Some(NeedOutcome::Served),
        moves: vec![
            moved(None, State::Proposed, true),
            moved(Some(State::Proposed), State::Reserved, true),
            moved(Some(State::Reserved), State::Submitting, false),
            moved(Some(State::Submitting), State::Paid, false),
            Move {
                at: at(11 * 1440),
                from: Some(State::Paid),
                to: State::Verified,
                decided: false,
            },
        ],
    };
    let cents = |day: i64| {
        if day < 11 {
            800
        } else if day < 20 {
            1800
        } else {
            300
        }
    };
    let end = |day: i64| if day < 20 { 20 } else { 50 };
    let observe = Rule { mode: Mode::Observe, ..keep_alive() };
    let told = LineHistory { topups: vec![recorded], ..history(line("li-tmobile"), vec![observe]) };
    let total = run(setup(vec![told], 30), readings(30, cents, end)).total();
    assert_eq!((total.orders, total.spend.len()), (0, 0));
    // With 8.00 USD there was no renewal on day 20.
    assert_eq!(total.dark, Span::days(10));
}

#[test]
fn early_renewal_loses_paid_days_on_plans_that_restart() {
    let plan = Plan { renewal: Renewal::RestartFromPayment, ..line("l").plan.unwrap() };
    let restart = Subscription { plan: Some(plan), ..line("li-tmobile") };
    let mut rule = Rule { amount: Some(Amount::Fixed(money("15.00 USD"))), ..keep_alive() };
    rule.any.retain(|condition| condition.metric.is_deadline());
    let history = history(restart, vec![rule]);
    let report = run(setup(vec![history], 24), readings(24, |_| 300, |_| 20));
    let total = report.total();
    // A plan that restarts is paid for when its end is near, not a week before.
    assert_eq!((total.orders, total.dark), (1, Span::ZERO), "{:#?}", report.story);
    assert!(total.lost > Span::ZERO && total.lost <= Span::days(2), "{}", total.lost.exact());
}

#[test]
fn common_caps_join_lines_and_are_reported() {
    let caps = CapLimits { global_24h: vec![money("15.00 USD")], ..CapLimits::default() };
    let lines = ["li-tmobile", "wang-att"].map(|id| history(line(id), vec![keep_alive()]));
    let mut setup = setup(lines.into(), 1);
    setup.policy.caps = caps;
    let both: Vec<(usize, Reading)> = starved(1)
        .into_iter()
        .flat_map(|(_, reading)| {
            let other = Reading {
                subscription: SubscriptionId::parse("wang-att").unwrap(),
                ..reading.clone()
            };
            [(0, reading), (1, other)]
        })
        .collect();
    let total = run(setup, both).total();
    assert_eq!((total.orders, total.spend.get("USD")), (1, Some(&1000)));
    assert!(total.cap_hits >= 1);
    assert_eq!(total.notices.get("topup_refused"), Some(&1));
}

#[test]
fn approvals_are_counted_and_taken_as_given() {
    let ask = Rule { mode: Mode::Approve, ..keep_alive() };
    let report = run(setup(vec![history(line("li-tmobile"), vec![ask])], 2), starved(2));
    let total = report.total();
    assert_eq!((total.approvals, total.orders), (1, 1), "{:#?}", report.story);
    let stories: Vec<&str> = report.story.iter().map(|told| told.what).collect();
    for word in ["breach", "propose", "ask", "reserve", "paid", "verified"] {
        assert!(stories.contains(&word), "{word} is missing in {stories:?}");
    }
}

#[test]
fn a_paused_line_is_left_alone_and_a_switch_holds_money_back() {
    let mut paused = setup(vec![history(line("li-tmobile"), vec![keep_alive()])], 3);
    let (active, off) = (SubscriptionStatus::Active, SubscriptionStatus::Paused);
    paused.acts = vec![Act { at: at(0), line: Some(0), doing: Doing::Status(active, off) }];
    assert_eq!(run(paused, starved(3)).total().orders, 0);
    let mut off = setup(vec![history(line("li-tmobile"), vec![keep_alive()])], 3);
    off.money = MoneySwitch { off: Some("by hand".into()), ..MoneySwitch::default() };
    assert_eq!(run(off, starved(3)).total().orders, 0);
}

#[test]
fn a_need_that_was_open_before_goes_on() {
    let need: Need = need_of("li-tmobile", 4);
    let told = LineHistory {
        need: Some(need),
        need_seq: 4,
        ..history(line("li-tmobile"), vec![keep_alive()])
    };
    assert_eq!(run(setup(vec![told], 2), starved(2)).total().orders, 1);
}
