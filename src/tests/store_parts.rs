//! The second half of the store's story: the outbox, switches, tokens, calm decisions.

use super::support::{at, calm_decision, line, money, reading, subscriber};
use topupd::domain::{
    Bucket, Facts, Metric, MoneySwitch, NoticeDraft, NoticeKind, Quantity, Severity, Span, State,
    SubscriptionStatus, Timestamp,
};
use topupd::store::{
    Audited, CalmLine, FleetChanges, Grant, OperatorSaid, Polled, Reported, Role, Scope, Store,
    Tried,
};

fn draft(dedupe: &str, severity: Severity) -> NoticeDraft {
    NoticeDraft {
        subscriber: subscriber("li").id,
        subscription: None,
        topup: None,
        kind: NoticeKind::TopupHeld,
        severity,
        dedupe: dedupe.into(),
        at: at(100),
        facts: Facts { label: "Bank number".into(), ..Facts::default() },
    }
}

pub(crate) async fn outbox(store: &Store) {
    drain(store, at(99)).await;
    store
        .say(&[draft("x", Severity::High), draft("x", Severity::High), draft("y", Severity::High)])
        .await
        .unwrap();
    let due = store.claim_notices(10, Span::minutes(2), at(100)).await.unwrap();
    assert_eq!(due.len(), 2, "one row per key");
    // The same words about two lines are two notices.
    let about = |id: &str| NoticeDraft {
        subscription: Some(topupd::domain::SubscriptionId::parse(id).unwrap()),
        ..draft("x", Severity::High)
    };
    store.say(&[about("a"), about("b")]).await.unwrap();
    drain(store, at(100)).await;
    let about_lines = store.notices(Some("li"), 99).await.unwrap();
    let about_lines =
        about_lines.iter().filter(|n| n.state == "dropped" && n.created_at == at(100));
    assert_eq!(
        about_lines.filter(|n| n.subscription.is_some()).count(),
        2,
        "one of two lines lost"
    );
    assert!(
        store.claim_notices(10, Span::minutes(2), at(100)).await.unwrap().is_empty(),
        "claimed twice"
    );
    store
        .tried(
            &due[0],
            "accepted",
            None,
            &Tried::Sent { vendor_id: None, ask_at: None, remind_at: None },
            at(100),
        )
        .await
        .unwrap();
    let later = Tried::Again { at: at(105), channel: "mail".into(), ambiguous: false };
    store.tried(&due[1], "retry", Some("refused"), &later, at(100)).await.unwrap();
    assert!(store.claim_notices(10, Span::minutes(2), at(104)).await.unwrap().is_empty());
    let again = store.claim_notices(10, Span::minutes(2), at(105)).await.unwrap();
    assert_eq!((again.len(), again[0].notice.attempts, again[0].was_cut_off), (1, 2, false));
    // The process dies here: the claim runs out, and the next try knows it may be a second one.
    let back = store.claim_notices(10, Span::minutes(2), at(108)).await.unwrap();
    assert_eq!((back.len(), back[0].was_cut_off, back[0].notice.ambiguous), (1, true, 1));
    store
        .tried(&back[0], "bad_recipient", Some("no such user"), &Tried::Dead, at(108))
        .await
        .unwrap();
    let states: Vec<String> =
        store.notices(Some("li"), 99).await.unwrap().into_iter().map(|n| n.state).collect();
    assert!(
        states.contains(&"sent".to_owned()) && states.contains(&"dead".to_owned()),
        "{states:?}"
    );
    assert_eq!(store.next_notice_due().await.unwrap(), None);
}

