//! Lists: page by page, narrowed, and of the scope of who asks only.

use super::{
    asks::{FormQuery, LedgerQuery, LinesQuery, NoticesQuery, TopupsQuery},
    fields::Params,
    kept::lasting,
    own::OwnLine,
    paging::{Asked, Cut, Form, after, after_time, answer, page, place},
};
use crate::admin::{Admin, guard::Caller, problem::Problem};
use crate::config::fleet::rule_from_document;
use crate::domain::{NoticeKind, Span, State as TopupState, SubscriptionId, Timestamp};
use crate::input::{End, Section};
use crate::shapes;
use crate::store::{
    LineOrder, LinesAsked, NoticesAsked, Scope, StoreError, StoredNotice, SubscriptionView,
    TopupsAsked,
};
use axum::{Extension, extract::State, response::Response};
use serde_json::Value;

/// What a list gives.
type List = Result<Response, Problem>;

/// A word out of those of a list, as itself.
fn word(section: &mut Section<'_>, key: &str, words: &[&'static str]) -> Option<String> {
    let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
    section.word(key, &words).map(str::to_owned)
}

/// All subscribers; of a scope, the owners of its lines.
#[utoipa::path(get, path = "/api/v1/subscribers", responses((status = 200, description = "The subscribers", body = [shapes::Subscriber])))]
pub(super) async fn subscribers(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    params: Params,
) -> List {
    params.read(|_| Some(()))?;
    let found = admin.engine().store().subscribers_within(caller.scope()).await?;
    answer(&found.iter().map(shapes::subscriber).collect::<Vec<_>>()).map(lasting)
}

/// Subscriptions, page by page.
#[utoipa::path(get, path = "/api/v1/subscriptions", params(LinesQuery), responses((status = 200, description = "A page", body = [shapes::Subscription])))]
pub(super) async fn subscriptions(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Asked,
    params: Params,
) -> List {
    let (lines, from, cut) = params.read(|section| {
        let order = section.word("sort", &LineOrder::WORDS).unwrap_or_default();
        // Sorted by id, the place is the id itself.
        let from = match order {
            LineOrder::Id => {
                let id = section.checked("after", SubscriptionId::parse);
                id.map(|id| (String::new(), id.to_string()))
            }
            LineOrder::Label | LineOrder::ServiceEnd => after(section, |words| match words {
                [key, id] => Some((key.clone(), id.clone())),
                _ => None,
            }),
        };
        let lines = LinesAsked {
            subscriber: section.text("subscriber"),
            tag: section.text("tag"),
            status: word(section, "status", &SubscriptionView::STATUSES),
            operator: section.text("operator"),
            reader: section.text("reader"),
            text: section.text("q"),
            order,
        };
        Some((lines, from.unwrap_or_default(), Cut::read_or_csv(section, &asked)))
    })?;
    let store = admin.engine().store();
    let most = cut.most();
    let found = store.lines_page(caller.scope(), &lines, &from, most).await?;
    let form = Form {
        shape: |(_, view): &(String, SubscriptionView)| shapes::subscription(view),
        table: (&shapes::LINE_COLUMNS, |(_, view)| shapes::line_row(view)),
    };
    let place = |(key, view): &(String, SubscriptionView)| {
        let id = view.subscription.id.as_str();
        if lines.order == LineOrder::Id { id.to_owned() } else { place(&[key, id]) }
    };
    page(&asked, cut, found, place, &form)
}

/// Readings of a subscription, newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{id}/readings", params(FormQuery), responses((status = 200, description = "A page", body = [shapes::Reading])))]
pub(super) async fn readings(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    asked: Asked,
    params: Params,
) -> List {
    let (before, cut) = before(&params, &asked)?;
    let store = admin.engine().store();
    let found = store.readings_page(&id, before, cut.most()).await?;
    let form =
        Form { shape: shapes::reading, table: (&shapes::READING_COLUMNS, shapes::reading_row) };
    page(&asked, cut, found, |r| place(&[&r.at.ms().to_string()]), &form)
}

/// What each day's readings of a subscription said, newest first; also of days whose readings are
/// no longer kept.
#[utoipa::path(get, path = "/api/v1/subscriptions/{id}/days", params(FormQuery), responses((status = 200, description = "A page", body = [shapes::Day])))]
pub(super) async fn days(
    State(admin): State<Admin>,
    OwnLine(id): OwnLine,
    asked: Asked,
    params: Params,
) -> List {
    let (before, cut) = before(&params, &asked)?;
    let store = admin.engine().store();
    let found = store.reading_days(&id, before, cut.most()).await?;
    let form = Form { shape: shapes::day, table: (&shapes::DAY_COLUMNS, shapes::day_row) };
    page(&asked, cut, found, |d| place(&[&d.day.to_string()]), &form)
}

/// Where a list that is newest first goes on, and how it is cut.
fn before(params: &Params, asked: &Asked) -> Result<(Option<i64>, Cut), Problem> {
    params.read(|section| {
        let before = after(section, |words| words.first()?.parse::<i64>().ok());
        Some((before, Cut::read_or_csv(section, asked)))
    })
}

