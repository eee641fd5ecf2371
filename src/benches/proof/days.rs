//! R16, R18, R19: days and months in seconds, over many lines, with the whole engine in this process.

use super::{fake::Dice, house::House, table::Row};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use topupd::{
    clock::Clock,
    domain::{Currency, ErrorKind, Money, Quality, Span, Subscription, Timestamp, Values},
    providers::{
        Answer, Declares, Evidence, Found, FreezeError, Lookup, Order, Provider, ReadError, ReadOk,
        RefUnique, TestReport,
    },
};

/// What the provider says of a line at a time.
type Says = dyn Fn(usize, Timestamp) -> Result<ReadOk, ReadError> + Send + Sync;

/// A provider whose readings are a function of line and time; it keeps its charges.
struct World {
    clock: Arc<Mutex<Option<Clock>>>,
    says: Box<Says>,
    credit: Mutex<HashMap<usize, i64>>,
    orders: Mutex<Vec<(Timestamp, String, usize)>>,
    declares: Declares,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

fn place_of(line: &Subscription) -> usize {
    line.id.as_str().rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl World {
    fn new(says: Box<Says>) -> Arc<Self> {
        let declares = Declares {
            reads: true,
            tops_up: true,
            lookup: Lookup::ByRef,
            ref_unique: RefUnique::NotEnforced,
            max_processing: Span::seconds(5),
            balance_lag: Span::ZERO,
            ..Declares::default()
        };
        Arc::new(Self {
            clock: Arc::default(),
            says,
            credit: Mutex::default(),
            orders: Mutex::default(),
            declares,
        })
    }

    fn now(&self) -> Timestamp {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.as_ref().map_or(Timestamp::from_ms(0), Clock::now)
    }
}

#[async_trait]
impl Provider for World {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, line: &Subscription) -> Result<ReadOk, ReadError> {
        let n = place_of(line);
        let mut read = (self.says)(n, self.now())?;
        let credit = self
            .credit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&n)
            .copied()
            .unwrap_or(0);
        read.values.balance =
            read.values.balance.map(|m| Money::new(m.minor() + credit, m.currency()));
        Ok(read)
    }

    fn freeze(&self, order: &Order) -> Result<String, FreezeError> {
        let number =
            order.line.msisdn.as_ref().map(|m| m.as_str().trim_start_matches('+').to_owned());
        Ok(format!("{} {}", order.reference, number.unwrap_or_default()))
    }

    async fn topup(&self, order: &Order, _: &str) -> Answer {
        let n = place_of(&order.line);
        *self.credit.lock().unwrap_or_else(PoisonError::into_inner).entry(n).or_default() +=
            order.amount.minor();
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.push((self.now(), order.reference.clone(), n));
        Answer::Paid(Evidence {
            transaction_id: Some(order.reference.clone()),
            ..Evidence::default()
        })
    }

    async fn find(&self, order: &Order) -> Found {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let evidence =
            Evidence { transaction_id: Some(order.reference.clone()), ..Evidence::default() };
        match orders.iter().filter(|(_, reference, _)| *reference == order.reference).count() {
            0 => Found::Nothing,
            1 => Found::One(Answer::Paid(evidence)),
            count => Found::Several { count, raw: String::new() },
        }
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(TestReport { detail: "a world".into() })
    }
}

fn usd(cents: i64) -> Money {
    Money::new(cents, Currency::parse("USD").unwrap_or_else(|_| unreachable!()))
}

fn ok(values: Values) -> Result<ReadOk, ReadError> {
    Ok(ReadOk { values, quality: Quality::Ok, detail: None })
}

const CONFIG: &str = "[providers.world.manual]\n[flow]\npoll_every = \"12h\"\n[safety]\ndisk_min = \"1 MB\"\n[caps]\nglobal_24h = \"100000.00 USD\"\n\
    [channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n";

fn fleet(lines: usize, owners: usize, rules: &str) -> String {
    let mut text = String::new();
    for owner in 0..owners {
        write!(
            text,
            "[[subscribers]]\nid = \"o{owner}\"\nname = \"Owner\"\nemail = \"o{owner}@example.com\"\nchannels = [\"mail\"]\ntime_zone = \"UTC\"\n"
        )
        .ok();
    }
    for n in 0..lines {
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{n:05}\"\nsubscriber = \"o{}\"\nlabel = \"L{n:05}\"\nmsisdn = \"+1202{:07}\"\nreader = \"world\"\npayers = [\"world\"]\n\
             plan = {{ price = \"15.00 USD\", cycle_days = 30, renewal = \"extend_from_expiry\", number_loss_days = 30 }}\n",
            n % owners, 2_000_000 + n
        )
        .ok();
    }
    text + rules
}

