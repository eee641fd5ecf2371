//! What the flight recorder knows and the rows do not: brought back as `unknown`, never forgotten.

use super::{
    Change, Recorder, Sent, Store, StoreError, Tx,
    needs::derived_id,
    rows::{self, Columns},
    topups,
    transition::move_in,
};
use crate::domain::{NoticeDraft, State, Timestamp, Topup};

/// What the rows say of a submission that the recorder knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The row is as far as the recorder, or farther.
    Yes,
    /// The row is there, but behind.
    Behind(Box<Topup>),
    /// There is no such row.
    No,
}

impl Known {
    /// The row that is behind, if there is one.
    pub(crate) fn into_topup(self) -> Option<Topup> {
        match self {
            Self::Behind(topup) => Some(*topup),
            Self::Yes | Self::No => None,
        }
    }
}

impl Store {
    /// Notes that `recorder` writes for this database, at `place`. Says why older submissions may
    /// be missing from it: another recorder held them.
    pub(crate) async fn note_recorder(
        &self,
        recorder: &Recorder,
        place: &str,
        cleared_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO recorders (id, place, opened_at) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET place = excluded.place",
        )
        .bind(recorder.id())
        .bind(place)
        .bind(now.ms())
        .execute(&mut *tx)
        .await?;
        // On PostgreSQL other instances have recorders of their own; only one at the same place
        // must be this one.
        let sole = i64::from(self.dialect() == super::Dialect::Sqlite);
        let row = sqlx::query(
            "SELECT COUNT(*) AS n, MAX(t.last_sent_at) AS last_at FROM topups t JOIN recorders r ON r.id = t.sent_by \
             WHERE t.sent_by <> $1 AND t.maybe_sent > 0 AND t.last_sent_at > $2 AND ($3 = 1 OR r.place = $4)",
        )
        .bind(recorder.id())
        .bind(cleared_at.map_or(0, Timestamp::ms))
        .bind(sole)
        .bind(place)
        .fetch_one(&mut *tx)
        .await?;
        let c = Columns { table: "topups", row: &row };
        let (n, last) = (c.int("n")?, c.maybe_at("last_at")?);
        tx.commit().await?;
        Ok(last.map(|last| {
            format!(
                "the flight recorder {} does not know {n} submission(s), the last at {last}: it was replaced or is missing",
                recorder.path().display()
            )
        }))
    }

    /// References that this recorder must hold, newest first: answered since `since`. (A claim that
    /// was given up may never have reached it.)
    pub(crate) async fn sent_by(
        &self,
        recorder: &str,
        since: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT reference FROM topups WHERE sent_by = $1 AND last_sent_at >= $2 \
             AND (state IN ('pending', 'paid', 'verified', 'reversed') OR reason LIKE 'refused:%') \
             ORDER BY last_sent_at DESC",
        )
        .bind(recorder)
        .bind(since.ms())
        .fetch_all(self.reader())
        .await?)
    }

    /// Sets all submissions of the recorder beside the rows; what the rows lack is returned.
    pub(crate) async fn missing(&self, sent: &[Sent]) -> Result<Vec<(Sent, Known)>, StoreError> {
        let mut missing = Vec::new();
        for some in sent.chunks(500) {
            let references: Vec<&str> = some.iter().map(|s| s.reference.as_str()).collect();
            let sql = self.sql("SELECT * FROM topups WHERE reference IN {ids $1}");
            let found = sqlx::query(sql)
                .bind(serde_json::json!(references).to_string())
                .fetch_all(self.reader())
                .await?;
            let found: Vec<Topup> = found.iter().map(rows::topup).collect::<Result<_, _>>()?;
            for sent in some {
                let row =
                    found.iter().find(|t| t.reference == sent.reference && t.payer == sent.payer);
                match known(sent, row) {
                    Known::Yes => {}
                    lacking @ (Known::Behind(_) | Known::No) => {
                        missing.push((sent.clone(), lacking))
                    }
                }
            }
        }
        Ok(missing)
    }

    /// Writes `sent` into the rows as `unknown`, along the usual arrows, in one transaction.
    /// `Err(Conflict)` where the rows cannot take it as they are.
    pub(crate) async fn recover(
        &self,
        sent: &Sent,
        behind: Option<&Topup>,
        notices: impl FnOnce(&Topup) -> Vec<NoticeDraft> + Send,
        now: Timestamp,
    ) -> Result<Topup, StoreError> {
        let conflict =
            |why: &str| StoreError::Conflict { what: format!("{}: {why}", sent.reference) };
        let mut tx = self.begin().await?;
        self.lock_watches(&mut tx, &[sent.subscription.as_str()]).await?;
        let proposed = match behind {
            Some(topup) => topup.clone(),
            None => insert(&mut tx, sent, now).await?,
        };
        let by = |why: &str| Change::by("recorder", why);
        let mut topup = proposed;
        if matches!(topup.state, State::Proposed | State::AwaitingApproval | State::Unknown) {
            let reserved = Topup {
                state: State::Reserved,
                reason: "recovered".into(),
                amount: sent.amount().ok_or_else(|| conflict("its amount cannot be read"))?,
                order_hash: sent.order_hash.clone(),
                request: Some(sent.request.clone()),
                before: sent.before(),
                next_action_at: Some(now),
                ..topup.clone()
            };
            topup = move_in(
                &mut tx,
                &topup,
                reserved,
                &by("the flight recorder holds the frozen request"),
                now,
            )
            .await?;
        }
        if topup.state == State::Reserved {
            let submitting = Topup {
                state: State::Submitting,
                reason: "recovered".into(),
                submit_no: sent.submit_no.max(topup.submit_no.saturating_add(1)),
                last_sent_at: Some(now),
                ..topup.clone()
            };
            let why = format!("the flight recorder knows that submission {} left", sent.submit_no);
            topup = move_in(&mut tx, &topup, submitting, &by(&why), now).await?;
        }
        if topup.state != State::Submitting {
            return Err(conflict(&format!("the row is {}", topup.state.as_str())));
        }
        let unknown = Topup {
            state: State::Unknown,
            reason: "recovered".into(),
            maybe_sent: topup.maybe_sent.saturating_add(1),
            looks: 0,
            not_found: 0,
            not_found_since: None,
            next_action_at: Some(now),
            ..topup.clone()
        };
        let why = "the database had forgotten this submission: its outcome is looked up";
        topup = move_in(&mut tx, &topup, unknown, &by(why), now).await?;
        sqlx::query("UPDATE topups SET recovered_at = $1 WHERE id = $2")
            .bind(now.ms())
            .bind(topup.id.as_str())
            .execute(&mut *tx)
            .await?;
        for draft in notices(&topup) {
            super::notices::insert(&mut tx, &draft).await?;
        }
        sqlx::query("UPDATE watches SET next_decide_at = $1 WHERE subscription_id = $2")
            .bind(now.ms())
            .bind(topup.subscription.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(topup)
    }

    /// Top-ups that came back since `since` and whose outcome is still open.
    pub(crate) async fn recovered_open(&self, since: Timestamp) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM topups WHERE recovered_at > $1 AND state IN ('reserved', 'submitting', 'pending', 'unknown', 'held')",
        )
        .bind(since.ms())
        .fetch_one(self.reader())
        .await?)
    }

    /// Which incarnation of the database this is. On PostgreSQL a failover or a restore shows in
    /// its system identifier or its timeline; an embedded one changes only with the process.
    pub(crate) async fn incarnation(&self) -> Result<String, StoreError> {
        if self.dialect() == super::Dialect::Sqlite {
            return Ok(String::new());
        }
        Ok(sqlx::query_scalar(
            "SELECT (SELECT CAST(system_identifier AS TEXT) FROM pg_control_system()) || '/' || \
             CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END",
        )
        .fetch_one(self.reader())
        .await?)
    }
}

