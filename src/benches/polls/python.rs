//! The service that a good Python programmer would write: `service.py`, in an environment with its
//! packages below the target folder.

use super::{
    carrier::{Carrier, PATH},
    peer::{self, Peer},
};
use anyhow::{Context, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGES: [&str; 2] = ["aiohttp==3.13.2", "APScheduler==3.11.1"];

/// Starts it for `lines` lines, each polled every `every` seconds.
pub(super) fn start(
    carrier: &Carrier,
    folder: &Path,
    lines: usize,
    every: u64,
) -> anyhow::Result<Peer> {
    let python = environment()?;
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/benches/polls/service.py"))
        .arg(format!("{}{PATH}", carrier.base_url()))
        .arg(folder.join("service.db"))
        .args([lines.to_string(), every.to_string()]);
    Peer::start(&mut peer::pinned(&command, 1))
}

fn environment() -> anyhow::Result<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-python");
    let python = home.join("bin/python");
    let has_all = |python: &Path| {
        let output = Command::new(python).args(["-c", "import aiohttp, apscheduler"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !has_all(&python) {
        let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home).status()?;
        ensure!(made.success(), "no environment for Python packages");
        let pip = ["-m", "pip", "install", "--quiet", "--no-input"];
        Command::new(&python).args(pip).args(PACKAGES).status().context("pip does not run")?;
        ensure!(has_all(&python), "{PACKAGES:?} cannot be had");
    }
    Ok(python)
}
