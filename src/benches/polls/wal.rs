//! The rounds with the rows in PostgreSQL, and how much each poll adds to its write-ahead log.

use super::{
    carrier::Carrier,
    figures::{Cost, tenths},
    fleet::Installation,
    limit, rounds, server,
};
use anyhow::Context;
use sqlx::Connection as _;
use std::cell::RefCell;

/// Measures and prints: first every line has news, then none has.
pub(super) fn run(carrier: &Carrier, lines: usize, rounds: usize) -> anyhow::Result<()> {
    let server = server::server().context("PostgreSQL is not installed")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let url = runtime.block_on(server.database("polls"));
    let limit = limit::one_thread(carrier, lines)?;
    let installation = Installation::new(carrier, lines, Some(&url))?;
    let begun = runtime.block_on(written(&url))?;
    rounds::run(&installation, lines, 0, || async { Ok(()) })?;
    let first = runtime.block_on(written(&url))?.saturating_sub(begun);
    let places = RefCell::new(Vec::new());
    let cost = rounds::run(&installation, lines, rounds, async || {
        let at = written(&url).await?;
        places.borrow_mut().push(at);
        Ok(())
    })?;
    println!("\n{:<46}{}", "per request or poll", Cost::HEADINGS);
    println!("{:<46}{limit}", "a  bare reqwest loop, one thread");
    println!("{:<46}{cost}", "p  topupd (without the server's CPU)");
    let pairs = places.borrow();
    let same = pairs.chunks_exact(2).map(|pair| match pair {
        [from, to] => to.saturating_sub(*from),
        _ => 0,
    });
    let (same, lines) = (same.sum::<u64>(), u64::try_from(lines)?);
    let polls = lines.saturating_mul(u64::try_from(rounds)?).max(1);
    println!("   log of a first poll and its decision: {} bytes", tenths(first, lines.max(1)));
    println!("   log of a poll that says the same:     {} bytes", tenths(same, polls));
    Ok(())
}

/// Bytes written to the log so far.
async fn written(url: &str) -> anyhow::Result<u64> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let at: i64 = sqlx::query_scalar("SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS bigint)")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(u64::try_from(at)?)
}
