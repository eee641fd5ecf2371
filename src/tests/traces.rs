//! Traces as a collector gets them: the real daemon posts its spans, and they say what was done but
//! not to whom. A collector that is down or silent holds nobody up.

use super::support::{
    daemon::{Daemon, Install, LINE},
    fake::{Fake, Manner},
};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use topupd::sim::mailbox::Mailbox;

type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A collector that keeps what it is given.
async fn collector() -> (String, Posts) {
    let posts = Posts::default();
    let take = |State(posts): State<Posts>, headers: HeaderMap, body: Bytes| async move {
        posts.lock().unwrap().push((headers, body));
    };
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&posts));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, posts)
}

/// An installation that sends traces to `otlp` and answers at the address.
async fn traced(otlp: &str) -> (Fake, Mailbox, Install, SocketAddr) {
    let fake = Fake::start().await;
    fake.set_balance(LINE, 320);
    let mailbox = Mailbox::start().await.unwrap();
    let install = Install::new(&fake.url, &mailbox.url());
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    install.edit("topupd.toml", "listen = \"off\"", &format!("listen = \"{at}\""));
    let telemetry = format!(
        "[telemetry]\notlp = \"{otlp}\"\notlp_headers = \"Authorization=Bearer c0llector\"\n[log]"
    );
    install.edit("topupd.toml", "[log]", &telemetry);
    install.apply();
    (fake, mailbox, install, at)
}

/// The status of an answer.
fn ask(at: SocketAddr, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    let head = format!("Host: {at}\r\nAuthorization: Bearer {token}\r\nConnection: close");
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(n)) => n.to_string(),
        other => panic!("{other:?} is no text and no number"),
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    found.map(|attribute| text(attribute.value.as_ref())).unwrap_or_default()
}

