//! Prometheus as a poller of lines: fed by the carrier in its own format (what any exporter in between
//! would add is left out), or through the blackbox exporter, one probe for a line.

use super::{
    carrier::{Carrier, METRICS, PATH},
    fleet::number,
    peer::{self, Peer},
};
use anyhow::{Context, ensure};
use serde_json::json;
use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

const PROMETHEUS: &str = "prometheus";
const BLACKBOX: &str = "prometheus-blackbox-exporter";

/// Starts it for `lines` lines, each scraped every `every` seconds.
pub(super) fn start(
    carrier: &Carrier,
    folder: &Path,
    lines: usize,
    every: u64,
    with_exporter: bool,
) -> anyhow::Result<Peer> {
    for program in [PROMETHEUS, BLACKBOX].into_iter().take(if with_exporter { 2 } else { 1 }) {
        ensure!(
            is_there(program),
            "{program} is not installed (Debian has a package of that name)"
        );
    }
    let exporter = free_port()?;
    let address = carrier.base_url().replace("http://", "");
    let targets = (0..lines).map(|n| {
        if with_exporter {
            let line = format!("{}{PATH}{}", carrier.base_url(), number(n));
            json!({ "targets": [format!("127.0.0.1:{exporter}")],
                    "labels": { "__metrics_path__": "/probe", "__param_target": line, "instance": number(n) } })
        } else {
            json!({ "targets": [address],
                    "labels": { "__metrics_path__": format!("{METRICS}{}", number(n)), "instance": number(n) } })
        }
    });
    let targets = serde_json::Value::Array(targets.collect());
    std::fs::write(folder.join("targets.json"), targets.to_string())?;
    std::fs::write(folder.join("blackbox.yml"), "modules:\n  http_2xx:\n    prober: http\n")?;
    std::fs::write(
        folder.join("prometheus.yml"),
        format!(
            "global:\n  scrape_interval: {every}s\n  scrape_timeout: {every}s\nscrape_configs:\n  \
             - job_name: lines\n    file_sd_configs:\n      - files: [targets.json]\n{}",
            if with_exporter { "    params:\n      module: [http_2xx]\n" } else { "" }
        ),
    )?;
    let mut command = Command::new(PROMETHEUS);
    command
        .current_dir(folder)
        .arg("--config.file=prometheus.yml")
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", free_port()?));
    let peer = Peer::start(&mut peer::pinned(&command, 1))?;
    if !with_exporter {
        return Ok(peer);
    }
    let mut command = Command::new(BLACKBOX);
    command
        .arg(format!("--config.file={}", folder.join("blackbox.yml").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{exporter}"));
    peer.and(&mut peer::pinned(&command, 1))
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}
