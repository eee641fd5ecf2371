//! Nobody is left untold: what one person cannot be told another is; months and weeks are told by
//! the calendar; nobody is flooded.

use super::support::place::Place;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use topupd::{
    channels::{Message, Outcome},
    domain::{Facts, NoticeDraft, NoticeKind, Severity, Span, SubscriberId, Timestamp},
    flow::Stage,
};

fn draft(place: &Place, n: usize, severity: Severity) -> NoticeDraft {
    NoticeDraft {
        subscriber: SubscriberId::parse("li").unwrap(),
        subscription: None,
        topup: None,
        kind: NoticeKind::TopupFailed,
        severity,
        dedupe: format!("some|{n}"),
        at: place.clock.now(),
        facts: Facts { label: "Bank".into(), ..Facts::default() },
    }
}

async fn say(place: &Place, n: usize, severity: Severity) {
    place.engine.store().say(&[draft(place, n, severity)]).await.unwrap();
}

fn of(messages: Vec<Message>, kind: NoticeKind) -> Vec<Message> {
    messages.into_iter().filter(|message| message.kind == kind).collect()
}

fn calm(fleet: &str) -> String {
    fleet.replace("mode = \"auto\"", "mode = \"observe\"")
}

#[tokio::test]
async fn what_cannot_be_told_is_told_to_who_looks_after_it() {
    // Li has one channel, and it knows nobody of that name.
    let place = Place::new(|fleet| {
        calm(fleet).replace("name = \"Li\"", "name = \"Li\"\nchannels = [\"mail\"]")
    })
    .await;
    place.mail.says(Some(Outcome::BadRecipient { why: "550 no such user".into() }));
    say(&place, 1, Severity::High).await;
    say(&place, 2, Severity::Info).await;
    place.engine.tick().await.unwrap();
    let told = of(place.chat.took(), NoticeKind::Undelivered);
    assert_eq!(told.len(), 1, "once, and not of what matters little");
    assert!(told[0].text.contains("Li could not be told"), "{}", told[0].text);
    assert!(told[0].text.contains("topup failed (Bank): 550 no such user"), "{}", told[0].text);
    for _ in 0..3 {
        place.clock.advance(Span::hours(2));
        place.engine.tick().await.unwrap();
    }
    assert_eq!(of(place.chat.took(), NoticeKind::Undelivered).len(), 1);
}

#[tokio::test]
async fn one_person_is_not_flooded_and_what_is_critical_is_not_held_back() {
    let place = Place::new(calm).await;
    for n in 0..40 {
        say(&place, n, Severity::High).await;
    }
    place.engine.tick().await.unwrap();
    assert_eq!(place.mail.took().len(), 30, "the brake is 30/h");
    let waiting = place.engine.store().notices(None, 99).await.unwrap();
    let waiting: Vec<_> = waiting.iter().filter(|notice| notice.state == "queued").collect();
    assert_eq!(waiting.len(), 10);
    assert!(waiting.iter().all(|notice| notice.attempts == 0), "being held back is no try");
    say(&place, 99, Severity::Critical).await;
    place.engine.tick().await.unwrap();
    assert_eq!(place.mail.took().len(), 31);
    place.clock.advance(Span::minutes(59));
    place.engine.tick().await.unwrap();
    assert_eq!(place.mail.took().len(), 31);
    place.clock.advance(Span::minutes(2));
    place.engine.tick().await.unwrap();
    assert_eq!(of(place.mail.took(), NoticeKind::TopupFailed).len(), 41, "none is lost");
}

