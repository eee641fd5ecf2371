//! A fake provider of any class in this process: everything that can become of an order, by its dice.

use super::oracle::{Charge, Class};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use topupd::{
    domain::{
        Currency, ErrorKind, FailureClass, Money, Quality, Span, Subscription, Timestamp, Values,
    },
    providers::{
        Answer, Booked, Declares, Evidence, Found, FreezeError, Listed, Lookup, Order, Provider,
        ReadError, ReadOk, RefUnique, Refusal, TestReport,
    },
};

/// Numbers that look random and come again with the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    /// From 0 up to `n`, without it.
    pub(crate) fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[derive(Clone, Debug)]
pub(super) struct Booking {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) target: String,
    pub(super) cents: i64,
    pub(super) status: Booked,
    /// Looks until it changes its mind, and what it becomes then.
    pub(super) later: Option<(u32, Booked)>,
    pub(super) shows: bool,
    /// Charged already.
    pub(super) counted: bool,
}

#[derive(Debug)]
pub(super) struct Books {
    /// The luck of every line and order is its own: what happens to one does not hang on another.
    pub(super) seed: u64,
    pub(super) rolled: BTreeMap<String, u64>,
    pub(super) cents: BTreeMap<String, i64>,
    pub(super) bookings: Vec<Booking>,
    pub(super) charges: Vec<Charge>,
    /// Readings are lost or wrong while this is above zero.
    pub(super) fog: u64,
}

/// A fake provider of one class, sharing its books with the others.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub(super) class: Class,
    pub(super) books: Arc<Mutex<Books>>,
    pub(super) declares: Declares,
}

pub(super) fn usd(cents: i64) -> Money {
    Money::new(cents, Currency::parse("USD").unwrap_or_else(|_| unreachable!()))
}