/// Reports come late, twice and out of order: what is terminal wins.
pub(crate) async fn reports(store: &Store) {
    store.say(&[draft("reported", Severity::High)]).await.unwrap();
    let due = store.claim_notices(1, Span::minutes(2), at(200)).await.unwrap();
    // Until the try is written down, nobody knows which message an id means.
    let early = async |channel: &str, message: &str, minute: i64| {
        store.may_be_early(channel, message, Span::minutes(2), at(minute)).await.unwrap()
    };
    assert!(early("mail", "SM9", 200).await && early("mail", "SM8", 201).await);
    assert!(!early("pager", "SM9", 200).await, "nothing is on its way there");
    assert!(!early("mail", "SM9", 202).await, "the try is over");
    let sent =
        Tried::Sent { vendor_id: Some("SM9".into()), ask_at: Some(at(201)), remind_at: None };
    store.tried(&due[0], "accepted", None, &sent, at(200)).await.unwrap();
    let id = due[0].notice.id.clone();
    assert!(early("mail", "SM9", 200).await, "written down since: it is to be noted now");
    assert!(!early("mail", "SM8", 200).await, "it is about nothing of ours");
    assert_eq!(store.next_notice_due().await.unwrap(), Some(at(201)));
    let asked = store.deliveries_to_ask(9, at(202), at(201)).await.unwrap();
    assert_eq!((asked[0].notice.as_str(), asked[0].vendor_id.as_str()), (id.as_str(), "SM9"));
    store.asked(&asked[0], Some(at(300))).await.unwrap();
    let note = async |channel: &str, message: &str, word: &str| {
        store.note_report(channel, message, word, Some("why"), at(202)).await.unwrap()
    };
    assert_eq!(note("pager", "SM9", "delivered").await, Reported::Known);
    assert_eq!(note("mail", "SM8", "delivered").await, Reported::Known);
    assert_eq!(note("mail", "SM9", "delivered").await, Reported::Noted);
    assert!(!early("mail", "SM9", 202).await, "it is known");
    for late in ["underway", "failed", "delivered"] {
        assert_eq!(note("mail", "SM9", late).await, Reported::Known, "{late}");
    }
    assert_eq!(store.next_notice_due().await.unwrap(), None, "nobody asks any more");
    // One that fails has no other channel here; by our own id it is found as well.
    store.say(&[draft("failing", Severity::High)]).await.unwrap();
    let due = store.claim_notices(1, Span::minutes(2), at(210)).await.unwrap();
    store.tried(&due[0], "accepted", None, &sent, at(210)).await.unwrap();
    let id = due[0].notice.id.clone();
    assert_eq!(note("mail", &id, "underway").await, Reported::Noted);
    assert_eq!(note("mail", &id, "failed").await, Reported::Dead { notice: id.clone() });
    let notices = store.notices(Some("li"), 99).await.unwrap();
    let dead = notices.iter().find(|n| n.id == id).unwrap();
    assert_eq!(
        (dead.state.as_str(), dead.last_error.as_deref()),
        ("dead", Some("not delivered: why"))
    );
    let tries = store.deliveries(&id).await.unwrap();
    assert_eq!(tries[0].detail.as_deref(), Some("not delivered: why"));
}

