//! A PostgreSQL server of our own: started on loopback on a free port, stopped by its pid.

use sqlx::Connection as _;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// One server for the whole test binary; every test makes a database of its own in it.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let found = SERVER.get_or_init(start_for_all).as_ref();
    // Where everything must be there, a missing server is a failure and not a shorter run.
    assert!(found.is_some() || std::env::var("CI").is_err(), "PostgreSQL is not installed");
    if found.is_none() {
        eprintln!("SKIPPED: PostgreSQL is not installed, so this story ran on SQLite only");
    }
    found
}

/// Starts it from a thread that lasts as long as the tests: the server is killed with the thread that
/// started it, and the one of the first test that asks for it ends with that test.
fn start_for_all() -> Option<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(Server::start()).unwrap();
        loop {
            std::thread::park();
        }
    });
    receiver.recv().unwrap()
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Option<Self> {
        let bin = bin_dir()?;
        let data = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = data.path().join("pg");
        std::fs::create_dir(&dir).unwrap();
        if is_root() {
            // PostgreSQL refuses to run as root.
            std::fs::set_permissions(
                data.path(),
                std::os::unix::fs::PermissionsExt::from_mode(0o755),
            )
            .unwrap();
            assert!(Command::new("chown").arg(user()).arg(&dir).status().unwrap().success());
        }
        let init = command(&bin.join("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D"])
            .arg(&dir)
            .stdout(Stdio::null())
            .current_dir(&dir)
            .status()
            .unwrap();
        assert!(init.success(), "initdb failed");
        let child = command(&bin.join("postgres"))
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-D",
            ])
            .arg(&dir)
            .current_dir(&dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(120), "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { child, port, _data: data })
    }

    /// The URL of a fresh database named `name`.
    pub(crate) async fn database(&self, name: &str) -> String {
        let base = format!("postgres://postgres@127.0.0.1:{}", self.port);
        let started = Instant::now();
        loop {
            match sqlx::PgConnection::connect(&format!("{base}/postgres")).await {
                Ok(mut connection) => {
                    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    return format!("{base}/{name}");
                }
                // It may still be starting up; a busy machine takes its time.
                Err(error) => assert!(started.elapsed() < Duration::from_secs(120), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(super) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

pub(super) fn user() -> &'static str {
    let known =
        Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if known.is_ok_and(|status| status.success()) { "postgres" } else { "nobody" }
}

pub(super) fn command(program: &Path) -> Command {
    if is_root() {
        // The server must not outlive this process, whatever ends it.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--clear-groups", "--reuid", user(), "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub(super) fn bin_dir() -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/local/bin"), PathBuf::from("/usr/bin")];
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    places
        .into_iter()
        .rev()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}
