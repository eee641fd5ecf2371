//! Rounds of stages and look-ups in spans of their own, and the words that traces have for what came
//! of a call.

use super::{EngineError, Stage, StageReport, decide::order_of};
use crate::domain::{Quality, Snapshot, Topup};
use crate::providers::{Answer, Found, Provider};
use crate::telemetry::spans;
use std::sync::Arc;
use tracing::Instrument as _;

/// One round of a stage.
pub(super) fn round(
    stage: Stage,
    provider: Option<&str>,
    run: impl Future<Output = Result<StageReport, EngineError>>,
) -> impl Future<Output = Result<StageReport, EngineError>> {
    let span = spans::stage(stage.as_str(), provider);
    // Rounds are large, and would lie in their loops twice.
    let run = Box::pin(run.instrument(span.clone()));
    async move {
        let round = run.await;
        match &round {
            Ok(report) => spans::counted(&span, report.seen, report.done, report.failed),
            Err(_) => spans::failed(&span),
        }
        round
    }
}

/// Looks a top-up up at its payer.
pub(super) async fn find(payer: &Arc<dyn Provider>, snapshot: &Snapshot, topup: &Topup) -> Found {
    let span = spans::call(&topup.payer, "find");
    let found = payer.find(&order_of(&snapshot.subscription, topup)).instrument(span.clone()).await;
    let (word, is_failed) = match &found {
        Found::One(_) => ("found", false),
        Found::Nothing => ("nothing", false),
        Found::Several { .. } => ("several", true),
        Found::Blind { .. } => ("blind", true),
    };
    spans::came_out(&span, word, is_failed);
    found
}

/// What came of sending, and whether it is other than a clear yes or no.
pub(super) fn sent(answer: &Answer) -> (&'static str, bool) {
    match answer {
        Answer::Paid(_) => ("paid", false),
        Answer::Pending(_) => ("pending", false),
        Answer::Refused(_) => ("refused", false),
        Answer::Reversed(_) => ("reversed", false),
        Answer::Mismatch { .. } => ("mismatch", true),
        Answer::NotSent { .. } => ("not_sent", true),
        Answer::Unclear { .. } => ("unclear", true),
    }
}

/// True where a read gave nothing that can be used.
pub(super) fn is_useless(quality: Quality) -> bool {
    match quality {
        Quality::Ok | Quality::Partial => false,
        Quality::Unparseable | Quality::Error(_) => true,
    }
}