/// Reminders, what is given up, the calendar's figures, whose a number is: each statement once.
pub(crate) async fn telling(store: &Store) {
    store.say(&[draft("told", Severity::High)]).await.unwrap();
    let due = store.claim_notices(1, Span::minutes(2), at(400)).await.unwrap();
    let sent = Tried::Sent { vendor_id: None, ask_at: None, remind_at: Some(at(500)) };
    store.tried(&due[0], "accepted", None, &sent, at(400)).await.unwrap();
    assert_eq!(store.next_notice_due().await.unwrap(), Some(at(500)));
    assert!(store.due_reminders(9, at(499)).await.unwrap().is_empty());
    let first = store.due_reminders(9, at(500)).await.unwrap().remove(0);
    assert_eq!(store.is_still_so(&first).await.unwrap(), None);
    store.remind(&first, &draft("told|1", Severity::High)).await.unwrap();
    store.remind(&first, &draft("told|2", Severity::High)).await.unwrap();
    let again = store.claim_notices(9, Span::minutes(2), at(500)).await.unwrap();
    assert_eq!(again.len(), 1, "one clock, one reminder");
    let reminder = &again[0].notice;
    assert_eq!((reminder.reminds.as_ref(), reminder.reminder_no), (Some(&first.id), 1));
    store.tried(&again[0], "bad_recipient", None, &Tried::Dead, at(501)).await.unwrap();
    let seen = store.acknowledge(&reminder.id, "li", Some(at(900)), at(502)).await.unwrap();
    assert_eq!((seen.remind_at, seen.acknowledged_at), (Some(at(900)), None));
    let seen = store.acknowledge(&first.id, "li", None, at(503)).await.unwrap();
    assert_eq!((seen.remind_at, seen.acknowledged_at), (None, Some(at(503))));
    let dead = store.given_up(99).await.unwrap();
    assert!(dead.iter().any(|notice| notice.id == reminder.id));
    for notice in dead {
        store.escalate(&notice.id, &[]).await.unwrap();
    }
    assert!(store.given_up(9).await.unwrap().is_empty());
    assert!(!store.dead_notices(9).await.unwrap().is_empty());
    assert!(store.sent_to("li", "mail", at(0)).await.unwrap().0 > 0);
    store.hold_back(&[(&first.id, 2)], "li", "mail", at(2_000_000), at(504)).await.unwrap();
    assert!(
        store.use_link("x", at(1)).await.unwrap() && !store.use_link("x", at(2)).await.unwrap()
    );
    assert!(store.is_link_used("x").await.unwrap() && !store.is_link_used("y").await.unwrap());
    assert!(store.first_subscriber_at().await.unwrap().is_some());
    let (long_ago, later) = (at(0), at(1_000_000));
    let missing = store.without_statement(later, long_ago, "", 9).await.unwrap();
    assert!(missing.contains(&"li".to_owned()), "{missing:?}");
    assert!(!store.lines_of("li").await.unwrap().is_empty());
    store.spent(Some("li"), long_ago, later).await.unwrap();
    store.spent(None, long_ago, later).await.unwrap();
    assert!(store.week(long_ago).await.unwrap().lines > 0);
    let line = store.subscription(&line("a", 1).id).await.unwrap();
    let answer = OperatorSaid { payer: "p".into(), said: Some("Verizon".into()), differs: true };
    store.keep_operator(&line, &answer, at(600)).await.unwrap();
    store.keep_operator(&line, &answer, at(601)).await.unwrap();
    assert_eq!(store.operators_said(&line, at(600)).await.unwrap(), [answer]);
    assert!(store.operators_said(&line, at(601)).await.unwrap().is_empty());
    assert_eq!(store.look_at_named("carrier", &["nobody".into()], at(700)).await.unwrap(), 0);
}

async fn drain(store: &Store, now: Timestamp) {
    loop {
        let due = store.claim_notices(50, Span::minutes(2), now).await.unwrap();
        if due.is_empty() {
            return;
        }
        for one in due {
            store.tried(&one, "dropped", None, &Tried::Dropped, now).await.unwrap();
        }
    }
}

