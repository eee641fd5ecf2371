//! An installation in a temporary folder; its config and rules are set up by the real binary.

use super::{
    READER,
    carrier::{Carrier, provider},
};
use anyhow::ensure;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Five rules, as a fleet of some age has them; none fires on what the carrier says.
const RULES: &str = r#"
[[rules]]
id = "keep-alive"
applies_to = { all = true }
mode = "auto"
any = [{ metric = "balance", at_most = "2.00 USD" }, { metric = "days_to_service_end", at_most = 1 }]
amount = { fixed = "10.00 USD" }
[[rules]]
id = "low"
applies_to = { all = true }
any = [{ metric = "balance", at_most = "3.00 USD" }]
[[rules]]
id = "data"
applies_to = { tag = "us" }
any = [{ metric = "data_left", at_most = "100 MB" }]
[[rules]]
id = "ends"
applies_to = { tag = "us" }
any = [{ metric = "days_to_service_end", at_most = 2 }]
[[rules]]
id = "old"
applies_to = { all = true }
any = [{ metric = "reading_age", at_least = "48h" }]
"#;

/// A config, a database, and what goes away with them.
#[derive(Debug)]
pub(super) struct Place {
    folder: tempfile::TempDir,
    url: String,
    is_postgres: bool,
    is_scattered: bool,
}

impl Place {
    /// An empty database with rules; at `url`, else a file in the folder.
    pub(super) fn new(
        carrier: &Carrier,
        url: Option<String>,
        is_scattered: bool,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let is_postgres = url.is_some();
        let file = folder.path().join("topupd.db");
        let url = url.unwrap_or_else(|| format!("sqlite://{}", file.display()));
        let place = Self { folder, url, is_postgres, is_scattered: is_scattered || is_postgres };
        std::fs::write(place.config(), place.settings(carrier))?;
        let fleet = place.folder.path().join("fleet.toml");
        std::fs::write(&fleet, RULES)?;
        let output = place.topupd().arg("apply").arg(&fleet).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the rules were not applied: {said}");
        Ok(place)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("topupd.toml")
    }

    /// The database's URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether lines that are due lie anywhere.
    pub(super) fn is_scattered(&self) -> bool {
        self.is_scattered
    }

    /// True on PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        self.is_postgres
    }

    /// The bytes of the SQLite file with its log.
    pub(super) fn bytes(&self) -> u64 {
        let size = |name: &str| std::fs::metadata(self.folder.path().join(name)).map(|m| m.len());
        size("topupd.db").unwrap_or(0).saturating_add(size("topupd.db-wal").unwrap_or(0))
    }

    /// The real binary on this installation.
    pub(super) fn topupd(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topupd"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("--config").arg(self.config());
        command
    }

    fn settings(&self, carrier: &Carrier) -> String {
        format!(
            r#"
[database]
url = "{url}"
[admin]
listen = "127.0.0.1:0"
[flow]
poll_every = "6h"
{provider}"#,
            url = self.url,
            provider = provider(READER, &carrier.base_url(), "concurrency = 64"),
        )
    }
}
