//! The ledger: what was spent by month and by subscriber, each currency for itself.

use super::super::{Admin, problem::Problem};
use super::{
    Pages,
    overview::by_id,
    view::{Owners, When},
    visitor::Visitor,
};
use crate::domain::{Money, Timestamp};
use crate::shapes;
use crate::store::{Scope, SpentBy, StoreError};
use axum::{
    Extension,
    extract::{Query, State},
    http::header,
    response::{IntoResponse as _, Response},
};
use chrono::{Datelike as _, Months, NaiveDate};
use minijinja::{context, value::Serde};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Movements on one page; the CSV has all of them.
const PAGE: i64 = 200;
/// Months in the list.
const MONTHS: u32 = 12;

/// Which month.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// `2026-11`; this month where nothing is said.
    month: Option<String>,
}

/// A month, by UTC.
#[derive(Clone, Debug)]
struct Month {
    name: String,
    from: Timestamp,
    to: Timestamp,
}

impl Month {
    fn of(first: NaiveDate) -> Option<Self> {
        let next = first.checked_add_months(Months::new(1))?;
        let start = |day| Timestamp::start_of_day(day, chrono_tz::UTC);
        let name = first.format("%Y-%m").to_string();
        Some(Self { name, from: start(first)?, to: start(next)? })
    }

    /// The month that is asked for, else the one of `now`.
    fn asked(text: Option<&str>, now: Timestamp) -> Option<Self> {
        let day = text.and_then(|text| format!("{text}-01").parse::<NaiveDate>().ok());
        Self::of(day.or_else(|| first_of(now))?)
    }
}

fn first_of(now: Timestamp) -> Option<NaiveDate> {
    now.to_utc()?.date_naive().with_day(1)
}

/// The month, or that there is none.
fn month(asked: &Asked, now: Timestamp) -> Result<Month, Problem> {
    let found = Month::asked(asked.month.as_deref(), now);
    found.ok_or_else(|| StoreError::NotFound("month of that name".into()).into())
}

/// What was spent in one currency.
#[derive(Debug, Serialize)]
struct Sum {
    who: String,
    money: String,
    topups: i64,
}

/// A month in the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    sums: Vec<Sum>,
}

/// What is used of a cap.
#[derive(Debug, Serialize)]
struct Used {
    who: String,
    used: String,
    limit: Option<String>,
    is_full: bool,
}

/// A movement of money.
#[derive(Debug, Serialize)]
struct Moved {
    at: When,
    kind: String,
    amount: String,
    line: String,
    owner: String,
    payer: String,
    topup: String,
}

pub(super) async fn look(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (store, now) = (admin.engine().store(), admin.engine().now());
    let scope = visitor.caller.scope();
    let month = month(&asked, now)?;
    // Whoever spent anything may be named here.
    let owners = by_id(store.subscribers().await?);
    let spent = store.spent_within(scope, month.from, month.to).await?;
    let entries = store.ledger_within(scope, month.from, month.to, PAGE).await?;
    let is_full = entries.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let moved: Vec<Moved> = entries
        .into_iter()
        .map(|e| Moved {
            at: When::of(e.at, chrono_tz::UTC, now),
            kind: e.kind,
            amount: e.amount.to_string(),
            line: e.subscription,
            owner: name_of(&owners, &e.subscriber),
            payer: e.payer,
            topup: e.topup,
        })
        .collect();
    let about = context! {
        month => month.name,
        totals => Serde(totals(&spent)),
        people => Serde(people(spent, &owners)),
        months => Serde(months(&admin, scope, now).await?),
        caps => Serde(caps(&admin, scope, &owners, now).await?),
        moved => Serde(moved),
        is_full,
        most => PAGE,
    };
    Pages::render(&admin, "ledger.html", &visitor, about)
}

fn name_of(owners: &Owners, id: &str) -> String {
    owners.get(id).map_or_else(|| id.to_owned(), |(name, _)| name.clone())
}

fn people(spent: Vec<SpentBy>, owners: &Owners) -> Vec<Sum> {
    let sum = |one: SpentBy| Sum {
        who: name_of(owners, &one.subscriber),
        money: one.amount.to_string(),
        topups: one.topups,
    };
    spent.into_iter().map(sum).collect()
}

