//! What counts as use, and how sure it is.

use super::*;
use crate::domain::fixtures::{at, money, reading};
use crate::domain::{Quality, Reading};
use proptest::prelude::*;

const DAY: i64 = 24 * 60;

/// `balance` in cents at `minute`.
fn cents(balance: i64, minute: i64) -> Reading {
    let mut reading = reading("0.00 USD", minute);
    reading.values.balance = Some(Money::new(balance, money("1.00 USD").currency()));
    reading.values.service_end_at = None;
    reading
}

fn log(readings: &[Reading]) -> BurnLog {
    let mut log = BurnLog::default();
    readings.iter().for_each(|reading| log.add(reading));
    log
}

/// `days` days at `per_day(day)` cents, read every six hours, from `start` cents.
fn steady(days: i64, start: i64, per_day: impl Fn(i64) -> i64) -> Vec<Reading> {
    let mut balance = start;
    let mut readings = vec![cents(balance, 0)];
    for quarter in 0..days * 4 {
        balance -= per_day(quarter / 4) / 4;
        readings.push(cents(balance, (quarter + 1) * DAY / 4));
    }
    readings
}

fn forecast_after(readings: &[Reading]) -> Forecast {
    let now = readings.last().unwrap().at;
    Forecast::of(&log(readings), None, now)
}

#[test]
fn a_week_of_use_is_told_a_steady_month_is_proven() {
    let few = forecast_after(&steady(6, 10_000, |_| 40));
    assert_eq!((few.trust, few.days), (Trust::Collecting, 5));
    let week = forecast_after(&steady(8, 10_000, |_| 40));
    assert_eq!((week.trust, week.burn_median), (Trust::Told, Some(money("0.40 USD"))));
    let month = forecast_after(&steady(40, 10_000, |_| 40));
    assert_eq!((month.trust, month.burn_p80), (Trust::Proven, Some(money("0.40 USD"))));
    let wild = forecast_after(&steady(40, 100_000, |day| if day % 9 == 0 { 4000 } else { 40 }));
    assert_eq!(wild.trust, Trust::Told);
    let idle = forecast_after(&steady(40, 10_000, |_| 0));
    assert_eq!((idle.trust, idle.changes), (Trust::Collecting, 0));
}

#[test]
fn run_out_is_a_range() {
    // Six quiet days, one busy one.
    let weekly = forecast_after(&steady(29, 100_000, |day| if day % 7 == 6 { 400 } else { 40 }));
    let median = weekly.burn_median.unwrap();
    assert_eq!(median, money("0.91 USD"), "the week's shape is kept");
    let range = weekly.money_runout(Some(money("9.10 USD")), at(0)).unwrap();
    assert_eq!(range.middle_at, Some(at(10 * DAY)));
    assert_eq!(weekly.burn_p80, Some(money("0.40 USD")));
    assert_eq!(weekly.money_runout(Some(money("9.10 EUR")), at(0)), None);
}

#[test]
fn a_renewal_taken_from_the_balance_is_no_use() {
    let mut readings = steady(10, 10_000, |_| 40);
    let mut after = cents(8_000, 10 * DAY + 360);
    readings.last_mut().unwrap().values.service_end_at = Some(at(10 * DAY));
    after.values.service_end_at = Some(at(40 * DAY));
    readings.push(after);
    let forecast = forecast_after(&readings);
    assert_eq!(forecast.burn_p80, Some(money("0.40 USD")));
}

#[test]
fn our_top_up_its_bonus_and_use_in_between_are_told_apart() {
    let mut readings = steady(8, 1_000, |_| 40);
    let from = readings[20].at;
    let credit = Credit { from, amount: money("10.00 USD") };
    // It shows in the reading after next, with 2.00 USD of bonus.
    for reading in &mut readings[22..] {
        let cents = reading.values.balance.unwrap().minor() + 1_200;
        reading.values.balance = Some(Money::new(cents, money("1.00 USD").currency()));
    }
    let mut log = BurnLog::default();
    log.expect(credit);
    readings.iter().for_each(|reading| log.add(reading));
    assert_eq!(log.external(), []);
    let forecast = Forecast::of(&log, None, readings.last().unwrap().at);
    assert_eq!(forecast.burn_median, Some(money("0.40 USD")));
}

#[test]
fn a30_an_unexplained_rise_is_an_external_topup_and_leaves_the_forecast_alone() {
    let plain = steady(20, 1_000, |_| 40);
    let mut raised = plain.clone();
    for reading in &mut raised[41..] {
        let cents = reading.values.balance.unwrap().minor() + 2_500;
        reading.values.balance = Some(Money::new(cents, money("1.00 USD").currency()));
    }
    let log = log(&raised);
    let [external] = log.external() else { panic!("{:?}", log.external()) };
    assert_eq!((external.at, external.amount), (raised[41].at, money("24.90 USD")));
    let (before, after) = (forecast_after(&plain), forecast_after(&raised));
    assert_eq!(before.burn_median, after.burn_median);
    assert_eq!(before.burn_p80, after.burn_p80);
}

#[test]
fn a_gap_spreads_its_use_over_its_days() {
    let mut readings = steady(5, 10_000, |_| 40);
    let last = readings.last().unwrap().values.balance.unwrap().minor();
    readings.push(cents(last - 400, 15 * DAY));
    readings.extend((1..=4).map(|n| cents(last - 400 - n * 10, 15 * DAY + n * DAY / 4)));
    let forecast = forecast_after(&readings);
    assert_eq!(forecast.burn_p80, Some(money("0.40 USD")));
}

#[test]
fn use_is_remembered_and_absence_proves_nothing() {
    let readings = steady(3, 1_000, |day| if day == 0 { 40 } else { 0 });
    let forecast = forecast_after(&readings);
    assert_eq!(forecast.last_used_at, Some(at(DAY)));
    let log = log(&steady(3, 1_000, |_| 0));
    assert_eq!(Forecast::of(&log, Some(at(-9)), at(3 * DAY)).last_used_at, Some(at(-9)));
    let bad = Reading { quality: Quality::Unparseable, ..cents(1, 4 * DAY) };
    let mut with_bad = log.clone();
    with_bad.add(&bad);
    assert_eq!(with_bad, log);
}

proptest! {
    #[test]
    fn burn_is_never_negative_and_steps_equal_one_go(
        balances in prop::collection::vec(0_i64..5_000, 2..120),
        gap in 10_i64..3_000,
        cut in 0_usize..120,
    ) {
        let readings: Vec<Reading> =
            balances.iter().zip(0_i64..).map(|(b, n)| cents(*b, n * gap)).collect();
        let now = readings.last().unwrap().at.plus(Span::hours(1));
        let whole = log(&readings);
        let (head, tail) = readings.split_at(cut.min(readings.len()));
        let mut steps = log(head);
        tail.iter().for_each(|reading| steps.add(reading));
        prop_assert_eq!(&whole, &steps);
        let forecast = Forecast::of(&whole, None, now);
        for burn in [forecast.burn_median, forecast.burn_p80].into_iter().flatten() {
            prop_assert!(burn.minor() >= 0);
        }
        prop_assert!(forecast.burn_median.is_none() || forecast.days <= WINDOW_DAYS);
    }
}
