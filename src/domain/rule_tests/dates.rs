//! Deadlines, periods, renewals, reminders.

use super::*;

#[test]
fn a15_renewed_by_hand_while_proposed_is_cancelled() {
    let mut s = ending(72, Renewal::FundBalance);
    let end = s.service_end_at().unwrap();
    s.need =
        Some(Need { kind: NeedKind::Period, period_end_at: Some(end), ..need_of("li-tmobile", 1) });
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    assert_ne!(step(&s, at(0)), "externally_renewed");
    end_at(&mut s, end.plus(Span::days(30)));
    assert_eq!(
        decide(&s, &policy(), at(0)).order,
        OrderStep::Cancel { reason: "externally_renewed", need_gone: true }
    );
}

#[test]
fn a17_a_daemon_that_was_down_on_the_day_tells_the_newest_milestone_on_return() {
    let mut s = ending(24 * 20, Renewal::FundBalance);
    s.rules[0].mode = Mode::Notify;
    s.rules[0].any[0].threshold = Quantity::Days(Span::ZERO);
    let end = s.service_end_at().unwrap();
    let told = |s: &Snapshot, day: i64| {
        let now = end.minus(Span::days(day));
        let mut s = s.clone();
        s.reading.as_mut().unwrap().at = now;
        let decision = decide(&s, &policy(), now);
        (decision.milestone.map(|(day, _)| day), decision.notices.len())
    };
    assert_eq!(told(&s, 12), (None, 0));
    // Down from day 12 to day 2: days 7 and 3 went by, one notice comes, for the newer.
    assert_eq!(told(&s, 2), (Some(-3), 1));
    s.milestone = Some((-3, end));
    assert_eq!(told(&s, 2), (None, 0));
    assert_eq!(told(&s, 1), (Some(-1), 1));
    // A date that jitters is the same period; one that moved on begins anew.
    s.milestone = Some((-1, end.plus(Span::days(2))));
    assert_eq!(told(&s, 1), (None, 0));
    s.milestone = Some((-1, end.minus(Span::days(30))));
    assert_eq!(told(&s, 1), (Some(-1), 1));
}

#[test]
fn milestones_go_on_between_the_two_deadlines() {
    let s = ending(0, Renewal::FundBalance);
    let end = s.service_end_at().unwrap();
    let at_day = |day: i64| {
        let now = end.plus(Span::days(day)).plus(Span::hours(1));
        let mut s = s.clone();
        s.reading.as_mut().unwrap().at = now;
        s.milestone = Some((0, end));
        s.episodes = vec![episode_of(&s.rules[0], at(0))];
        let decision = decide(&s, &policy(), now);
        let severities: Vec<Severity> = decision.notices.iter().map(|n| n.severity).collect();
        (decision.milestone.map(|(day, _)| day), severities)
    };
    assert_eq!(at_day(3), (None, vec![]));
    assert_eq!(at_day(8), (Some(7), vec![Severity::Critical]));
    assert_eq!(at_day(31), (Some(30), vec![Severity::Critical]));
    // Sixty days until the number is lost: 7, 3 and 1 before.
    assert_eq!(at_day(54).0, Some(53));
    assert_eq!(at_day(59).0, Some(59));
}

#[test]
fn a23_a_bare_date_in_honolulu_is_acted_on_before_its_earliest_reading() {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
    let end = Timestamp::start_of_day(day, chrono_tz::Pacific::Honolulu).unwrap();
    let mut s = ending(0, Renewal::FundBalance);
    s.subscription.time_zone = chrono_tz::Pacific::Honolulu;
    end_at(&mut s, end);
    let fires_at = end.minus(Span::days(7));
    let reading_at = |s: &Snapshot, at: Timestamp| {
        let mut s = s.clone();
        s.reading.as_mut().unwrap().at = at;
        step(&s, at)
    };
    assert_eq!(reading_at(&s, fires_at), "propose");
    assert_eq!(reading_at(&s, fires_at.minus(Span::seconds(1))), "nothing");
    // The start of that day in Honolulu, whatever day it is in Shanghai already.
    assert_eq!(end.in_zone(chrono_tz::Asia::Shanghai), "2026-12-01 18:00 CST");
}

#[test]
fn a24_a_plan_that_restarts_is_paid_in_its_last_day_only() {
    for renewal in [Renewal::RestartFromPayment, Renewal::Unknown] {
        let early = ending(24 * 6, renewal);
        assert_eq!(step(&early, at(0)), "renewal_timing", "{renewal:?}");
        let decision = decide(&early, &policy(), at(0));
        assert_eq!(decision.decide_at, Some(at(0).plus(Span::hours(18))));
        assert_eq!(step(&ending(25, renewal), at(0)), "renewal_timing", "{renewal:?}");
        assert_eq!(step(&ending(24, renewal), at(0)), "propose", "{renewal:?}");
    }
    // A payer that takes long is asked earlier: twice its slowest usual time.
    let mut slow = policy();
    slow.settle_p99.insert("carrier".into(), Span::hours(24));
    let s = ending(47, Renewal::RestartFromPayment);
    assert!(matches!(decide(&s, &slow, at(0)).order, OrderStep::Propose { .. }));
    for renewal in [Renewal::FundBalance, Renewal::ExtendFromExpiry, Renewal::Queue] {
        assert_eq!(step(&ending(24 * 6, renewal), at(0)), "propose", "{renewal:?}");
    }
}

