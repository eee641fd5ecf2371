//! Servers of others for tests: from packages that `.ci/run` unpacked below the target folder without
//! running any script of theirs, or as this machine has them installed.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

/// Where `.ci/run` unpacks them.
fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian")
}

fn found(path: &str) -> Option<PathBuf> {
    [unpacked(), "/".into()].into_iter().map(|root| root.join(path)).find(|path| path.exists())
}

/// True where all of `paths` (without the first `/`) are there. Where everything must be there
/// (`CI`), a missing program is a failure and not a shorter run.
pub(crate) fn are_there(paths: &[&str]) -> bool {
    let missing: Vec<_> = paths.iter().filter(|path| found(path).is_none()).collect();
    assert!(missing.is_empty() || std::env::var("CI").is_err(), "not installed: {missing:?}");
    if !missing.is_empty() {
        eprintln!("SKIPPED: not installed: {missing:?}");
    }
    missing.is_empty()
}

/// Where that program is, and what its libraries need in the environment.
pub(crate) fn place_of(path: &str) -> (PathBuf, String) {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = ["usr/lib", "usr/lib/postfix", "lib/TRIPLET", "usr/lib/TRIPLET"];
    let folders = folders.map(|folder| unpacked().join(folder.replace("TRIPLET", &triplet)));
    let joined = std::env::join_paths(folders).unwrap();
    (found(path).unwrap(), joined.into_string().unwrap())
}

/// That program, about to be run.
pub(crate) fn command(path: &str) -> Command {
    let (program, libraries) = place_of(path);
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries);
    command
}

/// A port that nobody uses just now. It is none of those that the system gives to connections: a
/// server may come late to it, and until then nobody who calls it can be connected to himself.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// The same, once it listens on `port`.
    pub(crate) fn listening(command: &mut Command, port: u16) -> Self {
        let mut running = Self::start(command);
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?}: {ended:?}");
            assert!(started.elapsed() < Duration::from_secs(20), "{command:?}: port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