pub(crate) async fn switches_and_tokens(store: &Store) {
    assert!(store.trip("storm", "too many", at(200)).await.unwrap());
    assert!(!store.trip("storm", "too many", at(201)).await.unwrap(), "tripped twice");
    assert_eq!(store.breakers().await.unwrap().len(), 1);
    assert_eq!(store.clear_breakers(at(202)).await.unwrap(), ["storm"]);
    assert_eq!(store.breaker_cleared_at("storm").await.unwrap(), Some(at(202)));
    assert!(store.trip("storm", "again", at(203)).await.unwrap());
    assert_eq!(store.wall(at(300)).await.unwrap(), at(0));
    assert_eq!(store.wall(at(200)).await.unwrap(), at(300), "the clock ran back");

    let (id, text) = store.create_token(&Grant::of(Role::Operator), "test", at(0)).await.unwrap();
    assert_eq!(
        store.token_grant(&text).await.unwrap(),
        Some((id.clone(), Grant::of(Role::Operator)))
    );
    assert_eq!(store.token_grant("topupd_wrong").await.unwrap(), None);
    people_sign_in_and_out(store).await;
    assert!(store.revoke_token(&id, at(1)).await.unwrap());
    assert_eq!(store.token_grant(&text).await.unwrap(), None);

    store.set_status(&line("b", 2).id, SubscriptionStatus::Paused, at(0)).await.unwrap();
    let claimed = store.claim_polls("carrier", 999, at(100_000), at(99_999)).await.unwrap();
    assert!(claimed.iter().all(|due| due.subscription.id.as_str() != "b"));
    assert_eq!(store.views_of(&["b".into()]).await.unwrap()[0].status, "paused");
    let closing =
        FleetChanges { close_subscriptions: vec![line("b", 2).id], ..FleetChanges::default() };
    store.save_fleet(&closing, at(1)).await.unwrap();
    assert!(!store.documents().await.unwrap().subscriptions.contains_key("b"));
    // Overdue polls after a downtime are counted; a longer cadence that was shortened holds.
    let (lines, known) = store.overdue("carrier", at(200_000), 1000).await.unwrap();
    assert_eq!(known, 41);
    assert!(lines >= known);
    assert_eq!(store.overdue("carrier", at(200_000), 7).await.unwrap(), (lines, 7));
    while store.poll_by("carrier", at(2)).await.unwrap() {}
    let claimed = store
        .claim_polls_due("carrier", (at(2), at(200_000)), 999, at(200_001), at(200_000))
        .await
        .unwrap();
    assert!(claimed.is_empty(), "nothing is due after that");
    let span = (at(1), at(2));
    let claimed =
        store.claim_polls_due("carrier", span, 999, at(200_001), at(200_000)).await.unwrap();
    assert_eq!(claimed.len(), usize::try_from(lines).unwrap());
    calm(store).await;
}

async fn calm(store: &Store) {
    let decision = calm_decision(at(300_000));
    store.decide_all(at(200_000)).await.unwrap();
    store.claim_decisions_of(&["a".into()], at(200_001), at(200_000)).await.unwrap();
    let calm = CalmLine { id: line("a", 1).id, decision, steady: None };
    store.apply_calm(&[calm], at(200_001)).await.unwrap();
    assert!(!store.due_decisions(100, at(250_000)).await.unwrap().contains(&"a".to_owned()));
    assert_eq!(store.views_of(&["a".into()]).await.unwrap()[0].next.2, "calm");
}

