//! Every adapter of a published API against its fake: the whole engine under a virtual clock, real
//! HTTP, answers lost before and after the charge, pages, broken JSON, 401, 429, refusals, other
//! targets, and crashes at every named place.

use super::{
    chance::{Grave, arm, places, step},
    fake::Dice,
    house::House,
    table::Row,
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};
use topupd::{
    domain::{Currency, Money, Quality, Span, State, Subscription, Timestamp, Topup, Values},
    failpoint,
    flow::{Resolution, Stage},
    providers::{
        Answer, Declares, Found, FreezeError, Order, Provider, ReadError, ReadOk, TestReport,
    },
    sim::fakes::{FAKES, Fake, FakeCharge, FakeKind, Shared, Trouble},
};

const CONFIG: &str = "[flow]\npoll_every = \"1h\"\nconcurrency = 1\n[safety]\nstorm_min = 50\npayer_rate = \"1000/s\"\nresubmit = \"strict\"\n\
    unknown_limit = 40\ndisk_min = \"1 MB\"\n[caps]\nglobal_24h = \"200.00 USD\"\norders_24h = 100\norders_30d = 100\n[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\n\
    from = \"a@example.com\"\n[providers.reader.manual]\n";

fn fleet(kind: &FakeKind) -> String {
    let target = match kind.iccid {
        Some(iccid) => format!("iccid = \"{iccid}\""),
        None => "msisdn = \"+12025550123\"".to_owned(),
    };
    let product =
        kind.product.map(|p| format!("products = {{ api = \"{p}\" }}\n")).unwrap_or_default();
    format!(
        "[[subscribers]]\nid = \"o\"\nname = \"O\"\nemail = \"o@example.com\"\nchannels = [\"mail\"]\ntime_zone = \"UTC\"\n\
         [[subscriptions]]\nid = \"line\"\nsubscriber = \"o\"\nlabel = \"L\"\n{target}\nreader = \"reader\"\npayers = [\"api\"]\n{product}\
         [[rules]]\nid = \"keep\"\napplies_to = {{ all = true }}\nmode = \"auto\"\nany = [{{ metric = \"balance\", at_most = \"5.00 USD\" }}]\n\
         amount = {{ fixed = \"10.00 USD\" }}\ncaps = {{ subscription_30d = \"200.00 USD\" }}\napprove_first = false\n\
         cooldown_attempt = \"10m\"\ncooldown_success = \"10m\"\nmax_declines = 20\n"
    )
}

/// Reads what the fake charged, and burns ten dollars between two orders.
#[derive(Debug)]
struct Reader {
    shared: Shared,
    declares: Declares,
}

#[async_trait]
impl Provider for Reader {
    fn declares(&self) -> &Declares {
        &self.declares
    }

    async fn read(&self, _: &Subscription) -> Result<ReadOk, ReadError> {
        let charges = i64::try_from(self.shared.charges().len()).unwrap_or(0);
        let burnt = self.shared.books().world.get("burnt").and_then(serde_json::Value::as_i64);
        let cents = 300 + 1000 * charges - burnt.unwrap_or(0);
        let currency =
            Currency::parse("USD").map_err(|error| ReadError::unparseable(error.to_string()))?;
        let values = Values { balance: Some(Money::new(cents, currency)), ..Values::default() };
        Ok(ReadOk { values, quality: Quality::Ok, detail: None })
    }

    fn freeze(&self, _: &Order) -> Result<String, FreezeError> {
        Err(FreezeError("it only reads".into()))
    }

    async fn topup(&self, _: &Order, _: &str) -> Answer {
        Answer::NotSent { why: "it only reads".into() }
    }

    async fn find(&self, _: &Order) -> Found {
        Found::Nothing
    }

    async fn test(&self) -> Result<TestReport, ReadError> {
        Ok(TestReport { detail: "a reader".into() })
    }
}

const TROUBLES: [Trouble; 14] = [
    Trouble::None,
    Trouble::None,
    Trouble::LostBefore,
    Trouble::LostAfter,
    Trouble::LostAfter,
    Trouble::FailedAfter,
    Trouble::Page,
    Trouble::PageAfter,
    Trouble::Truncated,
    Trouble::RateLimited,
    Trouble::Unauthorized,
    Trouble::Pending,
    Trouble::Refused,
    Trouble::OtherTarget,
];

pub(crate) async fn lived(lives: u64) -> anyhow::Result<Row> {
    let started = Instant::now();
    let mut row = Row::new("R20 adapters of published APIs");
    let paying: Vec<&FakeKind> = FAKES.iter().filter(|kind| kind.pays).collect();
    let (mut charges, mut crashes) = (0, 0);
    for seed in 0..lives {
        for kind in &paying {
            let before = row.faults.len();
            let (charged, crashed) = Box::pin(live(seed, kind, &mut row)).await?;
            charges += charged;
            crashes += crashed;
            row.trials += 1;
            for fault in row.faults.iter_mut().skip(before) {
                *fault = format!("{} seed {seed}: {fault}", kind.kind);
            }
        }
    }
    let names: Vec<&str> = paying.iter().map(|kind| kind.kind).collect();
    row.note = format!("{}: {charges} charges, {crashes} crashes, real HTTP", names.join(", "));
    Ok(row.timed(started))
}