/// Waits until so many came to the gate, or were taken.
async fn until(what: impl Fn() -> usize, n: usize) {
    let waiting = async {
        while what() < n {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(came.is_ok(), "{} instead of {n}", what());
}

#[tokio::test]
async fn a_notice_does_not_wait_for_those_on_their_way_and_the_brake_counts_them() {
    let place = Place::new(calm).await;
    let gate = Arc::new(Semaphore::new(0));
    place.mail.waits(Some(gate.clone()));
    for n in 0..7 {
        say(&place, n, Severity::High).await;
    }
    let engine = place.engine.clone();
    let round = tokio::spawn(async move { engine.run_stage(Stage::Notify).await });
    until(|| place.mail.at_the_gate(), 7).await;
    // Forty more come by a way that is free; what is on its way was sent for all we know.
    place.mail.waits(None);
    for n in 7..47 {
        say(&place, n, Severity::High).await;
    }
    place.engine.wake(Stage::Notify);
    until(|| place.mail.took().len(), 23).await;
    gate.add_permits(7);
    let report = round.await.unwrap().unwrap();
    assert_eq!((report.done, report.failed), (30, 0));
    place.engine.tick().await.unwrap();
    assert_eq!(place.mail.took().len(), 30, "the brake is 30/h");
}

#[tokio::test]
async fn who_looks_after_somebody_is_told_also_while_a_message_is_on_its_way() {
    let place = Place::new(|fleet| {
        calm(fleet).replace("name = \"Li\"", "name = \"Li\"\nchannels = [\"mail\"]")
    })
    .await;
    let gate = Arc::new(Semaphore::new(0));
    place.mail.waits(Some(gate.clone()));
    say(&place, 1, Severity::High).await;
    let engine = place.engine.clone();
    let round = tokio::spawn(async move { engine.run_stage(Stage::Notify).await });
    until(|| place.mail.at_the_gate(), 1).await;
    place.mail.waits(None);
    place.mail.says(Some(Outcome::BadRecipient { why: "550 no such user".into() }));
    say(&place, 2, Severity::High).await;
    place.engine.wake(Stage::Notify);
    until(|| of(place.chat.took(), NoticeKind::Undelivered).len(), 1).await;
    assert!(!round.is_finished(), "the first message is still on its way");
    gate.add_permits(1);
    round.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_no_other() {
    let place = Place::new(calm).await;
    say(&place, 1, Severity::High).await;
    say(&place, 2, Severity::High).await;
    let ids: Vec<String> = place
        .engine
        .store()
        .notices(None, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|notice| notice.id)
        .collect();
    place.break_notice(&ids[0]).await;
    place.engine.tick().await.unwrap();
    assert_eq!(place.mail.took().len(), 1);
    assert_eq!(place.engine.store().notices(None, 9).await.unwrap().len(), 1, "the list goes on");
}

async fn on(place: &Place, day: &str) {
    let at = Timestamp::parse_rfc3339(&format!("{day}T09:00:30Z")).unwrap();
    place.clock.advance(at.since(place.clock.now()));
    place.engine.tick().await.unwrap();
}

#[tokio::test]
async fn months_and_weeks_are_told_once() {
    let place = Place::new(|fleet| {
        fleet.replace("\"alpha\", \"beta\"", "\"alpha\"").replace(", beta = \"548\"", "")
    })
    .await;
    place.runs_low().await;
    // 2026-11-21 is a Saturday: nothing is told of a month and a week in which nobody was here.
    assert!(of(place.mail.took(), NoticeKind::Statement).is_empty());
    on(&place, "2026-11-23").await;
    let reports = of(place.chat.took(), NoticeKind::Report);
    assert_eq!(reports.len(), 1);
    let head = place.engine.store().journal_head().await.unwrap().to_string();
    assert!(reports[0].text.contains("2026-W47"), "{}", reports[0].text);
    assert!(reports[0].text.contains("Journal head: "), "{head} {}", reports[0].text);
    assert!(reports[0].text.contains("1 lines are watched"), "{}", reports[0].text);
    on(&place, "2026-12-01").await;
    let statements = of(place.mail.took(), NoticeKind::Statement);
    assert_eq!(statements.len(), 1);
    let text = &statements[0].text;
    assert!(
        text.contains("Your statement for 2026-11") && text.contains("Bank (..0123)"),
        "{text}"
    );
    assert!(text.contains("1 top-up, 10.00 USD in all"), "{text}");
    for day in ["2026-12-02", "2026-12-05", "2026-12-06"] {
        on(&place, day).await;
    }
    assert_eq!(of(place.mail.took(), NoticeKind::Statement).len(), 1);
    assert!(of(place.chat.took(), NoticeKind::Statement).is_empty(), "the boss has no line");
    assert_eq!(of(place.chat.took(), NoticeKind::Report).len(), 2);
}

#[test]
fn a_template_of_one_s_own_stands_in_and_a_broken_one_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let words = |file: &str, text: &str| {
        std::fs::write(dir.path().join(file), text).unwrap();
        topupd::words::Words::from_folder(Some(dir.path()))
    };
    let layout = "OURS {{ headline }}\n{% for row in rows %}{{ row.label }}{% endfor %}";
    let ours = words("layout.txt", layout).unwrap();
    let text = ours.sample(NoticeKind::LowBalance, "en").unwrap().text;
    assert!(text.starts_with("OURS Bank number (..0123): running low"), "{text}");
    for broken in ["{% if %}", "{{ no_such_name }}"] {
        let error = words("layout.txt", broken).unwrap_err();
        let chain = format!("{:#}", anyhow::Error::new(error));
        assert!(chain.contains("layout.txt") || chain.contains("low_balance"), "{chain}");
    }
    let gone = dir.path().join("gone");
    assert!(topupd::words::Words::from_folder(Some(&gone)).is_err());
}

#[tokio::test]
async fn the_heart_beats_while_work_flows() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ping/uuid-1", listener.local_addr().unwrap());
    let place =
        Place::with_notices(calm, &format!("heartbeat_url = {url:?}\nheartbeat_every = \"1s\"\n"))
            .await;
    let daemon = topupd::flow::Daemon::start(place.engine.clone()).await.unwrap();
    let mut calls = Vec::new();
    while !calls.contains(&"/ping/uuid-1".to_owned()) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.unwrap();
        let request = String::from_utf8_lossy(&buffer[..n]).into_owned();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await.unwrap();
        calls.push(request.split_whitespace().nth(1).unwrap().to_owned());
    }
    assert_eq!(calls, ["/ping/uuid-1"], "no alarm at the start");
    drop(daemon);
}

