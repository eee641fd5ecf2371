//! Notify: due notices → sent. The row says what is due; the channel classifies one try; the
//! outbox remembers and retries.

use super::{
    Engine, EngineError, Stage, StageReport,
    brake::{Sending, road},
    calls::Calls,
    instance::Work,
};
use crate::channels::{Channel, Outcome, Recipient};
use crate::clock::since_boot;
use crate::domain::{Facts, NoticeDraft, NoticeKind, Severity, Span, Timestamp};
use crate::store::{DueNotice, NoticesDue, Tried};
use crate::telemetry::spans;
use crate::words::NoticeText;
use std::sync::Arc;
use tracing::Instrument as _;

/// Notices claimed in one go, and connections open at once.
const BATCH: usize = 16;
/// Tries that may have been accepted, at most.
const MAX_AMBIGUOUS: i64 = 2;

impl Engine {
    /// Sends every due notice once.
    pub(super) async fn notify_due(&self) -> Result<StageReport, EngineError> {
        if self.is_idle() {
            return Ok(StageReport::default());
        }
        let mut due = self.look_after_notices().await?;
        if !self.is_due(due.next_at()) && !due.given_up {
            return Ok(StageReport { next_at: due.next_at(), ..StageReport::default() });
        }
        let sending = Sending::default();
        let mut calls = Calls::hearing(self.0.bells.listen(Stage::Notify));
        loop {
            let looked = self.pass_on_notices(due, &sending, &mut calls).await;
            if !calls.go_on(looked).await {
                break;
            }
            // Nor do the calendar, reminders and what was given up wait for what is on its way.
            match calls.beside(Box::pin(self.look_after_notices())).await {
                Ok(found) => due = found,
                Err(error) => {
                    calls.note(Err(error));
                    break;
                }
            }
        }
        let mut report = calls.end().await?;
        report.next_at = self.store().next_notice_due().await?;
        Ok(report)
    }

