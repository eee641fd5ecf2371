//! Errors as RFC 9457 problem documents. What happened inside is logged, never returned.

use super::guard;
use crate::flow::{EngineError, OrderError};
use crate::input::Fault;
use crate::store::StoreError;
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

const MEDIA_TYPE: &str = "application/problem+json";

/// An error as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// The status in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, in sentences.
    detail: String,
    /// Where values are wrong, each of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Wrong>,
}

/// A value that cannot be right.
#[derive(Debug, Serialize, ToSchema)]
struct Wrong {
    /// Where.
    field: String,
    /// What was found.
    found: String,
    /// What is allowed.
    allowed: String,
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<Wrong>,
    challenge: Option<&'static str>,
}

/// What an error answer says in words, for pages.
#[derive(Clone, Debug)]
pub(super) struct Detail(pub(super) String);

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), challenge: None }
    }

    /// No token, or one that is not known.
    pub(super) fn unauthorised(detail: &str, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// A token that may not do this.
    pub(super) fn forbidden(detail: String) -> Self {
        let challenge = Some("Bearer realm=\"topupd\", error=\"insufficient_scope\"");
        Self { challenge, ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// Values that cannot be right, all of them at once.
    pub(super) fn faults(faults: &[Fault]) -> Self {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let errors = faults
            .iter()
            .map(|f| Wrong {
                field: f.key.clone(),
                found: f.found.clone(),
                allowed: f.allowed.clone(),
            })
            .collect();
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, lines.join("\n")) }
    }

    /// A page that cannot be made.
    pub(super) fn broken(error: &dyn std::error::Error) -> Self {
        tracing::error!("a page cannot be rendered: {error:#}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the page is broken; see the log")
    }

    /// Values that are only wrong beside what the rows say.
    pub(super) fn into_conflict(self) -> Self {
        match self.status {
            StatusCode::UNPROCESSABLE_ENTITY => Self { status: StatusCode::CONFLICT, ..self },
            _ => self,
        }
    }

    /// True where the request itself was refused, and nothing was done.
    pub(super) fn is_refusal(&self) -> bool {
        self.status.is_client_error()
    }

    pub(super) fn inner(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        tracing::error!("a request failed: {:#}", anyhow::Error::new(error));
        let detail = "something failed inside; the log has the details";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let document = ProblemDocument {
            kind: "about:blank",
            title,
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        let mut response = (self.status, content_type, body).into_response();
        response.extensions_mut().insert(Detail(document.detail));
        if let Some(challenge) = self.challenge {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_duplicate() {
            let detail = "somebody else did the same at the same time; nothing was done";
            return Self::new(StatusCode::CONFLICT, detail);
        }
        match error {
            StoreError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            StoreError::Conflict { .. } => Self::new(StatusCode::CONFLICT, error.to_string()),
            StoreError::BadUrl(_)
            | StoreError::Open { .. }
            | StoreError::NotDurable { .. }
            | StoreError::NotPrimary { .. }
            | StoreError::Migrate(_)
            | StoreError::Sql(_)
            | StoreError::BadRow { .. } => Self::inner(error),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Rule { .. }
            | EngineError::Scheduler(_)
            | EngineError::Thread(_)
            | EngineError::Flag { .. }
            | EngineError::Vault(_)
            | EngineError::Recorder { .. } => Self::inner(error),
        }
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Engine(error) => error.into(),
            OrderError::Refused(why) => Self::new(StatusCode::CONFLICT, why),
            OrderError::Invalid(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why),
        }
    }
}

/// For paths that are not there.
pub(super) async fn not_found(uri: Uri) -> Problem {
    let detail = format!("there is no {}; see /api/v1/openapi.json", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

/// Errors that the framework worded (a wrong method, a path that is not UTF-8) become problem
/// documents too.
pub(super) async fn reword(request: Request, next: Next) -> Response {
    let is_health = guard::HEALTH.contains(&request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_worded = is_health
        || content_type.is_some_and(|t| t == MEDIA_TYPE || t == "text/html; charset=utf-8");
    if is_worded || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let detail = if status == StatusCode::METHOD_NOT_ALLOWED {
        "another method is needed here; the Allow header names those that are allowed"
    } else {
        "the request cannot be understood"
    };
    Problem::new(status, detail).into_response()
}
