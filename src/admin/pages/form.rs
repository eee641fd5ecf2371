//! Forms of pages.

use super::super::{Admin, problem::Problem};
use super::visitor::{Visitor, is_own_form};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode},
};

/// What was filled in. A key that is not there is empty.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// What `key` holds.
    pub(super) fn text(&self, key: &str) -> &str {
        let pair = self.0.iter().find(|(name, _)| name == key);
        pair.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Refuses forms that did not come from one of our pages, or from nobody signed in.
    pub(super) fn prove(&self, headers: &HeaderMap, visitor: &Visitor) -> Result<(), Problem> {
        if is_own_form(headers, visitor, self.text("csrf")) {
            return Ok(());
        }
        let detail = "this form is not from a page of somebody signed in here; \
                      open the page again and try once more";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }
}

impl FromRequest<Admin> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, admin).await.map_err(|rejection| {
            Problem::new(rejection.status(), "the form is too large or ended early")
        })?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }
}
