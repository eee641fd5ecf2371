//! `Idempotency-Key`: asking twice with the same key acts once.

use super::fields::Body;
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::domain::{Span, SubscriptionId, Topup};
use crate::shapes;
use crate::store::Keyed;
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// Nothing works on a request for longer: who took the key and left no answer died over it.
const UNDER_WAY: Span = Span::minutes(1);
/// On answers that were given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const NAME: &str = "idempotency-key";

/// What the client named its request, and the request's method and path.
#[derive(Debug)]
pub(super) struct Key {
    name: Option<String>,
    place: String,
}

impl FromRequestParts<Admin> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Problem> {
        let place = format!("{} {}", parts.method, parts.uri.path());
        let Some(value) = parts.headers.get(NAME) else {
            return Ok(Self { name: None, place });
        };
        let name = value.to_str().map(str::trim).unwrap_or_default();
        if name.is_empty() || name.len() > 255 {
            let detail = "Idempotency-Key: allowed are 1 to 255 characters of plain ASCII";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
        Ok(Self { name: Some(name.to_owned()), place })
    }
}

/// What a keyed request acts on, for looking up whether it did.
#[derive(Debug)]
pub(super) struct Aim<'a> {
    /// The line.
    pub(super) line: &'a SubscriptionId,
    /// Whether it orders a new top-up.
    pub(super) is_order: bool,
    /// The status of its success.
    pub(super) success: StatusCode,
}

impl<'a> Aim<'a> {
    /// An answer to what `topup` asks.
    pub(super) fn at(topup: &'a Topup) -> Self {
        Self { line: &topup.subscription, is_order: false, success: StatusCode::OK }
    }
}

/// Acts, unless the same was done before with this key. A key whose request died without an answer
/// is looked up in the histories: what was done is answered, and only what was not is done.
pub(super) async fn once(
    admin: &Admin,
    caller: &Caller,
    key: &Key,
    body: &Body,
    aim: &Aim<'_>,
    act: impl Future<Output = Result<Topup, Problem>> + Send,
) -> Result<Response, Problem> {
    let Some(name) = &key.name else {
        return Ok(respond(aim.success, shape(&act.await?)?, None));
    };
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let mut request = Sha256::new();
    request.update(key.place.as_bytes());
    request.update(body.hash());
    let request = data_encoding::HEXLOWER.encode(&request.finalize());
    let actor = caller.actor();
    match store.take_key(&actor, name, &request, now).await? {
        Keyed::New => {}
        Keyed::Known { request: other, .. } if other != request => {
            let detail = "this Idempotency-Key named another request; take a new one";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        Keyed::Known { answer: Some((status, answer)), .. } => {
            let status = u16::try_from(status).ok().and_then(|s| StatusCode::from_u16(s).ok());
            return Ok(respond(status.unwrap_or(aim.success), answer, Some("true")));
        }
        Keyed::Known { at, .. } if now.since(at) < UNDER_WAY => {
            let detail = "the request with this Idempotency-Key is still under way";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        Keyed::Known { at, .. } => {
            let line = aim.line.as_str();
            if let Some(done) = store.moved_by(line, &actor, aim.is_order, at).await? {
                let answer = shape(&done)?;
                let status = i64::from(aim.success.as_u16());
                store.answer_key(&actor, name, (status, &answer)).await?;
                return Ok(respond(aim.success, answer, Some("true")));
            }
        }
    }
    match act.await {
        Ok(topup) => {
            let answer = shape(&topup)?;
            let status = i64::from(aim.success.as_u16());
            store.answer_key(&actor, name, (status, &answer)).await?;
            Ok(respond(aim.success, answer, None))
        }
        Err(problem) => {
            // What failed inside may have been done: the key stays, and the truth is looked up.
            if problem.is_refusal() {
                store.drop_key(&actor, name).await?;
            }
            Err(problem)
        }
    }
}

fn shape(topup: &Topup) -> Result<String, Problem> {
    serde_json::to_string(&shapes::topup(topup)).map_err(Problem::inner)
}

fn respond(status: StatusCode, answer: String, replayed: Option<&'static str>) -> Response {
    let json: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
    let id = json.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
    let place = HeaderValue::from_str(&format!("/api/v1/topups/{id}"));
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/json")], answer).into_response();
    let headers = response.headers_mut();
    if let Ok(place) = place
        && status == StatusCode::ACCEPTED
    {
        headers.insert(header::LOCATION, place);
    }
    if let Some(replayed) = replayed {
        headers.insert(REPLAYED, HeaderValue::from_static(replayed));
    }
    response
}
