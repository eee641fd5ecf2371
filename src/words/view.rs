//! The facts of a notice as the sentences see them: clean text, times in the reader's zone.

use super::NoticeText;
use crate::domain::{Item, Span, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// Longer texts are cut: a notice is not a log.
const TEXT_MAX: usize = 500;
const LABEL_MAX: usize = 60;

/// Every fact, known or not; the sentences may use no other name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    /// The notice's kind.
    pub(super) kind: &'static str,
    /// How much it matters.
    pub(super) severity: &'static str,
    /// What the owner calls the line.
    pub(super) label: Option<String>,
    /// The last four digits of its number.
    pub(super) last4: Option<String>,
    /// What fired, in the core's words.
    pub(super) trigger: Option<String>,
    /// The same taken apart, where it has the usual form.
    pub(super) breach: Option<Breach>,
    /// The newest balance.
    pub(super) balance: Option<String>,
    /// The newest data volume.
    pub(super) data_left: Option<String>,
    /// When that was read.
    pub(super) read_at: Option<String>,
    /// The balance before the order.
    pub(super) balance_before: Option<String>,
    /// When the service ends.
    pub(super) service_end: Option<Deadline>,
    /// When the number is lost.
    pub(super) number_loss: Option<Deadline>,
    /// The amount ordered.
    pub(super) amount: Option<String>,
    /// Who is asked to pay.
    pub(super) payer: Option<String>,
    /// The provider's transaction id.
    pub(super) transaction: Option<String>,
    /// Our reference.
    pub(super) reference: Option<String>,
    /// The top-up's id.
    pub(super) topup: Option<String>,
    /// The hash a person approves.
    pub(super) order_hash: Option<String>,
    /// The machine-readable reason.
    pub(super) reason: Option<String>,
    /// The reason in the core's words.
    pub(super) detail: Option<String>,
    /// What topupd does next, in the core's words.
    pub(super) next: Option<String>,
    /// When.
    pub(super) next_at: Option<String>,
    /// The number of the reminder.
    pub(super) reminder: Option<i64>,
    /// What was spent in the period.
    pub(super) spent: Option<String>,
    /// In how many top-ups.
    pub(super) topups: Option<i64>,
    /// The month or week.
    pub(super) period: Option<String>,
    /// The journal's head.
    pub(super) journal_head: Option<String>,
    /// The lines of a digest.
    pub(super) items: Vec<Entry>,
    /// How many lines of a digest are not shown.
    pub(super) more: usize,
}

/// One line of a digest.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    kind: String,
    label: Option<String>,
    last4: Option<String>,
    balance: Option<String>,
    service_end: Option<Deadline>,
    spent: Option<String>,
}

/// Lines of a digest that are shown; the rest is counted.
const ENTRIES_MAX: usize = 100;

/// `balance 3.20 USD is at most 5.00 USD`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Breach {
    metric: String,
    value: String,
    side: &'static str,
    threshold: String,
}

/// A date with the days left until it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Deadline {
    /// Day and time.
    at: String,
    /// The day alone.
    on: String,
    /// Whole days left.
    days: i64,
    /// Nothing is left.
    passed: bool,
}

impl View {
    /// The facts of `notice`.
    pub(super) fn new(notice: &NoticeText<'_>) -> Self {
        let facts = notice.facts;
        let text = |fact: &Option<String>| fact.as_deref().and_then(|fact| clean(fact, TEXT_MAX));
        // A sentence goes on after these: its full stop is ours.
        let clause = |fact| text(fact).map(|fact| fact.trim_end_matches('.').to_owned());
        let time = |ms: Option<i64>| ms.map(|ms| Timestamp::from_ms(ms).in_zone(notice.time_zone));
        let deadline = |ms: Option<i64>| {
            ms.map(Timestamp::from_ms).map(|end| {
                let at = end.in_zone(notice.time_zone);
                let on = at.split(' ').next().unwrap_or_default().to_owned();
                let days = end.since(notice.at).ms() / Span::days(1).ms();
                Deadline { at, on, days, passed: end <= notice.at }
            })
        };
        let trigger = clause(&facts.trigger);
        // Only the end of a number may be shown, whatever we were given.
        let last4 = |digits: &str| -> Option<String> {
            let digits = clean(digits, TEXT_MAX)?;
            Some(digits.chars().skip(digits.chars().count().saturating_sub(4)).collect())
        };
        let entry = |item: &Item| Entry {
            kind: item.kind.clone(),
            label: clean(&item.label, LABEL_MAX),
            last4: last4(&item.last4),
            balance: text(&item.balance),
            service_end: deadline(item.service_end_at),
            spent: text(&item.spent),
        };
        Self {
            kind: notice.kind.as_str(),
            severity: notice.severity.as_str(),
            label: clean(&facts.label, LABEL_MAX),
            last4: last4(&facts.last4),
            breach: trigger.as_deref().and_then(Breach::parse),
            trigger,
            balance: text(&facts.balance),
            data_left: text(&facts.data_left),
            read_at: time(facts.read_at),
            balance_before: text(&facts.balance_before),
            service_end: deadline(facts.service_end_at),
            number_loss: deadline(facts.number_loss_at),
            amount: text(&facts.amount),
            payer: text(&facts.payer),
            transaction: text(&facts.transaction_id),
            reference: text(&facts.reference),
            topup: text(&facts.topup),
            order_hash: text(&facts.order_hash),
            reason: text(&facts.reason),
            detail: clause(&facts.detail),
            next: clause(&facts.next),
            next_at: time(facts.next_at),
            reminder: facts.reminder,
            spent: text(&facts.spent),
            topups: facts.topups,
            period: text(&facts.period),
            journal_head: text(&facts.journal_head),
            items: facts.items.iter().take(ENTRIES_MAX).map(entry).collect(),
            more: facts.items.len().saturating_sub(ENTRIES_MAX),
        }
    }

