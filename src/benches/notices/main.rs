//! What telling people costs: a queue of notices, rendered and handed to a mail server on loopback.
//!
//! `cargo bench --bench notices -- --notices 10000` starts a mail server in a process of its own and
//! measures, one after the other and against that same process: letters that are handed over by the
//! mail library alone, as many at once as the outbox does; then the outbox (claim, look again,
//! render, hand over, write down).
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use anyhow::{Context, bail};
use futures_util::StreamExt as _;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use topupd::{
    app::{App, Paying},
    clock::Clock,
    config::{
        Settings,
        fleet::{Fleet, FleetContext, StoredFleet},
    },
    domain::{Facts, NoticeDraft, NoticeKind, Severity},
    flow::{Stage, fleet_changes},
    sim::mailbox::Mailbox,
};

/// Hidden: this process is the mail server.
const SERVE: &str = "--serve";
/// As many at once as the outbox has.
const AT_ONCE: usize = 16;

fn main() -> anyhow::Result<()> {
    let mut notices = 10_000_usize;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            SERVE => return serve(),
            "--notices" => {
                let value = args.next().context("--notices: a value is missing")?;
                notices = value.parse().with_context(|| format!("--notices: found {value:?}"))?;
            }
            _ => bail!("found {arg}; allowed is --notices"),
        }
    }
    tokio::runtime::Runtime::new()?.block_on(measure(notices))
}

/// Prints where it listens and answers until its input ends.
fn serve() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let mailbox = Mailbox::start().await?;
        println!("{}", mailbox.url());
        std::io::stdout().flush()?;
        tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
        Ok(())
    })
}

/// The mail server, which ends with this.
struct Server(Child, String);

impl Server {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut url)?;
        Ok(Self(child, url.trim().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn measure(notices: usize) -> anyhow::Result<()> {
    let server = Server::start()?;
    let bare = by_the_library_alone(&server.1, notices.min(2_000)).await?;
    println!("{:<52}{bare}", "a  letters by the mail library alone");
    let dir = tempfile::tempdir()?;
    let app = queue(dir.path(), &server.1, notices).await?;
    let before = resident("VmRSS")?;
    fs::write("/proc/self/clear_refs", "5").context("the peak cannot be forgotten")?;
    let meter = Meter::start();
    let report = app.engine().run_stage(Stage::Notify).await?;
    let outbox = meter.stop(report.done);
    let growth = resident("VmHWM")?.saturating_sub(before);
    println!("{:<52}{outbox}", "b  the outbox: claim, render, hand over, write down");
    println!("   {} of {notices} sent; resident memory grew by {growth} KiB at most", report.done);
    let ratio = bare.per_second.saturating_mul(100).checked_div(outbox.per_second).unwrap_or(0);
    println!("   a / b: {}.{:02}", ratio / 100, ratio % 100);
    if report.done != notices {
        bail!("{} notices were not sent", notices - report.done);
    }
    app.close().await;
    Ok(())
}

/// One letter, again and again, each on a connection of its own.
async fn by_the_library_alone(url: &str, letters: usize) -> anyhow::Result<Rate> {
    let server: AsyncSmtpTransport<Tokio1Executor> =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build();
    let letter = lettre::Message::builder()
        .from("topupd@example.com".parse()?)
        .to("li@example.com".parse()?)
        .subject("a letter")
        .body("text ".repeat(800))?;
    let meter = Meter::start();
    let sent = futures_util::stream::iter(0..letters)
        .map(|_| server.send(letter.clone()))
        .buffer_unordered(AT_ONCE)
        .filter(|sent| std::future::ready(sent.is_ok()))
        .count()
        .await;
    Ok(meter.stop(sent))
}

/// An installation with a notice in the queue for each of so many people.
async fn queue(dir: &Path, url: &str, notices: usize) -> anyhow::Result<App> {
    let (config, fleet) = (dir.join("topupd.toml"), dir.join("fleet.toml"));
    let database = dir.join("t.db");
    fs::write(
        &config,
        format!(
            "[database]\nurl = \"sqlite://{}\"\n[channels.mail.email]\nurl = {url:?}\nfrom = \"topupd@example.com\"\n",
            database.display()
        ),
    )?;
    let mut text = String::new();
    for n in 0..notices {
        text.push_str(&format!(
            "[[subscribers]]\nid = \"p{n}\"\nemail = \"p{n}@example.com\"\nlocale = \"{}\"\n",
            if n % 2 == 0 { "en" } else { "zh-CN" }
        ));
    }
    fs::write(&fleet, text)?;
    let settings = Settings::load(&[config], std::iter::empty())
        .map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let context = FleetContext::new(&settings, StoredFleet::default());
    let fleet = Fleet::read(&[fleet], &context).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let app = App::open(settings, Clock::System, Paying::Never).await?;
    let (store, now) = (app.engine().store(), app.engine().now());
    store.save_fleet(&fleet_changes(&fleet, |_, _| true), now).await?;
    let drafts: Vec<NoticeDraft> = fleet
        .subscribers
        .iter()
        .map(|subscriber| NoticeDraft {
            subscriber: subscriber.id.clone(),
            subscription: None,
            topup: None,
            kind: NoticeKind::TopupVerified,
            severity: Severity::Info,
            dedupe: "bench".into(),
            at: now,
            facts: Facts {
                label: "Bank number".into(),
                last4: "0123".into(),
                amount: Some("10.00 USD".into()),
                balance: Some("13.20 USD".into()),
                transaction_id: Some("8F3A21".into()),
                ..Facts::default()
            },
        })
        .collect();
    for some in drafts.chunks(1000) {
        store.say(some).await?;
    }
    Ok(app)
}

/// How fast something was done, and at what cost.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: u64,
    cpu_us_each: u64,
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>8} per s {:>8} µs of CPU each", self.per_second, self.cpu_us_each)
    }
}

struct Meter(Instant, Duration);

impl Meter {
    fn start() -> Self {
        Self(Instant::now(), own_cpu())
    }

    fn stop(self, done: usize) -> Rate {
        let (wall, cpu) = (self.0.elapsed(), own_cpu().saturating_sub(self.1));
        let whole = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        let done = u64::try_from(done).unwrap_or(0);
        Rate {
            per_second: done.saturating_mul(1000).checked_div(whole(wall.as_millis())).unwrap_or(0),
            cpu_us_each: whole(cpu.as_micros()).checked_div(done).unwrap_or(0),
        }
    }
}

/// User and system time of all threads of this process.
fn own_cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(at.tv_sec)).saturating_add(Duration::from_nanos(part(at.tv_nsec)))
}

/// A line of `/proc/self/status`, in KiB.
fn resident(name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
    Ok(line.split_whitespace().nth(1).context("no figure")?.parse()?)
}
