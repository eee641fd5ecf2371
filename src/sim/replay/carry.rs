//! What a decision does to a line: the same that the store writes for the daemon.

use super::{
    Replay,
    course::Course,
    line::{Line, past_of},
    queue::{Kind, What},
    setup::is_about,
};
use crate::domain::{
    Before, Decision, Episode, EpisodeChange, EpisodeId, Money, Need, NeedId, OrderStep, Recorded,
    State, Timestamp, Topup, TopupId,
};

impl Replay {
    /// Applies `decision`. True when the line is to be judged again at once.
    pub(super) fn carry(&mut self, n: usize, decision: &Decision, now: Timestamp) -> bool {
        let Some(line) = self.lines.get_mut(n) else { return false };
        line.remember_decision(decision, now);
        let began: Vec<(&'static str, String)> = line.carry_episodes(decision, now);
        let news = line.record(decision, now);
        for (what, why) in began {
            self.note(n, now, || (what, why));
        }
        if let Some(recorded) = news.filter(|r| r.step != "nothing") {
            let amount = recorded.amount.map(|m| m.to_string()).unwrap_or_default();
            let why = format!("{} {amount}", recorded.reason).trim().to_owned();
            self.note(n, now, || (recorded.step, format!("{why}: {}", decision.next.why)));
        }
        self.tell(n, decision, now);
        self.order(n, &decision.order, now);
        self.go_on(n, now);
        self.want_reading(n, decision.poll_at);
        matches!(decision.order, OrderStep::Propose { .. } | OrderStep::Cancel { .. })
    }

    fn tell(&mut self, n: usize, decision: &Decision, now: Timestamp) {
        for notice in &decision.notices {
            let Some(line) = self.lines.get_mut(n) else { return };
            if line.say(notice.kind.as_str(), &notice.dedupe) {
                self.note(n, now, || ("notice", notice.kind.as_str().to_owned()));
            }
        }
    }

    /// History has the readings that its own orders waited for; any other order gets its own.
    fn want_reading(&mut self, n: usize, at: Option<Timestamp>) {
        let Some(line) = self.lines.get_mut(n).filter(|line| line.course == Course::Made) else {
            return;
        };
        let Some(at) = at.filter(|at| line.reread_at.is_none_or(|known| *at < known)) else {
            return;
        };
        line.reread_at = Some(at);
        self.queue.at(at, Kind::Step, n, What::Reread);
    }

    fn order(&mut self, n: usize, step: &OrderStep, now: Timestamp) {
        match step {
            OrderStep::Nothing | OrderStep::Wait { .. } => {}
            OrderStep::Propose { .. } => self.propose(n, step, now),
            OrderStep::Ask { amount, .. } => {
                self.part_unless(n, State::AwaitingApproval, *amount, now);
                let expires = now.plus(self.policy.approval_expires);
                let Some(line) = self.lines.get_mut(n) else { return };
                line.figures.approvals += 1;
                let Some(topup) = &mut line.snapshot.topup else { return };
                topup.state = State::AwaitingApproval;
                topup.amount = *amount;
                topup.next_action_at = Some(expires);
                let key = format!("approval_wanted|{}", topup.reference);
                line.say("approval_wanted", &key);
                line.keep_topup();
            }
            OrderStep::Reserve { amount } => self.reserve(n, *amount, now),
            OrderStep::Cancel { reason, need_gone } => {
                let Some(topup) = self.lines.get(n).and_then(|line| line.snapshot.topup.clone())
                else {
                    return;
                };
                self.part_unless(n, State::Cancelled, topup.amount, now);
                let gone = Topup { state: State::Cancelled, reason: (*reason).to_owned(), ..topup };
                self.moved(n, gone, now);
                if let Some(line) = self.lines.get_mut(n).filter(|_| *need_gone) {
                    line.snapshot.need = None;
                }
            }
        }
    }

    fn propose(&mut self, n: usize, step: &OrderStep, now: Timestamp) {
        let OrderStep::Propose { rule, kind, period_end, amount, payer, .. } = step else { return };
        self.made += 1;
        let made = self.made;
        let Some(line) = self.lines.get_mut(n) else { return };
        let id = &line.snapshot.subscription.id;
        let seq = line.need_seq.saturating_add(1);
        let need = line.snapshot.need.clone().unwrap_or_else(|| Need {
            id: NeedId::trusted(format!("{id}/{seq}")),
            subscription: id.clone(),
            rule: Some(rule.clone()),
            kind: *kind,
            seq,
            opened_at: now,
            period_end_at: *period_end,
        });
        let topup = new_topup(line, &need, made, *amount, payer, now);
        let topup = Topup { rule: Some(rule.clone()), ..topup };
        line.open_need(need);
        let recorded = Self::find_recorded(line, &topup, now);
        // Under its recorded reference it is found again in what history says of it.
        let reference =
            recorded.and_then(|order| line.recorded.get(order)).map(|r| r.topup.reference.clone());
        line.snapshot.topup = Some(Topup {
            reference: reference.unwrap_or_else(|| topup.reference.clone()),
            ..topup
        });
        line.keep_topup();
        match recorded {
            Some(order) => self.follow(n, order),
            None => line.course = Course::Made,
        }
    }

    fn reserve(&mut self, n: usize, amount: Money, now: Timestamp) {
        self.part_unless(n, State::Reserved, amount, now);
        let Some(line) = self.lines.get_mut(n) else { return };
        let reading = line.snapshot.reading.as_ref();
        let before = Before {
            balance: reading.and_then(|r| r.values.balance),
            data_left: reading.and_then(|r| r.values.data_left),
            service_end_at: reading.and_then(|r| r.values.service_end_at),
            read_at: reading.map(|r| r.at),
        };
        let price = line.snapshot.renewal_price();
        let Some(topup) = &mut line.snapshot.topup else { return };
        topup.state = State::Reserved;
        topup.amount = amount;
        topup.price = price;
        topup.before = before;
        topup.next_action_at = Some(now);
        let topup = topup.clone();
        line.say("topup_started", &format!("topup_started|{}", topup.reference));
        line.keep_topup();
        line.expect_topup(&topup, now);
        self.purse.reserve(n, &topup, now);
    }

    /// Leaves the recorded course where history did not decide the same about the same amount.
    fn part_unless(&mut self, n: usize, to: State, amount: Money, now: Timestamp) {
        let Some(line) = self.lines.get(n) else { return };
        let Course::Recorded(order) = line.course else { return };
        let same = line.recorded.get(order).is_some_and(|recorded| {
            let decided =
                recorded.moves.iter().any(|m| m.decided && m.to == to && is_about(m.at, now));
            decided && (to == State::Cancelled || amount == recorded.topup.amount)
        });
        if !same {
            self.leave(n);
        }
    }
}

impl Line {
    fn remember_decision(&mut self, decision: &Decision, now: Timestamp) {
        let s = &mut self.snapshot;
        match decision.stale {
            Some(true) => s.stale_since = Some(now),
            Some(false) => s.stale_since = None,
            None => {}
        }
        match decision.doubt {
            Some(true) => s.doubt_since = s.reading.as_ref().map(|reading| reading.at),
            Some(false) => s.doubt_since = None,
            None => {}
        }
        s.milestone = decision.milestone.or(s.milestone);
        if let Some((end, need)) = decision.period_end.zip(s.need.as_mut()) {
            need.period_end_at = Some(end);
        }
    }