const AUTO: &str = "[[rules]]\nid = \"keep\"\napplies_to = { all = true }\nmode = \"auto\"\nany = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n\
    amount = { fixed = \"10.00 USD\" }\napprove_first = false\n";

async fn begin(
    world: &Arc<World>,
    config: &str,
    fleet: &str,
    grain: Span,
) -> anyhow::Result<House> {
    let providers: BTreeMap<String, Arc<dyn Provider>> =
        BTreeMap::from([("world".to_owned(), Arc::clone(world) as Arc<dyn Provider>)]);
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let clock = Arc::clone(&world.clock);
    *clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Clock::fixed(begin));
    let mut house = House::new(config, fleet, providers, begin).await?;
    house.grain = grain;
    *clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(house.clock.clone());
    Ok(house)
}

/// R16: off for 3, 7 and 30 days with a thousand lines, some of which went low meanwhile.
pub(crate) async fn downtime() -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R16 days of downtime");
    const LINES: usize = 1000;
    const OWNERS: usize = 100;
    for days in [3, 7, 30] {
        // Every fortieth line runs low while nobody looks.
        let born = Timestamp::from_ms(1_800_000_000_000);
        let world = World::new(Box::new(move |n, at| {
            let low = n % 40 == 0 && at.since(born) > Span::days(2);
            let values = Values {
                balance: Some(usd(if low { 300 } else { 2000 })),
                service_end_at: Some(born.plus(Span::days(400))),
                ..Values::default()
            };
            ok(values)
        }));
        let mut house =
            begin(&world, CONFIG, &fleet(LINES, OWNERS, AUTO), Span::minutes(1)).await?;
        house.pass(Span::days(1)).await?;
        house.close().await;
        house.clock.advance(Span::days(days));
        house.letterbox.took.lock().unwrap_or_else(PoisonError::into_inner).clear();
        house.open().await?;
        house.pass(Span::hours(1)).await?;
        let in_first_hour = world.orders.lock().unwrap_or_else(PoisonError::into_inner).len();
        // By recipient; orders and recoveries are told as they happen.
        let mut mails: HashMap<String, usize> = HashMap::new();
        for (_, text) in house.letterbox.took.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            if text.contains("running low") {
                *mails.entry(text.lines().last().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        house.pass(Span::days(1)).await?;
        let orders = world.orders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        row.trials += LINES as u64;
        let lines: HashSet<usize> = orders.iter().map(|(_, _, n)| *n).collect();
        row.double += (orders.len() - lines.len()) as u64;
        if lines.len() != LINES / 40 {
            row.fault(format!(
                "{days} days: {} of {} lines were paid for",
                lines.len(),
                LINES / 40
            ));
        }
        // Ten a minute is the rate; an hour holds all of them.
        if in_first_hour > 600 {
            row.fault(format!("{days} days: {in_first_hour} orders within an hour"));
        }
        // What ran low meanwhile comes in one mail, however many lines of theirs it is.
        let (whom, most) = mails.into_iter().max_by_key(|(_, n)| *n).unwrap_or_default();
        if most > 1 {
            row.fault(format!("{days} days: {most} mails {whom} about low lines within an hour"));
        }
        row.findings(house.findings().await?);
    }
    row.note = format!("{LINES} lines of {OWNERS} people off for 3, 7, 30 days");
    Ok(row.timed(started))
}

/// R18: every line answers garbage, in one round or by turns.
pub(crate) async fn garbage() -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R18 garbage storm");
    const LINES: usize = 60;
    for kind in 0..8_usize {
        for by_turns in [false, true] {
            let born = Timestamp::from_ms(1_800_000_000_000);
            let world = World::new(Box::new(move |n, at| {
                let end = Some(born.plus(Span::days(200)));
                let well =
                    Values { balance: Some(usd(2000)), service_end_at: end, ..Values::default() };
                let age = at.since(born);
                let is_calm = age < Span::days(1)
                    || (by_turns
                        && (age.ms() / Span::hours(1).ms() + i64::try_from(n).unwrap_or(0)) % 2
                            == 0);
                if is_calm {
                    return ok(well);
                }
                match kind {
                    0 => ok(Values { balance: Some(usd(0)), ..well }),
                    1 => ok(Values { balance: Some(usd(-100_000)), ..well }),
                    2 => ok(Values {
                        balance: Currency::parse("ZWG").ok().map(|c| Money::new(1, c)),
                        ..well
                    }),
                    3 => ok(Values { service_end_at: Some(born.minus(Span::days(300))), ..well }),
                    4 => ok(Values {
                        balance: Some(usd(1)),
                        service_end_at: Some(at.plus(Span::hours(1))),
                        ..well
                    }),
                    5 => Err(ReadError::unparseable("<html>")),
                    6 => Err(ReadError::new(ErrorKind::Identity, "another number")),
                    _ => ok(Values { balance: None, service_end_at: None, ..Values::default() }),
                }
            }));
            let rules = AUTO.replace(
                "[{ metric = \"balance\"",
                "[{ metric = \"days_to_service_end\", at_most = 7 }, { metric = \"balance\"",
            );
            let house = begin(&world, CONFIG, &fleet(LINES, 3, &rules), Span::minutes(2)).await?;
            house.pass(Span::days(1)).await?;
            house.letterbox.took.lock().unwrap_or_else(PoisonError::into_inner).clear();
            house.pass(Span::hours(18)).await?;
            let orders = world.orders.lock().unwrap_or_else(PoisonError::into_inner).len();
            row.trials += LINES as u64;
            if orders > 0 {
                row.wrong += orders as u64;
                row.fault(format!("kind {kind}, by turns {by_turns}: {orders} orders on garbage"));
            }
            row.findings(house.findings().await?);
        }
    }
    row.note = format!(
        "{LINES} lines, 8 kinds of garbage for eighteen hours, all at once and by turns: nothing is bought"
    );
    Ok(row.timed(started))
}

