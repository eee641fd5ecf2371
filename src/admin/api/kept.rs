//! Answers that were asked for before and are still true: who polls a list costs a look at the
//! version of the rows, not a list.
//!
//! Invariant: an answer is given again only where nothing at all was committed since it was made,
//! to who may see the same part of the fleet. What it may hold in memory is bounded.

use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::store::Version;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, response::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, PoisonError},
};
use tokio::sync::Mutex;

/// So many different questions are remembered.
const QUESTIONS: usize = 64;
/// Longer answers are made anew each time.
const ANSWER_MAX: usize = 256 << 10;
/// Longer questions are, too.
const QUESTION_MAX: usize = 1 << 10;

/// On an answer that is made from rows and the question alone.
#[derive(Clone, Copy, Debug)]
struct Lasting;

/// Says so of an answer.
pub(super) fn lasting(mut answer: Response) -> Response {
    answer.extensions_mut().insert(Lasting);
    answer
}

/// What is remembered of a question.
type Place = Arc<Mutex<Option<Kept>>>;

/// An answer, and the version of the rows that it was made from.
#[derive(Debug)]
struct Kept {
    version: Version,
    head: Parts,
    body: Bytes,
}

impl Kept {
    fn answer(&self) -> Response {
        Response::from_parts(self.head.clone(), Body::from(self.body.clone()))
    }
}

/// The questions of late.
#[derive(Debug, Default)]
pub(in crate::admin) struct Questions(Lock<Asked>);

#[derive(Debug, Default)]
struct Asked {
    count: u64,
    /// With each question's place the count when it was asked last.
    places: HashMap<String, (u64, Place)>,
}

impl Questions {
    /// The place of a question that was asked before; the first time it gets one.
    fn place(&self, question: &str) -> Option<Place> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Asked { count, places } = &mut *asked;
        *count = count.saturating_add(1);
        if let Some((last, place)) = places.get_mut(question) {
            *last = *count;
            return Some(Arc::clone(place));
        }
        if places.len() >= QUESTIONS {
            let oldest = places.iter().min_by_key(|(_, (last, _))| *last);
            let oldest = oldest.map(|(question, _)| question.clone());
            oldest.and_then(|question| places.remove(&question));
        }
        places.insert(question.to_owned(), (*count, Place::default()));
        None
    }
}

/// Answers a question again where it can, and says only that it still has that answer to who has it.
pub(in crate::admin) async fn conditional(
    State(admin): State<Admin>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let known: Vec<HeaderValue> =
        request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    request.headers_mut().remove(header::IF_NONE_MATCH);
    let place = question(&request).and_then(|question| admin.0.questions.place(&question));
    let answer = match place {
        Some(place) => again(&admin, &place, request, next).await?,
        None => next.run(request).await,
    };
    Ok(if has(&known, answer.headers()) { unchanged(answer) } else { answer })
}

/// What an answer depends on besides the rows.
fn question(request: &Request) -> Option<String> {
    let caller = request.extensions().get::<Caller>()?;
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let (scope, uri) = (caller.scope().text(), request.uri().to_string());
    let question = format!("{scope} {} {uri}", accept.unwrap_or_default());
    (request.method() == Method::GET && question.len() <= QUESTION_MAX).then_some(question)
}

/// The answer as it was, or made anew: by one of those who ask at once, for all of them.
async fn again(
    admin: &Admin,
    place: &Place,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let store = admin.engine().store();
    let mut version = store.version().await?;
    let mut kept = place.lock().await;
    if kept.as_ref().is_some_and(|kept| kept.version != version) {
        // Somebody else may have made it anew while we waited.
        version = store.version().await?;
    }
    if let Some(kept) = kept.as_ref().filter(|kept| kept.version == version) {
        return Ok(kept.answer());
    }
    *kept = None;
    let answer = next.run(request).await;
    if answer.extensions().get::<Lasting>().is_none() || answer.status() != StatusCode::OK {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| Problem::broken(&error))?;
    let made = Kept { version, head, body };
    let answer = made.answer();
    // Rows that changed while it was made would make it one of no version at all.
    if made.body.len() <= ANSWER_MAX && store.version().await? == made.version {
        *kept = Some(made);
    }
    Ok(answer)
}

fn has(known: &[HeaderValue], headers: &HeaderMap) -> bool {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
        return false;
    };
    let mut known = known.iter().filter_map(|tags| tags.to_str().ok());
    known.any(|tags| tags.split(',').any(|known| known.trim() == tag))
}

fn unchanged(answer: Response) -> Response {
    let (mut head, _) = answer.into_parts();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    (StatusCode::NOT_MODIFIED, head.headers).into_response()
}
