//! The link in a notice: a page that a scanner may open as often as it likes, and a form that acts
//! once.

use super::support::place::Place;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use topupd::{
    admin,
    channels::Message,
    domain::{NoticeKind, Span, State},
};

/// The place with its pages, known by another name to those outside.
struct Site {
    place: Place,
    port: u16,
}

impl Site {
    async fn new(mode: &str) -> Self {
        let mode = format!("mode = {mode:?}");
        let place = Place::new(|fleet| fleet.replace("mode = \"auto\"", &mode)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let engine = place.engine.clone();
        let beats = engine.beats().clone();
        tokio::spawn(admin::serve(engine, beats, listener, std::future::pending()));
        place.runs_low().await;
        Self { place, port }
    }

    fn told(&self, kind: NoticeKind) -> Message {
        self.place.mail.took().into_iter().find(|message| message.kind == kind).unwrap()
    }

    /// The path of the link in a message.
    fn link(&self, kind: NoticeKind) -> String {
        let text = self.told(kind).text;
        let link = text.split("https://topupd.example.com").nth(1).unwrap();
        link.split_whitespace().next().unwrap().to_owned()
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: topupd.example.com\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (answer[9..12].parse().unwrap(), answer)
    }
}

#[tokio::test]
async fn looking_changes_nothing_and_the_form_acts_once() {
    let site = Site::new("notify").await;
    let link = site.link(NoticeKind::LowBalance);
    let html = site.told(NoticeKind::LowBalance).html.replace("&#x2f;", "/");
    assert!(html.contains(&link), "{html}");
    for _ in 0..3 {
        let (status, page) = site.ask("GET", &link, "").await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("value=\"acknowledge\"") && page.contains("value=\"snooze\""));
        assert!(page.contains("form-action 'self'") && !page.contains("<script"), "{page}");
        assert_eq!(site.ask("HEAD", &link, "").await.0, 200);
    }
    assert_eq!(site.ask("POST", &link, "reply=approve").await.0, 422);
    assert_eq!(site.ask("POST", &link, "").await.0, 422);
    let (status, page) = site.ask("POST", &link, "reply=acknowledge").await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("not told again"), "{page}");
    for method in ["GET", "POST"] {
        assert_eq!(site.ask(method, &link, "reply=acknowledge").await.0, 410);
    }
    site.place.clock.advance(Span::days(2));
    site.place.engine.tick().await.unwrap();
    let low = site.place.mail.took();
    assert_eq!(low.iter().filter(|m| m.kind == NoticeKind::LowBalance).count(), 1);
}

#[tokio::test]
async fn a_forged_or_old_link_does_nothing() {
    let site = Site::new("notify").await;
    let link = site.link(NoticeKind::LowBalance);
    let (plain, proof) = link.rsplit_once('.').unwrap();
    let (id, ends) = plain.rsplit_once('.').unwrap();
    let later: i64 = ends.parse::<i64>().unwrap() + 1;
    for forged in [
        format!("{plain}.{}", "0".repeat(proof.len())),
        format!("{id}.{later}.{proof}"),
        format!("{id}x.{ends}.{proof}"),
        "/n/x".to_owned(),
        "/n/..".to_owned(),
    ] {
        let (status, page) = site.ask("POST", &forged, "reply=acknowledge").await;
        assert_eq!(status, 404, "{forged}: {page}");
    }
    site.place.clock.advance(Span::days(14));
    assert_eq!(site.ask("GET", &link, "").await.0, 410);
    assert_eq!(site.ask("POST", &link, "reply=acknowledge").await.0, 410);
}

#[tokio::test]
async fn a_reader_approves_exactly_the_order_he_was_told_of() {
    let site = Site::new("approve").await;
    let link = site.link(NoticeKind::ApprovalWanted);
    let waits = site.place.topup().await;
    assert_eq!(waits.state, State::AwaitingApproval);
    assert_eq!(site.ask("GET", &link, "").await.0, 200);
    assert_eq!(site.place.topup().await.state, State::AwaitingApproval, "a scanner came by");
    assert_eq!(site.ask("POST", &link, "reply=approve").await.0, 200);
    let approved = site.place.topup().await;
    assert_eq!(approved.approved.map(|(_, who)| who).as_deref(), Some("li by link"));
    assert_eq!(site.ask("POST", &link, "reply=reject").await.0, 410);
}

#[tokio::test]
async fn what_is_no_longer_to_be_decided_cannot_be() {
    let site = Site::new("approve").await;
    let link = site.link(NoticeKind::ApprovalWanted);
    let waits = site.place.topup().await;
    site.place.engine.reject(waits.id.as_str(), "somebody").await.unwrap();
    let (status, page) = site.ask("POST", &link, "reply=approve").await;
    assert_eq!(status, 409, "{page}");
    assert!(site.place.alpha.shared().charges().is_empty());
}