#[test]
fn a_low_balance_does_not_wait_for_the_date() {
    let mut s = ending(24 * 6, Renewal::RestartFromPayment);
    s.rules = vec![keep_alive()];
    s.reading.as_mut().unwrap().values.balance = Some(money("3.00 USD"));
    assert_eq!(step(&s, at(0)), "propose");
}

#[test]
fn a_plan_nobody_knows_is_renewed_with_approval_until_it_was_learnt() {
    let mut s = ending(20, Renewal::Unknown);
    s.reading.as_mut().unwrap().at = at(2);
    s.episodes = vec![episode_of(&s.rules[0], at(0))];
    s.need = Some(need_of("li-tmobile", 1));
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    assert!(asked_why(&s, at(2)).contains("not known"));
    let paid = s.service_end_at().map(|end| end.minus(Span::days(30)));
    s.served = Some(Need { period_end_at: paid, ..need_of("li-tmobile", 0) });
    assert_eq!(step(&s, at(2)), "reserve");
}

#[test]
fn no_order_falls_into_the_operators_charge_window() {
    let mut s = ending(0, Renewal::FundBalance);
    let window = QuietHours::parse("05:00-11:00");
    s.subscription.plan.as_mut().unwrap().charge_window = window;
    // Service ends at 09:00 in New York; the operator renews that morning.
    let end = Timestamp::parse_rfc3339("2026-11-25T09:00:00-05:00").unwrap();
    end_at(&mut s, end);
    s.episodes = vec![episode_of(&s.rules[0], at(0))];
    s.need = Some(need_of("li-tmobile", 1));
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    let at_hour = |hour: &str| {
        let now = Timestamp::parse_rfc3339(&format!("2026-11-25T{hour}:00-05:00")).unwrap();
        let mut s = s.clone();
        s.reading.as_mut().unwrap().at = now;
        decide(&s, &policy(), now)
    };
    assert_eq!(at_hour("05:00").order, OrderStep::Wait { reason: "charge_window" });
    let opens = Timestamp::parse_rfc3339("2026-11-25T11:00:00-05:00");
    assert_eq!(at_hour("10:59").decide_at, opens);
    assert!(matches!(at_hour("11:00").order, OrderStep::Reserve { .. }));
    assert!(matches!(at_hour("04:59").order, OrderStep::Reserve { .. }));
}

#[test]
fn a31_a_date_that_jitters_stays_one_need() {
    let mut s = ending(72, Renewal::ExtendFromExpiry);
    let end = s.service_end_at().unwrap();
    s.need =
        Some(Need { kind: NeedKind::Period, period_end_at: Some(end), ..need_of("li-tmobile", 1) });
    s.topup = Some(order(State::Paid, money("10.00 USD")));
    for n in 0..100_i64 {
        let read = end.plus(Span::days(n % 5 - 2));
        end_at(&mut s, read);
        let decision = decide(&s, &policy(), at(0));
        assert_eq!(decision.order, OrderStep::Nothing);
        // The row follows the date and keeps its id.
        assert_eq!(decision.period_end, (read != end).then_some(read));
    }
    // Served: the same period asks for nothing more, the next one does.
    s.served = s.need.take();
    s.topup = None;
    for days in -2..=2 {
        end_at(&mut s, end.plus(Span::days(days)));
        assert_eq!(step(&s, at(0)), "nothing", "{days}");
    }
    end_at(&mut s, end.plus(Span::days(30)));
    assert_eq!(step(&s, end.plus(Span::days(25))), "propose");
}

#[test]
fn a_served_period_asks_again_only_when_the_money_is_short_or_the_service_ended() {
    let mut s = ending(72, Renewal::FundBalance);
    s.served = Some(Need { period_end_at: s.service_end_at(), ..need_of("li-tmobile", 1) });
    assert_eq!(step(&s, at(0)), "nothing");
    s.reading.as_mut().unwrap().values.balance = Some(money("14.99 USD"));
    assert_eq!(step(&s, at(0)), "propose");
    s.reading.as_mut().unwrap().values.balance = Some(money("15.00 USD"));
    assert_eq!(step(&s, at(0)), "nothing");
    // Rescue: the service ended all the same, the number is not lost yet.
    assert_eq!(step(&s, at(0).plus(Span::hours(73))), "propose");
    s.served.as_mut().unwrap().opened_at = at(0).plus(Span::hours(73));
    assert_eq!(step(&s, at(0).plus(Span::hours(90))), "nothing", "rescued once");
    s.served = None;
    assert_eq!(step(&s, at(0).plus(Span::days(64))), "number_lost");
}

