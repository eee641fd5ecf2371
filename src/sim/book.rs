//! The carrier's books: lines, top-ups by reference, charges. One lock, so that uniqueness of
//! references is atomic.

use super::{
    CarrierConfig,
    line::{Account, Fate, Line},
    lived,
};
use crate::domain::{Money, Msisdn, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One charge: money that left our account at the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The carrier's id.
    pub id: String,
    /// The customer's reference.
    pub reference: String,
    /// The line paid for.
    pub msisdn: Msisdn,
    /// How much.
    pub amount: Money,
    /// When, by the carrier's clock (not sped up).
    pub at: Timestamp,
}

/// How a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineState {
    /// Money in the account.
    pub balance: Money,
    /// Data left, in bytes.
    pub data_left: i64,
    /// When the service ends. With a speed above one the days until then count in the carrier's
    /// own time: ten days are ten days for whoever asks, and go by in a tenth of that.
    pub service_end_at: Timestamp,
    /// False once an end of service found too little money.
    pub in_service: bool,
    /// Successful reads so far.
    pub reads: u32,
}

/// Where one top-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Done,
    /// So many look-ups still say pending.
    Pending(u32),
    Refused,
    Reversed,
}

/// One top-up in the books.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) msisdn: Msisdn,
    pub(super) amount: Money,
    pub(super) status: Status,
    credited: bool,
}

/// What became of an order.
#[derive(Clone, Debug)]
pub(super) enum Ordered {
    Taken(Record, Fate),
    Duplicate,
    UnknownLine,
    WrongAmount,
}

#[derive(Debug)]
pub(super) struct Book {
    pub(super) config: CarrierConfig,
    started_at: Timestamp,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    lines: HashMap<Msisdn, Account>,
    records: HashMap<String, Record>,
    charges: Vec<Charge>,
}

impl Book {
    pub(super) fn new(config: CarrierConfig) -> Self {
        Self { started_at: config.clock.now(), config, pages: Mutex::default() }
    }

