//! Recover: the flight recorder → rows. Before the first money of a process, and whenever the
//! database turns out to be another one, every submission that the recorder knows is looked for in
//! the rows. What they had forgotten comes back as `unknown`, and until all of it is settled, or a
//! person releases it, no new money moves: RECOVERY.

use super::{Engine, EngineError, Stage, tell::about_topup};
use crate::domain::{NoticeKind, Timestamp, Topup};
use crate::store::{Dialect, Discrepancy, Recorder, Replay, Sent, StoreError};

/// The breaker's name.
pub(super) const RECOVERY: &str = "recovery";

/// How far this process has looked.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The incarnation of the database that was compared last.
    compared: Option<String>,
    /// When it was first seen to be that one.
    since: Option<Timestamp>,
    /// What the rows cannot take as they are; tried again.
    stranded: Vec<Sent>,
    /// Only a person ends it: the recorder itself is in doubt.
    in_doubt: bool,
}

impl Recovery {
    /// The incarnation of the database that was compared last.
    pub(super) fn compared(&self) -> Option<String> {
        self.compared.clone()
    }

    /// The same, and since when it is that one.
    pub(super) fn known(&self) -> (Option<String>, Option<Timestamp>) {
        (self.compared.clone(), self.since)
    }
}

impl Engine {
    /// Compares recorder and rows, once for every incarnation of the database.
    pub async fn recover(&self) -> Result<(), EngineError> {
        let Some(recorder) = self.recorder() else { return Ok(()) };
        let mut state = self.0.recovery.lock().await;
        let incarnation = self.store().incarnation().await?;
        if state.compared.as_ref() == Some(&incarnation) {
            return Ok(());
        }
        let now = self.now();
        let replay = recorder.replay().map_err(|source| EngineError::Recorder {
            path: recorder.path().to_path_buf(),
            source,
        })?;
        let doubts = self.doubts(recorder, &replay, now).await?;
        let missing = self.store().missing(&replay.sent).await?;
        let forgotten = missing.len();
        let mut released = Vec::new();
        for known in self.store().discrepancies(false).await? {
            if known.kind == "recorder" && known.closed_at.is_some() {
                released.push(known.id);
            }
        }
        let (mut stranded, mut unreleased) = (Vec::new(), 0_usize);
        for (sent, known) in missing {
            let behind = known.into_topup();
            if let Err(why) = self.bring_back(&sent, behind.as_ref(), now).await? {
                let found = stranded_as(&sent, &why, now);
                // What a person released is tried again like the others, but stops nothing.
                if !released.contains(&found.id) {
                    self.store().find_discrepancy(&found).await?;
                    tracing::error!(reference = sent.reference, "cannot be brought back: {why}");
                    unreleased = unreleased.saturating_add(1);
                }
                stranded.push(sent);
            }
        }
        let mut why = doubts.clone();
        if forgotten > 0 && (unreleased > 0 || self.is_recovering_rows().await?) {
            why.push(format!(
                "the flight recorder knows {forgotten} submission(s) that the database had forgotten"
            ));
        }
        *state = Recovery {
            compared: Some(incarnation),
            since: Some(now),
            stranded,
            in_doubt: !doubts.is_empty(),
        };
        drop(state);
        if !why.is_empty() {
            let end = if doubts.is_empty() {
                "no new money moves until each of them is settled, or a person runs `topupd money on`"
            } else {
                "no new money moves until a person has looked and runs `topupd money on`"
            };
            self.trip(RECOVERY, &format!("RECOVERY: {}; {end}", why.join("; ")), now).await?;
            self.wake(Stage::Reconcile);
        }
        Ok(())
    }

    /// What makes the recorder itself doubtful, but for what a person released already.
    async fn doubts(
        &self,
        recorder: &Recorder,
        replay: &Replay,
        now: Timestamp,
    ) -> Result<Vec<String>, EngineError> {
        let last = self.store().last_breaker(RECOVERY).await?;
        let cleared_at = last.as_ref().and_then(|(_, cleared)| *cleared);
        let mut doubts = Vec::new();
        let place = place(recorder);
        doubts.extend(self.store().note_recorder(recorder, &place, cleared_at, now).await?);
        if let Some(damage) = &replay.damage {
            doubts.push(format!("the flight recorder is damaged: {damage}"));
        }
        let (ours, theirs) = (self.install_id(), replay.install.as_deref());
        if theirs.is_some_and(|theirs| theirs != ours) && !replay.sent.is_empty() {
            let path = recorder.path().display();
            doubts.push(format!("the flight recorder {path} was begun for another database"));
        }
        // Said once and released by a person: no longer a doubt.
        let released = last.filter(|(_, cleared)| cleared.is_some()).map(|(why, _)| why);
        doubts.retain(|doubt| !released.as_ref().is_some_and(|why| why.contains(doubt.as_str())));
        let since = replay.first_at.unwrap_or(now).max(cleared_at.unwrap_or(Timestamp::from_ms(0)));
        let lost = self.store().sent_by(recorder.id(), since).await?;
        let lost: Vec<String> =
            lost.into_iter().filter(|reference| replay.last_sent(reference).is_none()).collect();
        if let Some(newest) = lost.first() {
            doubts.push(format!(
                "the flight recorder lacks {} submission(s) that the database knows, the newest {newest}",
                lost.len()
            ));
        }
        Ok(doubts)
    }