/// R19: no line expires in silence: 90 days, a thousand lines, outages of up to three days, readings
/// that fail now and then, a channel that is shut now and then.
pub(crate) async fn silence(lines: usize) -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R19 silent expiry");
    let born = Timestamp::from_ms(1_800_000_000_000);
    let mut dice = Dice::new(19);
    let ends: Vec<Timestamp> = (0..lines)
        .map(|_| {
            born.plus(Span::days(6))
                .plus(Span::minutes(i64::try_from(dice.roll(84 * 24 * 60)).unwrap_or(0)))
        })
        .collect();
    // Six outages of the whole provider.
    let outages: Vec<(Timestamp, Timestamp)> = (0..6)
        .map(|n| {
            let from = born
                .plus(Span::days(8 + 13 * n))
                .plus(Span::hours(i64::try_from(dice.roll(24)).unwrap_or(0)));
            (from, from.plus(Span::hours(1 + i64::try_from(dice.roll(71)).unwrap_or(0))))
        })
        .collect();
    let (said, out) = (ends.clone(), outages.clone());
    let world = World::new(Box::new(move |n, at| {
        if out.iter().any(|(from, to)| at >= *from && at < *to)
            || (at.ms() / 7_919 + i64::try_from(n).unwrap_or(0) * 31) % 11 == 0
        {
            return Err(ReadError::new(ErrorKind::Temporary, "timeout"));
        }
        let end = said.get(n).copied();
        ok(Values { balance: Some(usd(2000)), service_end_at: end, ..Values::default() })
    }));
    let rules = "[[rules]]\nid = \"dates\"\napplies_to = { all = true }\nmode = \"notify\"\nany = [{ metric = \"days_to_service_end\", at_most = 7 }]\n";
    let house =
        begin(&world, CONFIG, &fleet(lines, lines.div_ceil(5), rules), Span::minutes(30)).await?;
    let mut shut_until = born;
    for day in 0..92 {
        if dice.roll(9) == 0 {
            shut_until = house.now().plus(Span::hours(i64::try_from(dice.roll(10)).unwrap_or(0)));
        }
        for _ in 0..4 {
            let shut = house.now() < shut_until;
            house.letterbox.is_shut.store(shut, std::sync::atomic::Ordering::SeqCst);
            house.pass(Span::hours(6)).await?;
        }
        if day % 30 == 29 {
            println!("  R19: day {}", day + 1);
        }
    }
    let took = house.letterbox.took.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (n, end) in ends.iter().enumerate() {
        row.trials += 1;
        let label = format!("L{n:05}");
        let told = took
            .iter()
            .filter(|(at, text)| *at < *end && text.contains(&label))
            .map(|(at, _)| end.since(*at))
            .max();
        if told.is_none_or(|ahead| ahead < Span::days(1)) {
            row.lost += 1;
            row.fault(format!("line {n} expired at {end}; told {told:?} ahead"));
        }
    }
    row.findings(house.findings().await?);
    row.note = format!(
        "{lines} lines over 92 days, 6 outages of up to 72 h, channel shut now and then; {} mails",
        took.len()
    );
    Ok(row.timed(started))
}
