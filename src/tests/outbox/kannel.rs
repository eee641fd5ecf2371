//! SMS through a real Kannel: its fake SMSC takes them, another one rejects them, and what Kannel
//! reports of them comes in where its calls do.

use super::{calm, say, told};
use crate::support::{
    place::Place,
    programs::{Running, are_there, command, free_port},
};
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};
use topupd::{
    admin,
    domain::{NoticeKind, Severity, Span},
};

const BEARERBOX: &str = "usr/sbin/bearerbox";
const SMSBOX: &str = "usr/sbin/smsbox";
const FAKESMSC: &str = "usr/lib/kannel/test/fakesmsc";

/// Kannel's folder and ports.
struct Kannel {
    folder: tempfile::TempDir,
    boxes: u16,
    fake: u16,
    send: u16,
}

impl Kannel {
    /// `fails` is where the second SMSC is.
    fn new(fails: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [admin, boxes, fake, back, send] = std::array::from_fn(|_| free_port());
        let mut text = include_str!("kannel.conf")
            .replace("{folder}", folder.path().to_str().unwrap())
            .replace("{fails}", fails);
        for (name, port) in
            [("admin", admin), ("boxes", boxes), ("fake", fake), ("back", back), ("send", send)]
        {
            text = text.replace(&format!("{{{name}}}"), &port.to_string());
        }
        fs::write(folder.path().join("kannel.conf"), text).unwrap();
        Self { folder, boxes, fake, send }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts bearerbox, the fake SMSC and smsbox; they end in the other order. Each starts once the
    /// one before can be called, and bearerbox knows the SMSC before a message comes: the fake SMSC
    /// calls once and ends where nobody listens, and what has no way to go waits for a minute.
    fn start(&self) -> [Running; 3] {
        let log = |name| Stdio::from(File::create(self.path(name)).unwrap());
        let mut bearerbox = command(BEARERBOX);
        bearerbox.arg(self.path("kannel.conf")).stderr(log("bearerbox.log"));
        let bearerbox = Running::listening(bearerbox.stdout(Stdio::null()), self.boxes);
        let mut fake = command(FAKESMSC);
        fake.args(["-H", "127.0.0.1", "-r", &self.fake.to_string(), "-v", "0", "-m", "0"]);
        fake.arg("100 200 text none").stderr(log("fakesmsc.log")).stdout(Stdio::null());
        self.says("Start-up done");
        let fake = Running::start(&mut fake);
        self.says("Fakesmsc client connected");
        let mut smsbox = command(SMSBOX);
        smsbox.arg(self.path("kannel.conf")).stderr(log("smsbox.log"));
        let smsbox = Running::listening(smsbox.stdout(Stdio::null()), self.send);
        [smsbox, fake, bearerbox]
    }

    /// Waits until bearerbox has said so.
    fn says(&self, what: &str) {
        let started = Instant::now();
        let log = || fs::read_to_string(self.path("bearerbox.log")).unwrap_or_default();
        while !log().contains(what) {
            assert!(started.elapsed() < Duration::from_secs(20), "no {what:?}: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The texts that arrived at the fake SMSC.
    fn arrived(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("fakesmsc.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("Got message")).map(str::to_owned).collect()
    }

    /// `[channels.NAME.kannel]` for the SMSC `smsc`, and where its reports go.
    fn channel(&self, smsc: &str, reports: u16) -> String {
        let name = smsc.to_lowercase();
        format!(
            "[channels.{name}.kannel]\nbase_url = \"http://127.0.0.1:{}\"\n\
             allow_private_network = true\nusername = \"tester\"\npassword = \"foobar\"\n\
             smsc = \"{smsc}\"\nsecret = \"0123456789abcdef\"\n\
             callback_url = \"http://127.0.0.1:{reports}/hooks/channels/{name}\"\n",
            self.send
        )
    }
}

/// Whose first channel is whose SMSC.
const PEOPLE: &str = "[[subscribers]]\nid = \"wei\"\nname = \"Wei\"\nemail = \"wei@example.com\"\nphone = \"+12025550198\"\n\
    time_zone = \"UTC\"\nlocale = \"zh-CN\"\nchannels = [\"fake\", \"zchat\"]\n\
    [[subscribers]]\nid = \"ann\"\nname = \"Ann\"\nemail = \"ann@example.com\"\nphone = \"+12025550199\"\n\
    time_zone = \"UTC\"\nchannels = [\"fails\", \"zchat\"]\n";

/// An SMSC that routes nothing.
async fn smsc_that_rejects() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/cgi-bin/sendsms", listener.local_addr().unwrap());
    let answer = (axum::http::StatusCode::FORBIDDEN, "Not routable. Do not try again.");
    let router = axum::Router::new().fallback(move || std::future::ready(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Waits until `check` holds.
async fn until(what: &str, kannel: &Kannel, check: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !check().await {
        if started.elapsed() > Duration::from_secs(20) {
            let log = |name| fs::read_to_string(kannel.path(name)).unwrap_or_default();
            panic!("{what}: {}{}", log("bearerbox.log"), log("smsbox.log"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_by_kannel_and_what_its_smsc_rejects_goes_another_way() {
    if !are_there(&[BEARERBOX, SMSBOX, FAKESMSC]) {
        return;
    }
    let kannel = Kannel::new(&smsc_that_rejects().await);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let reports = listener.local_addr().unwrap().port();
    let channels = kannel.channel("FAKE", reports) + &kannel.channel("FAILS", reports);
    let place = Place::with_notices(|fleet| PEOPLE.to_owned() + &calm(fleet), &channels).await;
    let (engine, beats) = (place.engine.clone(), place.engine.beats().clone());
    tokio::spawn(admin::serve(engine, beats, listener, std::future::pending()));

    // Nobody answers yet: it was not taken, and is tried again.
    say(&place, "wei", Severity::High).await;
    place.engine.tick().await.unwrap();
    let row = told(&place, "wei").await;
    assert_eq!((row.state.as_str(), row.channel.as_deref()), ("queued", Some("fake")), "{row:?}");
    assert_eq!(place.tries(&row.id).await, [("fake".to_owned(), "retry".to_owned())]);

    let [smsbox, fake, bearerbox] = kannel.start();
    place.clock.advance(Span::minutes(1));
    place.engine.tick().await.unwrap();
    assert_eq!(told(&place, "wei").await.state, "sent");
    until("the report of the delivery", &kannel, async || {
        told(&place, "wei").await.delivery.as_deref() == Some("delivered")
    })
    .await;
    let arrived = kannel.arrived();
    assert_eq!(arrived.len(), 1, "{arrived:?}");
    // The number, and Chinese as such.
    assert!(arrived[0].contains("+12025550198 ucs-2"), "{arrived:?}");

    say(&place, "ann", Severity::High).await;
    place.engine.tick().await.unwrap();
    until("the report of the failure", &kannel, async || {
        told(&place, "ann").await.channel.as_deref() == Some("zchat")
    })
    .await;
    place.engine.tick().await.unwrap();
    let row = told(&place, "ann").await;
    assert_eq!((row.state.as_str(), row.ambiguous), ("sent", 0), "{row:?}");
    let words = ["fails", "zchat"].map(|name| (name.to_owned(), "accepted".to_owned()));
    assert_eq!(place.tries(&row.id).await, words);
    let tries = place.engine.store().deliveries(&row.id).await.unwrap();
    let why = tries[0].detail.as_deref().unwrap_or_default();
    assert!(why.starts_with("not delivered: ") && why.contains("Not routable"), "{why}");
    let chat = place.chat.took();
    let told_by_chat = chat.iter().filter(|message| message.kind == NoticeKind::TopupFailed);
    assert_eq!(told_by_chat.map(|message| message.id.as_str()).collect::<Vec<_>>(), [&row.id]);

    // The bearerbox dies, and the smsbox closes its door: the next one waits, and arrives when both
    // are back.
    drop(bearerbox);
    until("the end of the smsbox", &kannel, async || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, kannel.send)).await.is_err()
    })
    .await;
    drop((smsbox, fake));
    say(&place, "wei", Severity::Critical).await;
    place.engine.tick().await.unwrap();
    let waiting = place.engine.store().notices(Some("wei"), 9).await.unwrap();
    let waiting = waiting.iter().find(|row| row.severity == Severity::Critical).unwrap();
    assert_eq!((waiting.state.as_str(), waiting.attempts), ("queued", 1), "{waiting:?}");
    let _running = kannel.start();
    place.clock.advance(Span::minutes(1));
    place.engine.tick().await.unwrap();
    until("the message that waited", &kannel, async || kannel.arrived().len() == 1).await;
    let row = place.engine.store().notice(&waiting.id).await.unwrap();
    assert_eq!((row.state.as_str(), row.ambiguous), ("sent", 0), "{row:?}");
}