/// What replays read: readings by windows of time, acts, the moves of top-ups.
pub(crate) async fn history(store: &Store) {
    let mut told = reading("a", "9.00 USD", 20_000);
    told.values.next_charge = Some(money("16.20 USD"));
    told.values.buckets = vec![
        bucket("plan", Quantity::Bytes(500), Metric::DataLeft, Some(at(30_000))),
        bucket("bonus", Quantity::Money(money("2.00 USD")), Metric::Balance, None),
        bucket("calls", Quantity::Count(7), Metric::MinutesLeft, None),
    ];
    let polled = Polled { reading: told.clone(), next_poll_at: at(20_360) };
    store.apply_polls(&[polled], at(20_000)).await.unwrap();
    assert_eq!(store.readings(&line("a", 1).id, 1).await.unwrap(), vec![told.clone()]);
    let row = store.snapshots(&["a".to_owned()]).await.unwrap().remove(0);
    assert_eq!(row.snapshot.reading, Some(told.clone()));
    let lines = [line("b", 2), line("a", 1)];
    let (from, to) = (at(19_999), at(20_001));
    let between = store.readings_between(&lines, from, to).await.unwrap();
    assert_eq!(between, vec![(1, told)]);
    assert!(store.readings_between(&lines, from, at(20_000)).await.unwrap().is_empty());
    let ids = ["a".to_owned(), "b".to_owned()];
    assert_eq!(store.count_readings_of(&ids, from, to).await.unwrap(), 1);
    // Every top-up comes with its need and with all its moves, from "none" on.
    let topups = store.recorded_topups(&ids, at(1_000_000)).await.unwrap();
    assert!(!topups.is_empty());
    for recorded in topups.values().flatten() {
        let first = recorded.moves.first().unwrap();
        assert_eq!((first.from, first.to), (None, State::Proposed));
        assert_eq!(recorded.moves.last().unwrap().to, recorded.topup.state);
        assert_eq!(recorded.need.id, recorded.topup.need);
    }
    // Switches are written down where they turn, and only then.
    let off = MoneySwitch { off: Some("by hand".into()), ..MoneySwitch::default() };
    for minute in [20_010, 20_011] {
        store.keep_switch(&off, at(minute)).await.unwrap();
    }
    store.keep_switch(&MoneySwitch::default(), at(20_012)).await.unwrap();
    let acts = store.acts(at(20_005), at(20_100)).await.unwrap();
    assert_eq!(acts.iter().map(|act| act.at).collect::<Vec<_>>(), [at(20_010), at(20_012)]);
    assert_eq!(store.switch_before(at(20_011)).await.unwrap(), off);
    assert_eq!(store.switch_before(at(20_010)).await.unwrap(), MoneySwitch::default());
    // Breakers of readers are not a person's to clear.
    assert!(store.trip("reader:carrier", "12 of 20", at(20_020)).await.unwrap());
    assert!(
        !store.clear_breakers(at(20_021)).await.unwrap().contains(&"reader:carrier".to_owned())
    );
    assert!(store.clear_breaker("reader:carrier", at(20_022)).await.unwrap());
    assert!(!store.clear_breaker("reader:carrier", at(20_023)).await.unwrap());
    assert!(store.reader_figures().await.unwrap().iter().all(|(_, failing, all)| failing <= all));
    store.ping_writer().await.unwrap();
    let tally = store.tally(at(0), || true).await.unwrap().unwrap();
    store.figures(&tally, at(0)).await.unwrap();
    assert!(
        store.oldest_due(&["carrier"]).await.unwrap().iter().all(|(stage, ..)| !stage.is_empty())
    );
}

fn bucket(name: &str, left: Quantity, metric: Metric, expires_at: Option<Timestamp>) -> Bucket {
    Bucket { name: name.into(), left, metric, expires_at }
}

/// A message becomes one reading, whoever posts it how often.
pub(crate) async fn messages(store: &Store) {
    let lines = store.lines_of_reader("carrier").await.unwrap();
    assert!(lines.iter().any(|line| line.id.as_str() == "a"));
    assert!(!lines.iter().any(|line| line.id.as_str() == "b"), "a closed line");
    assert!(store.lines_of_reader("nobody").await.unwrap().is_empty());
    let before = store.count_readings(at(-1)).await.unwrap();
    let polled = |minute| Polled {
        reading: reading("a", "9.00 USD", minute),
        next_poll_at: at(minute).plus(Span::hours(6)),
    };
    assert!(!store.knows_message("carrier", "m1").await.unwrap());
    assert!(store.apply_message(Some("m1"), &polled(9000), at(9000)).await.unwrap());
    assert!(store.knows_message("carrier", "m1").await.unwrap());
    assert!(!store.knows_message("other", "m1").await.unwrap());
    assert!(!store.apply_message(Some("m1"), &polled(9001), at(9001)).await.unwrap());
    for minute in [9002, 9003] {
        assert!(store.apply_message(None, &polled(minute), at(minute)).await.unwrap());
    }
    assert_eq!(store.count_readings(at(-1)).await.unwrap(), before + 3);
    // Long after nobody posts it any more.
    let later = 9000 + 91 * 24 * 60;
    assert!(store.apply_message(Some("m2"), &polled(later), at(later)).await.unwrap());
    assert!(!store.knows_message("carrier", "m1").await.unwrap());
}

