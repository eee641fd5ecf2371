//! What changes, as it changes: server-sent events (WHATWG HTML, §9.2) for pages and programs that
//! would ask again and again otherwise.
//!
//! Invariants: who watches is told of their scope only; a slow watcher, or a storm of changes, costs
//! bounded memory and ends in one word (`resync`: read the lists anew) rather than in silence.

use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::domain::{Span, SubscriptionId, Timestamp};
use crate::shapes;
use crate::store::{Changed, Journaled, Scope, StoreError};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Serialize;
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, watch},
    time::Instant,
};

/// So many may watch at once.
pub(in crate::admin) const WATCHERS: usize = 64;
/// How long changes are gathered before they are told.
const TICK: Duration = Duration::from_millis(500);
/// More changes than this in one tick are not told one by one.
const MANY: usize = 200;
/// Who watches has to come again then, and is asked again who they are: before the connection is
/// too old.
const LIFE: Duration = Duration::from_mins(4);
/// Notices written a little earlier may be committed a little later.
const OVERLAP: Span = Span::seconds(10);

/// What changed, as it changes; `Last-Event-ID` goes on where somebody was.
#[utoipa::path(get, path = "/api/v1/events", params(("Last-Event-ID" = Option<i64>, Header, description = "Where the last stream ended: top-ups and acts since then are told")), responses((status = 200, description = "`topup`, `notice` and `subscription` with the document as in the lists, `money`, `begin` and `resync` (read the lists anew)", body = String, content_type = "text/event-stream")))]
pub(in crate::admin) async fn events(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(seat) = admin.0.watchers.clone().try_acquire_owned() else {
        let detail = format!("{WATCHERS} watch already; allowed is to come again later");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
        return Ok(([(header::RETRY_AFTER, "30")], problem).into_response());
    };
    let watch = Watch::begin(&admin, caller.scope().clone(), last(&headers)?, seat).await?;
    let events = stream::unfold(watch, |mut watch| async {
        watch.next().await.map(|event| (Ok::<_, Infallible>(event), watch))
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    // A proxy that gathers answers would keep the news to itself.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(events).keep_alive(alive)).into_response())
}

fn last(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(given) = headers.get("last-event-id") else { return Ok(None) };
    let seq = given.to_str().ok().and_then(|text| text.parse().ok()).filter(|seq| *seq >= 0);
    seq.map(Some).ok_or_else(|| {
        let detail = format!("Last-Event-ID: found {given:?}; allowed is the id of an event");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

/// Somebody who watches.
struct Watch {
    admin: Admin,
    scope: Scope,
    changed: broadcast::Receiver<Changed>,
    closing: watch::Receiver<bool>,
    /// The last link of the journal that was told.
    seq: i64,
    notices_from: Timestamp,
    /// The notices since then that were told.
    told: BTreeSet<String>,
    ready: VecDeque<Event>,
    until: Instant,
    _seat: OwnedSemaphorePermit,
}

/// What changed during a tick, each thing once.
#[derive(Default)]
struct Gathered {
    lines: BTreeSet<SubscriptionId>,
    notices: BTreeSet<String>,
    topups: BTreeSet<String>,
    is_money: bool,
    /// Some of it is lost.
    is_cut: bool,
}

impl Watch {
    async fn begin(
        admin: &Admin,
        scope: Scope,
        last: Option<i64>,
        seat: OwnedSemaphorePermit,
    ) -> Result<Self, Problem> {
        let store = admin.engine().store();
        let changed = store.changes();
        let head = store.journal_head().await?.seq;
        let notices_from = admin.engine().now().minus(OVERLAP);
        let told = store.notices_since(notices_from, i64::MAX).await?.into_iter().collect();
        // An id that is not there yet is of another database, or of one that was put back.
        let first = match last {
            Some(last) if last > head => Event::default().event("resync"),
            Some(_) | None => Event::default().event("begin"),
        };
        let seq = last.unwrap_or(head).min(head);
        Ok(Self {
            admin: admin.clone(),
            scope,
            changed,
            closing: admin.0.closing.clone(),
            seq,
            notices_from,
            told,
            ready: [first.id(seq.to_string()).data("{}")].into(),
            until: Instant::now() + LIFE,
            _seat: seat,
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if Instant::now() >= self.until {
                return None;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                _ = self.closing.wait_for(|is_closing| *is_closing) => return None,
            }
            if let Err(error) = self.gather().await {
                // They come again by themselves, and what they missed is told then.
                tracing::warn!("events are not told: {:#}", anyhow::Error::new(error));
                return None;
            }
        }
    }

    async fn gather(&mut self) -> Result<(), StoreError> {
        let mut gathered = Gathered::default();
        self.hear(&mut gathered);
        self.read(&mut gathered).await?;
        let count = gathered.lines.len() + gathered.notices.len() + gathered.topups.len();
        if gathered.is_cut || count > MANY {
            self.seq = self.admin.engine().store().journal_head().await?.seq;
            let resync = Event::default().event("resync").id(self.seq.to_string());
            self.ready.push_back(resync.data("{}"));
            return Ok(());
        }
        self.tell(gathered).await
    }

    /// What this process wrote.
    fn hear(&mut self, gathered: &mut Gathered) {
        loop {
            match self.changed.try_recv() {
                Ok(Changed::Line(id)) => drop(gathered.lines.insert(id)),
                Ok(Changed::Notice(id)) => drop(gathered.notices.insert(id)),
                Err(broadcast::error::TryRecvError::Lagged(_)) => gathered.is_cut = true,
                Err(_) => return,
            }
        }
    }

    /// What anybody wrote.
    async fn read(&mut self, gathered: &mut Gathered) -> Result<(), StoreError> {
        let (store, now) = (self.admin.engine().store(), self.admin.engine().now());
        let many = i64::try_from(MANY).unwrap_or(i64::MAX);
        // Each move of a top-up makes a few links.
        let limit = many.saturating_mul(4);
        let before = self.seq;
        let (seq, links) = store.journaled_after(before, limit).await?;
        gathered.is_cut |= seq.saturating_sub(before) >= limit;
        self.seq = seq;
        for link in links {
            match link {
                Journaled::Topup(id) => drop(gathered.topups.insert(id)),
                Journaled::Status(id) => drop(gathered.lines.insert(id)),
                Journaled::Money => gathered.is_money = true,
            }
        }
        let recent: BTreeSet<String> =
            store.notices_since(self.notices_from, limit).await?.into_iter().collect();
        gathered.notices.extend(recent.difference(&self.told).cloned());
        self.notices_from = now.minus(OVERLAP);
        self.told = recent;
        Ok(())
    }

    /// Writes down as events what is within the scope; what is gone by now is not news.
    async fn tell(&mut self, gathered: Gathered) -> Result<(), StoreError> {
        let store = self.admin.engine().store().clone();
        for id in &gathered.topups {
            if let Some(topup) = there(store.topup_within(&self.scope, id).await)? {
                let event = Event::default().event("topup").id(self.seq.to_string());
                self.push(event, &shapes::topup(&topup));
            }
        }
        for id in &gathered.lines {
            if there(store.line_within(&self.scope, id).await)?.is_some() {
                let views = store.views_of(&[id.to_string()]).await?;
                for view in &views {
                    self.push(Event::default().event("subscription"), &shapes::subscription(view));
                }
            }
        }
        for id in &gathered.notices {
            if let Some(notice) = there(store.notice_within(&self.scope, id).await)? {
                self.push(Event::default().event("notice"), &shapes::notice(&notice));
            }
        }
        if gathered.is_money && self.scope == Scope::All {
            let event = Event::default().event("money").id(self.seq.to_string());
            self.ready.push_back(event.data("{}"));
        }
        Ok(())
    }

    fn push(&mut self, event: Event, document: &impl Serialize) {
        match event.json_data(document) {
            Ok(event) => self.ready.push_back(event),
            Err(error) => tracing::error!("an event cannot be written: {error}"),
        }
    }
}

fn there<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
