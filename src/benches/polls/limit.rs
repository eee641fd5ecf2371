//! The limit: the same requests with nothing around them. Keep-alive, 64 in flight, JSON parsed.

use super::carrier::{Carrier, PATH};
use super::figures::{Cost, Meter};
use super::fleet::{IN_FLIGHT, number};
use futures_util::{StreamExt, TryStreamExt};
use tokio::runtime::{Builder, Runtime};

/// On one thread: the least CPU, since no thread wakes another.
pub(super) fn one_thread(carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    measure(&Builder::new_current_thread().enable_all().build()?, carrier, requests)
}

/// On the runtime that the daemon has.
pub(super) fn threads(carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    measure(&Builder::new_multi_thread().enable_all().build()?, carrier, requests)
}

fn measure(runtime: &Runtime, carrier: &Carrier, requests: usize) -> anyhow::Result<Cost> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let base = carrier.base_url();
    let run = async |requests: usize| {
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
    };
    runtime.block_on(async {
        // Connections stand and code is paged in before anything is counted.
        run(requests / 10).await?;
        let meter = Meter::start();
        run(requests).await?;
        meter.stop(requests)
    })
}
