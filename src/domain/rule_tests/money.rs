//! Amounts, failures, approvals, episodes.

use super::*;

#[test]
fn a09_a_hard_decline_stops_after_one_attempt() {
    let mut s = ready();
    failed(&mut s, FailureClass::DeclinedHard);
    assert_eq!(step(&s, at(2)), "payment_suspended");
    assert!(kinds(&s, at(2)).contains(&NoticeKind::TopupRefused));
}

#[test]
fn a10_a_cardholder_who_must_confirm_stops_after_one_attempt() {
    let mut s = ready();
    failed(&mut s, FailureClass::AuthRequired);
    assert_eq!(step(&s, at(2)), "payment_suspended");
    failed(&mut s, FailureClass::InvalidTarget);
    assert_eq!(step(&s, at(2)), "payment_suspended");
    // A person who orders by hand is not held up by that.
    s.need.as_mut().unwrap().kind = NeedKind::Manual;
    s.topup.as_mut().unwrap().rule = None;
    assert_eq!(step(&s, at(2)), "reserve");
}

#[test]
fn only_declines_count_and_outages_are_tried_again_soon() {
    let mut s = ready();
    failed(&mut s, FailureClass::ProviderDown);
    s.history.last_failure_at = Some(at(-3));
    assert_eq!(step(&s, at(1)), "cooldown");
    assert_eq!(step(&s, at(2)), "reserve");
    s.history.last_failure = Some(FailureClass::DeclinedSoft);
    assert_eq!(step(&s, at(2)), "cooldown");
    s.history.last_failure_at = Some(at(-600));
    s.history.failures_in_a_row = 3;
    assert_eq!(step(&s, at(2)), "reserve");
    s.history.failures_in_a_row = 4;
    assert_eq!(step(&s, at(2)), "payment_suspended");
    s.rules[0].max_declines = 5;
    assert_eq!(step(&s, at(2)), "reserve");
}

#[test]
fn a_price_or_stock_failure_asks_a_person() {
    let mut s = ready();
    for class in
        [FailureClass::PriceChanged, FailureClass::OutOfStock, FailureClass::DenominationGone]
    {
        failed(&mut s, class);
        assert!(asked_why(&s, at(2)).contains(class.as_str()));
    }
}

#[test]
fn a14_enabled_while_below_asks_for_approval_and_is_not_silent() {
    let mut s = ready();
    s.rules[0].enabled_at = Some(at(1));
    assert!(asked_why(&s, at(2)).contains("on_enable"));
    s.rules[0].on_enable = OnEnable::Charge;
    assert_eq!(step(&s, at(2)), "reserve");
    s.rules[0].on_enable = OnEnable::WaitRecross;
    s.topup = None;
    assert_eq!(step(&s, at(2)), "nothing");
    // Enabled before the line was low: nothing is special.
    s.rules[0].enabled_at = Some(at(0));
    assert_eq!(step(&s, at(2)), "propose");
}

#[test]
fn a16_a_price_up_by_six_percent_needs_approval() {
    let mut s = ready();
    s.rules[0].amount = Some(Amount::CoverNextRenewal { margin_percent: 0 });
    s.history.last_price = Some(money("10.00 USD"));
    s.reading.as_mut().unwrap().values.next_charge = Some(money("10.50 USD"));
    assert_eq!(step(&s, at(2)), "reserve");
    s.reading.as_mut().unwrap().values.next_charge = Some(money("10.60 USD"));
    assert!(asked_why(&s, at(2)).contains("rose from 10.00 USD to 10.60 USD"));
    s.topup.as_mut().unwrap().approved = Some((at(1), "li".into()));
    assert_eq!(step(&s, at(2)), "reserve");
}

#[test]
fn a18_a_restart_with_an_open_episode_repeats_nothing_and_what_began_meanwhile_is_told() {
    let mut s = snapshot(reading("3.10 USD", 600));
    s.rules[0].mode = Mode::Notify;
    assert_eq!(kinds(&s, at(600)), [NoticeKind::LowBalance]);
    s.episodes = vec![episode_of(&s.rules[0], at(600))];
    assert_eq!(kinds(&s, at(601)), []);
    assert_eq!(kinds(&s, at(900)), []);
}

