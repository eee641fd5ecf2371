//! The outbox's outward side: claims, tries, retries, dead letters.

use super::{Changed, Store, StoreError, StoredNotice, notices, rows};
use crate::domain::{Span, Subscriber, Timestamp};

/// A notice claimed for one try, with its reader.
#[derive(Clone, Debug)]
pub struct DueNotice {
    /// The notice; `attempts` already counts this try.
    pub notice: StoredNotice,
    /// Who is told.
    pub subscriber: Subscriber,
    /// True when an earlier try was cut off (a crash), so that it may have been accepted.
    pub was_cut_off: bool,
}

/// What follows a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Accepted.
    Sent {
        /// The vendor's id of it.
        vendor_id: Option<String>,
        /// When the vendor is asked what became of it.
        ask_at: Option<Timestamp>,
        /// When it is told again, if it is still so by then.
        remind_at: Option<Timestamp>,
    },
    /// Again then, by this channel.
    Again {
        /// When.
        at: Timestamp,
        /// By which channel.
        channel: String,
        /// True when this try may have been accepted.
        ambiguous: bool,
    },
    /// Given up; the row stays.
    Dead,
    /// No longer true or worth sending.
    Dropped,
}

/// Due notices of one severity, in the order of their index.
macro_rules! due {
    ($rank:literal, $severity:literal) => {
        concat!(
            "SELECT * FROM (SELECT ",
            $rank,
            " AS place, next_try_at, created_at, id, subscriber_id FROM notices WHERE severity = '",
            $severity,
            "' AND next_try_at <= $1 ORDER BY next_try_at, created_at, id LIMIT $2) AS ",
            $severity
        )
    };
}

/// Due notices of every severity, so many of each.
pub(super) const NEXT: &str = concat!(
    due!(0, "critical"),
    " UNION ALL ",
    due!(1, "high"),
    " UNION ALL ",
    due!(2, "warning"),
    " UNION ALL ",
    due!(3, "info")
);

impl Store {
    /// The next due notices, each with who is told: what matters most first, then what has been
    /// due for longest.
    pub(super) async fn next_notices(
        &self,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut due: Vec<(i64, i64, i64, String, String)> =
            sqlx::query_as(NEXT).bind(now.ms()).bind(limit).fetch_all(self.reader()).await?;
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(due.into_iter().map(|(.., id, subscriber)| (id, subscriber)).collect())
    }

    /// Claims up to `limit` due notices for one try each: what matters most first, then what has
    /// been due for longest. The claim lasts `lease`; a row that comes back after a crash counts as
    /// possibly accepted.
    pub async fn claim_notices(
        &self,
        limit: i64,
        lease: Span,
        now: Timestamp,
    ) -> Result<Vec<DueNotice>, StoreError> {
        let mut due = Vec::new();
        let Some((mut tx, ids)) = self.notices_to_claim(limit, now).await? else { return Ok(due) };
        for id in ids {
            let before: Option<String> =
                sqlx::query_scalar("SELECT state FROM notices WHERE id = $1 AND next_try_at <= $2")
                    .bind(&id)
                    .bind(now.ms())
                    .fetch_optional(&mut *tx)
                    .await?;
            let Some(before) = before else { continue };
            let cut_off = before == "sending";
            let row = sqlx::query(
                "UPDATE notices SET state = 'sending', attempts = attempts + 1, next_try_at = $1, ambiguous = ambiguous + $2 \
                 WHERE id = $3 AND state = $4 AND next_try_at <= $5 RETURNING *",
            )
            .bind(now.plus(lease).ms())
            .bind(i64::from(cut_off))
            .bind(&id)
            .bind(&before)
            .bind(now.ms())
            .fetch_optional(&mut *tx)
            .await?;
            let Some(row) = row else { continue };
            let notice = match notices::stored(&row) {
                Ok(notice) => notice,
                Err(error) => {
                    // One row that nobody can read must not stop those behind it.
                    tracing::error!(notice.id = id, "a notice is given up: {error}");
                    sqlx::query("UPDATE notices SET state = 'dead', next_try_at = NULL, last_error = $1 WHERE id = $2")
                        .bind(error.to_string())
                        .bind(&id)
                        .execute(&mut *tx)
                        .await?;
                    continue;
                }
            };
            let owner = sqlx::query("SELECT * FROM subscribers WHERE id = $1")
                .bind(&notice.subscriber)
                .fetch_one(&mut *tx)
                .await?;
            let subscriber = rows::subscriber(&owner)?;
            due.push(DueNotice { notice, subscriber, was_cut_off: cut_off });
        }
        tx.commit().await?;
        Ok(due)
    }

