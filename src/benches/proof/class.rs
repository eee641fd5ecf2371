//! Classes of providers.

/// How far references protect; the first part of every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Strict: one top-up per reference, also for copies in parallel.
    A,
    /// Looks, waits, inserts: copies in parallel all pass.
    Sequential,
    /// A refused reference may be used again.
    Reusable,
    /// Charges every copy.
    B,
    /// Charges every copy, has only a list without references.
    C,
    /// Charges every copy, tells nothing.
    D,
}

impl Class {
    pub(crate) const ALL: [Self; 6] =
        [Self::A, Self::Sequential, Self::Reusable, Self::B, Self::C, Self::D];

    /// The provider's name in config, and in paths.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::Sequential => "s",
            Self::Reusable => "r",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
        }
    }

    pub(crate) const fn by_ref(self) -> bool {
        matches!(self, Self::A | Self::Sequential | Self::Reusable | Self::B)
    }
}