#[test]
fn a25_a_penny_short_after_tax_is_covered_by_the_margin() {
    let mut s = snapshot(reading("15.00 USD", 0));
    let needed = |s: &Snapshot, margin_percent| {
        let rule =
            Rule { amount: Some(Amount::CoverNextRenewal { margin_percent }), ..keep_alive() };
        amount_needed(s, &policy(), &rule, "carrier").map(|size| size.amount.to_string())
    };
    assert_eq!(needed(&s, 0), Err(AmountError::Nothing));
    assert_eq!(needed(&s, 10), Ok("1.50 USD".into()));
    // The operator's own figure has the taxes in it and needs no margin.
    s.reading.as_mut().unwrap().values.next_charge = Some(money("15.01 USD"));
    assert_eq!(needed(&s, 10), Ok("0.01 USD".into()));
}

#[test]
fn a27_money_that_came_back_opens_the_need_again_and_blocks_auto() {
    let mut s = ready();
    s.history.reversed_at = Some(at(-10));
    assert_eq!(step(&s, at(2)), "payment_suspended");
}

#[test]
fn a_sudden_drop_needs_a_second_reading_ten_minutes_later() {
    let drop_to = |balance: &str| {
        let mut s = snapshot(reading(balance, 60));
        s.earlier = vec![reading("25.00 USD", 0)];
        decide(&s, &policy(), at(60))
    };
    assert_eq!(drop_to("5.00 USD").doubt, None);
    for sudden in ["4.99 USD", "0.00 USD"] {
        let decision = drop_to(sudden);
        assert_eq!(decision.doubt, Some(true));
        assert_eq!(decision.poll_at, Some(at(70)));
        let told = &decision.notices[0];
        assert!(told.facts.detail.as_deref().unwrap().contains("not confirmed"));
    }
    let mut s = ready();
    s.doubt_since = Some(at(0));
    assert_eq!(step(&s, at(2)), "implausible_reading");
    s.reading = Some(reading("3.10 USD", 10));
    assert_eq!(decide(&s, &policy(), at(10)).doubt, Some(false));
    assert_eq!(step(&s, at(10)), "reserve");
    // The operator renewed and took its money: that is no mystery.
    let mut renewed = snapshot(reading("0.00 USD", 60));
    renewed.earlier = vec![reading("15.00 USD", 0)];
    end_at(&mut renewed, at(0).plus(Span::days(50)));
    assert_eq!(decide(&renewed, &policy(), at(60)).doubt, None);
}

#[test]
fn fire_after_counts_readings_not_evaluations() {
    let mut s = snapshot(reading("3.00 USD", 10));
    s.rules[0].fire_after = 2;
    assert_eq!(step(&s, at(10)), "nothing");
    assert_eq!(step(&s, at(11)), "nothing");
    s.earlier = vec![reading("9.00 USD", 0)];
    assert_eq!(step(&s, at(10)), "nothing");
    s.earlier = vec![reading("4.00 USD", 0)];
    assert_eq!(step(&s, at(10)), "propose");
    s.rules[0].fire_after = 3;
    assert_eq!(step(&s, at(10)), "nothing");
}

#[test]
fn clear_after_wants_several_unless_money_of_ours_proved_it() {
    let mut s = snapshot(reading("12.00 USD", 10));
    s.rules[0].clear_after = 2;
    s.episodes = vec![episode_of(&s.rules[0], at(0))];
    s.earlier = vec![reading("3.00 USD", 0)];
    let closes = |s: &Snapshot| !decide(s, &policy(), at(10)).episodes.is_empty();
    assert!(!closes(&s));
    s.earlier = vec![reading("6.00 USD", 5)];
    assert!(closes(&s));
    s.earlier = vec![reading("3.00 USD", 0)];
    s.history.last_success_at = Some(at(9));
    assert!(closes(&s));
}

#[test]
fn flapping_is_told_once_a_day_and_asks_before_it_pays() {
    let mut s = ready();
    s.recent_episodes = vec![(keep_alive().id, 3)];
    assert!(asked_why(&s, at(2)).contains("over and over"));
    let mut opening = snapshot(reading("3.00 USD", 0));
    opening.recent_episodes = vec![(keep_alive().id, 1)];
    assert_eq!(kinds(&opening, at(0)), [NoticeKind::LowBalance]);
    opening.recent_episodes = vec![(keep_alive().id, 2)];
    let told = decide(&opening, &policy(), at(0)).notices;
    assert_eq!(told[0].kind, NoticeKind::Flapping);
    assert_eq!(told[0].dedupe, decide(&opening, &policy(), at(60)).notices[0].dedupe);
}

