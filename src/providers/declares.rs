//! What a provider says of itself. Unknown always means the weaker class.

use crate::domain::{Offer, Span};

/// How the fate of a top-up can be learnt afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By our reference.
    ByRef,
    /// Only by going through a list.
    ListOnly,
    /// Not at all.
    None,
}

impl Lookup {
    /// The words in config.
    pub const WORDS: [(&'static str, Self); 3] =
        [("by_ref", Self::ByRef), ("list_only", Self::ListOnly), ("none", Self::None)];
}

/// How far a provider refuses a second order with the same reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefUnique {
    /// Always, also for copies in parallel.
    Strict,
    /// Only one after the other; parallel copies get through.
    Sequential,
    /// A reference can be used again after a failure.
    Reusable,
    /// Not at all, or not known.
    NotEnforced,
}

impl RefUnique {
    /// The words in config.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("strict", Self::Strict),
        ("sequential", Self::Sequential),
        ("reusable", Self::Reusable),
        ("not_enforced", Self::NotEnforced),
    ];
}

/// What may follow a "not found", by how far look-up and references can be trusted. Unknown always
/// means the weaker class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Looked up by reference, which is refused a second time, always: may be sent again.
    A,
    /// Looked up by reference, which is refused a second time only sometimes: a person decides.
    APrime,
    /// Looked up by reference, which may be charged twice: a person decides.
    B,
    /// Only found in a list: adopted where exactly one fits, else a person decides.
    C,
    /// Not found at all: the line itself tells, else a person decides.
    D,
}

impl Class {
    /// The letter in lists and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::APrime => "A'",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }
}

/// Capabilities and trust, as data; checked when the fleet is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each asked by name")]
pub struct Declares {
    /// It can read lines.
    pub reads: bool,
    /// It is asked; where not, its readings come by hand.
    pub polled: bool,
    /// It can top up.
    pub tops_up: bool,
    /// A person does the paying: the order becomes a task.
    pub assisted: bool,
    /// It wants a product named in each order.
    pub wants_product: bool,
    /// How a top-up's fate can be learnt.
    pub lookup: Lookup,
    /// How far references protect.
    pub ref_unique: RefUnique,
    /// The longest it works on one order.
    pub max_processing: Span,
    /// How long until a new balance shows.
    pub balance_lag: Span,
    /// How far back look-ups see.
    pub lookup_horizon: Span,
    /// How long a reference is remembered; `None` for ever. A quarter before that it counts as
    /// forgotten.
    pub ref_window: Option<Span>,
    /// It lists its own transactions.
    pub lists: bool,
    /// Our float there can be read.
    pub wallet: bool,
    /// It can enter codes that were bought elsewhere.
    pub redeems: bool,
    /// It has a catalogue of products.
    pub sells: bool,
    /// It can say what an order would cost.
    pub quotes: bool,
    /// It can say which operator serves a line.
    pub knows_operators: bool,
    /// How long one call may take.
    pub timeout: Span,
    /// Polls under way at once.
    pub concurrency: usize,
    /// Polls per time, if limited.
    pub rate: Option<crate::input::Rate>,
    /// Which amounts it sells, as far as that is known.
    pub offer: Offer,
}

impl Default for Declares {
    /// The weakest of everything.
    fn default() -> Self {
        Self {
            reads: false,
            polled: true,
            tops_up: false,
            assisted: false,
            wants_product: false,
            lookup: Lookup::None,
            ref_unique: RefUnique::NotEnforced,
            max_processing: Span::seconds(90),
            balance_lag: Span::minutes(10),
            lookup_horizon: Span::days(60),
            ref_window: None,
            lists: false,
            wallet: false,
            sells: false,
            quotes: false,
            knows_operators: false,
            redeems: false,
            timeout: Span::seconds(30),
            concurrency: 32,
            rate: None,
            offer: Offer::default(),
        }
    }
}

impl Declares {
    /// The class that follows from what is declared.
    pub const fn class(&self) -> Class {
        match (self.lookup, self.ref_unique) {
            (Lookup::None, _) => Class::D,
            (Lookup::ListOnly, _) => Class::C,
            (Lookup::ByRef, RefUnique::Strict) if self.ref_window.is_none() => Class::A,
            (Lookup::ByRef, RefUnique::Strict | RefUnique::Sequential | RefUnique::Reusable) => {
                Class::APrime
            }
            (Lookup::ByRef, RefUnique::NotEnforced) => Class::B,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_the_weaker_class() {
        let class = |lookup, ref_unique, ref_window| {
            Declares { lookup, ref_unique, ref_window, ..Declares::default() }.class()
        };
        assert_eq!(Declares::default().class(), Class::D);
        assert_eq!(class(Lookup::ByRef, RefUnique::Strict, None), Class::A);
        assert_eq!(class(Lookup::ByRef, RefUnique::Strict, Some(Span::hours(24))), Class::APrime);
        for weak in [RefUnique::Sequential, RefUnique::Reusable] {
            assert_eq!(class(Lookup::ByRef, weak, None), Class::APrime);
        }
        assert_eq!(class(Lookup::ByRef, RefUnique::NotEnforced, None), Class::B);
        for (_, unique) in RefUnique::WORDS {
            assert_eq!(class(Lookup::ListOnly, unique, None), Class::C);
            assert_eq!(class(Lookup::None, unique, None), Class::D);
        }
    }
}
