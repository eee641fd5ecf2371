//! So many instances over a database of their own: they start, settle, and are looked at for a while.

use super::{
    Plan,
    asks::{Again, Asks},
    carrier::Carrier,
    figures::Usage,
    instance::{Instance, Running},
    processors::{Server, load},
    server,
};
use anyhow::{Context, ensure};
use sqlx::{Connection as _, Executor as _};
use std::time::{Duration, Instant};

/// Every line was asked so often before anything counts: first readings are news, and are decided
/// about.
const SETTLED: usize = 2;

/// How long that may take, beside the time in which it should.
const PATIENCE: Duration = Duration::from_secs(120);

/// Instances, and how often each line is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) instances: usize,
    pub(super) every: u64,
    /// More is due than can be asked.
    pub(super) is_saturated: bool,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) round: Round,
    /// How long it was looked at, in milliseconds.
    pub(super) window: u64,
    /// Polls of each instance.
    pub(super) polls: Vec<u64>,
    /// Milliseconds of processors, of each instance and of the server.
    pub(super) cpu: Vec<u64>,
    pub(super) server_cpu: u64,
    pub(super) again: Again,
    /// Warnings and errors in the logs.
    pub(super) warnings: usize,
    /// Before and after.
    pub(super) load: [String; 2],
}

impl Found {
    /// Polls of all.
    pub(super) fn polls(&self) -> u64 {
        self.polls.iter().sum()
    }

    /// Tenths of a poll in a second.
    pub(super) fn tenths_per_second(&self) -> u64 {
        self.polls().saturating_mul(10_000).checked_div(self.window).unwrap_or(0)
    }
}

/// Nobody polls a line again before its interval less a tenth of jitter, counted from the answer: so two
/// questions are at least so many milliseconds apart.
///
/// The clock of the daemons counts whole milliseconds, and the carrier's is another one: what the answer took
/// is not counted in.
const fn least(every: u64) -> u64 {
    every.saturating_mul(900)
}

/// Makes lines due evenly over their interval: all at once would come in waves, of which a window sees one
/// more or one less.
async fn spread(url: &str, lines: usize, every: u64) -> anyhow::Result<()> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let slot = format!("CAST(SUBSTR(subscription_id, 6) AS BIGINT) * 7919 % {lines}");
    let sql = format!(
        "UPDATE watches SET next_poll_at = next_poll_at + {slot} * {every} * 1000 / {lines}"
    );
    connection.execute(sqlx::AssertSqlSafe(sql)).await?;
    connection.close().await?;
    Ok(())
}

/// Runs it.
pub(super) async fn run(carrier: &Carrier, plan: &Plan, round: Round) -> anyhow::Result<Found> {
    let postgres = server::server().context("no PostgreSQL")?;
    let name = format!("lines_{}_every_{}", round.instances, round.every);
    let url = postgres.database(&name).await;
    let server = Server::behind(&url).await?;
    let instances = (0..round.instances)
        .map(|n| Instance::new(carrier, plan, &url, round.every, n))
        .collect::<anyhow::Result<Vec<_>>>()?;
    instances.first().context("no instance")?.apply(plan.lines)?;
    if !round.is_saturated {
        spread(&url, plan.lines, round.every).await?;
    }
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let mut running =
        instances.iter().map(Instance::start).collect::<anyhow::Result<Vec<Running>>>()?;
    for one in &mut running {
        one.ready(&client).await?;
    }

    let mut asks = Asks::default();
    let all_ready = asks.fetch(carrier)?;
    let (began, should) = (Instant::now(), round.every.saturating_mul(4));
    let can = plan.capacity(round.instances).max(1);
    let should = should.saturating_add(u64::try_from(plan.lines)?.saturating_mul(2) / can);
    let patience = PATIENCE.saturating_add(Duration::from_secs(should.saturating_mul(2)));
    while asks.lines_asked(SETTLED, all_ready) < plan.lines {
        tokio::time::sleep(Duration::from_millis(500)).await;
        asks.fetch(carrier)?;
        for one in &mut running {
            one.ensure_alive()?;
        }
        ensure!(began.elapsed() < patience, "not every line was asked {SETTLED} times");
    }

    let usage = |running: &[Running]| -> anyhow::Result<Vec<u64>> {
        running.iter().map(|one| Ok(Usage::of(one.id())?.cpu_ms)).collect()
    };
    let (from, before) = (asks.fetch(carrier)?, load());
    let (cpu, server_cpu) = (usage(&running)?, server.cpu_ms()?);
    // Whole intervals at ease: half of one would have more of a wave, or less.
    let whole = if round.is_saturated { 1 } else { round.every };
    let seconds = plan.seconds.div_ceil(whole).saturating_mul(whole);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let window = from..asks.fetch(carrier)?;
    let (cpu_now, server_now) = (usage(&running)?, server.cpu_ms()?);
    let load = [before, load()];
    let mut warnings = 0_usize;
    for one in &mut running {
        one.ensure_alive()?;
        warnings = warnings.saturating_add(one.warnings()?);
    }
    for one in running {
        one.stop()?;
    }
    Ok(Found {
        round,
        window: window.end.saturating_sub(window.start),
        polls: asks.by_each(&window, round.instances),
        cpu: cpu_now.iter().zip(cpu).map(|(now, then)| now.saturating_sub(then)).collect(),
        server_cpu: server_now.saturating_sub(server_cpu),
        again: asks.again(&window, least(round.every), all_ready),
        warnings,
        load,
    })
}
