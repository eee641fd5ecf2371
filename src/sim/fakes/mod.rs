//! Stateful fakes of published top-up APIs: real HTTP on loopback, their states, error tables and
//! traps as documented. Each keeps the list of what it charged, which is the oracle of every test.
//!
//! A fake is a router over [`Books`]; everything that can go wrong on the way is in [`Trouble`] and
//! the same for all.

pub mod dingconnect;
pub mod dtone;
pub mod airalo;
pub mod esim_access;
pub mod emnify;
pub mod onence;
pub mod celitech;
pub mod reloadly;
pub mod telnyx;
pub mod twilio;
pub mod zendit;
mod door;
mod record;

use super::wire::{Cut, Door};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing; the fake answers as it should.
    None,
    /// The connection breaks before anything is done.
    LostBefore,
    /// It is done, and the connection breaks.
    LostAfter,
    /// It is done, and the answer is a 500 with a JSON body.
    FailedAfter,
    /// A gateway's page with status 502; nothing is done.
    Page,
    /// It is done, and the answer is a page with status 200.
    PageAfter,
    /// It is done, and the answer stops in the middle.
    Truncated,
    /// 429 with `Retry-After: 7`; nothing is done.
    RateLimited,
    /// 401: the token ran out, or the key is no longer good; nothing is done.
    Unauthorized,
    /// Accepted, and final only at a later look.
    Pending,
    /// Refused by the operator.
    Refused,
    /// Our float there is used up.
    NoFunds,
    /// The answer names another line.
    OtherTarget,
    /// It costs more than it did.
    DearerNow,
}

/// Something that was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeCharge {
    /// Our reference, as the fake got it.
    pub reference: String,
    /// The number or serial that was topped up, as the fake got it.
    pub target: String,
    /// The product.
    pub product: String,
    /// In minor units of whatever the fake counts.
    pub minor: i64,
    /// The fake's id.
    pub id: String,
}

/// What a fake knows.
#[derive(Debug, Default)]
pub struct Books {
    /// Everything that was charged, in order: the oracle.
    pub charges: Vec<FakeCharge>,
    /// The fake's own records, as it answers them.
    pub records: Vec<Value>,
    /// What becomes of the next orders, one after the other; then nothing does.
    pub order_troubles: VecDeque<Trouble>,
    /// What becomes of the next questions.
    pub question_troubles: VecDeque<Trouble>,
    /// The trouble of the request that is being answered, for the fake's own handlers.
    pub now: Option<Trouble>,
    /// Tokens handed out.
    pub tokens: u64,
    /// Every request that came, as `METHOD path?query body`.
    pub requests: Vec<String>,
    /// Values a test gives the fake: balances, products, states by the fake's own words.
    pub world: serde_json::Map<String, Value>,
}

/// The books of a running fake.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Books>>);

impl Shared {
    /// The books, for a moment.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trouble of the present request, if it is one for the fake's own handlers.
    pub fn trouble(&self) -> Trouble {
        self.books().now.unwrap_or(Trouble::None)
    }

    /// What becomes of the next orders.
    pub fn trouble_orders(&self, troubles: &[Trouble]) {
        self.books().order_troubles = troubles.iter().copied().collect();
    }

    /// What becomes of the next questions.
    pub fn trouble_questions(&self, troubles: &[Trouble]) {
        self.books().question_troubles = troubles.iter().copied().collect();
    }

    /// Everything that was ever charged.
    pub fn charges(&self) -> Vec<FakeCharge> {
        self.books().charges.clone()
    }

    /// How many requests have come whose line holds `word`.
    pub fn asked(&self, word: &str) -> usize {
        self.books().requests.iter().filter(|line| line.contains(word)).count()
    }
}

/// Tells orders from questions.
pub type IsOrder = fn(&Method, &str) -> bool;

