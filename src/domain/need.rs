//! Episodes and needs: stored rows, never values re-derived from a reading.

use super::{EpisodeId, NeedId, RuleId, SubscriptionId, Timestamp};
use sha2::{Digest, Sha256};

/// One continuous breach of one rule on one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Its id.
    pub id: EpisodeId,
    /// The rule breached.
    pub rule: RuleId,
    /// The line.
    pub subscription: SubscriptionId,
    /// When it began.
    pub opened_at: Timestamp,
    /// What fired, in words.
    pub trigger: String,
    /// True when it is about a date rather than a level.
    pub is_deadline: bool,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

/// Why a subscription must be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
    /// A service period ends.
    Period,
    /// A level was breached.
    Episode,
    /// A person asked.
    Manual,
}

impl NeedKind {
    const ALL: [(&'static str, Self); 3] =
        [("period", Self::Period), ("episode", Self::Episode), ("manual", Self::Manual)];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// The kind of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(w, _)| *w == word).map(|(_, kind)| *kind)
    }
}

/// How a need ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedOutcome {
    /// A top-up for it was verified.
    Served,
    /// It went away by itself, or was renewed by hand.
    Gone,
}

impl NeedOutcome {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Gone => "gone",
        }
    }

    /// The outcome of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Served, Self::Gone].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// "This subscription must be paid for this period or episode." At most one is open per
/// subscription; a top-up serves exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its id, derived from its identity.
    pub id: NeedId,
    /// The line.
    pub subscription: SubscriptionId,
    /// The rule that saw it first; `None` for an order by hand.
    pub rule: Option<RuleId>,
    /// Why.
    pub kind: NeedKind,
    /// The how-many-th need of this subscription; with the subscription, its identity.
    pub seq: i64,
    /// When it was seen.
    pub opened_at: Timestamp,
    /// The service end it is about, for periods.
    pub period_end_at: Option<Timestamp>,
}

/// The alphabet of references: one letter case only, since some providers fold it.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A top-up's reference: `[a-z0-9]{24}` from the identity of the need and nothing else.
///
/// `ordinal` counts the top-ups of this need; it rises only after the one before was proven not
/// charged. No clock, no job, no try goes in, so a bug or a restored backup makes the same key.
pub fn reference(
    install_id: &str,
    subscription: &SubscriptionId,
    need_seq: i64,
    ordinal: i64,
) -> String {
    let digest = Sha256::digest(format!(
        "topupd/ref/v1|{install_id}|{}|{need_seq}|{ordinal}",
        subscription.as_str()
    ));
    digest
        .iter()
        .take(24)
        .map(|byte| char::from(*ALPHABET.get(usize::from(*byte) % ALPHABET.len()).unwrap_or(&b'a')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_reference_is_the_identity_of_the_need() {
        let line = SubscriptionId::parse("li-tmobile").unwrap();
        let first = reference("install", &line, 1, 1);
        assert_eq!(first, reference("install", &line, 1, 1));
        assert!(
            first.len() == 24
                && first.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        let others = (1..40).flat_map(|seq| (1..40).map(move |n| (seq, n)));
        let all: BTreeSet<String> =
            others.map(|(s, n)| reference("install", &line, s, n)).collect();
        assert_eq!(all.len(), 39 * 39);
        assert_ne!(first, reference("other", &line, 1, 1));
    }
}