async fn people_sign_in_and_out(store: &Store) {
    let scoped = Grant { role: Role::Viewer, scope: Scope::Tag("family".into()) };
    assert!(!store.has_users().await.unwrap());
    store.save_user("ana", &scoped, "$argon2id$1", at(0)).await.unwrap();
    assert!(store.has_users().await.unwrap());
    assert_eq!(store.password_of("ana").await.unwrap().as_deref(), Some("$argon2id$1"));
    assert_eq!(store.password_of("bob").await.unwrap(), None);
    let cookie = store.create_session("ana", at(10)).await.unwrap();
    let session = store.session(&cookie, at(20)).await.unwrap().unwrap();
    assert_eq!((session.user.as_str(), &session.grant), ("ana", &scoped));
    assert_eq!(session.confirmed_at, at(10));
    store.confirm_session(&session.hash, at(30)).await.unwrap();
    assert_eq!(store.session(&cookie, at(31)).await.unwrap().unwrap().confirmed_at, at(30));
    assert_eq!(store.session("other", at(31)).await.unwrap(), None);
    // Seen is moved on by use; unused for a week it is over, and after 30 days in any case.
    let days = |n: i64| at(n * 24 * 60);
    for day in [6, 12, 18, 24, 29] {
        assert!(store.session(&cookie, days(day)).await.unwrap().is_some(), "day {day}");
    }
    assert_eq!(store.session(&cookie, days(31)).await.unwrap(), None);
    let idle = store.create_session("ana", at(10)).await.unwrap();
    assert_eq!(store.session(&idle, days(8)).await.unwrap(), None);
    // Another password signs out all others; disabling signs out all.
    let (one, two) = (store.create_session("ana", at(10)), store.create_session("ana", at(10)));
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    let kept = store.session(&one, at(11)).await.unwrap().unwrap();
    store.set_password("ana", "$argon2id$2", &kept.hash).await.unwrap();
    assert!(store.session(&one, at(12)).await.unwrap().is_some());
    assert_eq!(store.session(&two, at(12)).await.unwrap(), None);
    assert!(store.disable_user("ana", at(13)).await.unwrap());
    assert!(!store.disable_user("ana", at(14)).await.unwrap());
    assert_eq!(store.session(&one, at(14)).await.unwrap(), None);
    assert_eq!(store.password_of("ana").await.unwrap(), None);
    assert_eq!(store.users().await.unwrap()[0].disabled_at, Some(at(13)));
    store.save_user("ana", &Grant::of(Role::Admin), "$argon2id$3", at(15)).await.unwrap();
    let again = store.create_session("ana", at(16)).await.unwrap();
    let session = store.session(&again, at(17)).await.unwrap().unwrap();
    assert_eq!(session.grant.role, Role::Admin);
    store.end_session(&session.hash).await.unwrap();
    assert_eq!(store.session(&again, at(18)).await.unwrap(), None);
    // What they did.
    for (act, target) in [("pause", "l1"), ("approve", "t1"), ("resume", "l1")] {
        let what = Audited {
            actor: "user:ana".into(),
            act: act.into(),
            target: target.into(),
            status: 200,
            ..Audited::default()
        };
        store.audit(&what, at(20)).await.unwrap();
    }
    let all = store.audit_page((None, None), None, 9).await.unwrap();
    let acts: Vec<&str> = all.iter().map(|row| row.what.act.as_str()).collect();
    assert_eq!(acts, ["resume", "approve", "pause"]);
    let before = store.audit_page((Some("l1"), None), Some(all[0].seq), 9).await.unwrap();
    assert_eq!(before.len(), 1);
}
