//! What people and machines see over HTTP: the API, one overview page, health and metrics.
//!
//! Invariant: nothing here decides or pays. Orders and answers are written as rows through the
//! same functions as the command line's; the stages act on them.

mod api;
mod audit;
mod connections;
mod guard;
mod health;
mod hook;
mod link;
mod pages;
pub mod password;
mod problem;
mod routes;
mod traced;
#[cfg(test)]
mod tests;

use crate::flow::{Beats, Engine};
use axum::{Router, extract::DefaultBodyLimit, middleware};
use connections::Limits;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// The largest body taken.
const BODY_MAX: usize = 1 << 20;

/// Answers on `listener` until `stop` comes, then ends what is under way.
pub async fn serve(
    engine: Engine,
    beats: Beats,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve_within(Limits::USUAL, engine, beats, listener, stop).await
}

async fn serve_within(
    limits: Limits,
    engine: Engine,
    beats: Beats,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let listen = listener.local_addr()?;
    let pages = pages::Pages::environment().map_err(std::io::Error::other)?;
    let (close, closing) = watch::channel(false);
    let admin = Admin(Arc::new(Parts {
        engine,
        beats,
        listen,
        pages,
        wrong: pages::Wrong::default(),
        questions: api::kept::Questions::default(),
        watchers: Arc::new(Semaphore::new(api::live::WATCHERS)),
        readers_of_all: Semaphore::new(1),
        closing,
        limits,
    }));
    let stop = async move {
        stop.await;
        close.send_replace(true);
    };
    connections::serve(listener, router(&admin), limits, stop).await
}

/// What every answer is made from. Cheap to clone.
#[derive(Clone, Debug)]
struct Admin(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    engine: Engine,
    beats: Beats,
    listen: SocketAddr,
    pages: minijinja::Environment<'static>,
    wrong: pages::Wrong,
    questions: api::kept::Questions,
    /// Seats for those who watch what changes.
    watchers: Arc<Semaphore>,
    /// The seat for what reads the whole past.
    readers_of_all: Semaphore,
    /// True once no answer may go on for long.
    closing: watch::Receiver<bool>,
    limits: Limits,
}

impl Admin {
    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn beats(&self) -> &Beats {
        &self.0.beats
    }

    /// How others reach these pages.
    fn public_url(&self) -> Option<&str> {
        self.engine().settings().admin.public_url.as_deref()
    }

    /// True when only this machine can ask, and no proxy asks for others.
    fn is_local(&self) -> bool {
        let admin = &self.engine().settings().admin;
        self.0.listen.ip().to_canonical().is_loopback()
            && admin.public_url.is_none()
            && !admin.behind_proxy
    }
}

/// From the outside in: the span, headers, errors as problem documents, the Host check, the time
/// limit, the check of the address, the body limit, and then each route with its own role.
fn router(admin: &Admin) -> Router {
    let mut router = Router::new().fallback(problem::not_found);
    for route in routes::all() {
        let handler = match route.needs {
            Some(role) => route
                .handler
                .route_layer(middleware::from_fn_with_state(admin.clone(), api::kept::conditional))
                .route_layer(middleware::from_fn_with_state(
                    (admin.clone(), role, route.reach),
                    guard::authorise,
                )),
            None => route.handler,
        };
        router = router.route(route.path, handler);
    }
    router
        .merge(pages::routes(admin))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(guard::address))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::deadline))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::host))
        .layer(middleware::from_fn(problem::reword))
        .layer(middleware::from_fn(guard::dress))
        .layer(middleware::from_fn(traced::traced))
        .with_state(admin.clone())
}
