//! Foresee: stored readings → how fast a line is used. Once a day, and only for lines whose rules
//! want to know.

use super::{Engine, EngineError};
use crate::domain::{
    BurnLog, ExternalTopup, Facts, Forecast, NoticeDraft, NoticeKind, Severity, Snapshot, Span,
    SubscriptionId, Timestamp, line_facts,
};

/// How long a forecast is good for.
const FRESH: Span = Span::days(1);

/// A rise that somebody else paid for is told while it is news.
const NEWS: Span = Span::days(2);

impl Engine {
    /// Renews the forecast of a line where a rule wants one and it is a day old.
    pub(super) async fn foresee(
        &self,
        snapshot: &mut Snapshot,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let wanted = snapshot.rules.iter().any(crate::domain::Rule::wants_forecast);
        let known = snapshot.forecast.as_ref();
        if !wanted || known.is_some_and(|f| now.since(f.at) < FRESH) {
            return Ok(());
        }
        let used_before = known.and_then(|f| f.last_used_at);
        let id = snapshot.subscription.id.clone();
        let (forecast, external) = self.forecast(&id, used_before, now).await?;
        let news = self.store().keep_forecast(&id, &forecast, &external).await?;
        let settled = snapshot.watched_since.plus(Span::days(1));
        let drafts: Vec<NoticeDraft> = news
            .iter()
            .filter(|rise| now.since(rise.at) < NEWS && rise.at >= settled)
            .map(|rise| about_rise(snapshot, rise, now))
            .collect();
        self.store().say(&drafts).await?;
        snapshot.forecast = Some(forecast);
        Ok(())
    }

    /// The forecast of a line from its stored readings, and the rises that others paid for.
    pub async fn forecast(
        &self,
        id: &SubscriptionId,
        used_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Forecast, Vec<ExternalTopup>), EngineError> {
        let mut log = BurnLog::default();
        for credit in self.store().credits(id).await? {
            log.expect(credit);
        }
        for reading in self.store().readings_since(id, BurnLog::window_start(now)).await? {
            log.add(&reading);
        }
        Ok((Forecast::of(&log, used_before, now), log.external().to_vec()))
    }
}

fn about_rise(snapshot: &Snapshot, rise: &ExternalTopup, now: Timestamp) -> NoticeDraft {
    NoticeDraft {
        subscriber: snapshot.subscription.subscriber.clone(),
        subscription: Some(snapshot.subscription.id.clone()),
        topup: None,
        kind: NoticeKind::ExternalTopup,
        severity: Severity::Info,
        dedupe: format!("external_topup|{}", rise.at.ms()),
        at: now,
        facts: Facts { amount: Some(rise.amount.to_string()), ..line_facts(snapshot) },
    }
}