#[test]
fn unless_and_validity_hold_a_rule_back() {
    let mut s = snapshot(reading("3.00 USD", 0));
    s.rules[0].unless = vec![s.rules[0].any[0].clone()];
    assert_eq!(step(&s, at(0)), "nothing");
    s.rules[0].unless.clear();
    s.rules[0].valid_from = Some(at(10));
    let decision = decide(&s, &policy(), at(0));
    assert_eq!((decision.order, decision.decide_at), (OrderStep::Nothing, Some(at(10))));
    s.rules[0].valid_until = Some(at(20));
    assert_eq!(step(&s, at(10)), "propose");
    assert_eq!(step(&s, at(20)), "nothing");
}

#[test]
fn what_is_sold_decides_how_much() {
    let mut policy = policy();
    let fixed = |text: &str| Rule { amount: Some(Amount::ToTarget(money(text))), ..keep_alive() };
    let s = snapshot(reading("3.00 USD", 0));
    let usd = |list: &[&str]| list.iter().map(|text| money(text)).collect::<Vec<_>>();
    let mut sized = |denominations: &[&str], min: Option<&str>, max: Option<&str>, rule: &Rule| {
        let offer = Offer {
            denominations: usd(denominations),
            order_min: min.map(money),
            order_max: max.map(money),
        };
        policy.offers.insert("carrier".into(), offer);
        amount_needed(&s, &policy, rule, "carrier").map(|size| size.amount.to_string())
    };
    let kinds = ["10.00 USD", "25.00 USD", "50.00 USD"];
    assert_eq!(sized(&kinds, None, None, &fixed("12.00 USD")), Ok("10.00 USD".into()));
    assert_eq!(sized(&kinds, None, None, &fixed("13.01 USD")), Ok("25.00 USD".into()));
    // More than the largest: that one first, the rest once it was seen on the line.
    assert_eq!(sized(&kinds, None, None, &fixed("90.00 USD")), Ok("50.00 USD".into()));
    assert_eq!(sized(&[], Some("15.00 USD"), None, &fixed("12.00 USD")), Ok("15.00 USD".into()));
    assert!(matches!(
        sized(&[], None, Some("20.00 USD"), &fixed("25.00 USD")),
        Err(AmountError::AboveMax { .. })
    ));
    let capped = Rule { order_max: Some(money("5.00 USD")), ..fixed("12.00 USD") };
    assert!(matches!(sized(&kinds, None, None, &capped), Err(AmountError::AboveMax { .. })));
}

#[test]
fn more_than_may_be_ordered_is_refused_aloud() {
    let mut s = snapshot(reading("3.00 USD", 0));
    s.rules[0].order_max = Some(money("9.99 USD"));
    assert_eq!(step(&s, at(0)), "order_max");
    let told = decide(&s, &policy(), at(0)).notices;
    let refused = told.iter().find(|n| n.kind == NoticeKind::TopupRefused).unwrap();
    assert!(refused.facts.detail.as_deref().unwrap().contains("10.00 USD"));
}

#[test]
fn an_over_buy_and_an_unusual_amount_need_approval() {
    let mut s = ready();
    s.rules[0].amount = Some(Amount::ToTarget(money("6.00 USD")));
    s.rules[0].order_min = Some(money("5.00 USD"));
    assert!(asked_why(&s, at(2)).contains("2.90 USD is missing"));
    s.rules[0].order_min = Some(money("4.35 USD"));
    assert_eq!(step(&s, at(2)), "reserve");
    s.rules[0].amount = Some(Amount::Fixed(money("10.00 USD")));
    s.rules[0].approve_if_unusual = true;
    s.history.usual = Some(money("4.99 USD"));
    assert!(asked_why(&s, at(2)).contains("usual 4.99 USD"));
    s.history.usual = Some(money("5.00 USD"));
    assert_eq!(step(&s, at(2)), "reserve");
}
