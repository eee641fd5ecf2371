//! A subscriber's own page, behind a signed link: their lines, top-ups, statements and what waits
//! for their word.
//!
//! Invariant: nothing of anybody else can be reached from here, looking changes nothing, and each
//! answer comes from a page that showed what it is about: an approval holds the order's hash, and a
//! notice is answered once.

use super::super::{Admin, link::worded, problem::Problem};
use super::{
    Pages,
    form::Form,
    view::{self, Owners, When},
    visitor::{Taste, same_site},
    words::Locale,
};
use crate::domain::{NoticeKind, Span, State as TopupState, Subscriber, Topup};
use crate::flow::{LinkError, OrderError, Reply};
use crate::store::{Audited, NoticesAsked, Scope, StoreError, StoredNotice, TopupsAsked};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use minijinja::{Value, context, value::Serde};

/// Everything below belongs to subscribers, who know us by our public name.
pub(in super::super) const PREFIX: &str = "/s/";

/// Lines, top-ups, notices and statements shown at most.
const LINES: i64 = 200;
const TOPUPS: i64 = 50;
const NOTICES: i64 = 50;
const STATEMENTS: i64 = 24;
/// Older notices are not asked about any more.
const OLD: Span = Span::days(30);
/// How long a snooze is.
const SNOOZE: Span = Span::days(2);

/// The pages; the link itself says who comes.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/s/{token}", get(look))
        .route("/s/{token}/notices/{id}", get(notice).post(answer_notice))
        .route("/s/{token}/topups/{id}", get(topup).post(answer_topup))
}

/// Who looks, and by which link.
#[derive(Debug)]
struct Own {
    subscriber: Subscriber,
    token: String,
    owners: Owners,
}

impl Own {
    async fn open(admin: &Admin, token: String) -> Result<Self, Problem> {
        let subscriber = match admin.engine().whose_page(&token).await {
            Ok(subscriber) => subscriber,
            Err(LinkError::Engine(error)) => return Err(error.into()),
            Err(error @ LinkError::Lapsed) => {
                return Err(Problem::new(StatusCode::GONE, error.to_string()));
            }
            Err(error) => return Err(Problem::new(StatusCode::NOT_FOUND, error.to_string())),
        };
        let owner = (subscriber.name.clone(), subscriber.time_zone);
        let owners = std::iter::once((subscriber.id.to_string(), owner)).collect();
        Ok(Self { subscriber, token, owners })
    }

    fn id(&self) -> &str {
        self.subscriber.id.as_str()
    }

    fn scope(&self) -> Scope {
        Scope::Subscriber(self.id().to_owned())
    }

    /// How histories name them.
    fn actor(&self) -> String {
        format!("link:{}", self.id())
    }

    fn render(
        &self,
        admin: &Admin,
        name: &str,
        about: Value,
        status: StatusCode,
    ) -> Result<Response, Problem> {
        let locale = Locale::wanted(&self.subscriber.locale);
        let about = context! {
            home => format!("{PREFIX}{}", self.token),
            owner => &self.subscriber.name,
            ..about
        };
        Pages::bare(admin, name, Taste { locale, theme: "auto" }, about, status)
    }

    async fn notice(&self, admin: &Admin, id: &str) -> Result<StoredNotice, Problem> {
        Ok(admin.engine().store().notice_within(&self.scope(), id).await?)
    }

    /// A top-up that was theirs when it was ordered, and is on a line that still is.
    async fn topup(&self, admin: &Admin, id: &str) -> Result<Topup, Problem> {
        let topup = admin.engine().store().topup_within(&self.scope(), id).await?;
        if topup.subscriber == self.subscriber.id && topup.id.as_str() == id {
            Ok(topup)
        } else {
            Err(StoreError::NotFound(format!("top-up {id}")).into())
        }
    }

    /// Writes down what was done from here.
    async fn note(
        &self,
        admin: &Admin,
        act: &str,
        target: &str,
        status: StatusCode,
    ) -> Result<(), Problem> {
        let what = Audited {
            actor: self.actor(),
            act: act.to_owned(),
            target: target.to_owned(),
            status: i64::from(status.as_u16()),
            ..Audited::default()
        };
        Ok(admin.engine().store().audit(&what, admin.engine().now()).await?)
    }
}

/// What a notice can be answered with from here; orders are answered where they are shown.
fn replies(notice: &StoredNotice) -> bool {
    notice.kind != NoticeKind::ApprovalWanted
        && notice.acknowledged_at.is_none()
        && Reply::to(notice.kind).contains(&Reply::Acknowledge)
}

async fn look(State(admin): State<Admin>, Path(token): Path<String>) -> Result<Response, Problem> {
    let own = Own::open(&admin, token).await?;
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let zone = own.subscriber.time_zone;
    let views = store.views(Some(own.id()), "", LINES).await?;
    let mut lines: Vec<_> =
        views.iter().map(|v| (ends(v), view::line(v, &own.owners, now))).collect();
    lines.sort_by_key(|(end, _)| end.unwrap_or(i64::MAX));
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    let topups = store.topups_page(&own.scope(), &TopupsAsked::default(), None, TOPUPS).await?;
    let topups: Vec<_> = topups
        .iter()
        .filter(|topup| topup.subscriber == own.subscriber.id)
        .map(|topup| view::order(topup, &own.owners, now))
        .collect();
    let since = Some(now.minus(OLD));
    let asks = NoticesAsked { since, unseen: true, ..NoticesAsked::default() };
    let notices = store.notices_page(&own.scope(), &asks, None, NOTICES).await?;
    let mut mine = Vec::new();
    for notice in notices.iter().filter(|n| n.reminds.is_none() && replies(n)) {
        if !store.is_link_used(&once(&own, notice)).await? {
            mine.push(view::told(notice, &own.owners, now));
        }
    }
    let kind = Some(NoticeKind::Statement.as_str().to_owned());
    let asks = NoticesAsked { kind, ..NoticesAsked::default() };
    let months = store.notices_page(&own.scope(), &asks, None, STATEMENTS).await?;
    let months: Vec<_> = months
        .into_iter()
        .map(|n| (n.id, n.facts.period.unwrap_or_default(), n.facts.spent))
        .collect();
    let about = context! {
        lines => Serde(lines),
        topups => Serde(topups),
        notices => Serde(mine),
        months => Serde(months),
        now => Serde(When::of(now, zone, now)),
    };
    own.render(&admin, "subscriber.html", about, StatusCode::OK)
}

