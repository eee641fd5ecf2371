//! What a person configured: files in order, then the environment, checked as a whole.
//!
//! Every section has its own file here and is read key by key, so that a wrong configuration is
//! reported once, completely, with the file and line of each fault. Providers and channels read
//! their own tables; this module only finds them.
//!
//! Invariant: this is the only place that knows configuration files and environment variables.
//! Loading only reads; nothing is written, connected to or started.

mod admin;
mod caps;
mod database;
pub mod fleet;
mod flow;
mod hooks;
mod layers;
mod log;
mod notices;
mod fleet_files;
mod retention;
mod safety;
mod telemetry;
#[cfg(test)]
mod tests;

pub use admin::Admin;
pub use database::Database;
pub use fleet_files::FleetFiles;
pub use flow::Flow;
pub use hooks::Hook;
pub use log::{Log, LogFormat};
pub use notices::Notices;
pub use retention::Retention;
pub use safety::{Resubmit, Safety};
pub use telemetry::{Otlp, Telemetry};

use crate::{
    channels::{self, ChannelConfig},
    domain::{CapLimits, Span},
    input::{Fault, Intake, Origin, Section},
    providers::{self, ProviderConfig},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The whole configuration. Prints without secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[database]`: where the rows are.
    pub database: Database,
    /// `[admin]`: pages, API, health.
    pub admin: Admin,
    /// `[flow]`: how often and how patiently things are done.
    pub flow: Flow,
    /// `[caps]`: what may be spent at most; rules can only tighten it.
    pub caps: CapLimits,
    /// `[safety]`: what stops paying, and how doubt is settled.
    pub safety: Safety,
    /// `[notices]`: who is told when.
    pub notices: Notices,
    /// `[retention]`: how long what is no money is kept.
    pub retention: Retention,
    /// `[log]`: what is logged, and how.
    pub log: Log,
    /// `[telemetry]`: where traces go.
    pub telemetry: Telemetry,
    /// `[fleet]`: files that the daemon applies by itself.
    pub fleet: FleetFiles,
    /// `[hooks.NAME]`, by the provider's name: who may call and say that there is news.
    pub hooks: BTreeMap<String, Hook>,
    /// `[providers.NAME.KIND]`, by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// `[channels.NAME.KIND]`, by name.
    pub channels: BTreeMap<String, ChannelConfig>,
}

impl Settings {
    /// Reads `files` in order, later ones winning, then the `TOPUPD__SECTION__KEY` variables of
    /// `env`. Everything that is wrong, anywhere, is returned at once.
    pub fn load(
        files: &[PathBuf],
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Fault>> {
        let env: Vec<(String, String)> = env.collect();
        let credentials = env.iter().find(|(name, _)| name == "CREDENTIALS_DIRECTORY");
        let intake = Intake::with_credentials(credentials.map(|(_, path)| path.into()));
        let table = layers::merged(files, &env, &intake);
        let origin = Origin::file("the configuration");
        let settings = Self::read(Section::new(&table, "", &origin, &intake));
        let faults = intake.into_faults();
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    /// Reads every section. Where something is wrong a default stands in, and the fault is noted.
    fn read(mut root: Section<'_>) -> Self {
        let providers = named(root.section("providers"), providers::read_config);
        let settings = Self {
            hooks: hooks::read(root.section("hooks"), &providers),
            database: Database::read(root.section_or_empty("database")),
            admin: Admin::read(root.section_or_empty("admin")),
            flow: Flow::read(root.section_or_empty("flow")),
            caps: caps::read(root.section_or_empty("caps")),
            safety: Safety::read(root.section_or_empty("safety")),
            notices: Notices::read(root.section_or_empty("notices")),
            retention: Retention::read(root.section_or_empty("retention")),
            log: Log::read(root.section_or_empty("log")),
            telemetry: Telemetry::read(root.section_or_empty("telemetry")),
            fleet: FleetFiles::read(root.section_or_empty("fleet")),
            providers,
            channels: named(root.section("channels"), channels::read_config),
        };
        root.finish();
        settings
    }
}

/// The files that are read when the command line names none: `config/topupd.toml` in the working
/// directory, else `/etc/topupd/topupd.toml`, else none, as every section has defaults.
pub fn default_files() -> Vec<PathBuf> {
    first_file(&["config/topupd.toml", "/etc/topupd/topupd.toml"])
}

/// The environment, as [`Settings::load`] takes it. Variables that are not Unicode are left out:
/// none of ours can be one of them.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn first_file(candidates: &[&str]) -> Vec<PathBuf> {
    let file = candidates.iter().map(Path::new).find(|path| path.is_file());
    file.map(Path::to_path_buf).into_iter().collect()
}

/// Reads every `[SECTION.NAME]`. Names stand in dotted keys, environment variables and lists.
fn named<'a, T>(
    section: Option<Section<'a>>,
    read: impl Fn(Section<'a>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(mut section) = section else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (name, table) in section.sections() {
        if !is_name(&name) {
            section.fault(&name, "allowed are names of 1 to 64 letters, digits, `_` and `-`");
        }
        if let Some(config) = read(table) {
            found.insert(name, config);
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A span above zero, or `default` where there is none.
fn positive_span(section: &mut Section<'_>, key: &str, default: Span) -> Span {
    match section.span(key) {
        Some(span) if span > Span::ZERO => span,
        Some(_) => {
            section.fault(key, "allowed is a span above zero, such as \"30s\", \"5m\", \"6h\"");
            default
        }
        None => default,
    }
}

/// A list of spans above zero, or `default` where there is none.
fn positive_spans(section: &mut Section<'_>, key: &str, default: &[Span]) -> Vec<Span> {
    match section.spans(key) {
        Some(spans) if spans.iter().all(|span| *span > Span::ZERO) => spans,
        Some(_) => {
            section.fault(key, "allowed is a list of spans above zero, such as [\"1m\", \"2m\"]");
            default.to_vec()
        }
        None => default.to_vec(),
    }
}
