//! The limit: the same requests with nothing around them. Keep-alive, 64 in flight, JSON parsed.

use super::carrier::{Carrier, PATH};
use super::figures::{Cost, Meter};
use super::fleet::{IN_FLIGHT, number};
use futures_util::{StreamExt, TryStreamExt};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How far apart the daemon's bunches are while lines become due steadily.
const BUNCH_MS: u64 = 100;

/// On one thread: the least CPU, since no thread wakes another.
pub(super) fn one_thread(carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    measure(&Builder::new_current_thread().enable_all().build()?, carrier, requests)
}

/// On the runtime that the daemon has.
pub(super) fn threads(carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    measure(&Builder::new_multi_thread().enable_all().build()?, carrier, requests)
}

/// On one thread at a pace, in bunches as the daemon asks them: between two of them the machine does
/// something else, and what it knew of this work grows cold.
pub(super) fn paced(carrier: &Carrier, per_second: usize, seconds: u64) -> anyhow::Result<Cost> {
    let bunches = seconds.saturating_mul(1000) / BUNCH_MS;
    let bunch = per_second.saturating_mul(usize::try_from(BUNCH_MS)?) / 1000;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let client = client()?;
        run(&client, carrier, per_second).await?;
        let mut clock = tokio::time::interval(Duration::from_millis(BUNCH_MS));
        let meter = Meter::start();
        for _ in 0..bunches {
            clock.tick().await;
            run(&client, carrier, bunch).await?;
        }
        meter.stop(bunch.saturating_mul(usize::try_from(bunches)?))
    })
}

fn measure(runtime: &Runtime, carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    runtime.block_on(async {
        let client = client()?;
        // Connections stand and code is paged in before anything is counted.
        run(&client, carrier, requests / 10).await?;
        let meter = Meter::start();
        run(&client, carrier, requests).await?;
        meter.stop(requests)
    })
}

fn client() -> anyhow::Result<reqwest::Client> {
    rustls::crypto::ring::default_provider().install_default().ok();
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?)
}

async fn run(client: &reqwest::Client, carrier: &Carrier, requests: usize) -> anyhow::Result<()> {
    let base = carrier.base_url();
    let calls = futures_util::stream::iter(0..requests).map(|n| {
        let request = client
            .get(format!("{base}{PATH}{}", number(n)))
            .header("authorization", "Bearer s3cret");
        async move {
            let body = request.send().await?.bytes().await?;
            anyhow::Ok(serde_json::from_slice::<serde_json::Value>(&body)?)
        }
    });
    calls.buffer_unordered(IN_FLIGHT).try_for_each(|_| async { Ok(()) }).await
}