/// One kind of fake.
#[derive(Clone, Copy)]
pub struct FakeKind {
    /// The kind of provider it plays.
    pub kind: &'static str,
    /// Its API over its books.
    pub router: fn(Shared) -> Router,
    /// Which requests are orders.
    pub is_order: IsOrder,
    /// It sells something.
    pub pays: bool,
    /// What is ordered there.
    pub product: Option<&'static str>,
    /// It serves eSIMs, this one.
    pub iccid: Option<&'static str>,
    /// What its API calls that line, where that is neither the number nor the serial.
    pub alias: Option<&'static str>,
    /// The configuration of a provider that asks it, where `{url}` stands for its address.
    pub config: &'static str,
}

impl std::fmt::Debug for FakeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)
    }
}

/// Every fake.
pub const FAKES: &[FakeKind] = &[
    // One line each.
    dingconnect::FAKE,
    dtone::FAKE,
    airalo::FAKE,
    esim_access::FAKE,
    emnify::FAKE,
    onence::FAKE,
    celitech::FAKE,
    reloadly::FAKE,
    telnyx::FAKE,
    twilio::FAKE,
    zendit::FAKE,
];

/// A running fake. It stops when it is dropped.
#[derive(Debug)]
pub struct Fake {
    kind: FakeKind,
    address: SocketAddr,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Fake {
    /// Listens on a free port of loopback and answers.
    pub async fn start(kind: FakeKind) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::default();
        let state = (shared.clone(), kind.is_order);
        let service = (kind.router)(shared.clone())
            .layer(middleware::from_fn_with_state(state, befall))
            .into_make_service_with_connect_info::<Cut>();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(Door(listener), service).await {
                tracing::warn!(%error, "a fake stopped");
            }
        });
        Ok(Self { kind, address, shared, server })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The configuration of a provider that asks it.
    pub fn config(&self) -> String {
        format!("allow_private_network = true\n{}", self.kind.config.replace("{url}", &self.url()))
    }

    /// Its books.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Lets a request's trouble happen.
async fn befall(
    State((shared, is_order)): State<(Shared, IsOrder)>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let trouble = {
        let mut books = shared.books();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        books.requests.push(format!("{} {} {text}", parts.method, parts.uri));
        let queue = if is_order(&parts.method, parts.uri.path()) {
            &mut books.order_troubles
        } else {
            &mut books.question_troubles
        };
        // Fetching a token is nobody's question.
        let path = parts.uri.path();
        let is_token = path.contains("token") || path.ends_with("/authenticate");
        let trouble = if is_token { None } else { queue.pop_front() };
        books.now = trouble;
        trouble.unwrap_or(Trouble::None)
    };
    let go = |body| next.run(Request::from_parts(parts, Body::from(body)));
    match trouble {
        Trouble::LostBefore => {
            cut.now();
            StatusCode::OK.into_response()
        }
        Trouble::LostAfter => {
            go(bytes).await;
            cut.now();
            StatusCode::OK.into_response()
        }
        Trouble::FailedAfter => {
            go(bytes).await;
            (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(serde_json::json!({"message": "oops"})))
                .into_response()
        }
        Trouble::Page => (StatusCode::BAD_GATEWAY, page()).into_response(),
        Trouble::PageAfter => {
            go(bytes).await;
            page().into_response()
        }
        Trouble::Truncated => {
            let (parts, body) = go(bytes).await.into_parts();
            let whole = to_bytes(body, 1 << 20).await.unwrap_or_default();
            if whole.is_empty() {
                // An answer without a body can only stop in its head.
                cut.now();
            }
            let half = whole.slice(..whole.len() / 2);
            let mut response = Response::from_parts(parts, Body::from(half));
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response
        }
        Trouble::RateLimited => {
            let body = axum::Json(serde_json::json!({"message": "Too Many Attempts."}));
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], body).into_response()
        }
        Trouble::Unauthorized => {
            let body = axum::Json(serde_json::json!({"message": "Unauthenticated."}));
            (StatusCode::UNAUTHORIZED, body).into_response()
        }
        Trouble::None
        | Trouble::Pending
        | Trouble::Refused
        | Trouble::NoFunds
        | Trouble::OtherTarget
        | Trouble::DearerNow => go(bytes).await,
    }
}

fn page() -> Html<&'static str> {
    Html("<!doctype html><html><body>We are down for maintenance</body></html>")
}
