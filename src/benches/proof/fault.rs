//! What can go wrong with an order and with looking it up, and what must come of it.

use super::oracle::Class;

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Charged and answered.
    Done,
    /// Charged and answered; nothing shows on the line.
    NoEffect,
    /// Charged and answered; taken back afterwards, nothing shows.
    Reversed,
    /// Refused with 402, not charged.
    Refused,
    /// Refused with 402, charged all the same some time later.
    RefusedThenCharged,
    /// A status code and nothing else.
    Code {
        /// The code.
        code: u16,
        /// Whether it was charged.
        charged: bool,
    },
    /// Sent elsewhere; not charged.
    Redirect(u16),
    /// RST instead of reading on.
    ResetBefore,
    /// RST after the whole request; not charged.
    ResetUncharged,
    /// RST after the charge.
    ResetCharged,
    /// RST in the middle of the answer.
    ResetMidAnswer,
    /// Silence, not charged.
    HangUncharged,
    /// Silence after the charge.
    HangCharged,
    /// One byte at a time, after the charge.
    SlowLoris,
    /// Half an answer, after the charge.
    Truncated,
    /// A page, after the charge.
    Html,
    /// 200 and nothing, after the charge.
    Empty,
    /// 200 and `{}`, after the charge.
    EmptyObject,
    /// 200 and noise, after the charge.
    Garbage,
    /// Another protocol, after the charge.
    NotHttp,
    /// Megabytes of blanks, after the charge.
    Bomb,
    /// Brackets as deep as a well, after the charge.
    Deep,
    /// Another amount is echoed.
    WrongAmount,
    /// Another currency is echoed.
    WrongCurrency,
    /// Another number is echoed.
    WrongNumber,
    /// Another reference is echoed.
    WrongReference,
    /// "The reference exists", though it does not.
    Duplicate,
    /// Charged, with a status word nobody knows.
    UnknownWord,
    /// Charged, pending, final at the second look.
    Pending,
    /// Charged, pending for ever, nothing shows.
    PendingForever,
    /// Pending, then refused; not charged.
    PendingThenRefused,
    /// 500, and charged some minutes later.
    Late,
}

impl Fault {
    /// The word in the provider's books.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Refused | Self::RefusedThenCharged => "refused",
            Self::Pending | Self::PendingForever | Self::PendingThenRefused => "pending",
            _ => "done",
        }
    }

    /// True where the provider writes it down at all.
    pub(crate) const fn is_booked(self) -> bool {
        match self {
            Self::Code { charged, .. } => charged,
            Self::Redirect(_)
            | Self::ResetBefore
            | Self::ResetUncharged
            | Self::HangUncharged
            | Self::Duplicate => false,
            _ => true,
        }
    }

    pub(crate) const fn charges_at_once(self) -> bool {
        self.is_booked()
            && !matches!(
                self,
                Self::Refused | Self::RefusedThenCharged | Self::PendingThenRefused | Self::Late
            )
    }

    /// True where the money shows on the line as soon as it is charged.
    pub(crate) const fn shows_at_once(self) -> bool {
        !matches!(self, Self::NoEffect | Self::Reversed | Self::PendingForever | Self::Pending)
    }

    /// Every fault of an order, with a hundred and more status codes, charged and not.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Done,
            Self::NoEffect,
            Self::Reversed,
            Self::Refused,
            Self::RefusedThenCharged,
            Self::Redirect(301),
            Self::Redirect(302),
            Self::Redirect(303),
            Self::Redirect(307),
            Self::Redirect(308),
            Self::ResetBefore,
            Self::ResetUncharged,
            Self::ResetCharged,
            Self::ResetMidAnswer,
            Self::HangUncharged,
            Self::HangCharged,
            Self::SlowLoris,
            Self::Truncated,
            Self::Html,
            Self::Empty,
            Self::EmptyObject,
            Self::Garbage,
            Self::NotHttp,
            Self::Bomb,
            Self::Deep,
            Self::WrongAmount,
            Self::WrongCurrency,
            Self::WrongNumber,
            Self::WrongReference,
            Self::Duplicate,
            Self::UnknownWord,
            Self::Pending,
            Self::PendingForever,
            Self::PendingThenRefused,
            Self::Late,
        ];
        // 402 and 422 are configured as refusals; 1xx is no answer.
        let codes = (400..=451).chain(490..=530).chain(590..=599);
        for code in codes.filter(|code| ![402, 422].contains(code)) {
            all.push(Self::Code { code, charged: true });
            all.push(Self::Code { code, charged: false });
        }
        all
    }
}

