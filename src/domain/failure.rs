//! Why a top-up failed, sorted by what may follow.

/// The class of a proven "not charged" (peers study §5.7). An answer nobody could sort is
/// [`FailureClass::DeclinedSoft`]: it counts, and it is tried again only after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// Insufficient funds, try later: tried again after a growing pause; counts towards suspension.
    DeclinedSoft,
    /// The means of payment is expired, lost, closed: suspended at once.
    DeclinedHard,
    /// A cardholder must confirm (3-D Secure, a one-time code): suspended at once, a person is asked.
    AuthRequired,
    /// Wrong number, other operator, closed line: this line is blocked at once.
    InvalidTarget,
    /// The provider was not able to take it: an outage never suspends anybody.
    ProviderDown,
    /// The price is not the one expected: a person is asked.
    PriceChanged,
    /// Sold out for now.
    OutOfStock,
    /// This denomination is no longer sold.
    DenominationGone,
    /// Our own fault.
    Internal,
}

impl FailureClass {
    /// The words in table, config and API.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("declined_soft", Self::DeclinedSoft),
        ("declined_hard", Self::DeclinedHard),
        ("auth_required", Self::AuthRequired),
        ("invalid_target", Self::InvalidTarget),
        ("provider_down", Self::ProviderDown),
        ("price_changed", Self::PriceChanged),
        ("out_of_stock", Self::OutOfStock),
        ("denomination_gone", Self::DenominationGone),
        ("internal", Self::Internal),
    ];

    /// The word in table, config and API.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, class)| *class == self).map_or("", |(word, _)| word)
    }

    /// The class of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, class)| *class)
    }

    /// True for declines of a card or wallet: only they count towards suspension.
    pub const fn counts(self) -> bool {
        matches!(self, Self::DeclinedSoft)
    }

    /// True where trying again cannot help until a person has acted.
    pub const fn stops_at_once(self) -> bool {
        matches!(self, Self::DeclinedHard | Self::AuthRequired | Self::InvalidTarget)
    }
}
