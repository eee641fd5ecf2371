//! Gather: answers wait for one another, so that many are written in one commit.

use super::poll::Heard;
use crate::domain::Timestamp;
use crate::store::{Polled, SeenAgain};
use std::time::Duration;
use tokio::time::Instant;

/// Answers written in one commit at most.
const BATCH: usize = 512;

/// How long news wait for others to be written with, where these come one after the other.
const GATHER: Duration = Duration::from_millis(10);

/// When so long after news no others came, they wait no more.
const QUIET: Duration = Duration::from_millis(2);

/// How long a reading waits that only says the same again.
const GATHER_SAME: Duration = Duration::from_millis(500);

/// Answers that are to be written, each of a line that is claimed until then.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) news: Vec<(Polled, Timestamp)>,
    pub(super) same: Vec<(SeenAgain, Timestamp)>,
    /// When the first of them came.
    since: Option<Instant>,
    /// When the first of the news came, and when the last did.
    news_came: Option<(Instant, Instant)>,
}

impl Answers {
    pub(super) fn len(&self) -> usize {
        self.news.len() + self.same.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where no more belong into one commit.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= BATCH
    }

    /// True where nobody waits for them, and more can be written with them.
    pub(super) fn may_wait(&self) -> bool {
        self.news.is_empty() && !self.is_full()
    }

    /// Adds what was heard of a line that is claimed until then.
    pub(super) fn add(&mut self, (heard, until): (Heard, Timestamp)) {
        let now = Instant::now();
        self.since.get_or_insert(now);
        match heard {
            Heard::News(polled) => {
                let first = self.news_came.map_or(now, |(first, _)| first);
                self.news_came = Some((first, now));
                self.news.push((polled, until));
            }
            Heard::Same(seen) => self.same.push((seen, until)),
        }
    }

    /// When some of them are to be written at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        let all = self.since? + GATHER_SAME;
        let news = self.news_came.map(|(first, last)| (first + GATHER).min(last + QUIET));
        Some(news.map_or(all, |news| all.min(news)))
    }

    /// Takes what is to be written now. News go alone while the others have time: so theirs is a short
    /// commit, and all that follows from them waits for it.
    pub(super) fn take(&mut self) -> Self {
        let has_time = self.since.is_some_and(|since| since + GATHER_SAME > Instant::now());
        if self.news.is_empty() || self.is_full() || !has_time {
            return std::mem::take(self);
        }
        self.news_came = None;
        self.since = self.since.filter(|_| !self.same.is_empty());
        Self { news: std::mem::take(&mut self.news), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Quality, Reading, SubscriptionId, Values};

    fn polled() -> Polled {
        let at = Timestamp::from_ms(0);
        let (subscription, provider) =
            (SubscriptionId::parse("line-1").unwrap(), "fake".to_owned());
        let (quality, values) = (Quality::Ok, Values::default());
        let reading = Reading { subscription, provider, at, quality, values, detail: None };
        Polled { reading, next_poll_at: at }
    }

    fn heard(news: usize, same: usize) -> Answers {
        let mut answers = Answers::default();
        let until = Timestamp::from_ms(1);
        for _ in 0..same {
            let seen = SeenAgain { polled: polled(), mark: String::new(), stale_at: None };
            answers.add((Heard::Same(seen), until));
        }
        for _ in 0..news {
            answers.add((Heard::News(polled()), until));
        }
        answers
    }

    fn sizes(answers: &Answers) -> (usize, usize) {
        (answers.news.len(), answers.same.len())
    }

    #[test]
    fn news_go_alone_while_the_others_have_time() {
        let mut answers = heard(2, 3);
        answers.since = answers.since.map(|since| since + Duration::from_secs(60));
        let soon = answers.due().unwrap();
        assert_eq!((sizes(&answers.take()), sizes(&answers)), ((2, 0), (0, 3)));
        assert!(answers.due().unwrap() > soon, "what is left can wait longer");
        assert!(answers.may_wait());
        assert_eq!((sizes(&answers.take()), sizes(&answers)), ((0, 3), (0, 0)));
        assert_eq!(answers.due(), None);
        let mut answers = heard(2, 0);
        assert_eq!((sizes(&answers.take()), answers.due()), ((2, 0), None));
    }

    #[test]
    fn news_wait_for_others_while_these_keep_coming() {
        let mut answers = heard(1, 1);
        let (first, _) = answers.news_came.unwrap();
        for (last, due) in [(0, 2), (5, 7), (8, 10), (9, 10)] {
            answers.news_came = Some((first, first + Duration::from_millis(last)));
            assert_eq!(answers.due(), Some(first + Duration::from_millis(due)), "{last} ms");
        }
        answers.since = first.checked_sub(GATHER_SAME);
        assert_eq!(answers.due(), Some(first), "never longer than the others");
    }

    #[test]
    fn all_go_together_once_it_is_time_or_a_commit_is_full() {
        let mut late = heard(1, 3);
        late.since = late.since.map(|since| since.checked_sub(GATHER_SAME).unwrap());
        assert_eq!((sizes(&late.take()), late.due()), ((1, 3), None));
        let mut full = heard(1, BATCH - 1);
        assert!(full.is_full() && !heard(1, BATCH - 2).is_full());
        assert_eq!((sizes(&full.take()), full.due()), ((1, BATCH - 1), None));
    }
}
