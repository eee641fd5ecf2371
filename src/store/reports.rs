//! What became of accepted messages.

use super::{Dialect, Store, StoreError, rows, rows::Columns};
use crate::domain::{Span, Timestamp};

/// A message that somebody has to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// The notice.
    pub notice: String,
    /// The channel that sent it.
    pub channel: String,
    /// The vendor's id.
    pub vendor_id: String,
    /// How often it was asked about.
    pub asked: i64,
    /// When it is to be asked about as the row has it: who asks is known by that.
    pub ask_at: Timestamp,
}

/// What a report changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Nothing: it is about nothing of ours, or came after a terminal one.
    Known,
    /// It was written down.
    Noted,
    /// It will not arrive; the notice goes by another channel now.
    GoesOn {
        /// The notice.
        notice: String,
        /// The channel.
        channel: String,
    },
    /// It will not arrive, and the reader has no other channel.
    Dead {
        /// The notice.
        notice: String,
    },
}

impl Store {
    /// Messages that are to be asked about now, nobody else's until `until`.
    pub async fn deliveries_to_ask(
        &self,
        limit: i64,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let claims = self.dialect() == Dialect::Postgres;
        let rows = if claims {
            sqlx::query(
                "WITH due AS MATERIALIZED (SELECT id AS due_id FROM notices WHERE delivery_ask_at <= $1 \
                 ORDER BY delivery_ask_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
                 UPDATE notices SET delivery_ask_at = $3 FROM due WHERE id = due.due_id \
                 RETURNING id, channel, vendor_id, delivery_asked, delivery_ask_at",
            )
            .bind(now.ms())
            .bind(limit)
            .bind(until.ms())
            .fetch_all(&self.writer())
            .await?
        } else {
            sqlx::query(
                "SELECT id, channel, vendor_id, delivery_asked, delivery_ask_at FROM notices \
                 WHERE delivery_ask_at <= $1 ORDER BY delivery_ask_at LIMIT $2",
            )
            .bind(now.ms())
            .bind(limit)
            .fetch_all(self.reader())
            .await?
        };
        rows.iter()
            .map(|row| {
                let c = Columns { table: "notices", row };
                Ok(DueDelivery {
                    notice: c.text("id")?,
                    channel: c.maybe_text("channel")?.unwrap_or_default(),
                    vendor_id: c.maybe_text("vendor_id")?.unwrap_or_default(),
                    asked: c.int("delivery_asked")?,
                    ask_at: c.at("delivery_ask_at")?,
                })
            })
            .collect()
    }

    /// It was asked about; again at `again`, or never. A report that came meanwhile, or somebody
    /// who asks by now, knows better.
    pub async fn asked(
        &self,
        due: &DueDelivery,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE notices SET delivery_ask_at = $1, delivery_asked = delivery_asked + 1 \
             WHERE id = $2 AND delivery_ask_at = $3",
        )
        .bind(again.map(Timestamp::ms))
        .bind(&due.notice)
        .bind(due.ask_at.ms())
        .execute(&self.writer())
        .await?;
        Ok(())
    }

    /// Writes down what `channel`'s vendor reports of `message` (its own id, or ours). A message
    /// that failed is queued anew for the reader's next channel; the try keeps why.
    pub async fn note_report(
        &self,
        channel: &str,
        message: &str,
        delivery: &str,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Reported, StoreError> {
        let mut tx = self.begin().await?;
        // Reports come out of order: what is terminal stays.
        let noted: Option<(String, String, i64)> = sqlx::query_as(
            "UPDATE notices SET delivery = $1, delivery_at = $2, \
             delivery_ask_at = CASE WHEN $1 = 'underway' THEN delivery_ask_at END \
             WHERE channel = $3 AND (vendor_id = $4 OR id = $4) AND state = 'sent' \
             AND (delivery IS NULL OR (delivery = 'underway' AND $1 <> 'underway')) \
             RETURNING id, subscriber_id, attempts",
        )
        .bind(delivery)
        .bind(now.ms())
        .bind(channel)
        .bind(message)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((notice, subscriber, attempt)) = noted else { return Ok(Reported::Known) };
        if delivery != "failed" {
            tx.commit().await?;
            return Ok(Reported::Noted);
        }
        let owner = sqlx::query("SELECT * FROM subscribers WHERE id = $1")
            .bind(&subscriber)
            .fetch_one(&mut *tx)
            .await?;
        let channels = rows::subscriber(&owner)?.channels;
        let at = channels.iter().position(|name| name == channel);
        let next = at.and_then(|at| channels.get(at.saturating_add(1)));
        let why = format!("not delivered: {}", why.unwrap_or("no reason was given"));
        sqlx::query("UPDATE deliveries SET detail = $1 WHERE notice_id = $2 AND attempt = $3")
            .bind(&why)
            .bind(&notice)
            .bind(attempt)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "UPDATE notices SET state = $1, channel = COALESCE($2, channel), next_try_at = $3, \
             sent_at = NULL, last_error = $4, vendor_id = NULL, delivery = NULL, delivery_at = NULL \
             WHERE id = $5",
        )
        .bind(if next.is_some() { "queued" } else { "dead" })
        .bind(next)
        .bind(next.map(|_| now.ms()))
        .bind(&why)
        .bind(&notice)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(match next {
            Some(channel) => Reported::GoesOn { notice, channel: channel.clone() },
            None => Reported::Dead { notice },
        })
    }

    /// Whether a report that changed nothing may only have come too soon: before the try that it is
    /// about was written down, which is when the channel has answered.
    pub async fn may_be_early(
        &self,
        channel: &str,
        message: &str,
        lease: Span,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // One statement, one moment: either the try is written down, or its notice is on its way.
        let found = sqlx::query(
            "WITH about AS (SELECT delivery FROM notices WHERE channel = $1 AND (vendor_id = $2 OR id = $2) \
             AND state = 'sent') \
             SELECT 1 WHERE EXISTS (SELECT 1 FROM about WHERE delivery IS NULL) \
             OR (NOT EXISTS (SELECT 1 FROM about) AND EXISTS (SELECT 1 FROM notices \
             WHERE next_try_at > $3 AND next_try_at <= $4 AND state = 'sending' AND channel = $1))",
        )
        .bind(channel)
        .bind(message)
        .bind(now.ms())
        .bind(now.plus(lease).ms())
        .fetch_optional(self.reader())
        .await?;
        Ok(found.is_some())
    }
}
