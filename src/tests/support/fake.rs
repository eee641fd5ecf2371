//! A fake carrier that is the oracle: it records every charge, and answers as it is told to.
//!
//! Deliberately written apart from the product's own simulator, so that the two cannot share a
//! misunderstanding of the contract.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How the next top-ups are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Charged and answered.
    Done,
    /// Charged, and the answer never comes.
    ChargeAndHang,
    /// Not charged, and no answer comes: the request is lost.
    LoseRequest,
    /// Charged, answered with a server error.
    ChargeAnd500,
    /// Refused with 402.
    Refuse,
    /// Accepted as pending; the look-up says done.
    Pending,
    /// Called done, but nothing reaches the line.
    NoEffect,
    /// Charged at once, answered after 800 ms.
    Slow,
}

#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) reference: String,
    pub(crate) msisdn: String,
    pub(crate) cents: i64,
    pub(crate) body: String,
}

#[derive(Debug)]
struct Books {
    manner: Manner,
    balances: HashMap<String, i64>,
    charges: Vec<Charge>,
    bodies: Vec<String>,
    answer_reads_with: Option<String>,
    reads: Vec<(String, Instant)>,
    ends_at: String,
    taken: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Fake {
    books: Arc<Mutex<Books>>,
    pub(crate) url: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let books = Books {
            manner: Manner::Done,
            balances: HashMap::new(),
            charges: vec![],
            bodies: vec![],
            answer_reads_with: None,
            reads: vec![],
            ends_at: "2031-01-01T00:00:00Z".into(),
            taken: 0,
        };
        let books = Arc::new(Mutex::new(books));
        let router = Router::new()
            .route("/v1/lines/{msisdn}", get(read))
            .route("/v1/topups", post(topup).get(find))
            .route("/v1/list", get(list))
            .route("/v1/wallet", get(wallet))
            .with_state(Arc::clone(&books));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { books, url }
    }

    pub(crate) fn set_balance(&self, msisdn: &str, cents: i64) {
        self.books.lock().unwrap().balances.insert(msisdn.to_owned(), cents);
    }

    pub(crate) fn set_manner(&self, manner: Manner) {
        self.books.lock().unwrap().manner = manner;
    }

    /// Somebody else charges through our account, or changes what was charged.
    pub(crate) fn cook_the_books(&self, change: impl FnOnce(&mut Vec<Charge>)) {
        change(&mut self.books.lock().unwrap().charges);
    }

    /// Money leaves our float for nothing.
    pub(crate) fn take(&self, cents: i64) {
        self.books.lock().unwrap().taken += cents;
    }

    /// When the service of every line ends, from now on.
    pub(crate) fn set_end(&self, at: &str) {
        self.books.lock().unwrap().ends_at = at.to_owned();
    }

    /// Every read is answered with this text from now on.
    pub(crate) fn answer_reads_with(&self, text: Option<&str>) {
        self.books.lock().unwrap().answer_reads_with = text.map(str::to_owned);
    }

    pub(crate) fn charges(&self) -> Vec<Charge> {
        self.books.lock().unwrap().charges.clone()
    }

    /// Which lines were asked about, and when, since `since`.
    pub(crate) fn reads_since(&self, since: Instant) -> Vec<(String, Instant)> {
        let reads = self.books.lock().unwrap().reads.clone();
        reads.into_iter().filter(|(_, at)| *at >= since).collect()
    }

    /// The bodies of all top-up requests that arrived, charged or not.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.books.lock().unwrap().bodies.clone()
    }
}

type Shared = State<Arc<Mutex<Books>>>;

async fn read(State(books): Shared, Path(msisdn): Path<String>, headers: HeaderMap) -> Response {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if token != "Bearer s3cret" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut books = books.lock().unwrap();
    books.reads.push((msisdn.clone(), Instant::now()));
    if let Some(text) = &books.answer_reads_with {
        return text.clone().into_response();
    }
    let Some(cents) = books.balances.get(&msisdn) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    Json(json!({
        "msisdn": msisdn, "balance": { "amount": amount, "currency": "USD" },
        "expires_at": books.ends_at, "data": { "left_mb": 1500 },
    }))
    .into_response()
}

async fn topup(State(books): Shared, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap();
    let text = |key: &str| request[key].as_str().unwrap().to_owned();
    let (reference, msisdn) = (text("ref"), text("msisdn"));
    let cents: i64 = text("amount").replace('.', "").parse().unwrap();
    let manner = {
        let mut books = books.lock().unwrap();
        books.bodies.push(body.clone());
        let manner = books.manner;
        if books.charges.iter().any(|c| c.reference == reference) {
            return (StatusCode::CONFLICT, Json(json!({ "error": "duplicate reference" })))
                .into_response();
        }
        if !matches!(manner, Manner::Refuse | Manner::LoseRequest) {
            books.charges.push(Charge {
                reference: reference.clone(),
                msisdn: msisdn.clone(),
                cents,
                body,
            });
            if manner != Manner::NoEffect {
                *books.balances.entry(msisdn).or_default() += cents;
            }
        }
        manner
    };
    let id = format!("tx-{reference}");
    match manner {
        Manner::Done | Manner::NoEffect => {
            Json(json!({ "id": id, "status": "done" })).into_response()
        }
        Manner::Pending => Json(json!({ "id": id, "status": "pending" })).into_response(),
        Manner::ChargeAnd500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Refuse => {
            (StatusCode::PAYMENT_REQUIRED, Json(json!({ "status": "refused" }))).into_response()
        }
        Manner::Slow => {
            tokio::time::sleep(Duration::from_millis(800)).await;
            Json(json!({ "id": id, "status": "done" })).into_response()
        }
        Manner::ChargeAndHang | Manner::LoseRequest => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}

/// Everything charged, as the provider's own list has it; one page.
async fn list(State(books): Shared, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let books = books.lock().unwrap();
    if query.get("page").is_some_and(|page| page != "1") {
        return Json(json!({ "items": [] }));
    }
    let items: Vec<Value> = books
        .charges
        .iter()
        .map(|c| {
            let amount = format!("{}.{:02}", c.cents / 100, c.cents % 100);
            json!({ "id": format!("tx-{}", c.reference), "ref": c.reference, "status": "done",
                    "msisdn": c.msisdn, "amount": amount, "currency": "USD" })
        })
        .collect();
    Json(json!({ "items": items }))
}

/// A float of 1000.00, less everything charged, less what somebody took.
async fn wallet(State(books): Shared) -> Json<Value> {
    let books = books.lock().unwrap();
    let spent: i64 = books.charges.iter().map(|c| c.cents).sum();
    let left = 100_000 - spent - books.taken;
    Json(json!({ "balance": format!("{}.{:02}", left / 100, left % 100) }))
}

async fn find(State(books): Shared, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let books = books.lock().unwrap();
    let items: Vec<Value> = books
        .charges
        .iter()
        .filter(|c| Some(&c.reference) == query.get("ref"))
        .map(|c| json!({ "id": format!("tx-{}", c.reference), "ref": c.reference, "status": "done" }))
        .collect();
    Json(json!({ "items": items }))
}