    /// The facts that are known, by the names of [`super::PARAMETERS`].
    pub(super) fn params(&self) -> BTreeMap<&'static str, String> {
        let end = |deadline: &Option<Deadline>, part: fn(&Deadline) -> String| {
            deadline.as_ref().map(part)
        };
        let [at, on, days]: [fn(&Deadline) -> String; 3] =
            [|end| end.at.clone(), |end| end.on.clone(), |end| end.days.to_string()];
        let values = [
            Some(self.kind.to_owned()),
            Some(self.severity.to_owned()),
            self.label.clone(),
            self.last4.clone(),
            self.trigger.clone(),
            self.balance.clone(),
            self.data_left.clone(),
            self.read_at.clone(),
            end(&self.service_end, at),
            end(&self.service_end, on),
            end(&self.service_end, days),
            end(&self.number_loss, at),
            end(&self.number_loss, on),
            end(&self.number_loss, days),
            self.amount.clone(),
            self.payer.clone(),
            self.balance_before.clone(),
            self.transaction.clone(),
            self.reference.clone(),
            self.topup.clone(),
            self.reason.clone(),
            self.detail.clone(),
            self.next.clone(),
            self.next_at.clone(),
        ];
        let named = super::PARAMETERS.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Constant per line and topic: mail programs put messages together by it.
    pub(super) fn subject(&self, topic: &str) -> String {
        match (&self.label, &self.last4) {
            (Some(label), Some(last4)) => format!("[topupd] {label} (..{last4}): {topic}"),
            (Some(label), None) => format!("[topupd] {label}: {topic}"),
            (None, Some(last4)) => format!("[topupd] ..{last4}: {topic}"),
            (None, None) => format!("[topupd] {topic}"),
        }
    }
}

impl Breach {
    fn parse(text: &str) -> Option<Self> {
        let (side, (left, threshold)) = ["at most", "at least"]
            .into_iter()
            .find_map(|side| text.split_once(&format!(" is {side} ")).map(|parts| (side, parts)))?;
        let (metric, value) = left.split_once(' ')?;
        let (metric, value) = (metric.to_owned(), value.to_owned());
        Some(Self { metric, value, side, threshold: threshold.to_owned() })
    }
}

/// One line without controls, marks that turn the reading direction, or double spaces; `None` when
/// nothing is left.
fn clean(text: &str, max: usize) -> Option<String> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let spaced: String = text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(max).collect();
    let cut = cut.trim_end();
    (!cut.is_empty()).then(|| cut.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_leaves_one_honest_line() {
        assert_eq!(clean(" a\r\nBcc: b\t\u{202e}c ", 60).as_deref(), Some("a Bcc: b c"));
        assert_eq!(clean("\r\n\u{feff}", 60), None);
        assert_eq!(clean("\u{5bb6}\u{91cc}\u{5361}", 2).as_deref(), Some("\u{5bb6}\u{91cc}"));
    }

    #[test]
    fn the_usual_trigger_is_taken_apart() {
        let breach = Breach::parse("days_to_service_end 6 days is at most 7 days").unwrap();
        assert_eq!(
            (breach.metric.as_str(), breach.value.as_str(), breach.side, breach.threshold.as_str()),
            ("days_to_service_end", "6 days", "at most", "7 days")
        );
        assert_eq!(Breach::parse("something else"), None);
    }
}