    /// Writes one submission into the rows; the inner error says why they cannot take it.
    async fn bring_back(
        &self,
        sent: &Sent,
        behind: Option<&Topup>,
        now: Timestamp,
    ) -> Result<Result<(), String>, EngineError> {
        let line = crate::domain::SubscriptionId::parse(&sent.subscription);
        let snapshot = match line.map(|id| async move { self.store().snapshot(&id).await }) {
            Ok(row) => match row.await {
                Ok(row) => row.snapshot,
                Err(StoreError::NotFound(what)) => return Ok(Err(format!("there is no {what}"))),
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Ok(Err(error.to_string())),
        };
        let notices = |topup: &Topup| {
            let why = "the database was restored or lost commits; this order had been sent";
            let next = "its outcome is looked up; nothing else is ordered before that".to_owned();
            let kind = NoticeKind::TopupUnknown;
            let next = Some((next, Some(now)));
            vec![about_topup(&snapshot, topup, kind, Some(why.to_owned()), next, now)]
        };
        match self.store().recover(sent, behind, notices, now).await {
            Ok(topup) => {
                tracing::error!(topup.id = %topup.id, reference = sent.reference, "brought back from the flight recorder as unknown");
                self.store()
                    .close_discrepancy(&stranded_as(sent, "", now).id, "recorder", now)
                    .await?;
                Ok(Ok(()))
            }
            Err(StoreError::Conflict { what }) => Ok(Err(what)),
            Err(error) if error.is_duplicate() => Ok(Err("another row stands in its place".into())),
            Err(error) => Err(error.into()),
        }
    }

    /// True in RECOVERY: what is not found then is a person's, not sent again.
    pub(super) async fn is_recovering(&self) -> Result<bool, EngineError> {
        Ok(self.store().breakers().await?.iter().any(|(name, _, _)| name == RECOVERY))
    }

    async fn is_recovering_rows(&self) -> Result<bool, EngineError> {
        let last = self.store().last_breaker(RECOVERY).await?;
        let since = last.and_then(|(_, cleared)| cleared).unwrap_or(Timestamp::from_ms(0));
        Ok(self.store().recovered_open(since).await? > 0)
    }

    /// Ends RECOVERY once everything that came back is settled. Called after every look-up.
    pub(super) async fn watch_recovery(&self, now: Timestamp) -> Result<(), EngineError> {
        let mut state = self.0.recovery.lock().await;
        let is_on = self.is_recovering().await?;
        if !is_on && state.stranded.is_empty() {
            return Ok(());
        }
        for sent in std::mem::take(&mut state.stranded) {
            let missing = self.store().missing(std::slice::from_ref(&sent)).await?;
            let Some((_, known)) = missing.into_iter().next() else { continue };
            let behind = known.into_topup();
            if self.bring_back(&sent, behind.as_ref(), now).await?.is_err() {
                state.stranded.push(sent);
            }
        }
        // Only who compared can tell that nothing is missing any more.
        let is_over =
            is_on && state.compared.is_some() && state.stranded.is_empty() && !state.in_doubt;
        drop(state);
        if is_over
            && !self.is_recovering_rows().await?
            && self.store().clear_breaker(RECOVERY, now).await?
        {
            self.rebase(now).await;
            tracing::warn!("RECOVERY is over: every submission that came back is settled");
            self.switch_turned().await?;
        }
        Ok(())
    }

    /// A person vouches for it: RECOVERY ends as with `topupd money on`, and nothing else does.
    pub async fn accept_recovery(&self) -> Result<(), EngineError> {
        let now = self.now();
        self.release_recovery(now).await?;
        if self.store().clear_breaker(RECOVERY, now).await? {
            tracing::warn!("RECOVERY was released by hand");
            self.switch_turned().await?;
        }
        Ok(())
    }

    /// A person released it: what could not be brought back is left to that person.
    pub(super) async fn release_recovery(&self, now: Timestamp) -> Result<(), EngineError> {
        for found in self.store().discrepancies(true).await? {
            if found.kind == "recorder" {
                self.store().close_discrepancy(&found.id, "money on", now).await?;
            }
        }
        self.0.recovery.lock().await.in_doubt = false;
        if self.is_recovering().await? {
            self.rebase(now).await;
        }
        Ok(())
    }

    /// From here on the journal is measured anew: what it was before a restore is history.
    async fn rebase(&self, now: Timestamp) {
        let Some(recorder) = self.recorder() else { return };
        if let Err(error) = recorder.rebased(now).await {
            tracing::warn!("the flight recorder takes no line: {error}");
        }
    }

    /// The recorder, where this process holds the right to pay.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.0.parts.recorder.as_ref()
    }

    /// True when the database is one that only this process pays from.
    pub(super) fn is_sole_payer(&self) -> bool {
        self.store().dialect() == Dialect::Sqlite
    }
}

/// Where a recorder is, as host and path.
fn place(recorder: &Recorder) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let path = recorder.path();
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    format!("{host}:{}", path.display())
}

fn stranded_as(sent: &Sent, why: &str, now: Timestamp) -> Discrepancy {
    let amount = sent.amount().map_or_else(|| sent.amount_minor.to_string(), |m| m.to_string());
    let what = format!(
        "{amount} on {} was sent as {} and the database cannot take it back: {why}",
        sent.subscription, sent.reference
    );
    Discrepancy::new("recorder", &sent.payer, &sent.reference, what, now)
}
