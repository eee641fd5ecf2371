//! What a list costs over HTTP: 100 lines out of many, beside an axum handler that answers with the
//! same bytes and does nothing else.
//!
//! `cargo bench --bench api -- --lines 10000 --requests 20000`. Both servers run as processes of
//! their own on the first core, one after the other; who asks runs on the second.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../polls/carrier.rs"]
mod carrier;
#[path = "../polls/figures.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod figures;
#[path = "../polls/fleet.rs"]
#[expect(dead_code, reason = "the other benchmarks need more of it")]
mod fleet;
mod serving;

use anyhow::{Context, bail, ensure};
use carrier::Carrier;
use figures::{Machine, Usage, tenths};
use fleet::Installation;
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serving::{Bare, Daemon};
use std::time::{Duration, Instant};
use topupd::{
    clock::Clock,
    domain::{Money, Quality, Reading, Span, SubscriptionId, Values},
    store::{Polled, Store},
};

/// What is asked for.
const LIST: &str = "/api/v1/subscriptions?limit=100";
/// Requests under way at once.
const IN_FLIGHT: usize = 32;

fn main() -> anyhow::Result<()> {
    let (mut lines, mut requests) = (10_000_usize, 20_000_usize);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || -> anyhow::Result<usize> {
            let value = args.next().with_context(|| format!("{arg}: a value is missing"))?;
            value.parse().with_context(|| format!("{arg}: found {value:?}"))
        };
        match arg.as_str() {
            "--bench" => {}
            serving::BARE => return serving::bare(),
            carrier::SERVE => return carrier::serve(),
            "--lines" => lines = number()?,
            "--requests" => requests = number()?,
            _ => bail!("found {arg}; allowed are --lines and --requests"),
        }
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    println!("{}; one core to serve, one to ask", Machine::read()?);
    let carrier = Carrier::start()?;
    let installation = Installation::new(&carrier, lines, None)?;
    serving::sit_on(1)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(
        &installation,
        lines,
        requests,
    ))
}

async fn measure(installation: &Installation, lines: usize, requests: usize) -> anyhow::Result<()> {
    let store = Store::open(&installation.database()).await?;
    read_all(&store, lines, 0).await?;
    let daemon = Daemon::start(installation).await?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let asks = |known: Option<String>| {
        let request = client.get(format!("{}{LIST}", daemon.base)).bearer_auth(&daemon.token);
        known.into_iter().fold(request, |request, tag| request.header(IF_NONE_MATCH, tag))
    };
    let first = asks(None).send().await?.error_for_status()?;
    let tag = first.headers().get(ETAG).context("no ETag")?.to_str()?.to_owned();
    let body = first.bytes().await?;
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&body)?;
    ensure!(rows.len() == 100, "{} lines came", rows.len());
    println!("100 of {lines} lines are {} bytes of JSON\n", body.len());
    println!("{:<44}{:>9}{:>12}{:>14}", "", "per s", "CPU µs", "resident KiB");

    let bare = Bare::start(&body)?;
    let reference = run("a  an axum handler with the same bytes", requests, bare.id(), || {
        client.get(&bare.base)
    })
    .await?;
    drop(bare);
    let list = run("b  the list", requests, daemon.id(), || asks(None)).await?;
    let same = run("c  the list, when nothing changed (304)", requests, daemon.id(), || {
        asks(Some(tag.clone()))
    })
    .await?;
    let busy = tokio::spawn(async move {
        for round in 1_i64.. {
            read_all(&store, 100, round).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    });
    let news =
        run("d  the list, while 1,000 lines a second are read", requests, daemon.id(), || {
            asks(None)
        })
        .await?;
    busy.abort();
    println!();
    for path in ["/", "/lines/line-7", "/topups", "/notices"] {
        page(&client, &daemon.base, path).await?;
    }
    for (name, figure) in [("b", list), ("c", same), ("d", news)] {
        let ratio = reference.saturating_mul(10).checked_div(figure).unwrap_or(0);
        println!("   a / {name}: {}.{}", ratio / 10, ratio % 10);
    }
    Ok(())
}

/// How long a page's first byte takes, one request after the other, and how long the page is.
async fn page(client: &reqwest::Client, base: &str, path: &str) -> anyhow::Result<()> {
    let (mut times, mut size) = (Vec::new(), 0);
    for _ in 0..50 {
        let began = Instant::now();
        let answer = client.get(format!("{base}{path}")).send().await?.error_for_status()?;
        times.push(began.elapsed());
        size = answer.bytes().await?.len();
    }
    times.sort();
    let ms = |time: Option<&Duration>| {
        time.and_then(|time| u64::try_from(time.as_micros()).ok()).map(|us| tenths(us, 1000))
    };
    let (middle, last) = (ms(times.get(25)), ms(times.last()));
    println!(
        "page {path:<18} first byte after {} ms, at most {} ms; {size} bytes",
        middle.unwrap_or_default(),
        last.unwrap_or_default()
    );
    Ok(())
}

/// A reading of each of the first `lines`, the `round`th.
async fn read_all(store: &Store, lines: usize, round: i64) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let balance = Money::parse("20.00 USD").ok();
    let polled: Vec<Polled> = (0..lines)
        .map(|n| {
            let values = Values {
                balance,
                data_left: Some(1_000_000_000_i64.saturating_sub(round)),
                service_end_at: Some(now.plus(Span::days(30))),
                ..Values::default()
            };
            let subscription = SubscriptionId::parse(&format!("line-{n}"))?;
            let provider = fleet::READER.to_owned();
            let reading = Reading {
                subscription,
                provider,
                at: now,
                quality: Quality::Ok,
                values,
                detail: None,
            };
            Ok(Polled { reading, next_poll_at: now.plus(Span::days(1)) })
        })
        .collect::<anyhow::Result<_>>()?;
    for bunch in polled.chunks(500) {
        store.apply_polls(bunch, now).await?;
    }
    Ok(())
}

/// Requests per second; prints them with what the server's process took.
async fn run(
    name: &str,
    requests: usize,
    server: u32,
    ask: impl Fn() -> reqwest::RequestBuilder,
) -> anyhow::Result<u64> {
    let all = async |requests: usize| {
        let calls = futures_util::stream::iter(0..requests).map(|_| {
            let request = ask();
            async move {
                let answer = request.send().await?;
                ensure!(answer.status().as_u16() < 400, "{}", answer.status());
                answer.bytes().await?;
                Ok(())
            }
        });
        calls.buffer_unordered(IN_FLIGHT).try_for_each(|()| async { Ok(()) }).await
    };
    // Connections stand and code is paged in before anything is counted.
    all(requests / 10).await?;
    let (before, began) = (Usage::of(server)?, Instant::now());
    all(requests).await?;
    let (after, wall) = (Usage::of(server)?, began.elapsed());
    let done = u64::try_from(requests)?;
    let wall_us = u64::try_from(wall.as_micros())?.max(1);
    let rate = done.saturating_mul(1_000_000).checked_div(wall_us).unwrap_or(0);
    let cpu_us = after.cpu_ms.saturating_sub(before.cpu_ms).saturating_mul(1000);
    println!("{name:<44}{rate:>9}{:>12}{:>14}", tenths(cpu_us, done.max(1)), after.peak_kib);
    Ok(rate)
}
