//! What is counted at every scrape of `/metrics`, by index: no count looks at all that ever was.

use super::{Store, StoreError, SubscriptionView, Wallet, rows::Columns};
use crate::domain::{Money, Span, State, Timestamp};

/// Counts by state, when the first is due, when the oldest tried in vain was made.
type OutboxFigures = (Vec<(&'static str, i64)>, Option<Timestamp>, Option<Timestamp>);

/// How much there is of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Subscriptions by status, each status; one with a held top-up counts as `held` instead of
    /// `active`.
    pub subscriptions: Vec<(&'static str, i64)>,
    /// Active subscriptions by reader.
    pub readers: Vec<ReaderFigures>,
    /// Top-ups whose story is not over, by payer and state; what counts zero is left out.
    pub topups: Vec<TopupFigures>,
    /// What counts against the limit of 24 hours, by currency.
    pub counted_24h: Vec<Money>,
    /// What payers said their wallets held.
    pub wallets: Vec<(String, Wallet)>,
    /// Notices that wait, are being sent, or were given up.
    pub notices: Vec<(&'static str, i64)>,
    /// When the notice that waits longest was due.
    pub oldest_due_notice_at: Option<Timestamp>,
    /// When the oldest of the notices that were tried in vain and are tried again was made.
    pub oldest_unsent_notice_at: Option<Timestamp>,
    /// When the newest link of the journal was written.
    pub journal_at: Option<Timestamp>,
}

/// The active lines of one reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderFigures {
    /// The reader.
    pub reader: String,
    /// Lines that failed at least twice in a row.
    pub failing: i64,
    /// Lines whose readings count as stale.
    pub stale: i64,
    /// When the oldest of the newest usable readings was made; of a line never read, since when it
    /// is watched.
    pub oldest_reading_at: Timestamp,
    /// When the poll that waits longest became or becomes due.
    pub oldest_due_at: Option<Timestamp>,
    /// Lines whose service ends, by how soon.
    pub service_ends: Ends,
    /// Lines whose number is lost, by how soon.
    pub number_losses: Ends,
}

/// The top-ups of one payer in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopupFigures {
    /// The payer.
    pub payer: String,
    /// The state.
    pub state: State,
    /// How many.
    pub count: i64,
    /// When the oldest of them was made.
    pub oldest_at: Timestamp,
}

/// Lines by how soon something ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// It is over.
    pub passed: i64,
    /// It is still to come, within 24 hours.
    pub day: i64,
    /// The same within 7 days; those of the first day are among them.
    pub week: i64,
}

/// One look at all lines; `next_poll_at` is set while a line is active. $1 is now, $2 a day, $3 a
/// week later.
const WATCHES: &str = "SELECT reader, COUNT(CASE WHEN poll_failures > 1 THEN 1 END) AS failing, \
    COUNT(stale_since) AS stale, MIN(COALESCE(ok_at, watched_since)) AS oldest_reading_at, \
    MIN(next_poll_at) AS oldest_due_at, \
    COUNT(CASE WHEN service_end_at <= $1 THEN 1 END) AS service_passed, \
    COUNT(CASE WHEN service_end_at > $1 AND service_end_at <= $2 THEN 1 END) AS service_day, \
    COUNT(CASE WHEN service_end_at > $1 AND service_end_at <= $3 THEN 1 END) AS service_week, \
    COUNT(CASE WHEN number_loss_at <= $1 THEN 1 END) AS number_passed, \
    COUNT(CASE WHEN number_loss_at > $1 AND number_loss_at <= $2 THEN 1 END) AS number_day, \
    COUNT(CASE WHEN number_loss_at > $1 AND number_loss_at <= $3 THEN 1 END) AS number_week \
    FROM watches WHERE next_poll_at IS NOT NULL GROUP BY reader ORDER BY reader";

impl Store {
    /// All the figures.
    pub async fn figures(&self, now: Timestamp) -> Result<Figures, StoreError> {
        let (notices, oldest_due_notice_at, oldest_unsent_notice_at) =
            self.outbox_figures().await?;
        Ok(Figures {
            subscriptions: self.subscription_counts().await?,
            readers: self.readers(now).await?,
            topups: self.open_topup_figures().await?,
            counted_24h: self.counted_of_day(now).await?,
            wallets: self.wallets().await?,
            notices,
            oldest_due_notice_at,
            oldest_unsent_notice_at,
            journal_at: self.journal_at().await?,
        })
    }

