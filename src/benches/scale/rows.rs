//! What the stages ask of the rows, each many times in this process, in time of processors.

use super::{CALM, READER, Table, fill, place::Place};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use std::time::Duration;
use topupd::{
    clock::Clock,
    domain::{Money, Quality, Reading, Span, Timestamp, Values},
    store::{Polled, Scope, Store},
};

/// Lines claimed at once.
const CLAIM: usize = 128;
/// Claims that are timed, after a few that warm up.
const ROUNDS: i64 = 40;
const WARM: i64 = 8;

/// Prints and notes what takes how long.
pub(super) async fn measure(place: &Place, size: i64, table: &mut Table) -> anyhow::Result<()> {
    let store = Store::open(place.url()).await?;
    let now = Clock::System.now();
    if size >= 10_000 || !place.is_postgres() {
        // (PostgreSQL rightly reads all of a small table.)
        for plan in store.plans(READER, now).await? {
            let told = plan.lines.join("; ");
            anyhow::ensure!(!plan.reads_all(), "{}: {told}", plan.what);
            println!("   plan of {}: {told}", plan.what);
        }
    }
    polls(&store, place, table).await?;
    let mut times = Vec::new();
    for _ in 0..WARM + ROUNDS {
        let began = cpu();
        let claimed = store.claim_notices(16, Span::hours(9), now).await?;
        times.push(cpu().saturating_sub(began));
        if claimed.len() < 16 {
            break;
        }
    }
    table.time("claim 16 of many queued notices", middle(&mut times));
    look(table, "when the next poll is due", || store.next_poll_due(READER)).await?;
    look(table, "when the next decision is due", || store.next_decision_due()).await?;
    look(table, "when the next notice is due", || store.next_notice_due()).await?;
    look(table, "what waits longest (/readyz)", || store.oldest_due(&[READER])).await?;
    look(table, "failing lines of readers (every 5 s)", || store.failing()).await?;
    look(table, "needs of an hour (every order)", || store.needs_since(now.minus(Span::hours(1))))
        .await?;
    look(table, "200 lines that end first", || store.dark_first(&Scope::All, "", 200)).await?;
    look(table, "doubts of a reader (every doubt)", || {
        store.doubt_figures(READER, now.minus(Span::hours(1)))
    })
    .await?;
    store.close().await;
    // The daemon has no mail server here; and a fleet whose polls are due as they were.
    let mut connection = AnyConnection::connect(place.url()).await?;
    connection.execute("DELETE FROM notices WHERE state IN ('queued', 'sending')").await?;
    connection.close().await?;
    spread(place, size, now.ms()).await
}

/// Claims of due lines at an evening when much is due, each followed by what it brought, and what
/// decisions ask for.
async fn polls(store: &Store, place: &Place, table: &mut Table) -> anyhow::Result<()> {
    let mut decided = AnyConnection::connect(place.url()).await?;
    let start = Clock::System.now().plus(Span::hours(6));
    let (mut claims, mut writes, mut dues, mut snapshots) = (vec![], vec![], vec![], vec![]);
    for round in 0..WARM + ROUNDS {
        // An hour later each time: a thousand lines have 128 that are due again by then.
        let now = start.plus(Span::hours(round));
        let began = cpu();
        let due = store.claim_polls(READER, CLAIM, now.plus(Span::minutes(1)), now).await?;
        claims.push(cpu().saturating_sub(began));
        anyhow::ensure!(due.len() == CLAIM, "{} lines were due", due.len());
        let polled: Vec<Polled> = due.into_iter().map(|due| read(due, now)).collect();
        let began = cpu();
        store.apply_polls(&polled, now).await?;
        writes.push(cpu().saturating_sub(began));
        let began = cpu();
        let ids = store.claim_decisions(200, now.plus(Span::days(9)), now).await?;
        dues.push(cpu().saturating_sub(began));
        let began = cpu();
        store.snapshots(ids.get(..CLAIM).unwrap_or(&ids)).await?;
        snapshots.push(cpu().saturating_sub(began));
        // Lines on which nothing happens are marked as such, by a decision or by having been so.
        let names: Vec<String> =
            polled.iter().map(|p| format!("'{}'", p.reading.subscription)).collect();
        let calm = format!(
            "UPDATE watches SET steady = '{CALM}' WHERE subscription_id IN ({})",
            names.join(", ")
        );
        decided.execute(sqlx::AssertSqlSafe(calm)).await?;
    }
    decided.close().await?;
    for (name, times) in [
        ("claim 128 due lines", &mut claims),
        ("write 128 readings", &mut writes),
        ("find and claim 200 due decisions", &mut dues),
        ("gather what 128 decisions look at", &mut snapshots),
    ] {
        times.drain(..usize::try_from(WARM)?);
        table.time(name, middle(times));
    }
    Ok(())
}

fn read(due: topupd::store::DuePoll, now: Timestamp) -> Polled {
    let values = Values {
        balance: Money::parse("20.00 USD").ok(),
        service_end_at: Some(now.plus(Span::days(30))),
        ..Values::default()
    };
    let reading = Reading {
        subscription: due.subscription.id,
        provider: READER.to_owned(),
        at: now,
        quality: Quality::Ok,
        values,
        detail: None,
    };
    Polled { reading, next_poll_at: now.plus(Span::hours(6)) }
}

async fn look<T, E, Fut>(
    table: &mut Table,
    name: &'static str,
    ask: impl Fn() -> Fut,
) -> anyhow::Result<()>
where
    Fut: Future<Output = Result<T, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut times = Vec::new();
    for _ in 0..11 {
        let began = cpu();
        ask().await?;
        times.push(cpu().saturating_sub(began));
    }
    table.time(name, middle(&mut times));
    Ok(())
}

/// What this process has used of the processors: a machine that does other work at the same time
/// makes everything wait, but nothing take more.
fn cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(at.tv_sec)).saturating_add(Duration::from_nanos(part(at.tv_nsec)))
}

/// The median.
pub(super) fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Times as a fleet has them that was polled all along.
pub(super) async fn spread(place: &Place, size: i64, now: i64) -> anyhow::Result<()> {
    let mut connection = AnyConnection::connect(place.url()).await?;
    let slot = fill::turn(place, size, "CAST(SUBSTR(subscription_id, 6) AS BIGINT)");
    let sql = format!(
        "UPDATE watches SET next_poll_at = {now} + {slot}, next_decide_at = {now} + 86400000 + {slot}"
    );
    connection.execute(sqlx::AssertSqlSafe(sql)).await?;
    if !place.is_postgres() {
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    connection.close().await?;
    Ok(())
}