/// One sum for each currency; one that no longer fits is left out rather than wrong.
fn totals(spent: &[SpentBy]) -> Vec<Sum> {
    let mut sums: BTreeMap<&str, (Option<Money>, i64)> = BTreeMap::new();
    for one in spent {
        let code = one.amount.currency().code();
        let (sum, topups) =
            sums.entry(code).or_insert((Some(Money::new(0, one.amount.currency())), 0));
        *sum = sum.and_then(|sum| sum.checked_add(one.amount));
        *topups = topups.saturating_add(one.topups);
    }
    let sums = sums.into_values();
    sums.filter_map(|(sum, topups)| {
        Some(Sum { who: String::new(), money: sum?.to_string(), topups })
    })
    .collect()
}

async fn months(admin: &Admin, scope: &Scope, now: Timestamp) -> Result<Vec<Row>, StoreError> {
    let Some(first) = first_of(now) else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for back in 0..MONTHS {
        let month = first.checked_sub_months(Months::new(back)).and_then(Month::of);
        let Some(month) = month else { continue };
        let spent = admin.engine().store().spent_within(scope, month.from, month.to).await?;
        if !spent.is_empty() || back == 0 {
            rows.push(Row { name: month.name, sums: totals(&spent) });
        }
    }
    Ok(rows)
}

/// The limits of the installation that money in flight counts against. Those of rules may be
/// tighter; those of single lines are on the lines.
async fn caps(
    admin: &Admin,
    scope: &Scope,
    owners: &Owners,
    now: Timestamp,
) -> Result<Vec<Used>, StoreError> {
    let (store, limits) = (admin.engine().store(), &admin.engine().settings().caps);
    let mut caps = Vec::new();
    if *scope == Scope::All {
        let counted = store.counted_of_day(now).await?;
        for limit in &limits.global_24h {
            let zero = Money::new(0, limit.currency());
            let used = counted.iter().find(|money| money.currency() == limit.currency());
            caps.push(used_of(String::new(), *used.unwrap_or(&zero), Some(*limit)));
        }
    }
    if matches!(scope, Scope::Tag(_)) {
        // A subscriber's cap counts all lines, also those that are not for this visitor's eyes.
        return Ok(caps);
    }
    for (subscriber, used) in store.counted_of_subscribers(scope, now).await? {
        let limit = limits.subscriber_30d.filter(|limit| limit.currency() == used.currency());
        caps.push(used_of(name_of(owners, &subscriber), used, limit));
    }
    Ok(caps)
}

fn used_of(who: String, used: Money, limit: Option<Money>) -> Used {
    let is_full = limit.is_some_and(|limit| used.minor() >= limit.minor());
    Used { who, used: used.to_string(), limit: limit.map(|limit| limit.to_string()), is_full }
}

/// Every movement of a month.
pub(super) async fn csv(
    State(admin): State<Admin>,
    Extension(visitor): Extension<Visitor>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let month = month(&asked, admin.engine().now())?;
    let scope = visitor.caller.scope();
    let store = admin.engine().store();
    let mut entries = store.ledger_within(scope, month.from, month.to, i64::MAX).await?;
    entries.reverse();
    let rows = entries.iter().map(shapes::ledger_row);
    let text = shapes::csv(&shapes::LEDGER_COLUMNS, rows).map_err(|e| Problem::broken(&e))?;
    let name = format!("attachment; filename=\"ledger-{}.csv\"", month.name);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_never_summed() {
        let spent = |who: &str, money: &str| SpentBy {
            subscriber: who.to_owned(),
            amount: Money::parse(money).unwrap(),
            topups: 1,
        };
        let all = [spent("a", "10.00 USD"), spent("b", "5.50 USD"), spent("b", "3 EUR")];
        let sums = totals(&all);
        let sums: Vec<_> = sums.iter().map(|sum| (sum.money.as_str(), sum.topups)).collect();
        assert_eq!(sums, [("3.00 EUR", 1), ("15.50 USD", 2)]);
    }

    #[test]
    fn a_month_is_whole_and_another_word_is_this_month() {
        let now = Timestamp::parse_rfc3339("2026-12-31T23:59:59Z").unwrap();
        let month = Month::asked(Some("2026-02"), now).unwrap();
        assert_eq!(month.from.rfc3339(), "2026-02-01T00:00:00Z");
        assert_eq!(month.to.rfc3339(), "2026-03-01T00:00:00Z");
        for other in [None, Some(""), Some("2026-13"), Some("x\" onclick")] {
            assert_eq!(Month::asked(other, now).unwrap().name, "2026-12", "{other:?}");
        }
    }
}
