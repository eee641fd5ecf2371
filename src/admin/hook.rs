//! What machines post that have no token: each post proves itself by its signature.

use super::{Admin, problem::Problem};
use crate::flow::{HearError, Heard, HintError, ReportError};
use crate::providers::{Post, PostError};
use crate::transport::hook::{HookCall, HookError};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header::HeaderName},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Everything below has no token and proves itself otherwise.
pub(super) const PREFIX: &str = "/hooks/";

/// What became of forwarded messages: how many.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessagesHeard {
    /// Written down as readings.
    stored: usize,
    /// Known already.
    known: usize,
    /// None of ours.
    ignored: usize,
}

/// What a provider's call led to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookedAt {
    /// So many top-ups and lines are looked at now.
    looked_at: u64,
}

/// A text message that a phone forwards. Whatever is understood is answered with success, also
/// where it is none of ours: the phone would post it again and again.
#[utoipa::path(post, path = "/hooks/sms/{provider}", request_body = Value, responses((status = 200, description = "It was understood", body = MessagesHeard)))]
pub(super) async fn sms(
    State(admin): State<Admin>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<MessagesHeard>, Problem> {
    let (signature, timestamp) = (once(&headers, "x-signature"), once(&headers, "x-timestamp"));
    let heard = admin.engine().hear(&provider, &Post { body: &body, signature, timestamp }).await?;
    let count = |is: fn(&Heard) -> bool| heard.iter().filter(|heard| is(heard)).count();
    Ok(Json(MessagesHeard {
        stored: count(|heard| matches!(heard, Heard::Stored(_))),
        known: count(|heard| matches!(heard, Heard::Known)),
        ignored: count(|heard| matches!(heard, Heard::Ignored(_))),
    }))
}

/// A provider says that there is news. What it says is looked up, never believed.
#[utoipa::path(post, path = "/hooks/providers/{provider}", request_body = Value, responses((status = 200, description = "It was understood", body = LookedAt)))]
pub(super) async fn provider(
    State(admin): State<Admin>,
    Path(provider): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<LookedAt>, Problem> {
    let call = call(&admin, query, &headers, &body);
    Ok(Json(LookedAt { looked_at: admin.engine().hint(&provider, &call).await? }))
}

/// Some providers look whether anybody is here before they take an address.
#[utoipa::path(head, path = "/hooks/providers/{provider}", responses((status = 200, description = "Somebody is")))]
pub(super) async fn here() -> StatusCode {
    StatusCode::OK
}

/// A channel's vendor reports what became of messages.
#[utoipa::path(method(get, post), path = "/hooks/channels/{channel}", responses((status = 200, description = "It was understood: `reports`, how many were news, or what the vendor wants to hear", body = BTreeMap<String, Value>)))]
pub(super) async fn channel(
    State(admin): State<Admin>,
    Path(channel): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let call = call(&admin, query, &headers, &body);
    Ok(Json(admin.engine().hear_reports(&channel, &call).await?))
}

fn call(
    admin: &Admin,
    query: Vec<(String, String)>,
    headers: &HeaderMap,
    body: &Bytes,
) -> HookCall {
    let names = headers.keys().map(HeaderName::as_str);
    let headers = names.filter_map(|name| Some((name.to_owned(), once(headers, name)?.to_owned())));
    let at = admin.engine().now().ms().div_euclid(1000);
    HookCall { query, headers: headers.collect(), body: body.to_vec(), at }
}

/// A header's value; of one that came more than once nobody knows which counts.
fn once<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Closed(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            HookError::Unproven(why) => Self::unauthorised(why, "Signature realm=\"topupd\""),
            HookError::Malformed(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why),
        }
    }
}

impl From<HintError> for Problem {
    fn from(error: HintError) -> Self {
        match error {
            HintError::Hook(error) => error.into(),
            HintError::Engine(error) => error.into(),
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::NoChannel(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            ReportError::Hook(error) => error.into(),
            ReportError::Engine(error) => error.into(),
        }
    }
}

impl From<HearError> for Problem {
    fn from(error: HearError) -> Self {
        match error {
            HearError::Engine(error) => error.into(),
            HearError::NoInbox(_) | HearError::Post(PostError::Closed) => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            HearError::Post(PostError::Unproven(why)) => {
                Self::unauthorised(why, "Signature realm=\"topupd\"")
            }
            HearError::Post(PostError::Malformed(why)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            }
        }
    }
}
