//! Stand-ins for the world outside: real servers on loopback.
//!
//! The simulated carrier: a real HTTP server with prepaid lines that burn, expire and renew.
//!
//! Every way an answer can go wrong is a [`Fate`] of a line. The carrier keeps the list of charges,
//! so a test can ask the one question that matters: was anything charged twice?
//!
//! Its API is that of the example of the declarative provider:
//! `GET /v1/lines/{msisdn}`, `POST /v1/topups`, `GET /v1/topups?ref=…`, with a bearer token.

pub mod fakes;
pub mod mailbox;
pub mod replay;
mod foretell;
mod simulate;

mod api;
mod book;
mod line;
mod wire;

pub use book::{Charge, LineState};
pub use foretell::{AT_ONCE, Foretold, PATIENT, foretell, open_lines, overlay};
pub use line::{Fate, Line};
pub use simulate::{Past, Simulated, Simulation, SimulationError};

use crate::clock::Clock;
use crate::domain::{Msisdn, Span};
use book::Book;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// What a carrier is started with.
#[derive(Clone, Debug)]
pub struct CarrierConfig {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The bearer token that every request must carry.
    pub token: String,
    /// Where its `now` comes from.
    pub clock: Clock,
    /// How many times faster than `clock` its days go by.
    pub speed: i64,
    /// What a line looks like that is asked about for the first time; without it, unknown lines
    /// are answered with 404. The dates count from the first question.
    pub newcomer: Option<Line>,
}

impl Default for CarrierConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            token: "simulated".to_owned(),
            clock: Clock::System,
            speed: 1,
            newcomer: None,
        }
    }
}

/// A running carrier. It stops when it is dropped.
#[derive(Debug)]
pub struct Carrier {
    address: SocketAddr,
    book: Arc<Book>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Carrier {
    /// Listens and serves.
    pub async fn start(config: CarrierConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let book = Arc::new(Book::new(config));
        let (stop, stopped) = oneshot::channel::<()>();
        let service =
            api::router(Arc::clone(&book)).into_make_service_with_connect_info::<wire::Cut>();
        let server = tokio::spawn(async move {
            let until = async {
                // An error means that the carrier was dropped, which is a reason to stop as well.
                stopped.await.ok();
            };
            let door = wire::Door(listener);
            if let Err(error) = axum::serve(door, service).with_graceful_shutdown(until).await {
                tracing::warn!(%error, "the simulated carrier stopped");
            }
        });
        Ok(Self { address, book, stop: Some(stop), server })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and where it listens.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a line, or replaces it; its service ends `service_days` from now.
    pub fn add_line(&self, msisdn: &Msisdn, line: Line) {
        self.book.add_line(msisdn, line);
    }

    /// How a line stands now; `None` for one that was never heard of.
    pub fn line(&self, msisdn: &Msisdn) -> Option<LineState> {
        self.book.line(msisdn)
    }

    /// Gives a line another fate.
    pub fn set_fate(&self, msisdn: &Msisdn, fate: Fate) {
        self.book.set_fate(msisdn, fate);
    }

    /// Sends every charge of `reference` back: the money leaves the line, its top-up reads
    /// `reversed` from now on. `false` where there is no such charge.
    pub fn reverse(&self, reference: &str) -> bool {
        self.book.reverse(reference)
    }

    /// Everything that was ever charged, in order: the oracle.
    pub fn charges(&self) -> Vec<Charge> {
        self.book.charges()
    }

    /// Stops, and waits until every answer under way is given.
    pub async fn shutdown(mut self) {
        self.stop.take();
        if let Err(error) = (&mut self.server).await {
            tracing::warn!(%error, "the simulated carrier did not stop in order");
        }
    }
}

/// A span of `clock` as the carrier lives it.
fn lived(span: Span, speed: i64) -> Span {
    span.times(speed)
}

#[cfg(test)]
mod tests;
