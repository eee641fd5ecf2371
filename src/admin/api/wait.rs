//! Waiting for others: as long as a client can be kept waiting, and no longer.
//!
//! Invariant: what may move something goes on when nobody waits any more; only looks are given up.

use crate::admin::{Admin, problem::Problem};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use std::{fmt::Display, time::Duration};
use tokio::{sync::SemaphorePermit, time::timeout};

/// How long others may take. Tests do not wait that long.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });

/// What `who` answers to a look.
pub(super) async fn look<T, E: Display>(
    who: &str,
    asked: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, Problem> {
    match timeout(LIMIT, asked).await {
        Ok(answer) => answer.map_err(|error| refused(who, &error)),
        Err(_) => Err(late(who, "ask again later")),
    }
}

/// What comes of `act` in time; it goes on otherwise, and there is nothing to give back.
pub(super) async fn act<T: Send + 'static>(
    act: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>, Problem> {
    match timeout(LIMIT, tokio::spawn(act)).await {
        Ok(done) => done.map(Some).map_err(Problem::inner),
        Err(_) => Ok(None),
    }
}

/// `who` answered that it will not, or cannot.
pub(super) fn refused(who: &str, why: &dyn Display) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, format!("{who}: {why}"))
}

/// `who` did not answer in time.
pub(super) fn late(who: &str, then: &str) -> Problem {
    let detail = format!("{who} gave no answer in {} s; {then}", LIMIT.as_secs());
    Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
}

/// The seat of what reads the whole past: one at a time, so that what pays is not slowed down.
pub(super) fn seat(admin: &Admin) -> Option<SemaphorePermit<'_>> {
    admin.0.readers_of_all.try_acquire().ok()
}

/// The answer to who finds no seat.
pub(super) fn taken() -> Response {
    let detail = "somebody else proves the books or simulates; allowed is one at a time";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
    ([(header::RETRY_AFTER, "30")], problem).into_response()
}
