//! Connections: how many there may be, how slow, how long, and how they end.
//!
//! Invariant: nobody holds one for ever, however slowly they speak or listen, and all of them
//! together take a bounded part of the machine.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};

/// How much of us one client, and all of them, may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The head of a request must be there after this; a connection without one ends then, too.
    pub(super) head: Duration,
    /// An answer must be there after this, its request's body included.
    pub(super) answer: Duration,
    /// No connection is older than this, and what is then under way.
    pub(super) life: Duration,
    /// Connections at a time; further ones wait in the system's queue.
    pub(super) most: usize,
}

impl Limits {
    /// Those of the daemon.
    pub(super) const USUAL: Self = Self {
        head: Duration::from_secs(20),
        answer: Duration::from_secs(30),
        life: Duration::from_secs(300),
        most: 256,
    };
}

/// The largest head of a request, its address included; larger ones are answered 431.
const HEAD_MAX: usize = 32 << 10;
/// After the stop, answers under way get this long.
const LINGER: Duration = Duration::from_secs(10);
/// After an accept that failed: there may be no files left.
const REST: Duration = Duration::from_millis(200);

/// Answers on `listener` until `stop` comes, then ends what is under way.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.most));
    let (tell, stopping) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            () = stop.as_mut() => break,
            accepted = accept(&listener, &places) => accepted?,
        };
        tokio::spawn(attend(stream, place, router.clone(), limits, stopping.clone()));
    }
    drop((listener, stopping));
    tell.send(()).ok();
    // A client that holds its connection open must not hold up the end of the program.
    time::timeout(LINGER, tell.closed()).await.ok();
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok((stream, place)),
            Err(error) => {
                tracing::warn!("a connection cannot be taken: {error}");
                time::sleep(REST).await;
            }
        }
    }
}

/// Answers on one connection until it ends, is too old, or everything stops.
async fn attend(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    router: Router,
    limits: Limits,
    mut stopping: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_header_size(HEAD_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // Whatever ended it, there is nobody left to tell.
        _ = connection.as_mut() => return,
        _ = stopping.changed() => {}
        () = time::sleep(limits.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    time::timeout(limits.answer.saturating_add(LINGER), connection).await.ok();
    drop(place);
}
