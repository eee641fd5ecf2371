//! What somebody may do, and with which part of the fleet.

/// What a token or a person may do, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Poll, order, approve, enter readings.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The words of the command line.
    pub const WORDS: [(&'static str, Self); 3] =
        [("viewer", Self::Viewer), ("operator", Self::Operator), ("admin", Self::Admin)];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, r)| *r == self).map_or("", |(word, _)| word)
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, role)| *role)
    }
}

/// The part of the fleet that somebody may see and act on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    #[default]
    All,
    /// The lines of this subscriber.
    Subscriber(String),
    /// The lines with this tag.
    Tag(String),
}

impl Scope {
    /// What is allowed where a scope is written.
    pub const ALLOWED: &'static str = "allowed is subscriber:ID or tag:WORD";

    /// As it is stored and written: nothing, `subscriber:ID` or `tag:WORD`.
    pub fn text(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Subscriber(id) => format!("subscriber:{id}"),
            Self::Tag(word) => format!("tag:{word}"),
        }
    }

    /// Reads [`Self::text`].
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::All);
        }
        match text.split_once(':')? {
            (_, "") => None,
            ("subscriber", id) => Some(Self::Subscriber(id.to_owned())),
            ("tag", word) => Some(Self::Tag(word.to_owned())),
            _ => None,
        }
    }

    /// True where a line of `subscriber` with `tags` is part of it.
    pub fn holds(&self, subscriber: &str, tags: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Subscriber(id) => id == subscriber,
            Self::Tag(word) => tags.contains(word),
        }
    }

    /// The subscriber and the tag that rows are held to, for queries.
    pub(super) fn keys(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::All => (None, None),
            Self::Subscriber(id) => (Some(id.clone()), None),
            Self::Tag(word) => (None, Some(word.clone())),
        }
    }
}

/// What was granted to a token or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What they may do.
    pub role: Role,
    /// With what.
    pub scope: Scope,
}

impl Grant {
    /// A role over the whole fleet.
    pub const fn of(role: Role) -> Self {
        Self { role, scope: Scope::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        let li = Scope::Subscriber("li".into());
        let family = Scope::Tag("family:home".into());
        for scope in [Scope::All, li.clone(), family.clone()] {
            assert_eq!(Scope::parse(&scope.text()), Some(scope));
        }
        for bad in ["li", "subscriber:", "tag:", "line:x", ":"] {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
        let tags = ["family:home".to_owned()];
        assert!(Scope::All.holds("zhang", &[]) && li.holds("li", &[]) && family.holds("x", &tags));
        assert!(!li.holds("zhang", &tags) && !family.holds("li", &[]));
    }
}