async fn live(seed: u64, kind: &FakeKind, row: &mut Row) -> anyhow::Result<(usize, u64)> {
    let mut dice = Dice::new(seed ^ 0xA11);
    let fake = Fake::start(*kind).await?;
    let shared = fake.shared().clone();
    let config = fake.config().replace("\n[", &format!("\n[providers.api.{}.", kind.kind));
    let config = format!("{CONFIG}[providers.api.{}]\n{config}", kind.kind);
    let reader = Reader {
        shared: shared.clone(),
        declares: Declares { reads: true, ..Declares::default() },
    };
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let extra = BTreeMap::from([("reader".to_owned(), Arc::new(reader) as Arc<dyn Provider>)]);
    let mut house = House::new(&config, &fleet(kind), extra, begin).await?;
    let grave = Arc::<Grave>::default();
    let mut must: BTreeSet<String> = places().into_iter().filter(|_| dice.roll(4) == 0).collect();
    let mut crashes = 0;
    let end = begin.plus(Span::hours(8));
    while house.now() < end {
        let pick = |dice: &mut Dice| TROUBLES[usize::try_from(dice.roll(14)).unwrap_or(0)];
        shared.trouble_orders(&[pick(&mut dice), pick(&mut dice)]);
        let question = pick(&mut dice);
        let questions = if dice.roll(3) == 0 { vec![question; 2] } else { Vec::new() };
        shared.trouble_questions(&questions);
        for what in Stage::ALL {
            arm(&mut dice, &grave, &must, true);
            if step(Box::pin(house.run(what)), &grave).await? {
                failpoint::stop_when(None);
                if let Some(place) = grave.take() {
                    must.remove(&place);
                }
                crashes += 1;
                house.close().await;
                house.open().await?;
            }
        }
        failpoint::stop_when(None);
        let calm = house.topups().await?.iter().all(|t| t.state.is_final());
        if calm && dice.roll(3) == 0 {
            let charges = shared.charges().len();
            shared.books().world.insert("burnt".into(), serde_json::json!(1000 * charges));
        }
        let soon = house.now().plus(Span::seconds(1));
        let to = house.tick_due().await?.unwrap_or(end).max(soon);
        house.clock.advance(to.min(soon.plus(Span::hours(1))).min(end).since(house.now()));
    }
    shared.trouble_orders(&[]);
    shared.trouble_questions(&[]);
    for _ in 0..8 {
        house.pass(Span::hours(1)).await?;
        person(&house, &shared).await?;
    }
    let (topups, charges) = (house.topups().await?, shared.charges());
    compare(row, kind, &charges, &topups);
    row.findings(house.findings().await?);
    house.close().await;
    Ok((charges.len(), crashes))
}

/// Whatever waits for a person is looked up in the provider's console.
async fn person(house: &House, shared: &Shared) -> anyhow::Result<()> {
    for topup in house.topups().await?.iter().filter(|t| t.state == State::Held) {
        let was_charged = shared.charges().iter().any(|c| is_of(c, topup));
        let word = if was_charged { Resolution::Paid } else { Resolution::Failed };
        drop(house.engine().resolve(topup.id.as_str(), word, "console", true, "somebody").await);
    }
    Ok(())
}

/// Where the API keeps no references, the console shows times; here there is one order at a time.
fn is_of(charge: &FakeCharge, topup: &Topup) -> bool {
    charge.reference.is_empty() || charge.reference.eq_ignore_ascii_case(&topup.reference)
}

fn compare(row: &mut Row, kind: &FakeKind, charges: &[FakeCharge], topups: &[Topup]) {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let ours = digits(kind.iccid.unwrap_or("+12025550123"));
    for charge in charges {
        let theirs = digits(&charge.target);
        // Numbers without their country, serials without their check digit, names of the API's own.
        let is_it = theirs.len() >= 10 && (ours.ends_with(&theirs) || ours.starts_with(&theirs));
        if !is_it && kind.alias != Some(charge.target.as_str()) {
            row.wrong += 1;
            row.fault(format!("{} was topped up", charge.target));
        }
    }
    if charges.iter().all(|c| c.reference.is_empty()) {
        let sent = topups.iter().filter(|t| t.maybe_sent > 0).count();
        if charges.len() > sent {
            row.double += 1;
            row.fault(format!("{} charges for {sent} orders that were sent", charges.len()));
        }
        return;
    }
    for topup in topups {
        let of_it = charges.iter().filter(|c| is_of(c, topup)).count();
        if of_it > 1 {
            row.double += 1;
            row.fault(format!("{} was charged {of_it} times", topup.id));
        }
        let gone = matches!(topup.state, State::Failed | State::Cancelled | State::Proposed);
        if of_it > 0 && gone {
            row.lost_order(topup);
        }
    }
    for charge in charges.iter().filter(|c| !topups.iter().any(|t| is_of(c, t))) {
        row.lost_charge(&charge.id, &charge.reference);
    }
}
