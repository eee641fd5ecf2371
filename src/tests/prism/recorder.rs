//! Pass-throughs on both sides of Prism. The one before it keeps what was asked and what Prism found
//! wrong; the one behind it can lie.

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A running pass-through. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    server: JoinHandle<()>,
}

/// What came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Every request.
    pub(super) requests: Vec<Asked>,
    /// What Prism said, with the request that it said it of.
    pub(super) violations: Vec<String>,
}

/// A request, and how it was answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
    pub(super) status: StatusCode,
    /// The answer had a body.
    pub(super) is_told: bool,
}

#[derive(Clone, Debug)]
struct Way {
    client: reqwest::Client,
    to: String,
    seen: Arc<Mutex<Seen>>,
}

/// Asks for a lie: an answer with this status that is of no published shape.
const LIE: HeaderName = HeaderName::from_static("x-lie");

impl Recorder {
    /// Passes everything on to `to`.
    pub(super) async fn before(to: &str) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let way = Way { client: client(), to: to.to_owned(), seen: seen.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(way);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, server }
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came by so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Asked {
    /// The names of the fields of a form; none where the body is something else.
    pub(super) fn form(&self) -> Vec<String> {
        let kind = self.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let body =
            if kind == Some(b"application/x-www-form-urlencoded") { &self.body[..] } else { b"" };
        url::form_urlencoded::parse(body).map(|(key, _)| key.into_owned()).collect()
    }

    /// True where Prism at `prism` notices that the same request is answered with nonsense, by a
    /// pass-through behind it.
    pub(super) async fn is_guarded(&self, prism: &str) -> bool {
        let mut headers = self.headers.clone();
        headers.insert(LIE, HeaderValue::from_str(self.status.as_str()).unwrap());
        let url = format!("{prism}{}", self.uri);
        let sent = client().request(self.method.clone(), url).headers(headers);
        let reply = sent.body(self.body.clone()).send().await.unwrap();
        let headers = reply.headers().clone();
        violation(&headers, &reply.text().await.unwrap()).is_some()
    }
}

pub(crate) fn client() -> reqwest::Client {
    // Fails only when one is installed already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(std::iter::empty());
    client.build().unwrap()
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    if let Some(status) = parts.headers.get(LIE) {
        let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
        return (status, Json("nonsense")).into_response();
    }
    own_hop(&mut parts.headers);
    let (method, uri, headers) = (parts.method, parts.uri.to_string(), parts.headers);
    let sent = way.client.request(method.clone(), format!("{}{uri}", way.to));
    let reply = sent.headers(headers.clone()).body(body.clone()).send().await.unwrap();
    let (status, mut answered) = (reply.status(), reply.headers().clone());
    let bytes = reply.bytes().await.unwrap();
    let mut seen = way.seen.lock().unwrap();
    if let Some(said) = violation(&answered, &String::from_utf8_lossy(&bytes)) {
        let asked = format!("{method} {uri} {}", String::from_utf8_lossy(&body));
        seen.violations.push(format!("{asked}\n  {status}: {said}"));
    }
    let (path, is_told) = (parts.uri.path().to_owned(), !bytes.is_empty());
    seen.requests.push(Asked { method, path, uri, headers, body, status, is_told });
    own_hop(&mut answered);
    (status, answered, Body::from(bytes)).into_response()
}

/// What Prism found wrong: said in a header where there was an answer to put it on, else in the
/// answer it gives itself.
fn violation(headers: &HeaderMap, body: &str) -> Option<String> {
    let header = headers.get("sl-violations").map(|value| value.to_str().unwrap().to_owned());
    header.or_else(|| body.contains("stoplight.io/prism/errors#").then(|| body.to_owned()))
}

/// Takes out what belongs to one connection only.
fn own_hop(headers: &mut HeaderMap) {
    const HOP: [HeaderName; 4] =
        [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    for name in HOP {
        headers.remove(name);
    }
}
