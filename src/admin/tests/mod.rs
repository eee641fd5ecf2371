//! The API as a client sees it: a real listener, a real store, a provider that spends nothing.

mod access;
mod acts;
mod declare;
mod document;
mod hooks;
mod hostile;
mod keys;
mod lists;
mod live;
mod looks;
mod metrics;
mod others;
mod pages;
mod past;
mod scope;
mod terminal;

use super::{connections::Limits, serve_within};
use crate::app::App;
use crate::channels::Channel;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{Money, State, Subscriber, SubscriberId, SubscriptionId, Topup, fixtures};
use crate::flow::{Beats, Engine};
use crate::providers::{
    Answer as Sent, Declares, Found, FreezeError, Order, Provider, ReadError, ReadOk, TestReport,
};
use crate::store::{Change, FleetChanges, Grant, Role};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// Declares that it reads and pays, and is never heard of again.
#[derive(Debug)]
struct Carrier(Declares);

#[async_trait]
impl Provider for Carrier {
    fn declares(&self) -> &Declares {
        &self.0
    }

    async fn read(&self, _: &crate::domain::Subscription) -> Result<ReadOk, ReadError> {
        Err(ReadError::unparseable("silence"))
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        Ok(order.reference.clone())
    }

    async fn topup(&self, _: &Order, _: &str) -> Sent {
        Sent::Unclear { why: "silence".into(), raw: String::new() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Nothing
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Err(ReadError::unparseable("silence"))
    }
}

/// Those that the config would name.
type Named<T> = BTreeMap<String, Arc<T>>;

/// A served store with the lines `l0` to `l4` of `li`.
struct World {
    app: App,
    clock: Clock,
    at: SocketAddr,
    tokens: BTreeMap<&'static str, String>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::on("127.0.0.1:0", Beats::default()).await
    }

    async fn on(listen: &str, beats: Beats) -> Self {
        Self::with(listen, beats, BTreeMap::new()).await
    }

    async fn within(limits: Limits) -> Self {
        Self::made("127.0.0.1:0", Beats::default(), Default::default(), limits).await
    }

    /// With more providers than the carrier.
    async fn with(
        listen: &str,
        beats: Beats,
        providers: BTreeMap<String, Arc<dyn Provider>>,
    ) -> Self {
        Self::made(listen, beats, (providers, BTreeMap::new()), Limits::USUAL).await
    }

    async fn made(
        listen: &str,
        beats: Beats,
        (mut providers, channels): (Named<dyn Provider>, Named<dyn Channel>),
        limits: Limits,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/t.db", dir.path().display());
        // What is declared may name the carrier; who answers for it is the one below.
        let carrier = ("TOPUPD__PROVIDERS__CARRIER__MANUAL__BALANCE_LAG", "1h");
        let vars = [("TOPUPD__DATABASE__URL", url.as_str()), carrier];
        let vars = vars.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter();
        let settings = Settings::load(&[], vars).unwrap();
        let clock = Clock::fixed(fixtures::at(0));
        let declares = Declares { reads: true, tops_up: true, ..Declares::default() };
        let carrier: Arc<dyn Provider> = Arc::new(Carrier(declares));
        providers.insert("carrier".to_owned(), carrier);
        let app =
            App::with(settings, clock.clone(), crate::app::Paying::IfFree, (providers, channels))
                .await
                .unwrap();
        let store = app.engine().store();
        let mut fleet = FleetChanges::default();
        fleet.subscribers.push((li(), "{}".into()));
        fleet.subscriptions.extend((0..5).map(|n| (fixtures::line(&format!("l{n}")), "{}".into())));
        store.save_fleet(&fleet, clock.now()).await.unwrap();
        let mut tokens = BTreeMap::new();
        for (word, role) in Role::WORDS {
            tokens.insert(
                word,
                store.create_token(&Grant::of(role), "test", clock.now()).await.unwrap().1,
            );
        }
        let listener = TcpListener::bind(listen).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let engine = app.engine().clone();
        let server = tokio::spawn(serve_within(limits, engine, beats, listener, async move {
            stopped.await.ok();
        }));
        Self { app, clock, at, tokens, stop, server, _dir: dir }
    }

    fn engine(&self) -> &Engine {
        self.app.engine()
    }

    /// One request with a role's token.
    async fn ask(&self, method: &str, path: &str, role: &str, body: &str) -> Answer {
        let token = self.tokens.get(role).map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Host", self.at.to_string())];
        headers.extend(token.map(|value| ("Authorization", value)));
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json".into()));
        }
        self.send(method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "viewer", "").await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "operator", body).await
    }

    /// One request, byte for byte as given.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(("127.0.0.1", self.at.port())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        // A stream of events has no end: its head and its first event are the answer.
        let is_enough = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.contains("text/event-stream") && text.contains("\nevent: ")
        };
        while !is_enough(&text) && stream.read_buf(&mut text).await.unwrap() > 0 {}
        Answer::parse(&String::from_utf8(text).unwrap())
    }

    /// A top-up of 10.00 USD on `line`, ordered by hand and moved through `states`.
    async fn topup(&self, line: &str, states: &[State]) -> Topup {
        let id = SubscriptionId::parse(line).unwrap();
        let amount = Money::parse("10.00 USD").unwrap();
        let mut topup = self.engine().order_by_hand(&id, amount, None, "test").await.unwrap();
        for state in states {
            let after = Topup {
                state: *state,
                request: Some("frozen".into()).filter(|_| *state != State::AwaitingApproval),
                submit_no: i64::from(*state != State::AwaitingApproval),
                last_sent_at: Some(self.clock.now()).filter(|_| *state != State::Reserved),
                ..topup.clone()
            };
            let change = Change::by("test", "moved");
            let moved = self.engine().store();
            topup = moved.move_topup(&topup, after, &change, &[], self.clock.now()).await.unwrap();
        }
        topup
    }
}

/// A path of the list of routes, with `id` where an id goes and a name that is known where a name
/// does; nobody signs in and no channel is configured, so theirs is not.
fn filled(path: &str, id: &str) -> String {
    let name = match path.split('/').nth(3) {
        Some("providers") => "carrier",
        Some("operators") => "t-mobile-us",
        _ => "t_0000",
    };
    path.replace("{id}", id).replace("{name}", name)
}

fn li() -> Subscriber {
    Subscriber {
        id: SubscriberId::parse("li").unwrap(),
        name: "Li <Wei>".into(),
        email: Some("li@example.com".into()),
        phone: None,
        locale: "en".into(),
        time_zone: chrono_tz::Asia::Shanghai,
        quiet_hours: None,
        channels: vec!["mail".into()],
        addresses: BTreeMap::new(),
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The detail of a problem document with this status.
    #[track_caller]
    fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!(
            (json["status"].as_u64(), &json["type"]),
            (Some(status.into()), &"about:blank".into())
        );
        assert!(json["title"].is_string());
        json["detail"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn it_stops_when_told() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz").await.status, 200);
    world.stop.send(()).unwrap();
    world.server.await.unwrap().unwrap();
    assert!(TcpStream::connect(world.at).await.is_err());
}
