//! Bodies and queries, read key by key like every other thing that people write: all faults at
//! once, each with the field, the value found and what is allowed.

use crate::admin::{Admin, problem::Problem};
use crate::input::{Intake, Origin, Section, Table, Value};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

/// What a body says. An empty body says nothing.
#[derive(Debug)]
pub(super) struct Body {
    table: Table,
    hash: [u8; 32],
}

/// What the part of the URL behind the `?` says.
#[derive(Debug)]
pub(super) struct Params(Table);

const BODY: &str = "the request";
const QUERY: &str = "the query";

impl Body {
    /// Reads it; `None` from `read` means that something needed is missing.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Result<T, Problem> {
        read_table(BODY, &self.table, read)
    }

    /// Of its bytes.
    pub(super) fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// For requests that say everything by their path.
    pub(super) fn nothing(&self) -> Result<(), Problem> {
        self.read(|_| Some(()))
    }
}

impl Params {
    /// Reads it; see [`Body::read`].
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&mut Section<'_>) -> Option<T>,
    ) -> Result<T, Problem> {
        read_table(QUERY, &self.0, read)
    }
}

fn read_table<T>(
    place: &str,
    table: &Table,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Problem> {
    let intake = Intake::new();
    let mut section = Section::new(table, "", &Origin::file(place), &intake);
    let found = read(&mut section);
    section.finish();
    match found {
        Some(found) if intake.is_clean() => Ok(found),
        _ => Err(Problem::faults(&intake.into_faults())),
    }
}

impl FromRequest<Admin> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, admin).await.map_err(|rejection| {
            let status = rejection.status();
            let detail = match status {
                StatusCode::PAYLOAD_TOO_LARGE => "the body is too large; allowed is 1 MiB",
                _ => "the body ended early",
            };
            Problem::new(status, detail)
        })?;
        let hash = Sha256::digest(&bytes).into();
        if bytes.is_empty() {
            return Ok(Self { table: Table::new(), hash });
        }
        Ok(Self { table: table(object(&headers, &bytes)?), hash })
    }
}

/// The JSON object that a body holds.
pub(super) fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Json>, Problem> {
    if media_type(headers) != "application/json" {
        let detail = "the body has another Content-Type; allowed is application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    match serde_json::from_slice(body) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => {
            let detail = "the body is another JSON value; allowed is an object";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail))
        }
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

/// The type that a body is said to have, without its parameters, in small letters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// JSON as the reader knows values; a `null` is the same as nothing.
fn convert(json: Json) -> Option<Value> {
    let origin = Origin::file(BODY);
    Some(match json {
        Json::Null => return None,
        Json::Bool(b) => Value::Boolean(b),
        Json::Number(n) => {
            // To JSON `7.0` is as whole as `7`.
            let text = n.to_string();
            let whole = text.strip_suffix(".0").unwrap_or(&text).parse();
            whole.map_or_else(|_| Value::Fraction(text.clone()), Value::Integer)
        }
        Json::String(text) => Value::Text(text),
        Json::Array(items) => {
            // Left out of a list, a null would go unseen.
            let item = |item| convert(item).unwrap_or_else(|| Value::Text("null".into()));
            Value::List(items.into_iter().map(|json| (item(json), origin.clone())).collect())
        }
        Json::Object(fields) => Value::Table(table(fields)),
    })
}

fn table(fields: Map<String, Json>) -> Table {
    let origin = Origin::file(BODY);
    let fields = fields.into_iter().filter_map(|(key, json)| Some((key, convert(json)?)));
    fields.map(|(key, value)| (key, (value, origin.clone()))).collect()
}

impl FromRequestParts<Admin> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "the query is not of the form key=value&…")
        })?;
        let origin = Origin::file(QUERY);
        let value = |(key, text)| (key, (Value::Text(text), origin.clone()));
        Ok(Self(pairs.0.into_iter().map(value).collect()))
    }
}

/// Reports `key` as missing where nothing was said; a wrong value is in the list already.
pub(super) fn needed<T>(
    section: &Section<'_>,
    key: &str,
    allowed: &str,
    found: Option<T>,
) -> Option<T> {
    if !section.has(key) {
        section.fault(key, allowed);
    }
    found
}

/// How many rows at most; `usual` where nothing is said.
pub(super) fn limit(section: &mut Section<'_>, usual: i64) -> i64 {
    section.integer("limit", 1..=500).unwrap_or(usual)
}
