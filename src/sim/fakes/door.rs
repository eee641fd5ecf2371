//! The door of a fake: who is let in, and the tokens by which somebody is known.

use super::Shared;
use axum::{
    Router,
    extract::{Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::Response,
};

/// Whether somebody with these headers is known.
type Knows = fn(&Shared, &HeaderMap) -> bool;

/// The answer to a stranger.
type Refusal = fn() -> Response;

/// The routes of `router`, for those whom `knows` knows.
pub(super) fn guarded(
    router: Router<Shared>,
    shared: &Shared,
    knows: Knows,
    refusal: Refusal,
) -> Router<Shared> {
    let state = (shared.clone(), knows, refusal);
    router.route_layer(middleware::from_fn_with_state(state, admit))
}

async fn admit(
    State((shared, knows, refusal)): State<(Shared, Knows, Refusal)>,
    request: Request,
    next: Next,
) -> Response {
    if knows(&shared, request.headers()) { next.run(request).await } else { refusal() }
}

/// True where `name` is exactly `value`.
pub(super) fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|given| given.as_bytes() == value.as_bytes())
}

impl Shared {
    /// Hands out a token.
    pub(super) fn give_token(&self) -> String {
        let mut books = self.books();
        books.tokens += 1;
        format!("token-{}", books.tokens)
    }

    /// True for the token that was handed out last.
    pub(super) fn knows_token(&self, headers: &HeaderMap) -> bool {
        let last = self.books().tokens;
        has(headers, "authorization", &format!("Bearer token-{last}"))
    }
}
