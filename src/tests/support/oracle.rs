//! A carrier in this process under a fixed clock: lines that burn, expire and renew, answers that go
//! wrong in every way, all from one seed. It keeps the books.

use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use topupd::clock::Clock;
use topupd::domain::{
    Currency, ErrorKind, FailureClass, Money, Quality, Renewal, Span, Subscription, Timestamp,
    Values,
};
use topupd::providers::{
    Answer, Declares, Evidence, Found, FreezeError, Lookup, Order, Provider, ReadError, ReadOk,
    RefUnique, Refusal, TestReport,
};

/// Numbers that look random and come again with the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 up to `n`, without it.
    pub(crate) fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[derive(Debug)]
struct Account {
    cents: i64,
    burn_per_day: i64,
    end: Timestamp,
    at: Timestamp,
    hidden: i64,
}

#[derive(Debug)]
struct Books {
    dice: Dice,
    lines: BTreeMap<String, Account>,
    /// By reference: charged, said to be pending, or never arrived.
    charged: BTreeMap<String, bool>,
    lost: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    clock: Clock,
    books: Arc<Mutex<Books>>,
    declares: Declares,
}

impl Oracle {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        let books = Books {
            dice: Dice::new(seed),
            lines: BTreeMap::new(),
            charged: BTreeMap::new(),
            lost: BTreeSet::new(),
        };
        let declares = Declares {
            reads: true,
            tops_up: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::Strict,
            max_processing: Span::seconds(5),
            balance_lag: Span::ZERO,
            ..Declares::default()
        };
        Self { clock, books: Arc::new(Mutex::new(books)), declares }
    }

    /// How often each reference was charged.
    pub(crate) fn charges(&self) -> usize {
        self.books.lock().unwrap().charged.len()
    }

    fn account<R>(&self, line: &Subscription, act: impl FnOnce(&mut Account, &mut Dice) -> R) -> R {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        let Books { dice, lines, .. } = &mut *books;
        let account = lines.entry(line.id.to_string()).or_insert_with(|| Account {
            cents: i64::try_from(dice.roll(3000)).unwrap(),
            burn_per_day: i64::try_from(dice.roll(250)).unwrap(),
            end: now.plus(Span::hours(i64::try_from(dice.roll(30 * 24)).unwrap())),
            at: now,
            hidden: 0,
        });
        let used = account.burn_per_day * now.since(account.at).ms() / Span::days(1).ms();
        if used > 0 {
            account.cents = (account.cents - used).max(0);
            account.at = now;
        }
        let plan = line.plan.as_ref().unwrap();
        let (price, cycle) = (plan.price.unwrap().minor(), plan.cycle().unwrap());
        if plan.renewal == Renewal::FundBalance && account.end <= now && account.cents >= price {
            account.cents -= price;
            account.end = now.max(account.end.plus(cycle)).max(now.plus(Span::days(20)));
        }
        act(account, dice)
    }
}

fn usd(cents: i64) -> Money {
    Money::new(cents, Currency::parse("USD").unwrap())
}

#[async_trait]
impl Provider for Oracle {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        self.account(line, |account, dice| {
            let fate = dice.roll(40);
            let values = |cents: i64, end: Timestamp| Values {
                balance: Some(usd(cents)),
                data_left: Some(cents * 1_000_000),
                service_end_at: Some(end),
                ..Values::default()
            };
            let jitter = Span::hours(i64::try_from(dice.roll(20)).unwrap() - 10);
            let ok = |values| Ok(ReadOk { values, quality: Quality::Ok, detail: None });
            match fate {
                0 => Err(ReadError::unparseable("maintenance until 9 o'clock")),
                1 => Err(ReadError::new(ErrorKind::Temporary, "timeout")),
                2 => Err(ReadError::new(ErrorKind::Identity, "another number")),
                // A broken page, once.
                3 => ok(values(0, account.end)),
                4 => Ok(ReadOk {
                    values: values(account.cents, account.end),
                    quality: Quality::Partial,
                    detail: None,
                }),
                5..=9 => ok(values(account.cents, account.end.plus(jitter))),
                _ => ok(values(account.cents, account.end)),
            }
        })
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let number = order.line.msisdn.as_ref().unwrap().as_str();
        Ok(format!("{} {} {}", order.reference, number.trim_start_matches('+'), order.amount))
    }

    async fn topup(&self, order: &Order, _: &str) -> Answer {
        let plan = order.line.plan.clone().unwrap();
        let now = self.clock.now();
        let fate = self.account(&order.line, |_, dice| dice.roll(14));
        let evidence = || Evidence {
            transaction_id: Some(format!("tx-{}", order.reference)),
            ..Evidence::default()
        };
        match fate {
            0 | 1 => {
                let class = [FailureClass::DeclinedSoft, FailureClass::OutOfStock]
                    [usize::try_from(fate).unwrap()];
                return Answer::Refused(Refusal { code: "card".into(), class, raw: String::new() });
            }
            2 => return Answer::NotSent { why: "no route".into() },
            3 => {
                self.books.lock().unwrap().lost.insert(order.reference.clone());
                return Answer::Unclear { why: "timeout".into(), raw: String::new() };
            }
            _ => {}
        }
        let shows = fate != 4;
        self.account(&order.line, |account, _| {
            if !shows {
                account.hidden += order.amount.minor();
            } else if plan.renewal == Renewal::RestartFromPayment {
                account.end = now.plus(plan.cycle().unwrap());
            } else {
                account.cents += order.amount.minor();
            }
        });
        let known = self.books.lock().unwrap().charged.insert(order.reference.clone(), true);
        assert_eq!(known, None, "a reference was charged twice");
        match fate {
            5 => Answer::Unclear { why: "timeout after the charge".into(), raw: String::new() },
            6 => Answer::Pending(evidence()),
            _ => Answer::Paid(evidence()),
        }
    }

    async fn find(&self, order: &Order) -> Found {
        let books = self.books.lock().unwrap();
        match books.charged.get(&order.reference) {
            Some(_) => Found::One(Answer::Paid(Evidence {
                transaction_id: Some(format!("tx-{}", order.reference)),
                ..Evidence::default()
            })),
            None => Found::Nothing,
        }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(TestReport { detail: "an oracle".into() })
    }
}