/// What happens to look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    /// As booked.
    #[default]
    Normal,
    /// Nothing is found, although it is there.
    Empty,
    /// Found twice.
    Two,
    /// A status code and nothing else.
    Code(u16),
    /// A page.
    Html,
    /// Noise.
    Garbage,
    /// JSON without the list.
    NoList,
    /// RST.
    Reset,
    /// Silence.
    Hang,
    /// Somebody else's record.
    Foreign,
    /// Another amount.
    WrongAmount,
    /// Another number.
    WrongNumber,
    /// A status word nobody knows.
    UnknownWord,
    /// Pending for ever.
    PendingForever,
}

impl Look {
    /// Every fault of a look-up.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Empty,
            Self::Two,
            Self::Html,
            Self::Garbage,
            Self::NoList,
            Self::Reset,
            Self::Hang,
            Self::Foreign,
            Self::WrongAmount,
            Self::WrongNumber,
            Self::UnknownWord,
            Self::PendingForever,
        ];
        all.extend((400..=431).chain(500..=511).filter(|code| *code != 404).map(Self::Code));
        all
    }
}

/// How an order ends, and how often it may be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) state: &'static str,
    pub(crate) charges: usize,
}

/// What must come of an order whose first submission met `first`, whose second, where there is one,
/// met `second`, and whose look-ups met `look`.
pub(crate) fn end(class: Class, first: Fault, second: Fault, look: Look) -> End {
    let end = |state, charges| End { state, charges };
    let charged = usize::from(first.charges_at_once());
    match first {
        Fault::Done => return end("verified", 1),
        // An answer about something else is a person's, whatever is found afterwards.
        Fault::WrongAmount
        | Fault::WrongCurrency
        | Fault::WrongNumber
        | Fault::WrongReference
        | Fault::NoEffect => return end("held", 1),
        // Where it can be asked, the provider says that the money came back.
        Fault::Reversed if class.by_ref() => return end("reversed", 1),
        Fault::Reversed => return end("held", 1),
        Fault::Refused => return end("failed", 0),
        // It stays failed, and CHARGED_AFTER_FAILED stops all paying where it can be found out.
        Fault::RefusedThenCharged => return end("failed", usize::from(class.by_ref())),
        // A day of pending is a person's.
        Fault::PendingForever => return end("held", 1),
        Fault::Pending | Fault::PendingThenRefused if !class.by_ref() => {
            return end("held", charged);
        }
        _ => {}
    }
    match class {
        // The line moved, or the list has it; or neither.
        Class::C | Class::D if charged == 1 => end("verified", 1),
        Class::C | Class::D => end("held", 0),
        Class::A | Class::Sequential | Class::Reusable | Class::B => match look {
            Look::Normal => match first {
                Fault::PendingThenRefused => end("failed", 0),
                Fault::Late => end("verified", 1),
                _ if charged == 1 => end("verified", 1),
                // Not charged, not found: only the strict one gets the same bytes again.
                _ if class == Class::A => again(second),
                _ => end("held", 0),
            },
            // Denied, doubled, or about something else: a person's. And a day of pending.
            Look::Empty
            | Look::Foreign
            | Look::Two
            | Look::WrongAmount
            | Look::WrongNumber
            | Look::PendingForever => end("held", charged),
            // Blind look-ups prove nothing: it stays unknown, looked at for ever.
            Look::Code(_)
            | Look::Html
            | Look::Garbage
            | Look::Reset
            | Look::Hang
            | Look::NoList
            | Look::UnknownWord => end("unknown", charged),
        },
    }
}

/// The second submission of a strict provider, after a first that never arrived.
fn again(second: Fault) -> End {
    let end = |state, charges| End { state, charges };
    match second {
        Fault::NoEffect
        | Fault::PendingForever
        | Fault::WrongAmount
        | Fault::WrongCurrency
        | Fault::WrongNumber
        | Fault::WrongReference => end("held", 1),
        Fault::Reversed => end("reversed", 1),
        // A refusal of the second copy says nothing of the first: it is looked up, and found as one.
        Fault::Refused | Fault::PendingThenRefused => end("failed", 0),
        Fault::RefusedThenCharged | Fault::Late => end("verified", 1),
        _ if second.charges_at_once() => end("verified", 1),
        // Two submissions are the most there ever are.
        _ => end("held", 0),
    }
}