impl Books {
    /// The next roll of `key`, from 0 up to `n`, without it.
    fn roll(&mut self, key: &str, n: u64) -> u64 {
        let times = self.rolled.entry(key.to_owned()).or_default();
        *times += 1;
        let mix = key.bytes().fold(self.seed ^ (*times << 40), |mix, byte| {
            (mix ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Dice::new(mix).roll(n)
    }

    pub(super) fn charge(&mut self, booking: &Booking) {
        self.charges.push(Charge {
            reference: booking.reference.clone(),
            msisdn: booking.target.clone(),
            cents: booking.cents,
            id: booking.id.clone(),
        });
        if booking.shows {
            *self.cents.entry(booking.target.clone()).or_default() += booking.cents;
        }
    }

    /// Time goes by for what is under way under `reference`.
    pub(super) fn settle(&mut self, reference: &str) {
        let mut due = Vec::new();
        for booking in self.bookings.iter_mut().filter(|b| b.reference == reference) {
            match booking.later {
                Some((0, then)) => {
                    booking.status = then;
                    booking.later = None;
                    if matches!(then, Booked::Paid) && !booking.counted {
                        booking.counted = true;
                        due.push(booking.clone());
                    }
                }
                Some((n, then)) => booking.later = Some((n - 1, then)),
                None => {}
            }
        }
        for booking in due {
            self.charge(&booking);
        }
    }
}

impl Fake {
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn evidence(booking: &Booking) -> Evidence {
        Evidence {
            transaction_id: Some(booking.id.clone()),
            raw: booking.reference.clone(),
            ..Evidence::default()
        }
    }

    pub(super) fn answer(booking: &Booking) -> Answer {
        match booking.status {
            Booked::Paid => Answer::Paid(Self::evidence(booking)),
            Booked::Pending => Answer::Pending(Self::evidence(booking)),
            Booked::Reversed => Answer::Reversed(Self::evidence(booking)),
            Booked::Refused => Answer::Refused(Refusal {
                code: "no".into(),
                class: FailureClass::DeclinedSoft,
                raw: String::new(),
            }),
            Booked::Unclear => Answer::Unclear { why: "?".into(), raw: String::new() },
        }
    }
}

pub(super) fn target(line: &Subscription) -> String {
    line.msisdn.as_ref().map(|m| m.as_str().to_owned()).unwrap_or_default()
}

#[async_trait]
impl Provider for Fake {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let mut books = self.books();
        let fog = books.fog > 0;
        let key = target(line);
        let fate = books.roll(&key, if fog { 3 } else { 30 });
        match fate {
            0 => return Err(ReadError::new(ErrorKind::Temporary, "timeout")),
            1 if fog => return Err(ReadError::unparseable("maintenance")),
            _ => {}
        }
        let burn = i64::try_from(books.roll(&key, 400)).unwrap_or(0);
        let cents = books.cents.entry(target(line)).or_insert(420);
        *cents = (*cents - burn).max(0);
        let values = Values {
            balance: Some(usd(*cents)),
            service_end_at: Timestamp::parse_rfc3339("2031-01-01T00:00:00Z"),
            ..Values::default()
        };
        Ok(ReadOk { values, quality: Quality::Ok, detail: None })
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let number = target(&order.line);
        Ok(format!(
            "{}|{}|{}",
            order.reference,
            number.trim_start_matches('+'),
            order.amount.minor()
        ))
    }

    /// The frozen bytes are what is charged: whatever is in them.
    async fn topup(&self, _: &Order, frozen: &str) -> Answer {
        let mut parts = frozen.split('|');
        let reference = parts.next().unwrap_or_default().to_owned();
        let to = format!("+{}", parts.next().unwrap_or_default());
        let cents: i64 = parts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut books = self.books();
        let known = books.bookings.iter().find(|b| b.reference == reference).cloned();
        let refuses = match self.class {
            Class::A | Class::Sequential => known.is_some(),
            Class::Reusable => known.as_ref().is_some_and(|b| b.status != Booked::Refused),
            Class::B | Class::C | Class::D => false,
        };
        if refuses {
            return Answer::Unclear { why: "duplicate reference".into(), raw: String::new() };
        }
        let fate = books.roll(&reference, 16);
        let unclear = |why: &str| Answer::Unclear { why: why.to_owned(), raw: String::new() };
        let (status, later, shows) = match fate {
            // Never arrived, with and without our knowing.
            0 => return Answer::NotSent { why: "no route".into() },
            1 | 2 => return unclear("timeout before the request arrived"),
            3 => (Booked::Refused, None, false),
            // Accepted, and executed a good while later or never.
            4 => (Booked::Pending, Some((2, Booked::Paid)), true),
            5 => (Booked::Pending, Some((1, Booked::Refused)), false),
            6 => (Booked::Unclear, Some((3, Booked::Paid)), true),
            // Charged, nothing shows; charged and taken back.
            7 => (Booked::Paid, None, false),
            8 => (Booked::Paid, Some((0, Booked::Reversed)), false),
            13 => (Booked::Paid, Some((0, Booked::Reversed)), true),
            // Accepted, and then nobody there has ever heard of it.
            14 => (Booked::Pending, Some((1, Booked::Unclear)), false),
            _ => (Booked::Paid, None, true),
        };
        let copy = books.bookings.iter().filter(|b| b.reference == reference).count();
        let id = format!("{}-{reference}-{copy}", self.class.word());
        let mut booking =
            Booking { id, reference, target: to, cents, status, later, shows, counted: false };
        if booking.status == Booked::Paid {
            booking.counted = true;
            books.charge(&booking);
        }
        books.bookings.push(booking.clone());
        match fate {
            6 => unclear("500"),
            9 | 10 => unclear("reset after the charge"),
            11 => unclear("an answer nobody can read"),
            12 => Answer::Mismatch {
                evidence: Self::evidence(&booking),
                why: "another number".into(),
            },
            _ => Self::answer(&booking),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let mut books = self.books();
        if books.roll(&order.reference, 6) == 0 {
            return Found::Blind { why: "500".into() };
        }
        books.settle(&order.reference);
        let mut found: Vec<Booking> =
            books.bookings.iter().filter(|b| b.reference == order.reference).cloned().collect();
        found.retain(|b| b.status != Booked::Unclear);
        match found.as_slice() {
            [] => Found::Nothing,
            [one] => Found::One(Self::answer(one)),
            several => Found::Several { count: several.len(), raw: String::new() },
        }
    }

    async fn list(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Listed>, ReadError> {
        let books = self.books();
        let mine = books.bookings.iter().filter(|b| b.id.starts_with(self.class.word()));
        Ok(mine
            .map(|b| Listed {
                transaction_id: Some(b.id.clone()),
                reference: None,
                at: None,
                target: Some(b.target.clone()),
                product: None,
                amount: Some(usd(b.cents)),
                charged: None,
                booked: b.status,
                raw: String::new(),
            })
            .collect())
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(TestReport { detail: "a fake".into() })
    }
}

/// What a provider of this class declares.
pub(super) fn declares(class: Class) -> Declares {
    let lookup = match class {
        Class::C => Lookup::ListOnly,
        Class::D => Lookup::None,
        _ => Lookup::ByRef,
    };
    let ref_unique = match class {
        Class::A => RefUnique::Strict,
        Class::Sequential => RefUnique::Sequential,
        Class::Reusable => RefUnique::Reusable,
        Class::B | Class::C | Class::D => RefUnique::NotEnforced,
    };
    Declares {
        reads: true,
        tops_up: true,
        lookup,
        ref_unique,
        lists: class == Class::C,
        max_processing: Span::seconds(5),
        balance_lag: Span::ZERO,
        ..Declares::default()
    }
}
