//! Books: what providers list of their own transactions, compared with ours, both ways, once a day
//! and after RECOVERY began. Never sends anything; what does not agree is written down and told.

use super::{Engine, EngineError, decide::order_of};
use crate::domain::{
    Facts, Money, NoticeDraft, NoticeKind, Severity, Span, State, Timestamp, Topup,
};
use crate::providers::{Booked, Evidence, Listed, Provider};
use crate::store::{Discrepancy, Wallet};
use std::{collections::HashSet, sync::Arc};

/// The breaker of a charge that contradicts what was said of it.
pub(super) const BOOKS: &str = "books";

/// How often books are compared, and how far back.
const EVERY: Span = Span::days(1);
const REACH: Span = Span::hours(48);
/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BooksReport {
    /// The provider.
    pub payer: String,
    /// Transactions in its list.
    pub theirs: usize,
    /// Top-ups of ours in the same time.
    pub ours: usize,
    /// What does not agree and is new.
    pub found: Vec<Discrepancy>,
}

impl Engine {
    /// The providers with books that can be compared with ours.
    pub fn bookkeepers(&self) -> Vec<&str> {
        let all = self.providers().iter();
        all.filter(|(_, p)| p.declares().lists || p.declares().wallet)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Compares with the books of `payer` now, as far back as every day.
    pub async fn compare_now(
        &self,
        payer: &str,
    ) -> Result<Result<BooksReport, String>, EngineError> {
        let now = self.now();
        self.compare_books(payer, now.minus(REACH), now).await
    }

    /// Compares with every payer that is due.
    pub(super) async fn compare_due(&self, now: Timestamp) -> Result<usize, EngineError> {
        let mut done: usize = 0;
        for (name, provider) in self.providers() {
            let declares = provider.declares();
            if !declares.tops_up || !(declares.lists || declares.wallet) {
                continue;
            }
            let last = self.store().reconciled(name).await?.map(|(at, _)| at);
            if last.is_some_and(|at| now < at.plus(EVERY)) {
                continue;
            }
            // Whoever takes it has an hour; then it is due again.
            let again = now.minus(EVERY).plus(Span::hours(1));
            if !self.store().claim_comparison(name, last, again).await? {
                continue;
            }
            if let Err(error) = self.compare_books(name, now.minus(REACH), now).await? {
                tracing::warn!(provider = name, "the books cannot be compared: {error}");
                // Tried again with the next look-up, an hour later at the soonest.
                self.store().note_reconciled(name, None, again).await?;
            }
            done = done.saturating_add(1);
        }
        Ok(done)
    }

    /// Compares our books with those of `payer`, from `from` up to `now`. The inner error says why
    /// theirs cannot be read.
    pub async fn compare_books(
        &self,
        payer: &str,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Result<BooksReport, String>, EngineError> {
        let Some(provider) = self.provider(payer).map(Arc::clone) else {
            return Ok(Err(format!("there is no provider {payer}")));
        };
        let mut report = BooksReport { payer: payer.to_owned(), ..BooksReport::default() };
        let mut found = Vec::new();
        if provider.declares().lists {
            match provider.list(from, now).await {
                Ok(theirs) => {
                    self.both_ways(&provider, payer, (from, now), &theirs, &mut report, &mut found)
                        .await?
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        let wallet = self.wallet_moved(&provider, payer, now, &mut found).await?;
        for one in found {
            if self.store().find_discrepancy(&one).await? {
                tracing::error!(provider = payer, kind = one.kind, "books: {}", one.what);
                report.found.push(one);
            }
        }
        self.store().note_reconciled(payer, wallet, now).await?;
        self.tell_books(&report, now).await?;
        Ok(Ok(report))
    }

    async fn both_ways(
        &self,
        provider: &Arc<dyn Provider>,
        payer: &str,
        (from, now): (Timestamp, Timestamp),
        theirs: &[Listed],
        report: &mut BooksReport,
        found: &mut Vec<Discrepancy>,
    ) -> Result<(), EngineError> {
        report.theirs = theirs.len();
        // Ours from a little earlier: the two clocks and the two ends of a call differ.
        let margin = provider.declares().max_processing.plus(Span::hours(1));
        let ours = self.store().sent_through(payer, from.minus(margin), now).await?;
        report.ours = ours.len();
        let mut matched: HashSet<&str> = HashSet::new();
        for listed in theirs {
            let by_id = |t: &&Topup| {
                listed.transaction_id.is_some() && t.transaction_id == listed.transaction_id
            };
            let mut row = ours.iter().find(by_id);
            if row.is_none() {
                for topup in ours.iter().filter(|t| !matched.contains(t.id.as_str())) {
                    let snapshot = self.store().snapshot(&topup.subscription).await?.snapshot;
                    if listed.is_like(&order_of(&snapshot.subscription, topup)) {
                        row = Some(topup);
                        break;
                    }
                }
            }
            match row {
                Some(topup) => {
                    matched.insert(topup.id.as_str());
                    found.extend(self.against(topup, listed, now).await?);
                }
                None => found.extend(theirs_only(payer, listed, now)),
            }
        }
        for topup in ours.iter().filter(|t| !matched.contains(t.id.as_str())) {
            let settled = topup.paid_at.filter(|at| *at >= from && now.since(*at) > margin);
            if settled.is_some() && matches!(topup.state, State::Paid | State::Verified) {
                let what =
                    format!("{} of {} is not in the list of {payer}", topup.id, topup.amount);
                found.push(about(topup, "ours_only", what, now));
            }
        }
        Ok(())
    }

    /// One record of theirs against our row.
    async fn against(
        &self,
        topup: &Topup,
        listed: &Listed,
        now: Timestamp,
    ) -> Result<Option<Discrepancy>, EngineError> {
        match (topup.state, listed.booked) {
            (State::Failed | State::Cancelled, Booked::Paid | Booked::Pending) => {
                let why = format!(
                    "its list has transaction {}",
                    listed.transaction_id.clone().unwrap_or_default()
                );
                return self.charged_after_failed(topup, &why, &listed.raw, now).await;
            }
            (State::Paid | State::Verified, Booked::Reversed) => {
                let evidence = Evidence { raw: listed.raw.clone(), ..Evidence::default() };
                self.reversed(topup, evidence, now).await?;
            }
            // The look-ups of the open ones are on their way.
            _ => {}
        }
        let differs = |ours: Option<Money>, theirs: Option<Money>| match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours != theirs => Some((ours, theirs)),
            _ => None,
        };
        let is_paid = matches!(topup.state, State::Paid | State::Verified);
        let amounts = differs(Some(topup.amount), listed.amount)
            .or_else(|| differs(topup.charged, listed.charged));
        Ok(amounts.filter(|_| is_paid).map(|(ours, theirs)| {
            let what = format!("{}: we have {ours}, {} lists {theirs}", topup.id, topup.payer);
            about(topup, "amount", what, now)
        }))
    }

    /// Our float must not have fallen by more than was charged.
    async fn wallet_moved(
        &self,
        provider: &Arc<dyn Provider>,
        payer: &str,
        now: Timestamp,
        found: &mut Vec<Discrepancy>,
    ) -> Result<Option<Wallet>, EngineError> {
        if !provider.declares().wallet {
            return Ok(None);
        }
        let balance = match provider.wallet().await {
            Ok(balance) => balance,
            Err(error) => {
                tracing::warn!(provider = payer, "the wallet cannot be read: {error}");
                return Ok(None);
            }
        };
        let is = Wallet { balance, at: now };
        let before = self.store().reconciled(payer).await?.and_then(|(_, wallet)| wallet);
        if let Some(was) = before.filter(|was| was.balance.currency() == balance.currency()) {
            // Whatever may have been charged in between counts, so that only a true loss shows.
            let margin = provider.declares().max_processing.plus(Span::minutes(10));
            let sent = self.store().sent_through(payer, was.at.minus(margin), now).await?;
            let spent: i64 = sent
                .iter()
                .filter(|t| t.state != State::Failed)
                .map(|t| t.charged.unwrap_or(t.amount))
                .filter(|m| m.currency() == balance.currency())
                .fold(0, |sum: i64, m| sum.saturating_add(m.minor()));
            let fell = was.balance.minor().saturating_sub(balance.minor());
            if fell > spent {
                let money = |minor| Money::new(minor, balance.currency());
                let what = format!(
                    "our float at {payer} fell by {} since {}, our top-ups explain at most {}",
                    money(fell),
                    was.at,
                    money(spent)
                );
                found.push(Discrepancy::new("wallet", payer, &was.at.ms().to_string(), what, now));
            }
        }
        Ok(Some(is))
    }

    /// One notice for everything that a comparison found.
    async fn tell_books(&self, report: &BooksReport, now: Timestamp) -> Result<(), EngineError> {
        let Some(first) = report.found.first() else { return Ok(()) };
        let more = report.found.len().saturating_sub(1);
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let about = |subscriber| NoticeDraft {
            subscriber,
            subscription: None,
            topup: None,
            kind: NoticeKind::BooksDisagree,
            severity: Severity::High,
            dedupe: format!("books|{}|{}", report.payer, first.id),
            at: now,
            facts: Facts {
                label: report.payer.clone(),
                detail: Some(format!("{}{more}", first.what)),
                ..Facts::default()
            },
        };
        let mut after = String::new();
        loop {
            let page = self.store().subscribers_of_payer(&report.payer, &after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.to_string();
            self.store().say(&page.into_iter().map(about).collect::<Vec<_>>()).await?;
        }
    }
}

pub(super) fn about(topup: &Topup, kind: &str, what: String, now: Timestamp) -> Discrepancy {
    let mut found = Discrepancy::new(kind, &topup.payer, topup.id.as_str(), what, now);
    found.topup = Some(topup.id.to_string());
    found.transaction_id.clone_from(&topup.transaction_id);
    found
}

/// Money left through our account for something we know nothing of.
fn theirs_only(payer: &str, listed: &Listed, now: Timestamp) -> Option<Discrepancy> {
    if !matches!(listed.booked, Booked::Paid | Booked::Pending) {
        return None;
    }
    let id = listed.transaction_id.clone().or_else(|| listed.reference.clone());
    let id = id.unwrap_or_else(|| listed.raw.clone());
    let amount = listed.amount.map_or_else(|| "?".to_owned(), |m| m.to_string());
    let target = listed.target.as_deref().unwrap_or("?");
    let what =
        format!("{payer} lists transaction {id}, {amount} for {target}; no top-up of ours is that");
    let mut found = Discrepancy::new("theirs_only", payer, &id, what, now);
    found.transaction_id.clone_from(&listed.transaction_id);
    Some(found)
}