/// The rules as they were applied; of a scope, those that apply to its lines.
#[utoipa::path(get, path = "/api/v1/rules", responses((status = 200, description = "The rules", body = [super::declared::DeclaredRule])))]
pub(super) async fn rules(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    params: Params,
) -> List {
    params.read(|_| Some(()))?;
    let store = admin.engine().store();
    let lines = match caller.scope() {
        Scope::All => None,
        Scope::Subscriber(_) | Scope::Tag(_) => {
            let (all, start) = (LinesAsked::default(), Default::default());
            Some(store.lines_page(caller.scope(), &all, &start, i64::MAX).await?)
        }
    };
    let mut rules = Vec::new();
    for (id, document) in store.rule_documents().await? {
        let bad = |_| StoreError::BadRow { table: "rules", column: "document", found: id.clone() };
        let mut rule: Value = serde_json::from_str(&document).map_err(bad)?;
        if let Some(fields) = rule.as_object_mut() {
            fields.insert("id".into(), Value::String(id));
        }
        let applies = lines.as_ref().is_none_or(|lines| {
            let covered = rule_from_document(&rule).map(|rule| rule.scope);
            covered.is_ok_and(|scope| lines.iter().any(|(_, v)| scope.covers(&v.subscription)))
        });
        rules.extend(Some(rule).filter(|_| applies));
    }
    answer(&rules).map(lasting)
}

/// Top-ups, newest first.
#[utoipa::path(get, path = "/api/v1/topups", params(TopupsQuery), responses((status = 200, description = "A page", body = [shapes::Topup])))]
pub(super) async fn topups(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Asked,
    params: Params,
) -> List {
    let now = admin.engine().now();
    let (topups, from, cut) = params.read(|section| {
        let (from, to) = span(section, Timestamp::from_ms(0), now);
        let topups = TopupsAsked {
            subscription: section.text("subscription"),
            state: word(section, "state", &TopupState::ALL.map(TopupState::as_str)),
            payer: section.text("payer"),
            from,
            to,
        };
        Some((topups, after_time(section), Cut::read_or_csv(section, &asked)))
    })?;
    let store = admin.engine().store();
    let most = cut.most();
    let found = store.topups_page(caller.scope(), &topups, from.as_ref(), most).await?;
    let form = Form { shape: shapes::topup, table: (&shapes::TOPUP_COLUMNS, shapes::topup_row) };
    let place = |t: &crate::domain::Topup| place(&[&t.created_at.ms().to_string(), t.id.as_str()]);
    page(&asked, cut, found, place, &form)
}

/// Notices, newest first.
#[utoipa::path(get, path = "/api/v1/notices", params(NoticesQuery), responses((status = 200, description = "A page", body = [shapes::Notice])))]
pub(super) async fn notices(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Asked,
    params: Params,
) -> List {
    let (notices, from, cut) = params.read(|section| {
        let kind = section.parsed(
            "kind",
            "allowed is a kind of notices, such as \"topup_held\"",
            NoticeKind::parse,
        );
        let notices = NoticesAsked {
            subscriber: section.text("subscriber"),
            subscription: section.text("subscription"),
            state: word(section, "state", &StoredNotice::STATES),
            kind: kind.map(|kind| kind.as_str().to_owned()),
            channel: section.text("channel"),
            ..NoticesAsked::default()
        };
        Some((notices, after_time(section), Cut::read(section)))
    })?;
    let store = admin.engine().store();
    let most = cut.most();
    let found = store.notices_page(caller.scope(), &notices, from.as_ref(), most).await?;
    let place = |n: &StoredNotice| place(&[&n.created_at.ms().to_string(), &n.id]);
    page(&asked, cut, found, place, &Form::json(shapes::notice))
}

/// Money movements, oldest first; of the last 30 days where nothing is said.
#[utoipa::path(get, path = "/api/v1/ledger", params(LedgerQuery), responses((status = 200, description = "A page", body = [shapes::LedgerEntry])))]
pub(super) async fn ledger(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    asked: Asked,
    params: Params,
) -> List {
    let now = admin.engine().now();
    let (during, from, cut) = params.read(|section| {
        let during = span(section, now.minus(Span::days(30)), now);
        let from = after(section, |words| match words {
            [at, topup, seq] => Some((at.parse().ok()?, topup.clone(), seq.parse().ok()?)),
            _ => None,
        });
        Some((during, from, Cut::read_or_csv(section, &asked)))
    })?;
    let store = admin.engine().store();
    let most = cut.most();
    let found = store.ledger_page(caller.scope(), during, from.as_ref(), most).await?;
    let form =
        Form { shape: shapes::ledger_entry, table: (&shapes::LEDGER_COLUMNS, shapes::ledger_row) };
    let place = |e: &crate::store::LedgerEntry| {
        place(&[&e.at.ms().to_string(), &e.topup, &e.seq.to_string()])
    };
    page(&asked, cut, found, place, &form)
}

/// `from` (included) and `to` (not included); a date is the start of that day in UTC.
pub(super) fn span(
    section: &mut Section<'_>,
    usual: Timestamp,
    now: Timestamp,
) -> (Timestamp, Timestamp) {
    let allowed = "allowed is a date such as \"2026-12-01\" or an instant in RFC 3339";
    let mut end =
        |key| section.parsed(key, allowed, |text| End::parse(text)?.instant(chrono_tz::UTC));
    (end("from").unwrap_or(usual), end("to").unwrap_or(now.plus(Span::from_ms(1))))
}