    /// The carrier's own time.
    fn now(&self) -> Timestamp {
        let elapsed = self.config.clock.now().since(self.started_at);
        self.started_at.plus(lived(elapsed, self.config.speed))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_line(&self, msisdn: &Msisdn, line: Line) {
        let account = Account::new(line, self.now());
        self.pages().lines.insert(msisdn.clone(), account);
    }

    pub(super) fn set_fate(&self, msisdn: &Msisdn, fate: Fate) {
        if let Some(account) = self.pages().lines.get_mut(msisdn) {
            account.line.fate = fate;
        }
    }

    pub(super) fn line(&self, msisdn: &Msisdn) -> Option<LineState> {
        let now = self.now();
        let mut pages = self.pages();
        let account = pages.lines.get_mut(msisdn)?;
        account.settle(now);
        Some(self.state(account, now))
    }

    /// A read over the wire: newcomers are welcome, and it counts.
    pub(super) fn read(&self, msisdn: &Msisdn) -> Option<(LineState, Fate)> {
        let now = self.now();
        let mut pages = self.pages();
        let account = self.account(&mut pages, msisdn, now)?;
        account.settle(now);
        let fate = account.line.fate;
        if !matches!(fate, Fate::Stale { after } if account.reads >= after) {
            account.reads = account.reads.saturating_add(1);
            return Some((self.state(account, now), Fate::Normal.unless_stale(fate)));
        }
        Some((self.state(account, now), fate))
    }

    /// An order over the wire. Everything happens under one lock.
    pub(super) fn order(&self, reference: &str, msisdn: &Msisdn, amount: Money) -> Ordered {
        let now = self.now();
        let mut pages = self.pages();
        if pages.records.contains_key(reference) {
            return Ordered::Duplicate;
        }
        let id = format!("T-{}", pages.records.len().saturating_add(1));
        let Some(account) = self.account(&mut pages, msisdn, now) else {
            return Ordered::UnknownLine;
        };
        if amount.currency() != account.currency() || !amount.is_positive() {
            return Ordered::WrongAmount;
        }
        let fate = account.line.fate;
        let status = match fate {
            Fate::Refuse => Status::Refused,
            Fate::SlowPending => Status::Pending(1),
            Fate::Normal
            | Fate::LoseAnswer
            | Fate::Stale { .. }
            | Fate::Garbage
            | Fate::OtherCurrency
            | Fate::OtherNumber
            | Fate::NoEffect => Status::Done,
        };
        let credited = status == Status::Done && fate != Fate::NoEffect;
        if credited {
            account.credit(amount.minor(), now);
        }
        if fate == Fate::LoseAnswer {
            account.line.fate = Fate::Normal;
        }
        let (reference, msisdn) = (reference.to_owned(), msisdn.clone());
        if status != Status::Refused {
            pages.charges.push(Charge {
                id: id.clone(),
                reference: reference.clone(),
                msisdn: msisdn.clone(),
                amount,
                at: self.config.clock.now(),
            });
        }
        let record = Record { id, reference: reference.clone(), msisdn, amount, status, credited };
        pages.records.insert(reference, record.clone());
        Ordered::Taken(record, fate)
    }

    /// A look-up over the wire; a pending top-up comes nearer to its end by being asked about.
    pub(super) fn find(&self, reference: &str) -> Option<(Record, Fate)> {
        let now = self.now();
        let mut pages = self.pages();
        let Pages { lines, records, .. } = &mut *pages;
        let record = records.get_mut(reference)?;
        let account = lines.get_mut(&record.msisdn)?;
        let shown = record.clone();
        match record.status {
            Status::Pending(0) => {
                record.status = Status::Done;
                record.credited = true;
                account.credit(record.amount.minor(), now);
                return Some((record.clone(), account.line.fate));
            }
            Status::Pending(left) => record.status = Status::Pending(left.saturating_sub(1)),
            Status::Done | Status::Refused | Status::Reversed => {}
        }
        Some((shown, account.line.fate))
    }

    pub(super) fn reverse(&self, reference: &str) -> bool {
        let now = self.now();
        let mut pages = self.pages();
        let Pages { lines, records, .. } = &mut *pages;
        let Some(record) = records.get_mut(reference) else {
            return false;
        };
        if !matches!(record.status, Status::Done | Status::Pending(_)) {
            return false;
        }
        record.status = Status::Reversed;
        if let (true, Some(account)) = (record.credited, lines.get_mut(&record.msisdn)) {
            account.credit(record.amount.minor().saturating_neg(), now);
        }
        true
    }

    pub(super) fn charges(&self) -> Vec<Charge> {
        self.pages().charges.clone()
    }

    fn account<'p>(
        &self,
        pages: &'p mut Pages,
        msisdn: &Msisdn,
        now: Timestamp,
    ) -> Option<&'p mut Account> {
        if !pages.lines.contains_key(msisdn) {
            let line = self.config.newcomer.clone()?;
            pages.lines.insert(msisdn.clone(), Account::new(line, now));
        }
        pages.lines.get_mut(msisdn)
    }

    fn state(&self, account: &Account, now: Timestamp) -> LineState {
        LineState {
            balance: account.line.balance,
            data_left: account.line.data_left,
            service_end_at: self.config.clock.now().plus(account.ends_at.since(now)),
            in_service: account.in_service,
            reads: account.reads,
        }
    }
}

impl Fate {
    /// The fate of a read: a line that only goes stale later is normal until then.
    const fn unless_stale(self, fate: Self) -> Self {
        match fate {
            Self::Stale { .. } => self,
            Self::Normal
            | Self::Refuse
            | Self::LoseAnswer
            | Self::SlowPending
            | Self::Garbage
            | Self::OtherCurrency
            | Self::OtherNumber
            | Self::NoEffect => fate,
        }
    }
}
