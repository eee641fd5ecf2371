//! Is the process there, does work flow, and the figures for Prometheus.

mod catalogue;
mod page;
mod process;
mod scrape;

#[cfg(test)]
pub(super) use catalogue::{ALL, Metric};
pub(super) use scrape::{__path_metrics, metrics};

use super::Admin;
use crate::domain::Span;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// The type of plain texts.
const TEXT: &str = "text/plain; charset=utf-8";

/// A loop that is busy for longer than this counts as stuck.
const PATIENCE: Span = Span::minutes(5);

fn text(status: StatusCode, line: &str) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], format!("{line}\n")).into_response()
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> Response {
    text(StatusCode::OK, "ok")
}

/// The store takes writes, every loop comes round, and what is due is done.
#[utoipa::path(get, path = "/readyz", responses((status = 200, description = "They do", body = String, content_type = "text/plain"), (status = 503, description = "Why not", body = String, content_type = "text/plain")))]
pub(super) async fn readyz(State(admin): State<Admin>) -> Response {
    let engine = admin.engine();
    match engine.trouble(admin.beats(), PATIENCE, engine.now()).await {
        None => text(StatusCode::OK, "ready"),
        Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