fn known(sent: &Sent, row: Option<&Topup>) -> Known {
    let Some(topup) = row else { return Known::No };
    // A claim that stands is the sweeper's; every later state knows that it left.
    let is_behind = topup.submit_no < sent.submit_no
        || (topup.submit_no == sent.submit_no
            && topup.maybe_sent == 0
            && topup.state == State::Cancelled);
    if is_behind { Known::Behind(Box::new(topup.clone())) } else { Known::Yes }
}

/// The need and the proposed order, as they were.
async fn insert(tx: &mut Tx, sent: &Sent, now: Timestamp) -> Result<Topup, StoreError> {
    let conflict = |why: &str| StoreError::Conflict { what: format!("{}: {why}", sent.reference) };
    let line = sqlx::query_scalar::<_, String>("SELECT id FROM subscriptions WHERE id = $1")
        .bind(&sent.subscription)
        .fetch_optional(&mut **tx)
        .await?;
    if line.is_none() {
        return Err(conflict(&format!("there is no subscription {}", sent.subscription)));
    }
    let open: Option<String> = sqlx::query_scalar(
        "SELECT id FROM topups WHERE subscription_id = $1 AND state NOT IN ('verified', 'failed', 'cancelled', 'reversed')",
    )
    .bind(&sent.subscription)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(open) = open {
        // A proposal that never left makes room; anything else must be settled first.
        let row = sqlx::query("SELECT * FROM topups WHERE id = $1")
            .bind(&open)
            .fetch_one(&mut **tx)
            .await?;
        let other = rows::topup(&row)?;
        if !other.may_go_to(State::Cancelled) {
            return Err(conflict(&format!("{open} of the same line is {}", other.state.as_str())));
        }
        let gone = Topup {
            state: State::Cancelled,
            reason: "recovered_another".into(),
            next_action_at: None,
            ..other.clone()
        };
        let why = "the flight recorder knows a later order of this line";
        move_in(tx, &other, gone, &Change::by("recorder", why), now).await?;
    }
    // The period it served was not recorded: the need counts as one of its own.
    sqlx::query(
        "UPDATE needs SET closed_at = $1, outcome = 'gone' WHERE subscription_id = $2 AND closed_at IS NULL AND id <> $3",
    )
    .bind(now.ms())
    .bind(&sent.subscription)
    .bind(&sent.need)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO needs (id, subscription_id, seq, rule_id, kind, period_end_at, opened_at, closed_at, outcome) \
         VALUES ($1, $2, $3, $4, $5, NULL, $6, NULL, NULL) ON CONFLICT DO NOTHING",
    )
    .bind(&sent.need)
    .bind(&sent.subscription)
    .bind(sent.need_seq)
    .bind(&sent.rule)
    .bind(&sent.need_kind)
    .bind(sent.created_at)
    .execute(&mut **tx)
    .await?;
    let need: Option<String> = sqlx::query_scalar("SELECT id FROM needs WHERE id = $1")
        .bind(&sent.need)
        .fetch_optional(&mut **tx)
        .await?;
    if need.is_none() {
        return Err(conflict("another need stands in the place of its need"));
    }
    let id = derived_id("t", &sent.reference);
    sqlx::query(
        "INSERT INTO topups (id, subscription_id, subscriber_id, rule_id, need_id, payer, product, amount_minor, currency, \
         reference, order_hash, state, reason, submit_no, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'proposed', 'recovered', $12, $13, $14, 1)",
    )
    .bind(&id)
    .bind(&sent.subscription)
    .bind(&sent.subscriber)
    .bind(&sent.rule)
    .bind(&sent.need)
    .bind(&sent.payer)
    .bind(&sent.product)
    .bind(sent.amount_minor)
    .bind(&sent.currency)
    .bind(&sent.reference)
    .bind(&sent.order_hash)
    .bind(0_i64)
    .bind(sent.created_at)
    .bind(now.ms())
    .execute(&mut **tx)
    .await?;
    let row =
        sqlx::query("SELECT * FROM topups WHERE id = $1").bind(&id).fetch_one(&mut **tx).await?;
    let topup = rows::topup(&row)?;
    let why = "written anew from the flight recorder";
    topups::append_event(tx, &topup, "none", &Change::by("recorder", why), now).await?;
    Ok(topup)
}
