//! Forms of pages.

use super::super::{Admin, problem::Problem};
use super::visitor::{Visitor, is_own_form};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
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
}

impl FromRequest<Admin> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, admin).await.map_err(|rejection| {
            Problem::new(rejection.status(), "the form is too large or ended early")
        })?;
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(&bytes).into_owned().collect();
        // As in `guard::address`.
        if form.iter().any(|(_, text)| text.contains('\0')) {
            let detail = "a text holds the character NUL";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        Ok(Self(form))
    }
}

/// A form that one of our own pages sent, and by whom. A handler that takes this cannot be reached in
/// any other way.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) visitor: Visitor,
    pub(super) form: Form,
}

impl FromRequest<Admin> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Problem> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let headers = request.headers().clone();
        let form = Form::from_request(request, admin).await?;
        match visitor {
            Some(visitor) if is_own_form(&headers, &visitor, form.text("csrf")) => {
                Ok(Self { visitor, form })
            }
            _ => {
                let detail = "this form is not from a page of somebody signed in here; \
                              open the page again and try once more";
                Err(Problem::new(StatusCode::FORBIDDEN, detail))
            }
        }
    }
}