    fn carry_episodes(
        &mut self,
        decision: &Decision,
        now: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let mut words = Vec::new();
        for change in &decision.episodes {
            match change {
                EpisodeChange::Open { rule, trigger, is_deadline, read_at } => {
                    self.figures.episodes += 1;
                    self.recent.push((rule.clone(), now));
                    let subscription = self.snapshot.subscription.id.clone();
                    let episode = Episode {
                        id: EpisodeId::trusted(format!("{rule}/{}", now.ms())),
                        rule: rule.clone(),
                        subscription,
                        opened_at: now,
                        trigger: trigger.clone(),
                        is_deadline: *is_deadline,
                        closed_at: None,
                    };
                    self.snapshot.episodes.push((episode, *read_at));
                    words.push(("breach", format!("{rule}: {trigger}")));
                }
                EpisodeChange::Close { id, rule } => {
                    self.snapshot.episodes.retain(|(episode, _)| episode.id != *id);
                    words.push(("over", rule.to_string()));
                }
            }
        }
        words
    }

    /// Writes a decision down where it is news. Returns it then.
    fn record(&mut self, decision: &Decision, now: Timestamp) -> Option<Recorded> {
        let recorded = Recorded::of(decision);
        if !recorded.is_news_after(self.last.as_ref()) {
            return None;
        }
        let stops = ["cap_", "count_"].iter().any(|word| recorded.reason.starts_with(word));
        if stops || recorded.reason == "order_max" {
            self.figures.cap_hits += 1;
        }
        self.decisions.push((now, recorded.clone()));
        self.last = Some(recorded.clone());
        Some(recorded)
    }

    /// Counts a notice, unless the same was said before. True when it is new.
    pub(super) fn say(&mut self, kind: &'static str, dedupe: &str) -> bool {
        let is_new = self.said.insert(dedupe.to_owned());
        if is_new {
            let sum = self.figures.notices.entry(kind).or_default();
            *sum = sum.saturating_add(1);
        }
        is_new
    }

    /// The need is open from now on.
    pub(super) fn open_need(&mut self, need: Need) {
        self.need_seq = self.need_seq.max(need.seq);
        self.snapshot.need.get_or_insert(need);
    }

    /// The open top-up changed in a way that is no move of its own.
    fn keep_topup(&mut self) {
        let (Some(topup), Some(need)) = (self.snapshot.topup.clone(), &self.snapshot.need) else {
            return;
        };
        let past = past_of(&topup, need);
        self.remember(&topup, past);
    }
}

fn new_topup(
    line: &Line,
    need: &Need,
    made: i64,
    amount: Money,
    payer: &str,
    now: Timestamp,
) -> Topup {
    let subscription = &line.snapshot.subscription;
    Topup {
        id: TopupId::trusted(format!("replay-{made}")),
        subscription: subscription.id.clone(),
        subscriber: subscription.subscriber.clone(),
        rule: None,
        need: need.id.clone(),
        payer: payer.to_owned(),
        product: subscription.products.get(payer).cloned(),
        amount,
        reference: format!("replay-{made}"),
        order_hash: String::new(),
        state: State::Proposed,
        reason: "proposed".to_owned(),
        request: None,
        submit_no: 0,
        maybe_sent: 0,
        sent_by: None,
        last_sent_at: None,
        transaction_id: None,
        charged: None,
        delivered: None,
        price: None,
        failure: None,
        before: Before::default(),
        not_found: 0,
        not_found_since: None,
        looks: 0,
        next_action_at: None,
        paid_at: None,
        approved: None,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}