    fn is_due(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at <= self.now())
    }

    /// Says what the calendar asks for, reminds, and tells others what somebody could not be told;
    /// gives back what there was to do.
    async fn look_after_notices(&self) -> Result<NoticesDue, EngineError> {
        self.follow_calendar().await?;
        let due = self.store().notices_due().await?;
        if self.is_due(due.remind_at) {
            self.remind_due().await?;
        }
        if due.given_up {
            self.escalate().await?;
        }
        Ok(due)
    }

    async fn pass_on_notices<'a>(
        &'a self,
        due: NoticesDue,
        sending: &'a Sending,
        calls: &mut Calls<'a>,
    ) -> Result<(), EngineError> {
        self.send_notices(sending, calls).await?;
        // What is to be sent goes first.
        if self.is_due(due.ask_at) {
            calls.beside(Box::pin(self.ask_deliveries())).await?;
        }
        Ok(())
    }

    /// Claims every notice that is due and begins to send it, while others are on their way.
    async fn send_notices<'a>(
        &'a self,
        sending: &'a Sending,
        calls: &mut Calls<'a>,
    ) -> Result<(), EngineError> {
        while !self.is_stopping() && !calls.is_in_trouble() {
            self.beats().beat(Stage::Notify.as_str(), self.now(), None);
            // Claims come in bunches: half of the connections are free before the next.
            calls.make_room(BATCH / 2).await;
            let room = BATCH.saturating_sub(calls.len());
            let claimed = since_boot();
            let due = calls.beside(Box::pin(self.claim_notices(room))).await?;
            if due.is_empty() {
                break;
            }
            calls.report.seen += due.len();
            let due = calls.beside(Box::pin(self.brake(due, sending))).await?;
            // A process that was paused meanwhile sends nothing: it may be another's by now.
            let spent = Span::from_ms(since_boot().ms().saturating_sub(claimed.ms()));
            if spent >= self.lease() {
                tracing::warn!(notices = due.len(), "{spent} passed since the claim; not sent");
                continue;
            }
            for due in due {
                let on_its_way = sending.begin(road(&due.notice));
                calls.begin(async move {
                    let _on_its_way = on_its_way;
                    self.try_notice(due).await
                });
            }
        }
        Ok(())
    }

    async fn claim_notices(&self, most: usize) -> Result<Vec<DueNotice>, EngineError> {
        self.store().gather_digests(self.now()).await?;
        let most = i64::try_from(most).unwrap_or(0);
        Ok(self.store().claim_notices(most, self.try_lease(), self.now()).await?)
    }

    /// One try may take this long before somebody else may take the notice over.
    pub(super) fn try_lease(&self) -> Span {
        self.lease().times(2)
    }

    async fn try_notice(&self, due: DueNotice) -> Result<bool, EngineError> {
        let _held = self.holds(Work::Notices, 1);
        let now = self.now();
        if let Some(why) = self.superseded(&due, now).await? {
            self.store().tried(&due, "dropped", Some(&why), &Tried::Dropped, now).await?;
            self.meters().tried(due.notice.channel.as_deref().unwrap_or_default(), &Tried::Dropped);
            return Ok(true);
        }
        let (notice, subscriber) = (&due.notice, &due.subscriber);
        let recipient = Recipient {
            name: subscriber.name.clone(),
            email: subscriber.email.clone(),
            phone: subscriber.phone.clone(),
            address: notice
                .channel
                .as_ref()
                .and_then(|channel| subscriber.addresses.get(channel))
                .cloned(),
        };
        let outcome = match self.channel_of(&due, &recipient) {
            None => Outcome::BadConfig {
                why: "no channel of this name is configured, or it cannot reach the subscriber"
                    .into(),
            },
            Some(channel) => {
                let link = self.link_of(notice)?;
                let text = NoticeText {
                    link: link.as_deref(),
                    id: &notice.id,
                    kind: notice.kind,
                    severity: notice.severity,
                    facts: &notice.facts,
                    locale: &subscriber.locale,
                    time_zone: subscriber.time_zone,
                    at: notice.created_at,
                    subscription: notice.subscription.as_deref(),
                };
                match self.0.parts.words.render(&text) {
                    Ok(message) => {
                        let name = notice.channel.as_deref().unwrap_or_default();
                        let span = spans::delivery(name, notice.kind.as_str());
                        let sending = channel.send(&message, &recipient);
                        let outcome = sending.instrument(span.clone()).await;
                        let is_failed = !matches!(outcome, Outcome::Accepted { .. });
                        spans::came_out(&span, describe(&outcome).0, is_failed);
                        outcome
                    }
                    Err(error) => {
                        Outcome::BadConfig { why: format!("the text cannot be made: {error}") }
                    }
                }
            }
        };
        let now = self.now();
        let then = self.after_try(&due, &outcome, now);
        let (word, detail) = describe(&outcome);
        let (id, kind) = (&notice.id, notice.kind.as_str());
        let is_sent = matches!(then, Tried::Sent { .. });
        if is_sent {
            tracing::info!(notice.id = id, notice.kind = kind, "notice sent");
        } else {
            let why = detail.clone().unwrap_or_default();
            tracing::warn!(
                notice.id = id,
                notice.kind = kind,
                attempt = notice.attempts,
                "notice not sent ({word}): {why}"
            );
        }
        crate::failpoint::at("notify:sent").await;
        self.store().tried(&due, word, detail.as_deref(), &then, now).await?;
        self.meters().tried(notice.channel.as_deref().unwrap_or_default(), &then);
        self.tell_of_channel(&due, &then, detail, now).await?;
        Ok(is_sent)
    }

    /// A channel that was given up for another is reported through that one, once a day.
    async fn tell_of_channel(
        &self,
        due: &DueNotice,
        then: &Tried,
        detail: Option<String>,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        let failing = due.notice.channel.clone().unwrap_or_default();
        let Tried::Again { channel, .. } = then else { return Ok(()) };
        if *channel == failing || due.notice.kind == NoticeKind::ChannelTrouble {
            return Ok(());
        }
        let day = now.ms().div_euclid(Span::days(1).ms());
        let draft = NoticeDraft {
            subscriber: due.subscriber.id.clone(),
            subscription: None,
            topup: None,
            kind: NoticeKind::ChannelTrouble,
            severity: Severity::High,
            dedupe: format!("channel_trouble|{failing}|{day}"),
            at: now,
            facts: Facts { label: failing, detail, ..Facts::default() },
        };
        Ok(self.store().say_by(&draft, channel).await?)
    }

    fn channel_of(&self, due: &DueNotice, recipient: &Recipient) -> Option<&Arc<dyn Channel>> {
        let name = due.notice.channel.as_ref()?;
        self.channels().get(name).filter(|channel| channel.needs().are_met(recipient))
    }

    /// Why a notice should not be sent any more; checked before every try.
    async fn superseded(
        &self,
        due: &DueNotice,
        now: Timestamp,
    ) -> Result<Option<String>, EngineError> {
        let notice = &due.notice;
        if notice.expires_at <= now {
            return Ok(Some("no longer worth sending".into()));
        }
        // On the first try the cause has only just happened; a stale level is told all the same.
        if notice.attempts <= 1 || (notice.facts.topup.is_none() && notice.reminder_no == 0) {
            return Ok(None);
        }
        let over = !self.is_still_so(notice, now).await?;
        Ok(over.then(|| "superseded by what happened since".into()))
    }

    /// What follows a try: sent, again later, by another channel, or given up.
    fn after_try(&self, due: &DueNotice, outcome: &Outcome, now: Timestamp) -> Tried {
        let notice = &due.notice;
        let channel = notice.channel.clone().unwrap_or_default();
        match outcome {
            Outcome::Accepted { vendor_id } => {
                // Reports are told sooner than they are asked for, where they are told at all.
                let asks = self.channels().get(&channel).is_some_and(|c| c.can_be_asked());
                let ask_at =
                    vendor_id.as_ref().filter(|_| asks).map(|_| now.plus(Span::minutes(1)));
                let remind_at = self.remind_at(notice, now);
                Tried::Sent { vendor_id: vendor_id.clone(), ask_at, remind_at }
            }
            Outcome::Retry { after, .. } => {
                let pace = self.retry_pace(notice.attempts);
                let at = now.plus(pace.max(after.unwrap_or(Span::ZERO)));
                let patient = i64::try_from(self.settings().flow.notify_after.len())
                    .is_ok_and(|tries| notice.attempts < tries);
                // Once the list of paces is through, another channel is tried where there is one.
                let again = Tried::Again { at, channel, ambiguous: false };
                if at >= notice.expires_at {
                    return self.by_another(due, now);
                }
                if patient {
                    return again;
                }
                match self.by_another(due, now) {
                    Tried::Dead => again,
                    other @ (Tried::Again { .. } | Tried::Sent { .. } | Tried::Dropped) => other,
                }
            }
            Outcome::Ambiguous { .. } => {
                if self.channels().get(&channel).is_some_and(|c| c.repeats_safely()) {
                    // The vendor knows it by its id: no second message can come of another try.
                    let at = now.plus(self.retry_pace(notice.attempts));
                    return Tried::Again { at, channel, ambiguous: false };
                }
                let retries =
                    notice.severity >= Severity::Warning || notice.kind.topic() == "topup";
                if retries && notice.ambiguous.saturating_add(1) < MAX_AMBIGUOUS {
                    let at =
                        now.plus(Span::minutes(30).min(self.retry_pace(notice.attempts).times(6)));
                    Tried::Again { at, channel, ambiguous: true }
                } else {
                    // It may well have arrived; a second copy of an unimportant note helps nobody.
                    Tried::Sent {
                        vendor_id: None,
                        ask_at: None,
                        remind_at: self.remind_at(notice, now),
                    }
                }
            }
            Outcome::BadRecipient { .. } => self.by_another(due, now),
            Outcome::BadConfig { .. } => {
                // A person can mend a configuration; until then the notice is kept, not thrown away.
                let pace = self.settings().flow.notify_after.last().copied();
                let at = now.plus(pace.unwrap_or(Span::hours(1)));
                let then = self.by_another(due, now);
                if then == Tried::Dead && at < notice.expires_at {
                    Tried::Again { at, channel, ambiguous: false }
                } else {
                    then
                }
            }
        }
    }

    fn retry_pace(&self, attempts: i64) -> Span {
        let pace = &self.settings().flow.notify_after;
        let n = usize::try_from(attempts.saturating_sub(1)).unwrap_or(0);
        let base = pace.get(n).or(pace.last()).copied().unwrap_or(Span::minutes(5));
        base.plus(base.divided_by(100).times(fastrand::i64(-20..=20)))
    }

    /// The subscriber's next channel, or the end.
    fn by_another(&self, due: &DueNotice, now: Timestamp) -> Tried {
        let channels = &due.subscriber.channels;
        let used =
            due.notice.channel.as_ref().and_then(|name| channels.iter().position(|c| c == name));
        let next = used.and_then(|n| channels.get(n.saturating_add(1)));
        match next {
            Some(channel) => Tried::Again { at: now, channel: channel.clone(), ambiguous: false },
            None => Tried::Dead,
        }
    }
}

fn describe(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Accepted { vendor_id } => ("accepted", vendor_id.clone()),
        Outcome::Retry { why, .. } => ("retry", Some(why.clone())),
        Outcome::Ambiguous { why } => ("ambiguous", Some(why.clone())),
        Outcome::BadRecipient { why } => ("bad_recipient", Some(why.clone())),
        Outcome::BadConfig { why } => ("bad_config", Some(why.clone())),
    }
}