fn alone(fleet: &str) -> String {
    calm(fleet).replace("name = \"Li\"", "name = \"Li\"\nchannels = [\"mail\"]")
}

#[tokio::test]
async fn a_mail_server_that_is_down_for_six_hours_costs_no_notice_and_doubles_none() {
    let place = Place::new(alone).await;
    place.mail.says(Some(Outcome::Retry { after: None, why: "connection refused".into() }));
    for n in 0..3 {
        say(&place, n, Severity::High).await;
    }
    for _ in 0..72 {
        place.clock.advance(Span::minutes(5));
        place.engine.tick().await.unwrap();
    }
    assert!(place.mail.took().is_empty());
    place.mail.says(None);
    for _ in 0..24 {
        place.clock.advance(Span::minutes(5));
        place.engine.tick().await.unwrap();
    }
    assert_eq!(place.mail.took().len(), 3);
    assert!(of(place.chat.took(), NoticeKind::Undelivered).is_empty(), "nobody gave up");
}

#[tokio::test]
async fn two_hundred_lines_of_one_owner_are_one_digest() {
    let place = Place::new(alone).await;
    let drafts: Vec<NoticeDraft> = (0..200)
        .map(|n| NoticeDraft {
            subscription: line_of(n),
            kind: NoticeKind::LowBalance,
            ..draft(&place, n, Severity::Warning)
        })
        .collect();
    place.engine.store().say(&drafts).await.unwrap();
    for _ in 0..4 {
        place.engine.tick().await.unwrap();
        place.clock.advance(Span::seconds(61));
    }
    let took = place.mail.took();
    assert_eq!(took.len(), 1, "{took:?}");
    assert!(took[0].text.contains("200 lines want to be looked at"), "{}", took[0].text);
    assert!(took[0].text.contains("And 100 more"), "{}", took[0].text);
}

fn line_of(n: usize) -> Option<topupd::domain::SubscriptionId> {
    topupd::domain::SubscriptionId::parse(&format!("line-{n}")).ok()
}