#[test]
fn silence_before_a_sure_deadline_may_be_paid_with_a_persons_yes() {
    let mut s = ending(20, Renewal::ExtendFromExpiry);
    s.reading.as_mut().unwrap().at = at(-600);
    s.trouble =
        Some(Reading { quality: Quality::Error(ErrorKind::Temporary), ..reading("1.00 USD", 0) });
    s.episodes = vec![episode_of(&s.rules[0], at(-600))];
    s.need = Some(need_of("li-tmobile", 1));
    s.topup = Some(order(State::Proposed, money("10.00 USD")));
    assert_eq!(step(&s, at(1)), "preflight_fresh_read");
    s.rules[0].on_stale = OnStale::AutoIfDeadline;
    assert!(asked_why(&s, at(1)).contains("no fresh reading"));
}

#[test]
fn a_providers_trouble_inhibits_stale_notices_until_a_deadline_is_near() {
    let mut s = snapshot(reading("12.00 USD", 0));
    s.trouble = Some(Reading { quality: Quality::Unparseable, ..reading("1.00 USD", 1000) });
    let later = at(0).plus(Span::hours(20));
    assert_eq!(decide(&s, &policy(), later).stale, Some(true));
    s.money.readers_out = vec![("carrier".into(), "most lines fail".into())];
    assert_eq!(decide(&s, &policy(), later).stale, None);
    end_at(&mut s, later.plus(Span::days(6)));
    assert_eq!(decide(&s, &policy(), later).stale, Some(true));
}

#[test]
fn a_bucket_that_lapses_fires_without_a_new_reading() {
    let bucket = |name: &str, mb: i64, expires_at| Bucket {
        name: name.into(),
        left: Quantity::Bytes(mb * 1_000_000),
        metric: Metric::DataLeft,
        expires_at,
    };
    let mut told = reading("30.00 USD", 0);
    told.values.buckets = vec![bucket("plan", 900, Some(at(180))), bucket("gift", 50, None)];
    told.values = told.values.with_sums();
    let mut s = snapshot(told);
    let threshold = Quantity::Bytes(100_000_000);
    let low = Condition {
        metric: Metric::DataLeft,
        op: Op::AtMost,
        threshold,
        clear_at: threshold.beyond(true),
    };
    s.rules = vec![Rule { mode: Mode::Notify, any: vec![low], ..keep_alive() }];
    let before = decide(&s, &policy(), at(1));
    assert!(before.episodes.is_empty());
    assert_eq!(before.decide_at, Some(at(180)), "it is looked at again when the bucket lapses");
    assert_eq!(kinds(&s, at(180)), [NoticeKind::LowBalance]);
}

/// Both changes of the clocks, and a leap day: each reminder once, each charge window of the length
/// the clock on the wall says, each date the start of its own day.
#[test]
fn a22_clock_changes_and_leap_days_make_nothing_happen_twice_or_never() {
    let zone = chrono_tz::America::New_York;
    for (date, offset_hours) in [("2026-03-08", 5), ("2026-11-01", 4), ("2028-02-29", 5)] {
        let day = date.parse().unwrap();
        let end = Timestamp::start_of_day(day, zone).unwrap();
        assert_eq!(end.rfc3339(), format!("{date}T0{offset_hours}:00:00Z"));
        let mut s = ending(240, Renewal::RestartFromPayment);
        s.rules[0].mode = Mode::Notify;
        s.rules[0].any[0].threshold = Quantity::Days(Span::ZERO);
        let mut told = Vec::new();
        for hour in -96..48 {
            let now = end.plus(Span::hours(hour)).plus(Span::minutes(1));
            let reading = s.reading.as_mut().unwrap();
            (reading.at, reading.values.service_end_at) = (now, Some(end));
            let decision = decide(&s, &policy(), now);
            told.extend(decision.milestone.map(|(day, _)| day));
            s.milestone = decision.milestone.or(s.milestone);
        }
        assert_eq!(told, [-7, -3, -1, 0], "{date}");
        // From 05:00 to 11:00 on the wall of that day, whatever its length.
        let window = QuietHours::parse("05:00-11:00").unwrap();
        let local = |text: &str| {
            let time = day.and_time(text.parse().unwrap()).and_local_timezone(zone).unwrap();
            Timestamp::from_ms(time.timestamp_millis())
        };
        assert_eq!(window.ends_at(local("04:59:00"), zone), None);
        assert_eq!(window.ends_at(local("05:00:00"), zone), Some(local("11:00:00")));
        assert_eq!(window.ends_at(local("11:00:00"), zone), None);
    }
}
