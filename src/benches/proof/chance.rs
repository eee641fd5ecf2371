//! R5: the whole engine under a virtual clock, a fake provider of every class and a seed. Crashes at
//! every named place, restored backups, clocks that leap, people that decide: whatever the seed says.
//! The same seed gives the same trace.

use super::{
    fake::{Booking, Books, Dice, Fake, declares},
    house::House,
    oracle::{Charge, Class},
    table::Row,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};
use topupd::{
    domain::{Span, State, Timestamp},
    failpoint,
    flow::{Resolution, Stage},
    providers::{Booked, Provider},
};

const CONFIG: &str = "[flow]\npoll_every = \"6h\"\nconcurrency = 1\n[safety]\nstorm_min = 50\npayer_rate = \"1000/s\"\nresubmit = \"strict\"\nunknown_limit = 40\n\
    disk_min = \"1 MB\"\n[caps]\nglobal_24h = \"60.00 USD\"\n[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n";

fn fleet(classes: &[Class], mode: &str) -> String {
    let mut text = String::from(
        "[[subscribers]]\nid = \"o\"\nname = \"O\"\nemail = \"o@example.com\"\nchannels = [\"mail\"]\ntime_zone = \"UTC\"\n",
    );
    for (n, class) in classes.iter().enumerate() {
        let word = class.word();
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{word}\"\nsubscriber = \"o\"\nlabel = \"L\"\nmsisdn = \"+1202555{:04}\"\nreader = \"{word}\"\npayers = [\"{word}\"]\n",
            1000 + n
        )
        .ok();
    }
    text + "[[rules]]\nid = \"keep\"\napplies_to = { all = true }\nmode = \"MODE\"\nany = [{ metric = \"balance\", at_most = \"5.00 USD\" }]\n\
            amount = { fixed = \"10.00 USD\" }\ncaps = { subscription_30d = \"60.00 USD\" }\napprove_first = false\ncooldown_attempt = \"1h\"\ncooldown_success = \"1h\"\nmax_declines = 20\n".replace("MODE", mode).as_str()
}

/// What one seed came to.
#[derive(Debug, Default)]
pub(crate) struct Seeded {
    pub(crate) trace: u64,
    pub(crate) charges: usize,
    pub(crate) crashes: u64,
    pub(crate) restores: u64,
    pub(crate) arrows: BTreeSet<String>,
    pub(crate) crashed_at: BTreeSet<String>,
}

impl Seeded {
    /// The process is gone; another one begins.
    async fn die(
        &mut self,
        house: &mut House,
        grave: &Grave,
        must: &mut BTreeSet<String>,
    ) -> anyhow::Result<()> {
        failpoint::stop_when(None);
        if let Some(place) = grave.take() {
            must.remove(&place);
            self.crashed_at.insert(place);
        }
        self.crashes += 1;
        house.close().await;
        house.open().await
    }
}

/// The place at which a stage died, and how that is noticed.
#[derive(Debug, Default)]
pub(super) struct Grave {
    place: Mutex<Option<String>>,
    dug: tokio::sync::Notify,
}

