//! Which operator a number is with, in a payer's words: asked before money moves, since a number
//! that was ported or given to somebody else is still a number.

use super::{Engine, EngineError};
use crate::domain::{Snapshot, Span, State, Subscription, Timestamp, Topup};
use crate::operators;
use crate::store::{Change, OperatorSaid};

/// An answer is good for so long: numbers are ported, but not often.
const GOOD_FOR: Span = Span::days(30);
/// A payer that could not tell is asked again after this.
const SILENCE: Span = Span::days(1);

/// How long an order waits for the answer.
const LIMIT: Span = Span::seconds(5);

impl Engine {
    /// Adds what payers said against the fleet.
    pub(super) async fn add_misplaced(
        &self,
        snapshot: &mut Snapshot,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let line = &snapshot.subscription;
        let knows =
            |name: &String| self.provider(name).is_some_and(|p| p.declares().knows_operators);
        if line.operator.is_none() || !line.payers.iter().any(knows) {
            return Ok(());
        }
        let said = self.store().operators_said(line, now.minus(GOOD_FOR)).await?;
        snapshot.misplaced = said
            .into_iter()
            .filter_map(|one| Some((one.payer, one.said.filter(|_| one.differs)?)))
            .collect();
        Ok(())
    }

    /// False where `payer` says that the number is with another operator and nobody has said yes
    /// to this very order: it is called off, and the next one is for a person to approve.
    pub(super) async fn is_placed(
        &self,
        topup: &Topup,
        line: &Subscription,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let Some(said) = self.placed(&topup.payer, line, now).await? else { return Ok(true) };
        // An order by hand is a person's word already.
        if topup.approved.is_some() || topup.rule.is_none() {
            return Ok(true);
        }
        let why = format!("{} says that the number is with {said}", topup.payer);
        let gone = Topup {
            state: State::Cancelled,
            reason: "operator_differs".into(),
            next_action_at: None,
            ..topup.clone()
        };
        self.settle(topup, gone, Change::by("act", why), now).await?;
        Ok(false)
    }

    /// The operator that `payer` names, where it is not the line's.
    async fn placed(
        &self,
        payer: &str,
        line: &Subscription,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let Some(provider) = self.provider(payer).filter(|p| p.declares().knows_operators) else {
            return Ok(None);
        };
        let (Some(ours), Some(_)) = (&line.operator, &line.msisdn) else { return Ok(None) };
        let known = self.store().operators_said(line, now.minus(GOOD_FOR)).await?;
        if let Some(one) = known.into_iter().find(|one| one.payer == payer) {
            if one.said.is_some() {
                return Ok(one.said.filter(|_| one.differs));
            }
            let fresh = self.store().operators_said(line, now.minus(SILENCE)).await?;
            if fresh.iter().any(|one| one.payer == payer) {
                return Ok(None);
            }
        }
        // No answer stops nothing: a line must not go dark because a question failed.
        let asked = tokio::time::timeout(LIMIT.to_std(), provider.operator(line)).await;
        let said = asked.map_or(None, |answer| {
            answer.unwrap_or_else(|error| {
                tracing::debug!(subscription.id = %line.id, provider = payer, "operator not known: {error}");
                None
            })
        });
        let differs =
            said.as_deref().is_some_and(|said| operators::agree(ours, said) == Some(false));
        let answer = OperatorSaid { payer: payer.to_owned(), said, differs };
        self.store().keep_operator(line, &answer, self.now()).await?;
        Ok(answer.said.filter(|_| differs))
    }
}
