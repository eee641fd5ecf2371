//! Retain: what is old goes, a bunch of rows at a time, and only what the configuration says; see
//! `store::retention`. Once a day, beside everything else.

use super::{Engine, EngineError, StageReport};
use crate::clock::since_boot;
use crate::domain::Span;
use crate::store::{Keep, Retained};

/// Bunches follow each other for so long; then others write.
const BURST: Span = Span::from_ms(15);
/// The rest after that, as a multiple of what it took.
const REST: i64 = 4;

impl Engine {
    /// Goes through what is due.
    pub(super) async fn retain_due(&self) -> Result<StageReport, EngineError> {
        let mut report = StageReport::default();
        let began = since_boot();
        let took = || Span::from_ms(since_boot().ms().saturating_sub(began.ms()));
        while !self.is_stopping() {
            let now = self.now();
            let kept = self.settings().retention;
            let keep = Keep {
                readings: now.minus(kept.readings),
                rollups: now.minus(kept.rollups),
                decisions: now.minus(kept.decisions),
                notices: now.minus(kept.notices),
            };
            match self.store().retain(self.instance_id(), keep, now).await? {
                Retained::Until(at) => {
                    report.next_at = Some(at);
                    break;
                }
                Retained::Step => {
                    report.seen += 1;
                    report.done += 1;
                }
            }
            if took() > BURST {
                report.next_at = Some(now.plus(took().times(REST)));
                break;
            }
        }
        Ok(report)
    }
}
