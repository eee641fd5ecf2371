//! Prism itself: where it is, how it is started, how it ends.

use crate::support::python::run;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Child,
    time::{Duration, timeout},
};

/// Later versions want a newer Node than Debian has.
const PRISM: &str = "@stoplight/prism-cli@5.14.2";

/// The program, looked for once; `None` where a test has to be skipped.
pub(super) async fn program() -> Option<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = tokio::task::spawn_blocking(|| FOUND.get_or_init(installed)).await.unwrap();
    match found {
        Ok(program) => Some(program),
        Err(why) => {
            // Where everything must be there, a missing Prism is a failure and not a shorter run.
            assert!(std::env::var("CI").is_err(), "{PRISM} cannot be had: {why}");
            eprintln!("SKIPPED: {PRISM} cannot be had, so no request was held against it: {why}");
            None
        }
    }
}

/// A Prism in a place of its own below the target folder, where later runs find it again. `Err`
/// says why there is none.
fn installed() -> Result<PathBuf, String> {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let version = PRISM.rsplit('@').next().unwrap_or_default();
    let home = tmp.join(format!("prism-{version}"));
    let program = home.join("node_modules/.bin/prism");
    if run(Command::new(&program).arg("--version")).is_ok() {
        return Ok(program);
    }
    // Made elsewhere and moved, so that nobody finds half of it.
    let place = tempfile::tempdir_in(tmp).map_err(|error| error.to_string())?;
    let npm = ["install", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
    let patience = ["--fetch-retries=2", "--fetch-timeout=20000", "--ignore-scripts"];
    run(Command::new("npm").args(npm).args(patience).arg("--prefix").arg(place.path()).arg(PRISM))?;
    std::fs::remove_dir_all(&home).ok();
    // Where another run was faster, its copy is as good.
    std::fs::rename(place.path(), &home).ok();
    run(Command::new(&program).arg("--version")).map(|_| program)
}

/// A running Prism. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Prism {
    _child: Child,
    /// Where it listens.
    pub(super) url: String,
}

impl Prism {
    /// Stands in front of the API at `upstream` and holds both sides against `spec`.
    pub(super) async fn before(program: &Path, spec: &Path, upstream: &str) -> Self {
        Self::start(program, &["proxy"], spec, Some(upstream)).await
    }

    /// Plays the API of `spec` with its examples.
    pub(super) async fn playing(program: &Path, spec: &Path) -> Self {
        Self::start(program, &["mock"], spec, None).await
    }

    async fn start(program: &Path, mode: &[&str], spec: &Path, upstream: Option<&str>) -> Self {
        let mut child = tokio::process::Command::new(program)
            .args(mode)
            // A free port, in this one process.
            .args(["--errors", "--multiprocess=false", "-h", "127.0.0.1", "-p", "0"])
            .arg(spec)
            .args(upstream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let url = timeout(Duration::from_secs(120), listening(&mut output)).await;
        // What it writes from now on is read and forgotten, else it would stop writing.
        tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
        Self { _child: child, url: url.unwrap_or_else(|_| panic!("Prism did not start in time")) }
    }
}

/// The address it says it listens at.
async fn listening(output: &mut BufReader<impl AsyncRead + Unpin>) -> String {
    let mut said = String::new();
    loop {
        let from = said.len();
        let read = output.read_line(&mut said).await.unwrap();
        assert!(read > 0, "Prism ended: {said}");
        if let Some((_, url)) = said[from..].split_once("Prism is listening on ") {
            return url.trim().to_owned();
        }
    }
}
