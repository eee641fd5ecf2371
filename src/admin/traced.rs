//! A span for each request: its method, its route and its status; never its path, which has ids and
//! tokens in it.

use crate::telemetry::spans;
use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

/// Answers within a span.
pub(super) async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = spans::request(word(request.method()), route.as_ref().map(MatchedPath::as_str));
    let response = next.run(request).instrument(span.clone()).await;
    spans::answered(&span, response.status().as_u16());
    response
}

/// The method, where it is one; anybody can send any word for one.
fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| method == known).unwrap_or("_OTHER")
}
