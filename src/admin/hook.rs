//! What machines post that have no token: each post proves itself by its signature.

use super::{Admin, problem::Problem};
use crate::flow::{HearError, Heard};
use crate::providers::{Post, PostError};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde_json::{Value, json};

/// Everything below has no token and proves itself otherwise.
pub(super) const PREFIX: &str = "/hooks/";

/// A text message that a phone forwards. Whatever is understood is answered with success, also
/// where it is none of ours: the phone would post it again and again.
pub(super) async fn sms(
    State(admin): State<Admin>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let header = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    };
    let (signature, timestamp) = (header("x-signature"), header("x-timestamp"));
    let heard = admin.engine().hear(&provider, &Post { body: &body, signature, timestamp }).await?;
    let count = |is: fn(&Heard) -> bool| heard.iter().filter(|heard| is(heard)).count();
    Ok(Json(json!({
        "stored": count(|heard| matches!(heard, Heard::Stored(_))),
        "known": count(|heard| matches!(heard, Heard::Known)),
        "ignored": count(|heard| matches!(heard, Heard::Ignored(_))),
    })))
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
