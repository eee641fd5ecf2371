//! An installation in a temporary folder: config, fleet, database; set up by the real binary.

use super::carrier::{Carrier, provider};
use anyhow::ensure;
use std::{
    fmt::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Requests under way at once, here and in the bare loop.
pub(super) const IN_FLIGHT: usize = 64;

/// The provider's name in the config.
pub(super) const READER: &str = "carrier";

/// The number of the `n`th line.
pub(super) fn number(n: usize) -> String {
    format!("+1202{:07}", n.saturating_add(2_000_000))
}

/// A config, a database with a fleet in it, and what goes away with them.
#[derive(Debug)]
pub(super) struct Installation {
    folder: tempfile::TempDir,
    /// Where the rows are, unless in a file of the folder.
    url: Option<String>,
    /// Settings of the environment, over those of the config.
    over: Vec<(&'static str, String)>,
}

impl Installation {
    /// `lines` calm lines at `carrier`, ten to a subscriber, under one rule that may pay; with the rows in
    /// the database at `url`, else in a file of its own.
    pub(super) fn new(carrier: &Carrier, lines: usize, url: Option<&str>) -> anyhow::Result<Self> {
        let (folder, url) = (tempfile::tempdir()?, url.map(str::to_owned));
        let installation = Self { folder, url, over: Vec::new() };
        let mut settings = installation.settings(&carrier.base_url(), "6h");
        if installation.url.is_some() {
            // Beside the rows is in no file: it would be in the working directory, and rounds run in ours.
            let recorder = installation.folder.path().join("topupd.recorder");
            write!(settings, "\n[safety]\nrecorder_file = \"{}\"\n", recorder.display())?;
        }
        std::fs::write(installation.config(), settings)?;
        installation.apply(lines)?;
        Ok(installation)
    }

    /// The same at the carrier at `base`, polled every so often, with `more` at the end of its config.
    pub(super) fn made(base: &str, lines: usize, every: &str, more: &str) -> anyhow::Result<Self> {
        let installation = Self::empty(base, every, more, Vec::new())?;
        installation.apply(lines)?;
        Ok(installation)
    }

    /// A config without a fleet, and what the environment says over it.
    pub(super) fn empty(
        base: &str,
        every: &str,
        more: &str,
        over: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let installation = Self { folder: tempfile::tempdir()?, url: None, over };
        let settings = format!("{}{more}", installation.settings(base, every));
        std::fs::write(installation.config(), settings)?;
        Ok(installation)
    }

    /// Writes a fleet of so many lines into its database.
    pub(super) fn apply(&self, lines: usize) -> anyhow::Result<()> {
        let fleet = self.folder.path().join("fleet.toml");
        std::fs::write(&fleet, fleet_file(lines)?)?;
        let output = self.topupd().arg("apply").arg(&fleet).output()?;
        ensure!(
            output.status.success(),
            "the fleet was not applied: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The config file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("topupd.toml")
    }

    /// The database's URL.
    pub(super) fn database(&self) -> String {
        let file = || format!("sqlite://{}", self.folder.path().join("topupd.db").display());
        self.url.clone().unwrap_or_else(file)
    }

    /// The real binary on this installation.
    pub(super) fn topupd(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topupd"));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("--config").arg(self.config());
        command.envs(self.over.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The `http` example of the README, with as many polls in flight as the bare loop has.
    fn settings(&self, base: &str, every: &str) -> String {
        let more = format!(
            r#"concurrency = {IN_FLIGHT}
secrets = {{ token = "s3cret" }}
headers = {{ Authorization = "Bearer {{{{ secret.token }}}}" }}"#
        );
        format!(
            r#"
[database]
url = "{database}"
[admin]
listen = "127.0.0.1:0"
[flow]
poll_every = "{every}"
{provider}"#,
            database = self.database(),
            provider = provider(READER, base, &more),
        )
    }
}

fn fleet_file(lines: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for n in 0..lines.div_ceil(10) {
        write!(
            text,
            "[[subscribers]]\nid = \"s{n}\"\nname = \"Subscriber {n}\"\n\
             email = \"s{n}@example.com\"\ntime_zone = \"Asia/Shanghai\"\n"
        )?;
    }
    for n in 0..lines {
        write!(
            text,
            "[[subscriptions]]\nid = \"line-{n}\"\nsubscriber = \"s{}\"\nlabel = \"Line {n}\"\n\
             msisdn = \"{}\"\noperator = \"T-Mobile US\"\ntime_zone = \"America/New_York\"\n\
             reader = \"{READER}\"\npayers = [\"{READER}\"]\ntags = [\"us\"]\n\
             plan = {{ price = \"15.00 USD\", cycle_days = 30, renewal = \"fund_balance\", number_loss_days = 60 }}\n",
            n / 10,
            number(n)
        )?;
    }
    text.push_str(
        "[[rules]]\nid = \"keep-alive\"\napplies_to = { all = true }\nmode = \"auto\"\n\
         any = [{ metric = \"balance\", at_most = \"5.00 USD\" }, { metric = \"days_to_service_end\", at_most = 7 }]\n\
         amount = { fixed = \"10.00 USD\" }\napprove_first = false\n",
    );
    Ok(text)
}
