//! What is counted at every scrape of `/metrics`, by index: no count looks at all that ever was.

use super::{ReaderFigures, Store, StoreError, SubscriptionView, Tally, Wallet, rows::Columns};
use crate::domain::{Money, State, Timestamp};

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

impl Store {
    /// All the figures; those that take a look at every line come from `tally`.
    pub async fn figures(&self, tally: &Tally, now: Timestamp) -> Result<Figures, StoreError> {
        let (notices, oldest_due_notice_at, oldest_unsent_notice_at) =
            self.outbox_figures().await?;
        Ok(Figures {
            subscriptions: self.subscription_counts(tally).await?,
            readers: self.readers(tally).await?,
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
    async fn subscription_counts(
        &self,
        tally: &Tally,
    ) -> Result<Vec<(&'static str, i64)>, StoreError> {
        // One open top-up per line, so that each counts one line.
        let held: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM topups t JOIN subscriptions s ON s.id = t.subscription_id \
             WHERE t.state = 'held' AND s.status = 'active'",
        )
        .fetch_one(self.reader())
        .await?;
        let counts =
            filled(&SubscriptionView::STATUSES, &tally.statuses).into_iter().map(|(word, n)| {
                match word {
                    "active" => (word, n.saturating_sub(held).max(0)),
                    "held" => (word, held),
                    _ => (word, n),
                }
            });
        Ok(counts.collect())
    }

    /// What an index knows is asked anew, however old the tally is.
    async fn readers(&self, tally: &Tally) -> Result<Vec<ReaderFigures>, StoreError> {
        let failing = self.failing().await?;
        let mut readers = tally.readers.clone();
        for one in &mut readers {
            one.oldest_due_at = self.next_poll_due(&one.reader).await?;
            one.failing = count(&failing, &one.reader);
        }
        Ok(readers)
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

    /// Since when the oldest row of each stage is or will be due; of polls (through `readers`) and
    /// orders for each provider.
    pub async fn oldest_due(
        &self,
        readers: &[&str],
    ) -> Result<Vec<(String, Option<String>, Timestamp)>, StoreError> {
        let mut due = Vec::new();
        for reader in readers {
            let at = self.next_poll_due(reader).await?;
            due.extend(at.map(|at| ("poll".to_owned(), Some((*reader).to_owned()), at)));
        }
        let rows = sqlx::query(
            "SELECT 'decide' AS stage, NULL AS provider, MIN(next_decide_at) AS at FROM watches \
             WHERE next_decide_at IS NOT NULL \
             UNION ALL SELECT 'act', payer, MIN(next_action_at) FROM topups WHERE state = 'reserved' GROUP BY payer \
             UNION ALL SELECT 'reconcile', NULL, MIN(next_action_at) FROM topups \
             WHERE state IN ('submitting', 'pending', 'unknown') \
             UNION ALL SELECT 'verify', NULL, MIN(next_action_at) FROM topups WHERE state = 'paid' \
             UNION ALL SELECT 'notify', NULL, MIN(next_try_at) FROM notices WHERE next_try_at IS NOT NULL",
        )
        .fetch_all(self.reader())
        .await?;
        for row in &rows {
            let c = Columns { table: "due", row };
            if let Some(at) = c.maybe_at("at")? {
                due.push((c.text("stage")?, c.maybe_text("provider")?, at));
            }
        }
        Ok(due)
    }

    pub(super) async fn counts(&self, sql: &'static str) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query(sql).fetch_all(self.reader()).await?;
        rows.iter()
            .map(|row| {
                let c = Columns { table: "figures", row };
                Ok((c.text("word")?, c.int("n")?))
            })
            .collect()
    }
}

fn count(counts: &[(String, i64)], word: &str) -> i64 {
    counts.iter().find(|(w, _)| w == word).map_or(0, |(_, n)| *n)
}

fn filled(words: &[&'static str], counts: &[(String, i64)]) -> Vec<(&'static str, i64)> {
    words.iter().map(|word| (*word, count(counts, word))).collect()
}