    /// Writes down what came of a try and what follows. Where somebody else took the notice over
    /// meanwhile, only the try itself.
    pub async fn tried(
        &self,
        due: &DueNotice,
        outcome: &str,
        detail: Option<&str>,
        then: &Tried,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let notice = &due.notice;
        let (state, next, channel, ambiguous) = match then {
            Tried::Sent { .. } => ("sent", None, notice.channel.clone(), false),
            Tried::Again { at, channel, ambiguous } => {
                ("queued", Some(at.ms()), Some(channel.clone()), *ambiguous)
            }
            Tried::Dead => ("dead", None, notice.channel.clone(), false),
            Tried::Dropped => ("dropped", None, notice.channel.clone(), false),
        };
        let sent = match then {
            Tried::Sent { vendor_id, ask_at, remind_at } => Some((vendor_id, ask_at, remind_at)),
            Tried::Again { .. } | Tried::Dead | Tried::Dropped => None,
        };
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE notices SET state = $1, next_try_at = $2, channel = $3, ambiguous = ambiguous + $4, \
             sent_at = $5, last_error = $6, vendor_id = $8, delivery_ask_at = $9, remind_at = $10 \
             WHERE id = $7 AND state = 'sending' AND attempts = $11",
        )
        .bind(state)
        .bind(next)
        .bind(channel)
        .bind(i64::from(ambiguous))
        .bind(sent.map(|_| now.ms()))
        .bind(detail.filter(|_| sent.is_none()).map(str::to_owned))
        .bind(&notice.id)
        .bind(sent.and_then(|(vendor_id, _, _)| vendor_id.clone()))
        .bind(sent.and_then(|(_, ask_at, _)| *ask_at).map(Timestamp::ms))
        .bind(sent.and_then(|(_, _, remind_at)| *remind_at).map(Timestamp::ms))
        .bind(notice.attempts)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO deliveries (notice_id, attempt, channel, at, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&notice.id)
        .bind(notice.attempts)
        .bind(notice.channel.clone().unwrap_or_default())
        .bind(now.ms())
        .bind(outcome)
        .bind(detail.map(str::to_owned))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.changes.tell([Changed::Notice(notice.id.clone())]);
        Ok(())
    }

    /// What there is to do, in one look: most rounds find nothing.
    pub async fn notices_due(&self) -> Result<NoticesDue, StoreError> {
        let (tries, asks, reminders, given_up): (Option<i64>, Option<i64>, Option<i64>, i64) =
            sqlx::query_as(
                // Said as the indexes have it: otherwise every notice ever written would be looked at.
                "SELECT (SELECT MIN(next_try_at) FROM notices WHERE next_try_at IS NOT NULL), \
                 (SELECT MIN(delivery_ask_at) FROM notices WHERE delivery_ask_at IS NOT NULL), \
                 (SELECT MIN(remind_at) FROM notices WHERE remind_at IS NOT NULL), \
                 (SELECT COUNT(*) FROM notices WHERE state = 'dead' AND escalated = 0 \
                  AND severity IN ('high', 'critical') AND kind <> 'undelivered')",
            )
            .fetch_one(self.reader())
            .await?;
        let at = |ms: Option<i64>| ms.map(Timestamp::from_ms);
        let (try_at, ask_at, remind_at) = (at(tries), at(asks), at(reminders));
        Ok(NoticesDue { try_at, ask_at, remind_at, given_up: given_up > 0 })
    }

    /// When the next notice is due.
    pub async fn next_notice_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.notices_due().await?.next_at())
    }
}

/// When notices want something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticesDue {
    /// The next try.
    pub try_at: Option<Timestamp>,
    /// The next question what became of one.
    pub ask_at: Option<Timestamp>,
    /// The next reminder.
    pub remind_at: Option<Timestamp>,
    /// An important one was given up, and nobody else was told of it.
    pub given_up: bool,
}

impl NoticesDue {
    /// The earliest of them.
    pub fn next_at(self) -> Option<Timestamp> {
        [self.try_at, self.ask_at, self.remind_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Severity;

    #[test]
    fn every_severity_is_asked_for_in_its_place() {
        assert_eq!(NEXT.matches("UNION ALL").count() + 1, Severity::ALL.len());
        for (place, severity) in Severity::ALL.iter().rev().enumerate() {
            let (place, word) = (format!("SELECT {place} AS place"), severity.as_str());
            let asked = NEXT.split("UNION ALL").find(|part| part.contains(&place)).unwrap();
            assert!(asked.contains(&format!("severity = '{word}'")), "{asked}");
        }
    }
}