    /// Subscriptions by status; see [`Figures::subscriptions`].
    async fn subscription_counts(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let lines = self
            .counts("SELECT status AS word, COUNT(*) AS n FROM subscriptions GROUP BY status")
            .await?;
        // One open top-up per line, so that each counts one line.
        let held: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM topups t JOIN subscriptions s ON s.id = t.subscription_id \
             WHERE t.state = 'held' AND s.status = 'active'",
        )
        .fetch_one(self.reader())
        .await?;
        let counts =
            filled(&SubscriptionView::STATUSES, &lines).into_iter().map(|(word, n)| match word {
                "active" => (word, n.saturating_sub(held)),
                "held" => (word, held),
                _ => (word, n),
            });
        Ok(counts.collect())
    }

    async fn readers(&self, now: Timestamp) -> Result<Vec<ReaderFigures>, StoreError> {
        let rows = sqlx::query(WATCHES)
            .bind(now.ms())
            .bind(now.plus(Span::days(1)).ms())
            .bind(now.plus(Span::days(7)).ms())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "watches", row };
                Ok(ReaderFigures {
                    reader: c.text("reader")?,
                    failing: c.int("failing")?,
                    stale: c.int("stale")?,
                    oldest_reading_at: c.at("oldest_reading_at")?,
                    oldest_due_at: c.maybe_at("oldest_due_at")?,
                    service_ends: Ends {
                        passed: c.int("service_passed")?,
                        day: c.int("service_day")?,
                        week: c.int("service_week")?,
                    },
                    number_losses: Ends {
                        passed: c.int("number_passed")?,
                        day: c.int("number_day")?,
                        week: c.int("number_week")?,
                    },
                })
            })
            .collect()
    }

    async fn open_topup_figures(&self) -> Result<Vec<TopupFigures>, StoreError> {
        let open: Vec<&str> =
            State::ALL.into_iter().filter(|s| !s.is_final()).map(State::as_str).collect();
        let sql = self.sql(
            "SELECT payer, state, COUNT(*) AS n, MIN(created_at) AS oldest_at FROM topups \
             WHERE state IN {ids $1} GROUP BY payer, state ORDER BY payer, state",
        );
        let rows = sqlx::query(sql)
            .bind(serde_json::json!(open).to_string())
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "topups", row };
                Ok(TopupFigures {
                    payer: c.text("payer")?,
                    state: c.parsed("state", State::parse)?,
                    count: c.int("n")?,
                    oldest_at: c.at("oldest_at")?,
                })
            })
            .collect()
    }

    async fn wallets(&self) -> Result<Vec<(String, Wallet)>, StoreError> {
        let rows = sqlx::query(
            "SELECT payer, wallet_minor, wallet_currency, wallet_at FROM reconciliations \
             WHERE wallet_minor IS NOT NULL AND wallet_at IS NOT NULL ORDER BY payer",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "reconciliations", row };
                let balance = c.money("wallet_minor", "wallet_currency")?;
                let balance = balance.ok_or_else(|| c.bad("wallet_currency", ""))?;
                Ok((c.text("payer")?, Wallet { balance, at: c.at("wallet_at")? }))
            })
            .collect()
    }

    /// Counts by state, and since when the longest waits; by index, whatever was sent long ago.
    async fn outbox_figures(&self) -> Result<OutboxFigures, StoreError> {
        let mut counts = self
            .counts("SELECT state AS word, COUNT(*) AS n FROM notices WHERE next_try_at > 0 GROUP BY state")
            .await?;
        let dead: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM notices WHERE state = 'dead'")
            .fetch_one(self.reader())
            .await?;
        counts.push(("dead".to_owned(), dead));
        let row = sqlx::query(
            "SELECT MIN(next_try_at) AS due_at, MIN(CASE WHEN attempts > 0 THEN created_at END) AS unsent_at \
             FROM notices WHERE next_try_at > 0",
        )
        .fetch_one(self.reader())
        .await?;
        let c = Columns { table: "notices", row: &row };
        let states = filled(&["queued", "sending", "dead"], &counts);
        Ok((states, c.maybe_at("due_at")?, c.maybe_at("unsent_at")?))
    }

    async fn journal_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at FROM journal ORDER BY seq DESC LIMIT 1")
                .fetch_optional(self.reader())
                .await?;
        Ok(at.map(Timestamp::from_ms))
    }

    /// Since when the oldest row of each stage is or will be due; of polls and orders for each
    /// provider.
    pub async fn oldest_due(&self) -> Result<Vec<(String, Option<String>, Timestamp)>, StoreError> {
        let rows = sqlx::query(
            "SELECT 'poll' AS stage, reader AS provider, MIN(next_poll_at) AS at FROM watches \
             WHERE next_poll_at IS NOT NULL GROUP BY reader \
             UNION ALL SELECT 'decide', NULL, MIN(next_decide_at) FROM watches \
             UNION ALL SELECT 'act', payer, MIN(next_action_at) FROM topups WHERE state = 'reserved' GROUP BY payer \
             UNION ALL SELECT 'reconcile', NULL, MIN(next_action_at) FROM topups \
             WHERE state IN ('submitting', 'pending', 'unknown') \
             UNION ALL SELECT 'verify', NULL, MIN(next_action_at) FROM topups WHERE state = 'paid' \
             UNION ALL SELECT 'notify', NULL, MIN(next_try_at) FROM notices",
        )
        .fetch_all(self.reader())
        .await?;
        let mut due = Vec::new();
        for row in &rows {
            let c = Columns { table: "due", row };
            if let Some(at) = c.maybe_at("at")? {
                due.push((c.text("stage")?, c.maybe_text("provider")?, at));
            }
        }
        Ok(due)
    }

    async fn counts(&self, sql: &'static str) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query(sql).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "figures", row };
                Ok((c.text("word")?, c.int("n")?))
            })
            .collect()
    }
}

fn filled(words: &[&'static str], counts: &[(String, i64)]) -> Vec<(&'static str, i64)> {
    let count = |word: &str| counts.iter().find(|(w, _)| w == word).map_or(0, |(_, n)| *n);
    words.iter().map(|word| (*word, count(word))).collect()
}
