//! Orphans: claims whose process is gone. What provably never left goes on; anything else is looked
//! up.

use super::{Engine, EngineError, answer};
use crate::domain::{State, Timestamp, Topup};
use crate::providers::Answer;
use crate::store::Change;

impl Engine {
    /// At start, holding the flight recorder alone: every claim it made before belongs to a process
    /// that is gone. What the recorder does not know never left; what it knows has the outcome it
    /// kept, or is looked up.
    pub async fn adopt_orphans(&self) -> Result<usize, EngineError> {
        let Some(recorder) = self.recorder() else { return Ok(0) };
        let replay = recorder.replay().map_err(|source| EngineError::Recorder {
            path: recorder.path().to_path_buf(),
            source,
        })?;
        let far = Timestamp::from_ms(i64::MAX);
        let mut orphans = self.store().due_topups(&[State::Submitting], 10_000, far).await?;
        let is_ours = |t: &Topup| t.sent_by.as_deref() == Some(recorder.id());
        // Another instance of PostgreSQL may be sending right now: only its deadline tells.
        orphans.retain(|topup| self.is_sole_payer() || is_ours(topup));
        for topup in &orphans {
            let now = self.now();
            let left = replay
                .last_sent(&topup.reference)
                .is_some_and(|sent| sent.submit_no >= topup.submit_no);
            let kept = replay.result(&topup.reference, topup.submit_no).and_then(answer::recorded);
            let proven = match kept {
                Some(answer) => Some(answer),
                None if is_ours(topup) && !left && replay.damage.is_none() => {
                    let why =
                        "the process died before the request left; the flight recorder proves it";
                    Some(Answer::NotSent { why: why.into() })
                }
                None => None,
            };
            match proven {
                Some(answer) => {
                    let after = answer::after_send(&self.pace(&topup.payer), topup, &answer, now);
                    self.settle(topup, after, answer::change("recorder", &answer), now).await?;
                }
                None => {
                    let why = "the process that claimed it is gone; it may have been sent";
                    self.give_up_claim(topup, why, now).await?;
                }
            }
        }
        Ok(orphans.len())
    }

    pub(super) async fn give_up_claim(
        &self,
        topup: &Topup,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let pace = self.pace(&topup.payer);
        let unknown = Topup {
            state: State::Unknown,
            reason: "claim_lost".into(),
            maybe_sent: topup.maybe_sent.saturating_add(1),
            looks: 0,
            not_found: 0,
            not_found_since: None,
            next_action_at: Some(now.plus(pace.look_after(0))),
            ..topup.clone()
        };
        self.settle(topup, unknown, Change::by("reconcile", why), now).await?;
        Ok(true)
    }
}
