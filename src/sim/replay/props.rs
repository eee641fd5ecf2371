//! Random fleets, readings and event orders: what holds whatever happens.

use super::*;
use crate::domain::{
    Amount, CapLimits, ErrorKind, Mode, Money, Quality, Recorded, Rule, Span, SubscriptionId,
    Values,
    fixtures::{at, keep_alive, line, money, policy},
};
use proptest::prelude::*;

/// A reading: which line, minutes since the one before, cents, days to the service end, how good.
type Step = (usize, i64, i64, i64, u8);

const LINES: usize = 4;
const DAY_CAP: i64 = 4500;
const LINE_CAP: i64 = 6000;

fn usd(cents: i64) -> Money {
    Money::new(cents, money("1.00 USD").currency())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cents = prop_oneof![3 => 0..700_i64, 1 => 0..5000_i64, 1 => Just(0)];
    prop::collection::vec((0..LINES, 0..300_i64, cents, -3..40_i64, 0..12_u8), 1..160)
}

fn amounts() -> impl Strategy<Value = (Amount, Mode)> {
    let amount = prop_oneof![
        (100..2500_i64).prop_map(|cents| Amount::Fixed(usd(cents))),
        (600..4000_i64).prop_map(|cents| Amount::ToTarget(usd(cents))),
        (0..30_i64).prop_map(|margin_percent| Amount::CoverNextRenewal { margin_percent }),
    ];
    (amount, prop_oneof![3 => Just(Mode::Auto), 1 => Just(Mode::Approve)])
}

fn id(n: usize) -> SubscriptionId {
    SubscriptionId::parse(&format!("line-{n}")).unwrap()
}

fn readings(steps: &[Step], place: impl Fn(usize) -> usize) -> Vec<(usize, Reading)> {
    let mut minute = 0;
    let one = |(n, gap, cents, days, quality): &Step| {
        minute += gap + 1;
        let quality = match quality {
            0 => Quality::Unparseable,
            1 => Quality::Error(ErrorKind::Temporary),
            2 => Quality::Error(ErrorKind::Identity),
            3 => Quality::Partial,
            _ => Quality::Ok,
        };
        let values = Values {
            balance: Some(usd(*cents)),
            service_end_at: Some(at(minute).plus(Span::days(*days))),
            ..Values::default()
        };
        let reading = Reading {
            subscription: id(*n),
            provider: "carrier".into(),
            at: at(minute),
            quality,
            values: if quality == Quality::Ok { values } else { Values::default() },
            detail: None,
        };
        (place(*n), reading)
    };
    steps.iter().map(one).collect()
}

fn run(
    steps: &[Step],
    rule: &Rule,
    place: impl Fn(usize) -> usize,
    day_cap: Option<i64>,
) -> Report {
    let readings = readings(steps, &place);
    let to = readings.last().unwrap().1.at.plus(Span::days(2));
    let mut lines: Vec<(usize, LineHistory)> = (0..LINES)
        .map(|n| {
            let subscription = crate::domain::Subscription { id: id(n), ..line("l") };
            (place(n), tests::history(subscription, vec![rule.clone()]))
        })
        .collect();
    lines.sort_by_key(|(place, _)| *place);
    let mut setup = tests::setup(lines.into_iter().map(|(_, line)| line).collect(), 0);
    setup.to = to;
    setup.policy = policy();
    setup.policy.caps = CapLimits {
        global_24h: day_cap.map(usd).into_iter().collect(),
        subscription_30d: Some(usd(LINE_CAP)),
        ..CapLimits::default()
    };
    let mut replay = Replay::new(setup);
    replay.window(readings, to);
    replay.finish()
}

fn reserves(decisions: &[(Timestamp, Recorded)]) -> Vec<(Timestamp, i64)> {
    let reserve = |(at, d): &(Timestamp, Recorded)| {
        (d.step == "reserve").then(|| (*at, d.amount.unwrap().minor()))
    };
    decisions.iter().filter_map(reserve).collect()
}

fn most_within(reserved: &[(Timestamp, i64)], span: Span) -> i64 {
    let sum = |end: Timestamp| -> i64 {
        let near = reserved.iter().filter(|(at, _)| *at <= end && end.since(*at) < span);
        near.map(|(_, minor)| minor).sum()
    };
    reserved.iter().map(|(at, _)| sum(*at)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cap_is_passed_and_no_need_is_charged_twice(steps in steps(), (amount, mode) in amounts(), first in any::<bool>()) {
        let rule = Rule { amount: Some(amount), mode, approve_first: first, cooldown_success: Span::hours(1), ..keep_alive() };
        let report = run(&steps, &rule, |n| n, Some(DAY_CAP));
        let mut all = Vec::new();
        for line in &report.lines {
            let reserved = reserves(&line.decisions);
            prop_assert!(most_within(&reserved, CapLimits::MONTH) <= LINE_CAP);
            all.extend(reserved);
            // One need, at most one charge; one order at a time: between two orders of a line the
            // first was seen on it, and a need of its own was written down.
            let mut open = false;
            for (_, decision) in &line.decisions {
                match decision.step {
                    "propose" => { prop_assert!(!open, "{:?}", line.decisions); open = true; }
                    "reserve" => { prop_assert!(open, "{:?}", line.decisions); open = false; }
                    "cancel" => open = false,
                    _ => {}
                }
            }
        }
        prop_assert!(most_within(&all, CapLimits::DAY) <= DAY_CAP, "{all:?}");
        for name in report.lines.iter().map(|line| &line.id) {
            let of_line = report.story.iter().filter(|told| told.line == *name);
            let mut in_flight = 0;
            for told in of_line {
                match told.what {
                    "submitting" => in_flight += 1,
                    "verified" => in_flight -= 1,
                    _ => {}
                }
                prop_assert!((0..=1).contains(&in_flight), "{:?}", report.story);
            }
        }
    }

    #[test]
    fn the_same_history_gives_the_same_decisions_in_whatever_order_lines_stand(steps in steps(), (amount, mode) in amounts()) {
        let rule = Rule { amount: Some(amount), mode, ..keep_alive() };
        let once = run(&steps, &rule, |n| n, None);
        let again = run(&steps, &rule, |n| n, None);
        let turned = run(&steps, &rule, |n| LINES - 1 - n, None);
        for (n, line) in once.lines.iter().enumerate() {
            prop_assert_eq!(&line.decisions, &again.lines[n].decisions);
            prop_assert_eq!(&line.decisions, &turned.lines[LINES - 1 - n].decisions);
        }
    }
}