impl Grave {
    pub(super) fn take(&self) -> Option<String> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Every place at which it can die.
pub(super) fn places() -> Vec<String> {
    let arrows = State::ALL.iter().flat_map(|from| from.next().iter().map(move |to| (from, to)));
    let mut all: Vec<String> = arrows
        .flat_map(|(from, to)| {
            let arrow = format!("{}>{}", from.as_str(), to.as_str());
            ["before", "after"].map(|side| format!("{arrow}:{side}"))
        })
        .collect();
    all.extend(["none>proposed:before", "none>proposed:after"].map(str::to_owned));
    all.extend(failpoint::PLACES.map(str::to_owned));
    all
}

/// Decides where the next step dies: at each of the places where this life must die once, or,
/// where `luck` says so, at a random one.
pub(super) fn arm(dice: &mut Dice, grave: &Arc<Grave>, must: &BTreeSet<String>, luck: bool) {
    let mut left = if luck && dice.roll(100) < 8 { Some(dice.roll(4)) } else { None };
    let (grave, must) = (Arc::clone(grave), must.clone());
    let mut is_dead = false;
    failpoint::stop_when(Some(Box::new(move |name| {
        if name.starts_with(':') {
            return false;
        }
        let here = !is_dead && (must.contains(name) || left == Some(0));
        left = left.and_then(|n| n.checked_sub(1));
        if here {
            *grave.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
            grave.dug.notify_one();
        }
        is_dead |= here;
        // Whatever comes by after the death does not come farther either.
        is_dead
    })));
}

/// Does a step, or dies in it. True when it died.
pub(super) async fn step(
    what: impl Future<Output = anyhow::Result<()>>,
    grave: &Grave,
) -> anyhow::Result<bool> {
    tokio::select! {
        biased;
        done = what => done.map(|()| false),
        () = grave.dug.notified() => Ok(true),
    }
}

/// One life under one seed.
pub(crate) async fn live(seed: u64, row: &mut Row) -> anyhow::Result<Seeded> {
    fastrand::seed(seed);
    let mut dice = Dice::new(seed);
    // Two lines at providers of two classes; every pair comes up.
    let (a, b) = (usize::try_from(seed % 6)?, usize::try_from(seed / 6 % 5)? + 1);
    let classes = [Class::ALL[a], Class::ALL[(a + b) % 6]];
    let mode = if (seed / 30).is_multiple_of(6) { "approve" } else { "auto" };
    let books = Arc::new(Mutex::new(Books {
        seed: seed ^ 0x5151,
        rolled: BTreeMap::new(),
        cents: BTreeMap::new(),
        bookings: Vec::new(),
        charges: Vec::new(),
        fog: 0,
    }));
    let providers: BTreeMap<String, Arc<dyn Provider>> = classes
        .iter()
        .map(|class| {
            let fake =
                Fake { class: *class, books: Arc::clone(&books), declares: declares(*class) };
            (class.word().to_owned(), Arc::new(fake) as Arc<dyn Provider>)
        })
        .collect();
    let stand_ins: String =
        classes.iter().map(|c| format!("[providers.{}.manual]\n", c.word())).collect();
    let begin = Timestamp::from_ms(1_800_000_000_000);
    let mut house =
        House::new(&(stand_ins + CONFIG), &fleet(&classes, mode), providers, begin).await?;
    let grave = Arc::<Grave>::default();
    // A third of all places, each once; those where few lives come by always.
    let is_rare = |place: &str| {
        (place.contains("reversed") || place.starts_with("held>")) && place.ends_with("after")
    };
    let mut must: BTreeSet<String> =
        places().into_iter().filter(|place| dice.roll(3) == 0 || is_rare(place)).collect();
    let mut out = Seeded::default();
    let backup = house.dir.path().join("backup");
    let mut has_backup = false;
    // Most faults need one order only; every fiftieth life lasts for many.
    let hours = if dice.roll(50) == 0 { 30 } else { 3 };
    let end = begin.plus(Span::hours(hours));
    while house.now() < end {
        for what in Stage::ALL {
            arm(&mut dice, &grave, &must, true);
            if step(Box::pin(house.run(what)), &grave).await? {
                out.die(&mut house, &grave, &mut must).await?;
            }
        }
        failpoint::stop_when(None);
        match dice.roll(40) {
            0 => {
                house.close().await;
                house.copy_rows(&backup)?;
                has_backup = true;
                house.open().await?;
            }
            1 if has_backup => {
                house.close().await;
                house.restore_rows(&backup)?;
                out.restores += 1;
                house.open().await?;
            }
            2 => {
                let fog = dice.roll(2);
                books.lock().unwrap_or_else(PoisonError::into_inner).fog = fog;
            }
            3 | 8 => {
                arm(&mut dice.clone(), &grave, &must, false);
                if step(somebody(&house, &books, &mut dice), &grave).await? {
                    out.die(&mut house, &grave, &mut must).await?;
                }
                failpoint::stop_when(None);
            }
            5 => {
                let at = usize::try_from(dice.roll(2))?;
                somebody_else_pays(&books, at);
            }
            4 => house.clock.advance(Span::hours(7)),
            6 => drop(house.engine().set_money(Some("holiday")).await?),
            7 => drop(house.engine().set_money(None).await?),
            _ => {}
        }
        // On to the next due thing; now and then late. People do not wait for what is due.
        let late = if dice.roll(4) == 0 { dice.roll(2400) } else { 0 };
        let late = Span::seconds(i64::try_from(late).unwrap_or(0));
        let soon = house.now().plus(Span::seconds(1));
        let to = house.tick_due().await?.unwrap_or(end).max(soon).plus(late);
        let to = to.min(soon.plus(Span::hours(1))).min(end);
        house.clock.advance(to.since(house.now()));
    }
    // Calm at the end: whatever can be settled is.
    books.lock().unwrap_or_else(PoisonError::into_inner).fog = 0;
    house.engine().set_money(None).await?;
    settle(&house).await?;
    let topups = house.topups().await?;
    let charges = charged(&books);
    let before = row.faults.len();
    // What could not be brought back into the rows was told to a person, by its reference.
    let told = house.engine().store().discrepancies(false).await?;
    let is_told =
        |c: &&Charge| told.iter().any(|d| d.kind == "recorder" && d.what.contains(&c.reference));
    let in_rows: Vec<Charge> = charges.iter().filter(|c| !is_told(c)).cloned().collect();
    row.compare(&in_rows, &topups);
    row.findings(house.findings().await?);
    if std::env::var_os("TELL").is_some() {
        tell(&house, seed).await?;
    }
    for fault in row.faults.iter_mut().skip(before) {
        *fault = format!("seed {seed}: {fault}");
    }
    let mut hasher = DefaultHasher::new();
    for topup in &topups {
        for event in house.engine().store().topup_events(&topup.id).await? {
            (&event.from, &event.to, event.at.ms(), topup.reference.as_str()).hash(&mut hasher);
            if event.from != event.to {
                out.arrows.insert(format!("{}>{}", event.from, event.to));
            }
        }
    }
    for charge in &charges {
        (&charge.reference, &charge.id, charge.cents).hash(&mut hasher);
    }
    out.trace = hasher.finish();
    out.charges = charges.len();
    house.close().await;
    Ok(out)
}

/// Lets time go by until nothing is open, and no longer than for six hours.
async fn settle(house: &House) -> anyhow::Result<()> {
    for _ in 0..12 {
        house.pass(Span::minutes(30)).await?;
        if house
            .topups()
            .await?
            .iter()
            .all(|t| t.state.is_final() || matches!(t.state, State::Held | State::AwaitingApproval))
        {
            break;
        }
    }
    Ok(())
}

/// What the provider charged and did not give back, in an order that is always the same.
fn charged(books: &Mutex<Books>) -> Vec<Charge> {
    let books = books.lock().unwrap_or_else(PoisonError::into_inner);
    let came_back =
        |id: &str| books.bookings.iter().any(|b| b.id == id && b.status == Booked::Reversed);
    let mut left: Vec<Charge> =
        books.charges.iter().filter(|c| !came_back(&c.id)).cloned().collect();
    left.sort_by(|a, b| a.id.cmp(&b.id));
    left
}

/// Everything that happened, for whoever looks into a seed (`TELL=1 … -- --only chance --first-seed N --seeds 1`).
async fn tell(house: &House, seed: u64) -> anyhow::Result<()> {
    for topup in house.topups().await? {
        println!("seed {seed}: {} {} {}", topup.id, topup.payer, topup.reference);
        for e in house.engine().store().topup_events(&topup.id).await? {
            println!("    {} {} > {} {}: {}", e.at, e.from, e.to, e.actor, e.why);
        }
    }
    Ok(())
}

/// Money that is not ours.
fn somebody_else_pays(books: &Mutex<Books>, at: usize) {
    let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cents) = books.cents.values_mut().nth(at) {
        *cents += 1500;
    }
}