/// The first span of this name whose attributes are these.
fn span<'s>(spans: &'s [Span], name: &str, wanted: &[(&str, &str)]) -> &'s Span {
    let fits = |span: &&Span| {
        span.name == name
            && wanted.iter().all(|(key, value)| attribute(&span.attributes, key) == *value)
    };
    spans.iter().find(fits).unwrap_or_else(|| panic!("no {name} with {wanted:?} in {spans:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_learns_what_was_done_but_not_to_whom() {
    let (otlp, posts) = collector().await;
    let (fake, mailbox, install, at) = traced(&otlp).await;
    fake.set_manner(Manner::Pending);
    let token = install.json(&["token", "create", "--role", "viewer"])["token"].clone();
    let token = token.as_str().unwrap();
    let daemon = install.start();
    install.wait_state("verified");
    install.wait("a mail", || !mailbox.mails().is_empty());
    assert_eq!(ask(at, "/api/v1/subscriptions/li-tmobile", token), "200");
    assert_eq!(ask(at, "/api/v1/subscriptions/li-tmobile", "no-token-at-all"), "401");
    assert_eq!(ask(at, "/nowhere/at-all?q=s0mething", token), "404");
    assert_eq!(daemon.stop(), 0);

    let posts = posts.lock().unwrap().clone();
    let mut spans: Vec<Span> = Vec::new();
    for (headers, body) in &posts {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!(headers["authorization"], "Bearer c0llector");
        let sent = ExportTraceServiceRequest::decode(body.clone()).unwrap();
        for group in sent.resource_spans {
            let resource = group.resource.unwrap().attributes;
            assert_eq!(attribute(&resource, "service.name"), "topupd");
            assert_eq!(attribute(&resource, "service.version"), env!("CARGO_PKG_VERSION"));
            assert_eq!(attribute(&resource, "service.instance.id").len(), 32);
            spans.extend(group.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }

    let carrier = ("topupd.provider", "carrier");
    for (name, operation, outcome, stage) in [
        ("provider read", "read", "ok", "stage poll"),
        ("provider topup", "topup", "pending", "stage act"),
        ("provider find", "find", "found", "stage reconcile"),
    ] {
        let wanted = [carrier, ("topupd.operation", operation), ("topupd.outcome", outcome)];
        let call = span(&spans, name, &wanted);
        assert_eq!(call.kind, SpanKind::Client as i32);
        let parent = spans.iter().find(|span| span.span_id == call.parent_span_id).unwrap();
        assert_eq!((parent.name.as_str(), &parent.trace_id), (stage, &call.trace_id));
    }
    let topups = spans.iter().filter(|span| span.name == "provider topup").count();
    assert_eq!(topups, fake.charges().len());
    span(&spans, "notice deliver", &[("topupd.channel", "mail"), ("topupd.outcome", "accepted")]);
    span(&spans, "stage act", &[carrier, ("topupd.seen", "1"), ("topupd.done", "1")]);
    for stage in ["poll", "decide", "act", "reconcile", "verify", "notify"] {
        let round = span(&spans, &format!("stage {stage}"), &[("topupd.stage", stage)]);
        assert!(round.parent_span_id.is_empty());
    }
    let idle = |span: &&Span| attribute(&span.attributes, "topupd.seen") == "0";
    assert_eq!(spans.iter().find(idle), None, "rounds that found nothing are left out");
    let method = ("http.request.method", "GET");
    let route = "/api/v1/subscriptions/{id}";
    for status in ["200", "401"] {
        let wanted = [method, ("http.route", route), ("http.response.status_code", status)];
        let asked = span(&spans, &format!("GET {route}"), &wanted);
        assert_eq!(asked.kind, SpanKind::Server as i32);
    }
    span(&spans, "GET", &[method, ("http.route", ""), ("http.response.status_code", "404")]);
    let is_failed = |span: &&Span| {
        span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
    };
    assert_eq!(spans.iter().find(is_failed), None);
    assert!(spans.iter().all(|span| span.events.is_empty()), "an event has a text");

    // The document knows every attribute.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring");
    let document = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let keys: BTreeSet<&str> =
        spans.iter().flat_map(|span| &span.attributes).map(|a| a.key.as_str()).collect();
    for key in keys {
        assert!(document.contains(&format!("`{key}`")), "{key} is not in the document");
    }
    let all: Vec<u8> = posts.iter().flat_map(|(_, body)| body.to_vec()).collect();
    let all = String::from_utf8_lossy(&all);
    let (carrier, mails) = (fake.url.trim_start_matches("http://"), mailbox.mails());
    let subject = mails[0].header("subject").unwrap();
    for secret in [
        "s3cret",
        "c0llector",
        token,
        "2025550123",
        "li-tmobile",
        "Li Wei",
        "li@example.com",
        "Bank number",
        "s0mething",
        "at-all",
        carrier,
        "/v1/lines",
        &subject,
        &fake.charges()[0].reference,
    ] {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
    let log = install.log();
    for word in ["topupd.stage", "topupd::span", "c0llector", "collector"] {
        assert!(!log.contains(word), "{word} is in the log:\n{log}");
    }
}

/// Runs until money has moved and the trouble was told; how long the end took.
async fn run_without(otlp: &str) -> Duration {
    let (_fake, _mailbox, install, _) = traced(otlp).await;
    let daemon: Daemon = install.start();
    install.wait_state("verified");
    install.wait("a warning", || install.log().contains("the collector takes no traces"));
    let asked = Instant::now();
    assert_eq!(daemon.stop(), 0);
    let took = asked.elapsed();
    let log = install.log();
    assert_eq!(log.matches("the collector takes no traces").count(), 1, "{log}");
    assert!(log.contains("stopped"), "{log}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_is_told_once_and_holds_nobody_up() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let took = run_without(&format!("http://{closed}")).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_up_the_end_for_two_seconds_at_most() {
    // Connections are taken by the kernel, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let took = run_without(&format!("http://{}", silent.local_addr().unwrap())).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}
