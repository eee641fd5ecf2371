//! What a path names, held to the scope of who asks: what is outside of it is not there.

use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::domain::{SubscriptionId, Topup};
use crate::store::{Scope, StoreError, StoredNotice};
use axum::{
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
};

/// A line of the caller's.
#[derive(Debug)]
pub(super) struct OwnLine(pub(super) SubscriptionId);

/// A top-up on a line of the caller's.
#[derive(Debug)]
pub(super) struct OwnTopup(pub(super) Topup);

/// A notice that the caller may see.
#[derive(Debug)]
pub(super) struct OwnNotice(pub(super) StoredNotice);

/// The id in the path, and the scope.
async fn named(parts: &mut Parts, admin: &Admin) -> Result<(String, Scope), Problem> {
    let id = Path::<String>::from_request_parts(parts, admin).await;
    let Path(id) =
        id.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the path is not UTF-8"))?;
    let caller = parts.extensions.get::<Caller>();
    // Where nobody is known, nothing is there.
    let missing = || StoreError::NotFound(id.clone());
    let scope = caller.ok_or_else(missing)?.scope().clone();
    Ok((id, scope))
}

impl FromRequestParts<Admin> for OwnLine {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let (text, scope) = named(parts, admin).await?;
        // A text that cannot be an id is the id of nothing.
        let id = SubscriptionId::parse(&text)
            .map_err(|_| StoreError::NotFound(format!("subscription {text}")))?;
        admin.engine().store().line_within(&scope, &id).await?;
        Ok(Self(id))
    }
}

impl FromRequestParts<Admin> for OwnTopup {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let (id, scope) = named(parts, admin).await?;
        Ok(Self(admin.engine().store().topup_within(&scope, &id).await?))
    }
}

impl FromRequestParts<Admin> for OwnNotice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let (id, scope) = named(parts, admin).await?;
        Ok(Self(admin.engine().store().notice_within(&scope, &id).await?))
    }
}
