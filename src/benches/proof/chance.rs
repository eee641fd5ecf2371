//! R5: the whole engine under a virtual clock, a fake provider of every class and a seed. Crashes at
//! every named place, restored backups, clocks that leap, people that decide: whatever the seed says.
//! The same seed gives the same trace.

use super::{
    fake::{Booking, Books, Dice, Fake},
    house::House,
    oracle::{Charge, Class},
    table::Row,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use topupd::{
    domain::{Span, State, Timestamp},
    failpoint,
    flow::{Resolution, Stage},
    providers::{Booked, Declares, Lookup, Provider, RefUnique},
};

const CONFIG: &str = "[flow]\npoll_every = \"6h\"\n[safety]\nstorm_min = 50\npayer_rate = \"1000/s\"\nresubmit = \"strict\"\nunknown_limit = 40\n\
    disk_min = \"1 MB\"\n[caps]\nglobal_24h = \"60.00 USD\"\n[channels.mail.email]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"a@example.com\"\n";

fn declares(class: Class) -> Declares {
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

/// The place at which a stage died, and how that is noticed.
#[derive(Debug, Default)]
struct Grave {
    place: Mutex<Option<String>>,
    dug: tokio::sync::Notify,
}

impl Grave {
    fn take(&self) -> Option<String> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Every place at which it can die.
fn places() -> Vec<String> {
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

/// Decides whether the next stage dies: where this life must die once, or at a random place.
fn arm(dice: &mut Dice, grave: &Arc<Grave>, must: Option<&str>) {
    let mut left = if dice.roll(100) < 8 { Some(dice.roll(4)) } else { None };
    let (grave, mut must) = (Arc::clone(grave), must.map(str::to_owned));
    failpoint::stop_when(Some(Box::new(move |name| {
        if name.starts_with(':') {
            return false;
        }
        let here = must.take_if(|must| must == name).is_some() || left == Some(0);
        left = left.and_then(|n| n.checked_sub(1));
        if here {
            *grave.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
            grave.dug.notify_one();
        }
        here
    })));
}

/// Runs one stage, or dies in it. True when it died.
async fn stage(house: &House, what: Stage, grave: &Grave) -> anyhow::Result<bool> {
    tokio::select! {
        biased;
        done = house.run(what) => done.map(|()| false),
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
    let mode = if (seed / 30).is_multiple_of(4) { "approve" } else { "auto" };
    let books = Arc::new(Mutex::new(Books {
        dice: Dice::new(seed ^ 0x5151),
        cents: BTreeMap::new(),
        bookings: Vec::new(),
        charges: Vec::new(),
        next: 0,
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
    let all = places();
    let mut must = all.get(usize::try_from(seed)? % all.len()).cloned();
    let mut out = Seeded::default();
    let backup = house.dir.path().join("backup");
    let mut has_backup = false;
    let end = begin.plus(Span::hours(20));
    while house.now() < end {
        for what in Stage::ALL {
            arm(&mut dice, &grave, must.as_deref());
            if stage(&house, what, &grave).await? {
                failpoint::stop_when(None);
                let place = grave.take();
                must.take_if(|must| place.as_ref() == Some(must));
                out.crashed_at.extend(place);
                out.crashes += 1;
                house.close().await;
                house.open().await?;
            }
        }
        failpoint::stop_when(None);
        match dice.roll(60) {
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
            3 => somebody(&house, &books, &mut dice).await?,
            5 => {
                let at = usize::try_from(dice.roll(2))?;
                somebody_else_pays(&books, at);
            }
            4 => house.clock.advance(Span::hours(7)),
            6 => drop(house.engine().set_money(Some("holiday")).await?),
            7 => drop(house.engine().set_money(None).await?),
            _ => {}
        }
        let due = house.tick_due().await?;
        let step =
            Span::minutes(1).plus(Span::seconds(i64::try_from(dice.roll(2400)).unwrap_or(0)));
        let to =
            due.unwrap_or(end).max(house.now().plus(Span::seconds(1))).min(house.now().plus(step));
        house.clock.advance(to.since(house.now()));
    }
    // Calm at the end: whatever can be settled is.
    books.lock().unwrap_or_else(PoisonError::into_inner).fog = 0;
    house.engine().set_money(None).await?;
    house.pass(Span::hours(6)).await?;
    let topups = house.topups().await?;
    let charges = books.lock().unwrap_or_else(PoisonError::into_inner).charges.clone();
    let before = row.faults.len();
    // What could not be brought back into the rows was told to a person, by its reference.
    let told = house.engine().store().discrepancies(false).await?;
    let is_told =
        |c: &&Charge| told.iter().any(|d| d.kind == "recorder" && d.what.contains(&c.reference));
    let in_rows: Vec<Charge> = charges.iter().filter(|c| !is_told(c)).cloned().collect();
    row.compare(&in_rows, &topups);
    row.findings(house.findings().await?);
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
    let is_final =
        |b: &&Booking| b.later.is_none() && matches!(b.status, Booked::Refused | Booked::Reversed);
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

/// `seeds` seeds from `first` on, on every core; every tenth is lived twice.
pub(crate) fn seeds(first: u64, seeds: u64) -> anyhow::Result<Row> {
    let started = Instant::now();
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let workers: Vec<_> = (0..cores)
        .map(|worker| {
            std::thread::spawn(move || -> anyhow::Result<(Row, Seeded)> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let (mut row, mut sum) =
                    (Row::new("R5 deterministic simulation"), Seeded::default());
                for seed in (first..first + seeds).filter(|seed| seed % cores == worker) {
                    let lived = runtime.block_on(live(seed, &mut row))?;
                    row.trials += 1;
                    if seed.is_multiple_of(10) {
                        let again = runtime.block_on(live(seed, &mut row))?;
                        if again.trace != lived.trace {
                            row.fault(format!("seed {seed}: lived twice, with different traces"));
                        }
                    }
                    sum.charges += lived.charges;
                    sum.crashes += lived.crashes;
                    sum.restores += lived.restores;
                    sum.arrows.extend(lived.arrows);
                    sum.crashed_at.extend(lived.crashed_at);
                }
                Ok((row, sum))
            })
        })
        .collect();
    let mut row = Row::new("R5 deterministic simulation");
    let mut sum = Seeded::default();
    for worker in workers {
        let (one, seeded) = worker.join().map_err(|_| anyhow::anyhow!("a worker died"))??;
        row.trials += one.trials;
        row.double += one.double;
        row.lost += one.lost;
        row.wrong += one.wrong;
        row.overshoot += one.overshoot;
        row.faults.extend(one.faults);
        sum.charges += seeded.charges;
        sum.crashes += seeded.crashes;
        sum.restores += seeded.restores;
        sum.arrows.extend(seeded.arrows);
        sum.crashed_at.extend(seeded.crashed_at);
    }
    coverage(&sum, seeds, &mut row);
    row.note = format!(
        "seeds {first} to {}: {} charges, {} crashes at {} places, {} restored backups, {} of the arrows",
        first + seeds - 1,
        sum.charges,
        sum.crashes,
        sum.crashed_at.len(),
        sum.restores,
        sum.arrows.len()
    );
    Ok(row.timed(started))
}

/// R2, R3: every arrow of the state machine was gone, and died before and after its commit.
fn coverage(sum: &Seeded, seeds: u64, row: &mut Row) {
    if seeds < 500 {
        return;
    }
    let all = State::ALL.iter().flat_map(|from| from.next().iter().map(move |to| (from, to)));
    for (from, to) in all {
        // In the table for providers that take back what they accepted; no look-up says that today.
        if (*from, *to) == (State::Pending, State::Unknown) {
            continue;
        }
        let arrow = format!("{}>{}", from.as_str(), to.as_str());
        if !sum.arrows.contains(&arrow) {
            row.fault(format!("no seed went {arrow}"));
        }
        for side in ["before", "after"] {
            if !sum.crashed_at.contains(&format!("{arrow}:{side}")) {
                row.fault(format!("no seed died {side} {arrow}"));
            }
        }
    }
    for place in failpoint::PLACES {
        if !sum.crashed_at.contains(place) {
            row.fault(format!("no seed died at {place}"));
        }
    }
}