/// When a line goes dark, for the order of the list.
fn ends(view: &crate::store::SubscriptionView) -> Option<i64> {
    let ends = [view.service_end_at(), view.number_loss_at()];
    ends.into_iter().flatten().map(crate::domain::Timestamp::ms).min()
}

async fn notice(
    State(admin): State<Admin>,
    Path((token, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let own = Own::open(&admin, token).await?;
    let notice = own.notice(&admin, &id).await?;
    show_notice(&admin, &own, &notice, StatusCode::OK).await
}

async fn show_notice(
    admin: &Admin,
    own: &Own,
    notice: &StoredNotice,
    status: StatusCode,
) -> Result<Response, Problem> {
    let message = worded(admin, notice).await?;
    let is_used = admin.engine().store().is_link_used(&once(own, notice)).await?;
    let about = context! {
        notice => Serde(view::told(notice, &own.owners, admin.engine().now())),
        text => message.text,
        can_answer => replies(notice) && !is_used,
        is_used,
    };
    own.render(admin, "own_notice.html", about, status)
}

/// The mark of an answer: each notice is answered once from here.
fn once(own: &Own, notice: &StoredNotice) -> String {
    format!("page {} {}", own.id(), notice.id)
}

async fn answer_notice(
    State(admin): State<Admin>,
    Path((token, id)): Path<(String, String)>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let own = Own::open(&admin, token).await?;
    same_site(&headers)?;
    let notice = own.notice(&admin, &id).await?;
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let until = match form.text("reply") {
        "acknowledge" => None,
        "snooze" => Some(now.plus(SNOOZE)),
        _ => return show_notice(&admin, &own, &notice, StatusCode::UNPROCESSABLE_ENTITY).await,
    };
    // Written down first: of two that come at once only one goes on.
    if !replies(&notice) || !store.use_link(&once(&own, &notice), now).await? {
        own.note(&admin, form.text("reply"), &notice.id, StatusCode::CONFLICT).await?;
        return show_notice(&admin, &own, &notice, StatusCode::CONFLICT).await;
    }
    store.acknowledge(&notice.id, &own.actor(), until, now).await?;
    own.note(&admin, form.text("reply"), &notice.id, StatusCode::SEE_OTHER).await?;
    Ok(Redirect::to(&format!("{PREFIX}{}", own.token)).into_response())
}

async fn topup(
    State(admin): State<Admin>,
    Path((token, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let own = Own::open(&admin, token).await?;
    let topup = own.topup(&admin, &id).await?;
    show_topup(&admin, &own, &topup, StatusCode::OK)
}

fn show_topup(
    admin: &Admin,
    own: &Own,
    topup: &Topup,
    status: StatusCode,
) -> Result<Response, Problem> {
    let now = admin.engine().now();
    let zone = own.subscriber.time_zone;
    let ends = topup.next_action_at.filter(|_| waits(topup));
    let about = context! {
        order => Serde(view::order(topup, &own.owners, now)),
        order_hash => &topup.order_hash,
        ends => Serde(ends.map(|at| When::of(at, zone, now))),
        can_answer => waits(topup),
        is_late => status == StatusCode::CONFLICT,
    };
    own.render(admin, "own_topup.html", about, status)
}

fn waits(topup: &Topup) -> bool {
    topup.state == TopupState::AwaitingApproval && topup.approved.is_none()
}

/// Yes or no to exactly the order that was shown.
async fn answer_topup(
    State(admin): State<Admin>,
    Path((token, id)): Path<(String, String)>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let own = Own::open(&admin, token).await?;
    same_site(&headers)?;
    let topup = own.topup(&admin, &id).await?;
    let (engine, reply) = (admin.engine(), form.text("reply"));
    if !waits(&topup) || form.text("hash") != topup.order_hash {
        own.note(&admin, reply, topup.id.as_str(), StatusCode::CONFLICT).await?;
        return show_topup(&admin, &own, &topup, StatusCode::CONFLICT);
    }
    let done = match reply {
        "approve" => engine.approve(&id, Some(form.text("hash")), &own.actor()).await,
        "reject" => engine.reject(&id, &own.actor()).await,
        _ => return show_topup(&admin, &own, &topup, StatusCode::UNPROCESSABLE_ENTITY),
    };
    match done {
        Ok(topup) => {
            own.note(&admin, reply, topup.id.as_str(), StatusCode::SEE_OTHER).await?;
            Ok(Redirect::to(&format!("{PREFIX}{}/topups/{}", own.token, topup.id)).into_response())
        }
        Err(OrderError::Refused(_) | OrderError::Invalid(_)) => {
            own.note(&admin, reply, topup.id.as_str(), StatusCode::CONFLICT).await?;
            let now = own.topup(&admin, &id).await?;
            show_topup(&admin, &own, &now, StatusCode::CONFLICT)
        }
        Err(error @ OrderError::Engine(_)) => Err(error.into()),
    }
}
