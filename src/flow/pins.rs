//! Codes that were bought: sealed and stored before anything else is done with the answer, redeemed
//! by a device or a person, and only then looked for on the line.
//!
//! Invariant: a code leaves the vault only for somebody who asks for it by name, and goes to a
//! device at most once: where that stays silent, a person looks.

use super::{Engine, EngineError, OrderError, tell::about_topup, traced};
use crate::domain::{NoticeKind, Timestamp, Topup};
use crate::providers::{Answer, Found, Pin};
use crate::store::StoredPin;

impl Engine {
    /// Keeps the code in an answer, if there is one that is not kept already.
    pub(super) async fn keep_pin(
        &self,
        topup: &Topup,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let (Answer::Paid(evidence) | Answer::Pending(evidence)) = answer else { return Ok(()) };
        let Some(pin) = &evidence.pin else { return Ok(()) };
        let text = serde_json::to_string(pin).unwrap_or_default();
        let sealed = self.0.parts.vault.seal(topup.id.as_str(), &text)?;
        if self.store().keep_pin(topup, &sealed, pin.expires_at, now).await? {
            tracing::info!(topup.id = %topup.id, "a code was bought and stored");
            let snapshot = self.store().snapshot(&topup.subscription).await?.snapshot;
            let notice = about_topup(&snapshot, topup, NoticeKind::PinReady, None, None, now);
            self.store().say(&[notice]).await?;
        }
        Ok(())
    }

    /// Opens a code for a person. Who asked, and when, is written down first.
    pub async fn show_pin(&self, id: &str, actor: &str) -> Result<(StoredPin, Pin), OrderError> {
        let stored = self.store().pin(id).await?;
        let pin = self.opened(&stored)?;
        let shown = match stored.state.as_str() {
            "stored" => {
                self.store().move_pin(&stored, "shown", (actor, None), self.now()).await?;
                StoredPin { state: "shown".into(), ..stored }
            }
            _ => stored,
        };
        Ok((shown, pin))
    }

    /// What a person says became of a code: `redeemed` or `rejected`.
    pub async fn end_pin(
        &self,
        id: &str,
        to: &str,
        note: Option<&str>,
        actor: &str,
    ) -> Result<StoredPin, OrderError> {
        let stored = self.store().pin(id).await?;
        if !is_open(&stored) {
            let why = format!("code {} is {} already", stored.id, stored.state);
            return Err(OrderError::Refused(why));
        }
        self.store().move_pin(&stored, to, (actor, note), self.now()).await?;
        self.store().poll_now(std::slice::from_ref(&stored.subscription), self.now()).await?;
        Ok(self.store().pin(id).await?)
    }

    /// Has a device enter a code, once. That it is about to is written down before.
    pub async fn redeem_pin(
        &self,
        id: &str,
        device: &str,
        actor: &str,
    ) -> Result<(StoredPin, String), OrderError> {
        let stored = self.store().pin(id).await?;
        if !matches!(stored.state.as_str(), "stored" | "shown") {
            let why = format!(
                "code {} is {}; allowed is one that is stored or shown",
                stored.id, stored.state
            );
            return Err(OrderError::Refused(why));
        }
        let provider = self.provider(device).filter(|p| p.declares().redeems).ok_or_else(|| {
            OrderError::Refused(format!("{device} is no provider that redeems codes"))
        })?;
        let pin = self.opened(&stored)?;
        let line = self.store().snapshot(&stored.subscription).await?.snapshot.subscription;
        self.store().move_pin(&stored, "redeeming", (actor, None), self.now()).await?;
        let under_way = StoredPin { state: "redeeming".into(), ..stored };
        let answer = provider.redeem(&line, &pin).await;
        let (to, why) = match &answer {
            Answer::Paid(_) | Answer::Pending(_) => ("redeemed", "the network took it".to_owned()),
            Answer::Refused(refusal) => {
                ("rejected", format!("the network refused it: {}", refusal.code))
            }
            Answer::NotSent { why } => ("stored", format!("nothing was sent: {why}")),
            Answer::Reversed(_) | Answer::Mismatch { .. } | Answer::Unclear { .. } => {
                let (why, _) = super::answer::words(&answer);
                return Ok((
                    under_way,
                    format!("{why}; it is not entered again: look at the line"),
                ));
            }
        };
        self.store().move_pin(&under_way, to, (device, Some(&why)), self.now()).await?;
        self.store().poll_now(std::slice::from_ref(&under_way.subscription), self.now()).await?;
        Ok((self.store().pin(id).await?, why))
    }

    /// Fetches the code of a top-up again by its reference. Nothing is bought.
    pub async fn fetch_pin(&self, topup: &Topup) -> Result<StoredPin, OrderError> {
        let refuse = |why: &str| OrderError::Refused(format!("{}: {why}", topup.id));
        let payer =
            self.provider(&topup.payer).ok_or_else(|| refuse("its payer is not configured"))?;
        let snapshot = self.store().snapshot(&topup.subscription).await?.snapshot;
        match traced::find(payer, &snapshot, topup).await {
            Found::One(answer) => self.keep_pin(topup, &answer, self.now()).await?,
            Found::Nothing => return Err(refuse("the provider does not know it")),
            Found::Several { .. } => {
                return Err(refuse("the provider has several of this reference"));
            }
            Found::Blind { why } => return Err(refuse(&format!("the look-up failed: {why}"))),
        }
        Ok(self.store().pin(topup.id.as_str()).await?)
    }

    fn opened(&self, stored: &StoredPin) -> Result<Pin, OrderError> {
        let text = self.0.parts.vault.open(stored.topup.as_str(), &stored.sealed);
        let text = text.map_err(EngineError::from)?;
        serde_json::from_str(&text)
            .map_err(|_| OrderError::Refused(format!("code {} cannot be read", stored.id)))
    }
}

fn is_open(stored: &StoredPin) -> bool {
    matches!(stored.state.as_str(), "stored" | "shown" | "redeeming")
}
