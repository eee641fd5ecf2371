//! What the calendar says: a statement of each month to every subscriber, a report of each week to
//! those who look after the installation.

use super::{Engine, EngineError};
use crate::domain::{
    Facts, Item, NoticeDraft, NoticeKind, Severity, Span, SubscriberId, Timestamp, line_facts,
};
use crate::store::{Spent, total};
use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use std::sync::PoisonError;

/// How often the calendar is looked at.
const EVERY: Span = Span::minutes(10);
/// The hour of the reader's day from which these are sent.
const HOUR: u32 = 9;
/// Statements written in one go.
const BATCH: i64 = 200;

/// How far the calendar was followed.
#[derive(Debug, Default)]
pub(super) struct CalendarSeen {
    /// When it was looked at last.
    at: Option<Timestamp>,
    /// Where the next page of subscribers begins; `None` once all were looked at.
    after: Option<String>,
}

impl Engine {
    /// Writes statements and reports that are due.
    pub(super) async fn follow_calendar(&self) -> Result<(), EngineError> {
        let now = self.now();
        let seen = || self.0.calendar_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let after = {
            let mut seen = seen();
            let is_new = seen.at.is_none_or(|at| now < at || now.since(at) >= EVERY);
            if is_new {
                *seen = CalendarSeen { at: Some(now), after: Some(String::new()) };
            } else if seen.after.is_none() {
                return Ok(());
            }
            seen.after.clone()
        };
        // A page of subscribers in each round: others are told meanwhile.
        let next = match after.filter(|_| self.settings().notices.statement) {
            Some(after) => self.write_statements(&after, now).await?,
            None => None,
        };
        let is_done = next.is_none();
        seen().after = next;
        if is_done { self.write_reports(now).await } else { Ok(()) }
    }

    /// Statements of the next page of subscribers after `after`; gives back the last of them where
    /// more may follow.
    async fn write_statements(
        &self,
        after: &str,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        // The first days of a month, anywhere on earth; a daemon that was down writes them late.
        let Some(utc) = now.to_utc().filter(|utc| utc.day() <= 5) else { return Ok(None) };
        let Some(first) = utc.date_naive().with_day(1) else { return Ok(None) };
        let begins = start(first, Tz::UTC, 0);
        let Some(begins) = begins else { return Ok(None) };
        // Who came this month has no month behind him.
        let came = begins.minus(Span::days(1));
        let missing = self.store().without_statement(begins, came, after, BATCH).await?;
        let is_full = i64::try_from(missing.len()).is_ok_and(|n| n == BATCH);
        let last = missing.last().cloned().filter(|_| is_full);
        for id in missing {
            let subscriber = self.store().subscriber(&SubscriberId::trusted(&id)).await?;
            let zone = subscriber.time_zone;
            let Some(opens) = start(first, zone, HOUR).filter(|at| *at <= now) else { continue };
            let month = first.checked_sub_months(Months::new(1));
            let bounds = month.and_then(|m| Some((start(m, zone, 0)?, start(first, zone, 0)?, m)));
            let Some((from, to, month)) = bounds else { continue };
            let spent = self.store().spent(Some(&id), from, to).await?;
            let period = month.format("%Y-%m").to_string();
            let facts = Facts {
                items: self.lines_of(&id, &spent).await?,
                ..totals(&spent, period.clone())
            };
            let draft = NoticeDraft {
                subscriber: subscriber.id,
                subscription: None,
                topup: None,
                kind: NoticeKind::Statement,
                severity: Severity::Info,
                dedupe: format!("statement|{period}"),
                at: opens.max(now),
                facts,
            };
            self.store().say(&[draft]).await?;
        }
        Ok(last)
    }

    async fn lines_of(&self, subscriber: &str, spent: &[Spent]) -> Result<Vec<Item>, EngineError> {
        let ids = self.store().lines_of(subscriber).await?;
        let rows = self.store().snapshots(&ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let line = &row.snapshot.subscription.id;
                let own: Vec<Spent> =
                    spent.iter().filter(|s| s.subscription == line.as_str()).cloned().collect();
                let facts = line_facts(&row.snapshot);
                Item {
                    kind: String::new(),
                    label: facts.label,
                    last4: facts.last4,
                    balance: facts.balance,
                    service_end_at: facts.service_end_at,
                    spent: total(&own),
                }
            })
            .collect())
    }

    async fn write_reports(&self, now: Timestamp) -> Result<(), EngineError> {
        for id in self.operators_of(&SubscriberId::trusted("")).await? {
            let zone = self.store().subscriber(&id).await?.time_zone;
            let Some(local) = now.to_utc().map(|utc| utc.with_timezone(&zone)) else { continue };
            let monday = monday(&local);
            let week = monday.checked_sub_days(Days::new(7));
            let bounds =
                week.and_then(|w| Some((start(w, zone, HOUR)?, start(monday, zone, HOUR)?)));
            let Some((from, to)) = bounds.filter(|(_, to)| *to <= now) else { continue };
            // A week in which nobody was here yet is no week.
            if self.store().first_subscriber_at().await?.is_none_or(|at| at >= to) {
                continue;
            }
            let period = week_of(monday);
            let dedupe = format!("report|{period}");
            if self.store().was_said(&id, &dedupe).await? {
                continue;
            }
            let figures = self.store().week(from).await?;
            let head = self.store().journal_head().await?;
            let detail = format!(
                "{} lines are watched, {} top-ups are open; {} notices were sent, {} were given up",
                figures.lines, figures.open, figures.sent, figures.dead
            );
            let facts = Facts {
                detail: Some(detail),
                journal_head: Some(head.to_string()),
                ..totals(&self.store().spent_in_all(from, to).await?, period)
            };
            let draft = NoticeDraft {
                subscriber: id,
                subscription: None,
                topup: None,
                kind: NoticeKind::Report,
                severity: Severity::Info,
                dedupe,
                at: now,
                facts,
            };
            self.store().say(&[draft]).await?;
        }
        Ok(())
    }
}

fn totals(spent: &[Spent], period: String) -> Facts {
    Facts {
        spent: total(spent),
        topups: Some(spent.iter().map(|one| one.topups).sum()),
        period: Some(period),
        ..Facts::default()
    }
}

/// The week before a Monday, as ISO 8601 writes it.
fn week_of(monday: NaiveDate) -> String {
    let before = monday.checked_sub_days(Days::new(7)).unwrap_or(monday).iso_week();
    format!("{}-W{:02}", before.year(), before.week())
}

/// The Monday of the week that `local` is in.
fn monday(local: &DateTime<Tz>) -> NaiveDate {
    let day = local.date_naive();
    let since = u64::from(day.weekday().num_days_from_monday());
    day.checked_sub_days(Days::new(since)).unwrap_or(day)
}

/// An hour of a day in a zone; the first instant after it where clocks leap over it.
fn start(day: NaiveDate, zone: Tz, hour: u32) -> Option<Timestamp> {
    (hour..hour.saturating_add(3)).find_map(|hour| {
        let local = day.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?);
        let at = zone.from_local_datetime(&local).earliest()?;
        Some(Timestamp::from_ms(at.timestamp_millis()))
    })
}
