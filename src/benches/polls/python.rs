//! The service that a good Python programmer would write: `service.py`, in an environment with its
//! packages below the target folder.

use super::{
    carrier::{Carrier, PATH},
    peer::{self, Peer},
};
use anyhow::Context as _;
use std::{path::Path, process::Command};

#[path = "../../tests/support/python.rs"]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the tests' packages, as they are"
)]
mod packages;

const PACKAGES: &str = "aiohttp==3.13.2 APScheduler==3.11.1";

/// Starts it for `lines` lines, each polled every `every` seconds.
pub(super) fn start(
    carrier: &Carrier,
    folder: &Path,
    lines: usize,
    every: u64,
) -> anyhow::Result<Peer> {
    let found = packages::python_with(PACKAGES, "aiohttp, apscheduler");
    let python = found.with_context(|| format!("{PACKAGES} cannot be had"))?;
    let mut command = Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/benches/polls/service.py"))
        .arg(format!("{}{PATH}", carrier.base_url()))
        .arg(folder.join("service.db"))
        .args([lines.to_string(), every.to_string()]);
    Peer::start(&mut peer::pinned(&command, 1))
}