/// What a person reads of a reference in the provider's console; `None` while nothing is final.
fn console(books: &Mutex<Books>, reference: &str) -> Option<Resolution> {
    let books = books.lock().unwrap_or_else(PoisonError::into_inner);
    let of_it: Vec<&Booking> = books.bookings.iter().filter(|b| b.reference == reference).collect();
    if of_it.iter().any(|b| b.status == Booked::Paid) {
        return Some(Resolution::Paid);
    }
    let is_final = |b: &&Booking| {
        b.later.is_none()
            && matches!(b.status, Booked::Refused | Booked::Reversed | Booked::Unclear)
    };
    of_it.iter().all(is_final).then_some(Resolution::Failed)
}

/// A person decides about something.
async fn somebody(house: &House, books: &Mutex<Books>, dice: &mut Dice) -> anyhow::Result<()> {
    for topup in house.topups().await? {
        let id = topup.id.as_str();
        match (topup.state, dice.roll(3)) {
            // The provider's console tells what became of it; it may take a while to.
            (State::Held, 0) => {
                let said = console(books, &topup.reference);
                if let Some(what) = said {
                    drop(house.engine().resolve(id, what, "console", true, "somebody").await);
                }
            }
            (State::AwaitingApproval, 0 | 1) => {
                drop(house.engine().approve(id, None, "somebody").await)
            }
            (State::AwaitingApproval, _) | (State::Proposed | State::Reserved, 0) => {
                drop(house.engine().reject(id, "somebody").await)
            }
            _ => {}
        }
    }
    if dice.roll(2) == 0 {
        house.engine().set_money(None).await?;
    }
    Ok(())
}
