//! Pages of lists: where one begins, how the next is named, and whether it is still the same.

use super::{fields::limit, kept::lasting};
use crate::admin::{Admin, problem::Problem};
use crate::input::Section;
use crate::shapes;
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// How a list was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    path: String,
    query: Vec<(String, String)>,
    wants_csv: bool,
}

impl FromRequestParts<Admin> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        Ok(Self {
            wants_csv: accept.is_some_and(|accept| accept.trim().starts_with("text/csv")),
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        })
    }
}

/// A place in a list, opaque to clients: the words that the rows are sorted by.
pub(super) fn place(words: &[&str]) -> String {
    BASE64URL_NOPAD.encode(serde_json::json!(words).to_string().as_bytes())
}

/// The place in `after`, where it has as many words as `read` wants.
pub(super) fn after<T>(
    section: &mut Section<'_>,
    read: impl FnOnce(&[String]) -> Option<T>,
) -> Option<T> {
    section.parsed("after", "allowed is what X-Next-After said", |text| {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let words: Vec<String> = serde_json::from_slice(&bytes).ok()?;
        read(&words)
    })
}

/// What lists that are sorted by time and id go on after.
pub(super) fn after_time(section: &mut Section<'_>) -> Option<(i64, String)> {
    after(section, |words| match words {
        [at, id] => Some((at.parse().ok()?, id.clone())),
        _ => None,
    })
}

/// How much of a list is wanted, and as what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    size: i64,
    is_csv: bool,
}

impl Cut {
    /// A page of JSON.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self { size: limit(section, 100), is_csv: false }
    }

    /// A page of JSON; or, where `format` or `Accept` ask for CSV, all of it unless a limit is named.
    pub(super) fn read_or_csv(section: &mut Section<'_>, asked: &Asked) -> Self {
        let forms = [("json", false), ("csv", true)];
        let is_csv = section.word("format", &forms).unwrap_or(asked.wants_csv);
        Self { size: limit(section, if is_csv { i64::MAX } else { 100 }), is_csv }
    }

    /// One row more than wanted tells whether there are more.
    pub(super) fn most(self) -> i64 {
        self.size.saturating_add(1)
    }
}

/// The columns of a table, and what makes a row.
pub(super) type Table<'a, T> = (&'a [&'a str], fn(&T) -> Vec<String>);

/// How rows of a list are shown.
#[derive(Debug)]
pub(super) struct Form<'a, T, S> {
    /// One, in JSON.
    pub(super) shape: fn(&T) -> S,
    /// The columns of CSV, and one row of it.
    pub(super) table: Table<'a, T>,
}

impl<T, S> Form<'_, T, S> {
    /// In JSON only.
    pub(super) fn json(shape: fn(&T) -> S) -> Self {
        Self { shape, table: (&[], |_| Vec::new()) }
    }
}

/// A page of `rows`, which may be one more than wanted. Where there are more, `Link` and
/// `X-Next-After` tell how to go on.
pub(super) fn page<T, S: Serialize>(
    asked: &Asked,
    cut: Cut,
    mut rows: Vec<T>,
    place: impl Fn(&T) -> String,
    form: &Form<'_, T, S>,
) -> Result<Response, Problem> {
    let size = usize::try_from(cut.size).unwrap_or(usize::MAX);
    let is_more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| is_more).map(place);
    let mut response = if cut.is_csv {
        let (columns, row) = form.table;
        let text = shapes::csv(columns, rows.iter().map(row)).map_err(Problem::inner)?;
        tagged("text/csv; charset=utf-8", text)
    } else {
        answer(&rows.iter().map(form.shape).collect::<Vec<S>>())?
    };
    if let Some(after) = next {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(asked.query.iter().filter(|(key, _)| key != "after"));
        query.append_pair("after", &after);
        let link = format!("<{}?{}>; rel=\"next\"", asked.path, query.finish());
        let named = [(header::LINK, link), (HeaderName::from_static("x-next-after"), after)];
        for (name, text) in named {
            // Ids, places and encoded queries are plain ASCII.
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    Ok(lasting(response))
}

/// `value` as JSON.
pub(super) fn answer(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::inner)?;
    Ok(tagged("application/json", body))
}

/// With a tag that tells one version from another.
fn tagged(media_type: &'static str, body: Vec<u8>) -> Response {
    let hash = Sha256::digest(&body);
    let start = hash.first_chunk::<12>().map_or(&[][..], |start| start.as_slice());
    let tag = format!("W/\"{}\"", BASE64URL_NOPAD.encode(start));
    let mut response = ([(header::CONTENT_TYPE, media_type)], body).into_response();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
