//! The acceptance list of the peers study, as far as it needs more than one decision: the whole
//! engine, a carrier that keeps books and a mail server, under a clock that is moved by hand.

use super::support::{
    daemon::{Install, LINE},
    fake::{Fake, Manner},
    world::World,
};
use topupd::{domain::Span, sim::mailbox::Mailbox};

const US_LINES: [&str; 2] = ["{ subscription = \"li-tmobile\" }", "{ tag = \"us\" }"];

/// `n` lines more of the same owner under the same rule, with `cents` each.
pub(crate) fn add_lines(fake: &Fake, install: &Install, n: usize, cents: i64) {
    install.edit("fleet.toml", US_LINES[0], US_LINES[1]);
    let mut fleet = std::fs::read_to_string(install.path("fleet.toml")).unwrap();
    for n in 0..n {
        let number = format!("+1202555{:04}", 1000 + n);
        fake.set_balance(&number, cents);
        fleet += &format!(
            "[[subscriptions]]\nid = \"extra-{n}\"\nsubscriber = \"li\"\nlabel = \"Extra {n}\"\nmsisdn = \"{number}\"\n\
             reader = \"carrier\"\npayers = [\"carrier\"]\ntags = [\"us\"]\n\
             plan = {{ cycle_days = 30, renewal = \"fund_balance\" }}\n"
        );
    }
    std::fs::write(install.path("fleet.toml"), fleet).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a01_one_shortfall_judged_a_thousand_times_is_one_order() {
    let world = World::new(|fake, _| fake.set_balance(LINE, 320)).await;
    world.fake.set_manner(Manner::NoEffect);
    world.tick().await;
    for _ in 0..1000 {
        world.engine().store().decide_all(world.now()).await.unwrap();
        world.engine().run_stage(topupd::flow::Stage::Decide).await.unwrap();
    }
    world.pass(Span::days(2)).await;
    assert_eq!((world.fake.charges().len(), world.fake.bodies().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a06_a_cap_holds_over_fifty_lines_at_once() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 100);
        add_lines(fake, install, 49, 100);
        install.edit("topupd.toml", "storm_min = 3", "storm_min = 100");
        install.edit("topupd.toml", "[safety]", "[caps]\nglobal_24h = \"70.00 USD\"\n[safety]");
    })
    .await;
    world.pass(Span::hours(12)).await;
    assert_eq!(world.fake.charges().len(), 7);
    let refused = world.told("sent").await.iter().filter(|kind| **kind == "topup_refused").count();
    assert_eq!(refused, 43, "a refusal by a cap is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_a_card_that_declines_for_thirty_days_is_tried_four_times() {
    let world = World::new(|fake, _| fake.set_balance(LINE, 320)).await;
    world.fake.set_manner(Manner::Refuse);
    world.pass(Span::days(30)).await;
    assert_eq!(world.fake.bodies().len(), 4);
    let told = world.told("sent").await;
    assert_eq!(told.iter().filter(|kind| **kind == "topup_failed").count(), 4);
    assert_eq!(told.iter().filter(|kind| **kind == "topup_refused").count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a08_a_provider_outage_over_many_lines_suspends_nobody_and_is_one_incident() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 2000);
        add_lines(fake, install, 79, 2000);
        install.edit("topupd.toml", "storm_min = 3", "storm_min = 300");
    })
    .await;
    world.pass(Span::hours(12)).await;
    world.fake.answer_reads_with(Some("<html>maintenance</html>"));
    world.pass(Span::days(2)).await;
    let told = world.told("sent").await;
    assert_eq!(told, ["provider_incident"], "one incident, not 80 stale lines");
    let switch = world.engine().money_switch(world.now()).await.unwrap();
    assert_eq!(switch.readers_out.len(), 1);
    // The outage is over: it is said once, and a line in need is served as ever.
    world.fake.answer_reads_with(None);
    world.fake.set_balance(LINE, 100);
    world.pass(Span::days(1)).await;
    let told = world.told("sent").await;
    let count = |kind: &str| told.iter().filter(|told| **told == kind).count();
    assert_eq!((count("provider_incident"), count("stale")), (1, 0), "{told:?}");
    assert_eq!((count("recovered"), count("topup_verified")), (2, 1), "{told:?}");
    assert_eq!(world.fake.charges().len(), 1);
    assert!(world.engine().money_switch(world.now()).await.unwrap().readers_out.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_maintenance_text_with_a_digit_is_no_reading_and_no_order() {
    let world = World::new(|fake, _| fake.set_balance(LINE, 1200)).await;
    world.tick().await;
    for text in ["available from 9 o'clock", "9", "{\"balance\":\"9\"}", "<html>9</html>"] {
        world.fake.answer_reads_with(Some(text));
        world.pass(Span::hours(12)).await;
    }
    assert!(world.fake.bodies().is_empty());
    let id = topupd::domain::SubscriptionId::parse("li-tmobile").unwrap();
    let kept = world.engine().store().newest_ok(&id).await.unwrap().unwrap();
    assert_eq!(kept.values.balance.unwrap().to_string(), "12.00 USD");
}

#[tokio::test(flavor = "multi_thread")]
async fn a12_when_all_lines_read_nothing_nothing_is_ordered() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 1200);
        add_lines(fake, install, 19, 1500);
    })
    .await;
    world.pass(Span::hours(7)).await;
    world.fake.answer_reads_with(Some(
        r#"{"balance":{"amount":"0.00","currency":"USD"},"expires_at":"2031-01-01T00:00:00Z","data":{"left_mb":0}}"#,
    ));
    world.pass(Span::hours(8)).await;
    assert!(world.fake.bodies().is_empty());
    assert!(world.told("sent").await.contains(&"paying_stopped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_balance_that_swings_round_the_threshold_for_a_week_is_one_episode() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 510);
        install.edit("fleet.toml", "\"auto\"", "\"notify\"");
    })
    .await;
    for n in 0..28 {
        world.fake.set_balance(LINE, if n % 2 == 0 { 495 } else { 505 });
        world.pass(Span::hours(6)).await;
    }
    let notices = world.engine().store().notices(None, 99).await.unwrap();
    let mut told: Vec<(&str, i64)> =
        notices.iter().map(|notice| (notice.kind.as_str(), notice.reminder_no)).collect();
    told.sort_unstable();
    // One episode, told once; nobody acknowledged it, so it was told again after one day and three.
    assert_eq!(told, [("low_balance", 0), ("low_balance", 1), ("low_balance", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a18_a_restart_repeats_nothing_and_what_began_meanwhile_is_told() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 320);
        install.edit("fleet.toml", "\"auto\"", "\"notify\"");
    })
    .await;
    world.pass(Span::hours(1)).await;
    assert_eq!(world.told("sent").await, ["low_balance"]);
    let world = world.sleep(Span::hours(8)).await;
    world.pass(Span::hours(8)).await;
    assert_eq!(world.told("sent").await, ["low_balance"]);
    // Down over the day on which the seven days began.
    let ends = world.now().plus(Span::days(10));
    world.fake.set_end(&ends.rfc3339());
    world.pass(Span::hours(7)).await;
    let world = world.sleep(Span::days(5)).await;
    world.pass(Span::hours(1)).await;
    let told = world.told("sent").await;
    assert_eq!(told.iter().filter(|kind| **kind == "expiry_near").count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_a_mail_server_down_for_six_hours_is_told_by_the_other_channel_once() {
    let backup = Mailbox::start().await.unwrap();
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 320);
        install.edit("fleet.toml", "\"auto\"", "\"notify\"");
        install.edit("fleet.toml", "[\"mail\"]", "[\"mail\", \"backup\"]");
        let config = std::fs::read_to_string(install.path("topupd.toml")).unwrap();
        // Nobody listens on the port of the first channel.
        let (head, mail) = config.split_once("[channels.mail.email]").unwrap();
        let from = mail.lines().find(|line| line.starts_with("from")).unwrap();
        let down = "url = \"smtp://127.0.0.1:1\"";
        let up = format!("url = \"{}\"", backup.url());
        let channels = format!(
            "{head}[channels.mail.email]\n{down}\n{from}\n[channels.backup.email]\n{up}\n{from}\n"
        );
        let paces = "[notices]\nremind_after = [\"30d\"]\n[flow]\nnotify_after = [\"1m\", \"5m\", \"30m\", \"2h\"]";
        std::fs::write(install.path("topupd.toml"), channels.replace("[flow]", paces)).unwrap();
    })
    .await;
    world.pass(Span::hours(6)).await;
    let mut told = world.told("sent").await;
    told.sort_unstable();
    assert_eq!(told, ["channel_trouble", "low_balance"]);
    assert_eq!((world.mailbox.mails().len(), backup.mails().len()), (0, 2));
    world.pass(Span::hours(24)).await;
    assert_eq!(backup.mails().len(), 2, "each was told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_two_hundred_lines_that_end_on_one_day_are_one_digest() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 5000);
        add_lines(fake, install, 199, 5000);
        install.edit("fleet.toml", "\"auto\"", "\"notify\"");
    })
    .await;
    let ends = world.now().plus(Span::days(9));
    world.fake.set_end(&ends.rfc3339());
    world.pass(Span::days(1)).await;
    let early = world.mailbox.mails();
    assert!(early.is_empty(), "{}", early[0].raw);
    world.pass(Span::days(2)).await;
    let mails = world.mailbox.mails();
    let first: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(mails[0].raw.contains("200 lines"), "{}", mails[0].raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_quiet_hours_hold_everything_but_what_is_critical() {
    let world = World::new(|fake, install| {
        fake.set_balance(LINE, 5000);
        install.edit("fleet.toml", "\"auto\"", "\"notify\"");
    })
    .await;
    // Quiet from an hour ago until eleven hours from now, wherever the test runs.
    let local = |span: Span| {
        let at = world.now().plus(span).to_utc().unwrap();
        at.with_timezone(&chrono_tz::Asia::Shanghai).format("%H:%M").to_string()
    };
    let quiet = format!("{}-{}", local(Span::hours(-1)), local(Span::hours(11)));
    let zone = "time_zone = \"Asia/Shanghai\"";
    world.install.edit("fleet.toml", zone, &format!("{zone}\nquiet_hours = \"{quiet}\""));
    world.install.apply();
    world.tick().await;
    world.fake.set_balance(LINE, 300);
    world.pass(Span::hours(7)).await;
    assert_eq!(world.told("queued").await, ["low_balance"]);
    assert_eq!(world.mailbox.mails().len(), 0);
    world.fake.set_end(&world.now().plus(Span::hours(20)).rfc3339());
    world.engine().store().poll_now(&[], world.now()).await.unwrap();
    world.pass(Span::hours(1)).await;
    assert_eq!(world.told("sent").await, ["expiry_near"], "critical breaks through");
    world.pass(Span::hours(5)).await;
    assert!(world.told("queued").await.is_empty());
    assert!(world.told("sent").await.contains(&"low_balance"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a31_a_date_that_jitters_over_a_hundred_readings_is_one_need_and_one_order() {
    let world = World::new(|fake, _| fake.set_balance(LINE, 1200)).await;
    let end = world.now().plus(Span::days(34));
    for n in 0..100_i64 {
        world.fake.set_end(&end.plus(Span::hours((n % 5 - 2) * 24)).rfc3339());
        world.pass(Span::hours(7)).await;
    }
    assert_eq!(world.fake.charges().len(), 1);
}
